//! A guard that is asked to end does so in good order: what runs is answered, then nobody is let in, the record is whole
//! and signed, and the program ends with 0. The gateway in front of it ends as well.

use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::demo::{program, untouched};
use crate::journeys::copy;

/// A guard over an environment of its own.
struct House {
    env: PathBuf,
    socket: PathBuf,
    guard: Child,
    _folder: TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (env, socket) = (folder.path().join("env"), folder.path().join("guard.sock"));
        copy(&untouched(), &env);
        let mut guard = Command::new(program("misu-guard"));
        guard.args(["serve", "--env"]).arg(&env).arg("--socket").arg(&socket);
        Self { guard: listening(guard).0, env, socket, _folder: folder }
    }

    fn recorded(&self, kind: &str) -> usize {
        let text = std::fs::read_to_string(self.env.join("audit/log.jsonl")).unwrap();
        text.matches(&format!("\"kind\":\"{kind}\"")).count()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.guard.kill();
    }
}

/// Starts a program that ends with the tests, and gives it with the first line that it says.
fn listening(mut command: Command) -> (Child, String) {
    command.arg("--end-with-parent").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "{command:?} said nothing");
    (child, line)
}

fn asked_to_end(child: &mut Child, signal: &str) -> ExitStatus {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "it does not end");
        std::thread::yield_now();
    }
}

/// A connection on which this is asked by nobody; what comes back is not waited for.
fn ask(socket: &Path) -> UnixStream {
    use engine_protocol::{Call, Caller, ClientRequest, write_json};
    let mut connection = UnixStream::connect(socket).unwrap();
    write_json(&mut connection, &Call::new(Caller::Nobody, ClientRequest::Catalogue)).unwrap();
    connection
}

#[test]
fn a_guard_ends_with_a_signed_record_and_answers_what_was_asked_before() {
    for signal in ["-TERM", "-INT"] {
        let mut house = House::new();
        let mut before = ask(&house.socket);
        // It is being answered once its first bytes are there.
        let reply: engine_protocol::ClientReply = engine_protocol::read_json(&mut before, 1 << 26).unwrap();
        assert!(matches!(reply, engine_protocol::ClientReply::Catalogue(_)));
        let signed = house.recorded("checkpoint-signed");
        let status = asked_to_end(&mut house.guard, signal);
        assert!(status.success(), "{status:?}");
        assert!(!house.socket.exists() && UnixStream::connect(&house.socket).is_err());
        assert_eq!(house.recorded("checkpoint-signed"), signed + 1);
        assert!(audit_is_whole(&house.env));
    }
}

#[test]
fn a_gateway_ends_with_its_listener() {
    let house = House::new();
    let mut gateway = Command::new(program("misu-gateway"));
    gateway.arg("--guard").arg(&house.socket).args(["--listen", "127.0.0.1:0"]);
    let (mut gateway, line) = listening(gateway);
    let address = line.split_whitespace().next().unwrap().trim_start_matches("http://").to_owned();
    let address = address.trim_end_matches('/');
    assert!(std::net::TcpStream::connect(address).is_ok());
    let status = asked_to_end(&mut gateway, "-TERM");
    assert!(status.success(), "{status:?}");
    assert!(std::net::TcpStream::connect(address).is_err());
}

fn audit_is_whole(env: &Path) -> bool {
    let mut command = Command::new(program("misu"));
    command.args(["audit", "verify", "--env"]).arg(env).stdout(Stdio::null());
    command.status().unwrap().success()
}
