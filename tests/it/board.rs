//! What operators and the board have: a drill from a backup to an answer, and reports in every form.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::demo::{DEMO, misu, said};

/// A question that the demo has not asked.
const QUESTION: &str = "SELECT sex, count(DISTINCT person_id) AS n FROM person GROUP BY sex";

fn asked(env: &str) -> Output {
    misu(&[
        "query",
        "--env",
        env,
        "--project",
        "demo",
        "--user",
        "demo-researcher",
        "--format",
        "csv",
        QUESTION,
    ])
}

fn answer(env: &str) -> String {
    let output = asked(env);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A PostgreSQL server that ends with its value.
struct Server(Child, String);

impl Server {
    fn start() -> Self {
        let mut script =
            Command::new("./postgres").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("postgres://"), "tests/install installs postgresql");
        Self(script, url.trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn a_restored_environment_answers_the_same_on_either_database() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let env = DEMO.env();
    let expected = answer(&env);
    said(&["backup", "--env", &env, "--out", &place("small")]);
    said(&["backup", "--env", &env, "--out", &place("large"), "--data"]);
    let store = Path::new(&env).join("store").display().to_string();
    let told = said(&["restore", &place("small"), "--env", &place("one"), "--store", &store]);
    assert!(told.contains("the record verifies") && told.contains("as long as the record says"), "{told}");
    said(&["audit", "verify", "--env", &place("one")]);
    assert_eq!(answer(&place("one")), expected);

    let server = Server::start();
    said(&["restore", &place("large"), "--env", &place("two"), "--database-url", &server.1]);
    assert!(!Path::new(&place("two")).join("meta.sqlite").exists());
    assert_eq!(answer(&place("two")), expected);
    // The program that reads identities reaches the server although it opens no socket once it is locked in.
    said(&["link", "--env", &place("two")]);
    said(&["publish", "--env", &place("two")]);
    said(&["audit", "verify", "--env", &place("two")]);

    // A ledger that is older than the record releases nothing.
    std::fs::remove_file(Path::new(&place("one")).join("ledger/releases")).unwrap();
    let output = asked(&place("one"));
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("an old copy was put back"));
}

/// What a tool that looks at a PDF says of it.
fn looked_at(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).output().unwrap();
    assert!(output.status.success(), "{tool}: tests/install installs poppler-utils");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn reports_of_every_kind_are_made_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let env = DEMO.env();
    let query = released(&env);
    for kind in [&["period"][..], &["project", "demo"], &["release", &query], &["usage"]] {
        for form in ["html", "pdf", "xlsx", "json"] {
            let out = folder.path().join(format!("{}.{form}", kind[0])).display().to_string();
            said(&[&["report"][..], kind, &["--env", &env, "--out", &out]].concat());
            let bytes = std::fs::read(&out).unwrap();
            match form {
                "html" => assert!(String::from_utf8(bytes).unwrap().contains("misu/record"), "{out}"),
                "json" => {
                    holds(&bytes);
                    let is_sealed = String::from_utf8(bytes).unwrap().contains("\"sealed_copy\":true");
                    assert_eq!(is_sealed, kind[0] == "release", "{out}");
                }
                "xlsx" => assert!(bytes.starts_with(b"PK"), "{out}"),
                _ => {
                    let text = looked_at("pdftotext", &[&out, "-"]);
                    assert!(text.contains("検証") && text.contains("misu/record"), "{text}");
                    let fonts = looked_at("pdffonts", &[&out]);
                    assert!(fonts.contains("IPAexGothic"), "{fonts}");
                    // Every font is inside, cut down to the letters that are used.
                    let inside = fonts.lines().skip(2).all(|line| line.contains("yes yes"));
                    assert!(inside, "{fonts}");
                }
            }
        }
    }
    let page = folder.path().join("period.pdf").display().to_string();
    // How wide a space must be to be told as one is the reader's guess; whoever looks at words leaves them out.
    let text = looked_at("pdftotext", &["-layout", &page, "-"]);
    let pages = text.matches('\u{c}').count();
    let last = format!("{pages}/{pages}");
    let text: String = text.split_whitespace().collect();
    for words in ["審査会への期間報告書", "照会と開示", "秘匿した値", "評価表", &last]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    // Every report is in the record.
    said(&["audit", "verify", "--env", &env]);
}

/// The digest that the seal names is that of the figures as they stand in the file.
fn holds(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap();
    let (figures, seal) = text.strip_prefix("{\"figures\":").unwrap().rsplit_once(",\n\"seal\":").unwrap();
    let seal: serde_json::Value = serde_json::from_str(seal.trim().strip_suffix('}').unwrap()).unwrap();
    assert_eq!(seal["figures"], blake3::hash(figures.as_bytes()).to_hex().as_str());
}

/// The id of a query of the demo that was released.
fn released(env: &str) -> String {
    let log = std::fs::read_to_string(Path::new(env).join("audit/log.jsonl")).unwrap();
    let entries = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut released = entries.filter(|entry| entry["body"]["outcome"] == "released");
    released.next().unwrap()["subject"].as_str().unwrap().to_owned()
}

#[test]
fn the_checklist_is_scored_line_by_line() {
    let env = DEMO.env();
    let read = |arguments: &[&str]| -> serde_json::Value {
        let arguments = [&["checklist", "--env", &env, "--json"][..], arguments].concat();
        serde_json::from_str(&said(&arguments)).unwrap()
    };
    let scored = read(&[]);
    let line = |scored: &serde_json::Value, id: &str| {
        let lines = scored["checklist"].as_array().unwrap().clone();
        lines.into_iter().find(|line| line["id"] == id).unwrap()
    };
    assert_eq!(scored["checklist"].as_array().unwrap().len(), 113);
    assert_eq!(line(&scored, "G2")["score"], 2);
    // A demo's keys protect nothing, whatever the tests say.
    assert_eq!(line(&scored, "C3")["score"], 0);
    assert_eq!(line(&scored, "I6")["score"], serde_json::Value::Null);
    // Where no test has passed, what tests keep counts nothing.
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("none.txt");
    std::fs::write(&none, "running 0 tests\n").unwrap();
    let without = read(&["--tests", &none.display().to_string()]);
    assert!(without["points"].as_u64() < scored["points"].as_u64());
    assert_eq!(line(&without, "G2")["score"], 0);
}
