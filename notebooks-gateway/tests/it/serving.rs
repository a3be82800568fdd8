//! The listener and the program: limits on what comes over the wire, an orderly end, and what it refuses to start with.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use notebooks_gateway::{Limits, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::support::House;

/// Serves a house on a free port while `visit` runs in a thread of its own.
async fn serving(limits: Limits, visit: impl FnOnce(u16) + Send + 'static) {
    let house = House::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, stopped) = oneshot::channel::<()>();
    let visitor = std::thread::spawn(move || {
        visit(port);
        drop(stop);
    });
    let stop = async {
        let _ = stopped.await;
    };
    serve(listener, house.router.clone(), limits, stop).await;
    visitor.join().unwrap();
}

fn exchange(port: u16, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    // A server that closes before it has read everything resets the connection; what came before counts.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn pages_come_over_the_wire_and_the_server_ends_when_told() {
    serving(Limits::default(), |port| {
        let answer = exchange(port, b"GET / HTTP/1.1\r\nhost: misu.example\r\nconnection: close\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-security-policy: default-src 'none'"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_request_of_a_bounded_size_is_turned_away() {
    serving(Limits::default(), |port| {
        let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(100_000));
        assert!(exchange(port, long.as_bytes()).starts_with("HTTP/1.1 431 "));
        assert!(exchange(port, b"hello\r\n\r\n").starts_with("HTTP/1.1 400 "));
        let http2 = exchange(port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        assert!(!http2.contains("200"), "{http2}");
    })
    .await;
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_its_connection() {
    let limits = Limits { head: Duration::from_millis(50), ..Limits::default() };
    serving(limits, |port| {
        let answer = exchange(port, b"GET / HTTP/1.1\r\nhost: misu.exa");
        assert!(!answer.contains("200"), "{answer}");
    })
    .await;
}

fn program(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_misu-gateway"));
    command.arg("--guard").arg(folder.join("none.sock")).args(more);
    command
}

fn refusal(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_program_does_not_start_where_secrets_would_travel_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let text = refusal(program(folder.path(), &["--listen", "0.0.0.0:0"]));
    assert!(text.contains("--behind-tls"), "{text}");
}

#[test]
fn the_program_says_where_it_listens_and_ends_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path(), &["--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("http://").unwrap();
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    let request = b"GET /health?q=secret HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert!(exchange(port, request).starts_with("HTTP/1.1 503 "));
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("route=\"/health\" status=503") && !log.contains("secret"), "{log}");
}
