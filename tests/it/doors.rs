//! Guard and gateway over the small demo, for clients that people use: each test drives a real one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::demo::{environment, program};

/// The doors of one gateway; guard and gateway end with the tests.
pub(crate) struct Doors {
    pub(crate) http: String,
    pub(crate) flight: String,
    pub(crate) tokens: Tokens,
    _folder: TempDir,
}

/// Tokens: of the demo's researcher, and of somebody whom the permit does not name.
pub(crate) struct Tokens {
    pub(crate) researcher: String,
    pub(crate) outsider: String,
}

/// The demo's researcher.
pub(crate) const RESEARCHER: &str = "demo-researcher";

pub(crate) static DOORS: LazyLock<Doors> = LazyLock::new(open);

fn open() -> Doors {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("guard.sock");
    let mut guard = Command::new(program("misu-guard"));
    guard.arg("serve").arg("--env").arg(environment()).arg("--socket").arg(&socket);
    first_line(guard);
    let tokens = tokens(folder.path());
    let mut gateway = Command::new(program("misu-gateway"));
    gateway.arg("--guard").arg(&socket).args(["--listen", "127.0.0.1:0", "--flight", "127.0.0.1:0"]);
    gateway.arg("--token-file").arg(folder.path().join("tokens.json"));
    let line = first_line(gateway);
    let (http, flight) = line.split_once(' ').unwrap();
    Doors { http: http.to_owned(), flight: flight.to_owned(), tokens, _folder: folder }
}

/// Starts a program that ends with the tests, and waits for the line that says that it listens.
fn first_line(mut command: Command) -> String {
    command.arg("--end-with-parent").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child: Child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "{command:?} said nothing");
    line.trim_end().to_owned()
}

/// Two tokens, and the list that the gateway reads.
fn tokens(folder: &Path) -> Tokens {
    // The digests are those of the words below; the words are nobody's secret.
    let list = concat!(
        r#"[{"user":"demo-researcher","project":"demo","#,
        r#""sha256":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"},"#,
        r#"{"user":"outsider","project":"demo","#,
        r#""sha256":"3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"}]"#
    );
    let path = folder.join("tokens.json");
    std::fs::write(&path, list).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    Tokens { researcher: "a".to_owned(), outsider: "b".to_owned() }
}

/// A program of an environment that `tests/install` made.
pub(crate) fn installed(environment: &str, name: &str) -> PathBuf {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap());
    let cache = std::env::var_os("MISU_TEST_CACHE").map_or(home.join(".cache/misu-tests"), PathBuf::from);
    let path = cache.join(environment).join("bin").join(name);
    assert!(path.is_file(), "{} is not there; run tests/install", path.display());
    path
}

impl Doors {
    /// Runs a command with the doors' addresses and tokens in its environment and `input` on its standard input.
    pub(crate) fn run(&self, mut command: Command, input: &str) -> Output {
        command
            .env("MISU_URL", &self.http)
            .env("MISU_FLIGHT", &self.flight)
            .env("MISU_TOKEN", &self.tokens.researcher)
            .env("MISU_OTHER", &self.tokens.outsider)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut to = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writer = std::thread::spawn(move || {
            // A script that reads nothing closes its end; that is its own matter.
            let _ = to.write_all(input.as_bytes());
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output
    }
}

/// The command's CSV for a question of the researcher.
pub(crate) fn csv(sql: &str) -> String {
    let mut command = Command::new(program("misu"));
    command.args(["query", "--format", "csv", "--user", RESEARCHER, "--env"]).arg(environment()).arg(sql);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a script printed, where it ended well.
pub(crate) fn printed(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
