//! The databases that tests run on: a file, and a real PostgreSQL server which ends with the test process.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::database::assembled;
use crate::meta::run;
use crate::{Config, Environment, Meta};

struct Server {
    // The script ends the server when this program's end of the pipe is gone.
    _script: Child,
    url: String,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let mut script = Command::new("../../tests/postgres")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tests/postgres starts");
    let mut url = String::new();
    BufReader::new(script.stdout.take().unwrap()).read_line(&mut url).unwrap();
    assert!(url.starts_with("postgres://"), "tests/install installs postgresql");
    Server { _script: script, url: url.trim_end().to_owned() }
});

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The address of a new, empty database on the server.
pub(crate) fn server_url() -> String {
    let server = Meta::connect(&SERVER.url).unwrap();
    let name = format!("t{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let made = assembled(format!("create database {name} template template0"));
    run("make a database", made.execute(&server.pool)).unwrap();
    SERVER.url.replace("/postgres?", &format!("/{name}?"))
}

/// Does the check on an empty database of either kind.
pub(crate) fn everywhere(check: impl Fn(Meta)) {
    let folder = tempfile::tempdir().unwrap();
    check(Meta::open(&folder.path().join("meta.sqlite")).unwrap());
    check(Meta::connect(&server_url()).unwrap());
}

/// Does the check in an environment on either kind.
pub(crate) fn environments(check: impl Fn(&Environment)) {
    for url in [None, Some(server_url())] {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { database_url: url, ..Config::new(4, Some(1)) };
        check(&Environment::create(&folder.path().join("env"), config).unwrap());
    }
}
