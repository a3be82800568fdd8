//! The HTTP API: calls made up from its own OpenAPI document, and R as people use it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::doors::{DOORS, installed, printed};

/// What is asked of every made-up call. Left out: that data which fit the document are accepted, since a question that
/// is well written may still be refused.
const LEFT_OUT: &str = "positive_data_acceptance";

#[test]
fn no_call_that_the_document_allows_or_forbids_is_answered_wrongly() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(installed("api", "schemathesis"));
    command
        .args(["run", &format!("{}/api/v1/openapi.json", DOORS.http), "--no-color", "--seed", "1"])
        .args(["-H", &format!("Authorization: Bearer {}", DOORS.token()), "--max-examples", "3"])
        .args(["--phases", "examples,coverage,fuzzing", "--exclude-checks", LEFT_OUT])
        .current_dir(folder.path());
    printed(&DOORS.run(command, ""));
}

#[test]
fn the_r_example_runs_as_it_stands() {
    let mut command = Command::new("Rscript");
    command.arg("--vanilla").arg(crate::root().join("examples/r/ask.R"));
    let shown = printed(&DOORS.run(command, ""));
    let csv = DOORS.csv("SELECT sex, count(DISTINCT person_id) AS persons FROM person GROUP BY sex");
    for line in csv.lines().skip(1) {
        let words: Vec<&str> = line.split(',').collect();
        let row = shown.lines().find(|row| row.contains(&format!(" {} ", words[2])));
        assert!(row.is_some_and(|row| row.trim_end().ends_with(words[3])), "{line}\n{shown}");
    }
    assert!(shown.contains("422 the question is refused"), "{shown}");
    assert!(shown.contains("identity at line 1 column 50: birth_date"), "{shown}");
}

/// Sends bytes as they are and gives what comes back.
fn exchange(request: &[u8]) -> String {
    let mut stream = TcpStream::connect(DOORS.http.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = Vec::new();
    // A server that closes before it has read everything resets the connection; what came before counts.
    let _ = stream.write_all(request);
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn bytes_that_are_no_call_end_their_connection_and_nothing_else() {
    let token = DOORS.token();
    let head = |line: &str, more: &str| {
        format!(
            "{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{more}connection: close\r\n\r\n"
        )
    };
    let post = "content-type: application/json\r\n";
    for (request, expected) in [
        (head("GET /api/v1/results/q1\r\nset-cookie: a=b", ""), "400"),
        (head("GET /api/v1/../../etc/passwd", ""), "404"),
        (head("GET /api/v1/projects", "authorization: Bearer other\r\n"), "401"),
        (
            head("POST /api/v1/query", &format!("{post}idempotency-key: a\tb\r\ncontent-length: 2\r\n"))
                + "{}",
            "400",
        ),
        (head("POST /api/v1/query", &format!("{post}content-length: 999999999999\r\n")), "413"),
        (head("POST /api/v1/query", &format!("{post}transfer-encoding: chunked\r\n")) + "zz\r\n", "400"),
        (head("GET /api/kernels/a/channels", "upgrade: websocket\r\n"), "4"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), ""),
    ] {
        let answer = exchange(request.as_bytes());
        let status = answer.strip_prefix("HTTP/1.1 ").unwrap_or_default();
        assert!(status.starts_with(expected), "{request}\n{answer}");
        assert!(!answer.contains("set-cookie") && !answer.contains("root:"), "{answer}");
    }
    assert!(exchange(head("GET /api/v1/projects", "").as_bytes()).starts_with("HTTP/1.1 200"));
}
