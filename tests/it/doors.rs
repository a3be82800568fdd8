//! Guard and gateway over the small demo, for clients that people use: each test drives a real one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::demo::{Demo, demo, program};

/// The doors of one gateway over a small demo of their own; guard and gateway end with the tests.
pub(crate) struct Doors {
    pub(crate) http: String,
    pub(crate) flight: String,
    /// The guard's process, for a test that makes it slow.
    pub(crate) guard: u32,
    demo: Demo,
    /// Tokens: of the demo's researcher, and of somebody of another project.
    tokens: [String; 2],
    _folder: TempDir,
    _programs: [Child; 2],
}

/// The demo's researcher.
pub(crate) const RESEARCHER: &str = "demo-researcher";
/// Somebody of another project, with the same permit in every other way.
const OTHER: &str = "second-researcher";

pub(crate) static DOORS: LazyLock<Doors> = LazyLock::new(open);

/// Asked before any test: later questions about nearly the same persons are held back, not these, whichever test is
/// the first.
const FIRST: [&str; 2] = [
    "SELECT sex, count(DISTINCT person_id) AS persons FROM person GROUP BY sex",
    "SELECT service_month, count(DISTINCT person_id) AS persons, sum(total_points) AS points\n\
     FROM ndb_receipt\nGROUP BY service_month",
];

/// Opens the doors on a thread that stays: a program that ends with its parent ends with the thread that started it.
fn open() -> Doors {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        tell.send(opened()).unwrap();
        loop {
            std::thread::park();
        }
    });
    told.recv().unwrap()
}

fn opened() -> Doors {
    let (demo, folder) = (demo(), tempfile::tempdir().unwrap());
    for sql in FIRST {
        csv(&demo, sql);
    }
    second_project(&demo);
    let tokens = [token(&demo, RESEARCHER, "demo"), token(&demo, OTHER, "second")];
    let socket = folder.path().join("guard.sock");
    let mut guard = Command::new(program("misu-guard"));
    guard.args(["serve", "--env", &demo.env(), "--socket"]).arg(&socket);
    let (guard, _) = started(guard);
    let mut gateway = Command::new(program("misu-gateway"));
    gateway.arg("--guard").arg(&socket).args(["--listen", "127.0.0.1:0", "--flight", "127.0.0.1:0"]);
    let (gateway, line) = started(gateway);
    let (http, flight) = line.split_once(' ').unwrap();
    Doors {
        http: http.to_owned(),
        flight: flight.to_owned(),
        guard: guard.id(),
        demo,
        tokens,
        _folder: folder,
        _programs: [guard, gateway],
    }
}

/// Starts a program that ends with the tests, and waits for the line that says that it listens.
fn started(mut command: Command) -> (Child, String) {
    command.arg("--end-with-parent").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "{command:?} said nothing");
    (child, line.trim_end().to_owned())
}

/// A second project with a person of its own.
fn second_project(demo: &Demo) {
    let policies = Path::new(&demo.env()).join("policies");
    let text = std::fs::read_to_string(policies.join("demo.toml")).unwrap();
    let text = text.replace("project = \"demo\"", "project = \"second\"").replace(RESEARCHER, OTHER);
    std::fs::write(policies.join("second.toml"), text).unwrap();
    let who = ["people", "set", "--env", &demo.env(), "--as", "demo-operator", OTHER, "--role", "researcher"];
    let more = ["--trained-until", "2099-03-31", "--organisation", "架空の組織"];
    said(Command::new(program("misu")).args(who).args(more));
}

fn csv(demo: &Demo, sql: &str) -> String {
    let who = ["query", "--format", "csv", "--user", RESEARCHER, "--env", &demo.env(), sql];
    said(Command::new(program("misu")).args(who))
}

fn token(demo: &Demo, person: &str, project: &str) -> String {
    let arguments =
        ["token", "issue", "--env", &demo.env(), "--as", "demo-operator", person, "--project", project];
    said(Command::new(program("misu")).args(arguments)).trim_end().to_owned()
}

fn said(command: &mut Command) -> String {
    printed(&command.output().unwrap())
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
            .env("MISU_TOKEN", &self.tokens[0])
            .env("MISU_OTHER", &self.tokens[1])
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

    /// The environment.
    pub(crate) fn env(&self) -> String {
        self.demo.env()
    }

    /// The researcher's token.
    pub(crate) fn token(&self) -> &str {
        &self.tokens[0]
    }

    /// The command's CSV for a question of the researcher.
    pub(crate) fn csv(&self, sql: &str) -> String {
        csv(&self.demo, sql)
    }
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
