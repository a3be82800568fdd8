//! A guard that is killed in the middle of a release, started again and asked the same: `tests/crashes/*.toml`.
//!
//! Nothing in the guard knows of this. It locks the ledger and the record while it writes them, so whoever holds one of
//! the locks has it wait at that very place, and the system tells that it does; a limit on the size of files ends it in
//! the middle of a write. Whatever was reached, the same question then gets the answer that it would have got, once.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use engine_protocol::{
    Call, Caller, ClientReply, ClientRequest, Question, ReleasedTable, read_json, write_json,
};
use serde::Deserialize;
use tempfile::TempDir;

use crate::demo::{program, untouched};
use crate::journeys::copy;

/// The signal for a write beyond the limit on the size of files.
const TOO_LARGE: i32 = 25;
const KILLED: i32 = 9;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    title: String,
    why: String,
    asks: String,
    killed: Place,
    /// Whole entries of the ledger that the crash leaves behind those that were there, and bytes of one that is torn.
    entries_left: usize,
    bytes_left: u64,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Place {
    BeforeTheLedger,
    WithinTheEntry,
    BeforeTheRecord,
}

/// An environment of one's own.
struct House {
    env: PathBuf,
    _folder: TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let env = folder.path().join("env");
        copy(&untouched(), &env);
        Self { env, _folder: folder }
    }

    /// A guard of its owner's that was asked this.
    fn asked(&self, sql: &str) -> Child {
        let mut command = Command::new(program("misu-guard"));
        command.args(["ask", "--env"]).arg(&self.env).stdin(Stdio::piped()).stdout(Stdio::piped());
        let guard = command.stderr(Stdio::null()).spawn().unwrap();
        let text = |text: &str| text.to_owned();
        let question = Question { user: text("demo-researcher"), project: text("demo"), sql: text(sql) };
        let call = Call::new(Caller::Owner, ClientRequest::Query(question));
        let mut to = guard.stdin.as_ref().unwrap();
        write_json(&mut to, &call).unwrap();
        to.flush().unwrap();
        guard
    }

    /// What a guard that nobody disturbs answers.
    fn answer(&self, sql: &str) -> ReleasedTable {
        let mut guard = self.asked(sql);
        let reply: ClientReply = read_json(guard.stdout.as_mut().unwrap(), 1 << 26).unwrap();
        drop(guard.stdin.take());
        assert!(guard.wait().unwrap().success());
        match reply {
            ClientReply::Released(table) => table,
            other => panic!("{other:?}"),
        }
    }

    /// Asks, and has the guard end at this place.
    fn killed(&self, sql: &str, place: Place) {
        let (ledger, record) = (self.ledger(), self.record());
        let held = locked(&ledger);
        let mut guard = self.asked(sql);
        // It looks whether the ledger has the answer, then notes the keys that it uses, then comes to the release.
        until(|| waits(&guard, &ledger));
        let noting = locked(&record);
        drop(held);
        until(|| waits(&guard, &record));
        let held = locked(&ledger);
        drop(noting);
        until(|| waits(&guard, &ledger));
        match place {
            Place::BeforeTheLedger => guard.kill().unwrap(),
            Place::WithinTheEntry => {
                let limit = format!("--fsize={}", held.metadata().unwrap().len() + 24);
                let limited =
                    Command::new("prlimit").args(["--pid", &guard.id().to_string(), &limit]).status();
                assert!(limited.unwrap().success());
                drop(held);
            }
            Place::BeforeTheRecord => {
                let _noting = locked(&record);
                drop(held);
                until(|| waits(&guard, &record));
                guard.kill().unwrap();
            }
        }
        let signal = if matches!(place, Place::WithinTheEntry) { TOO_LARGE } else { KILLED };
        assert_eq!(guard.wait().unwrap().signal(), Some(signal));
    }

    fn ledger(&self) -> PathBuf {
        self.env.join("ledger/releases")
    }

    fn record(&self) -> PathBuf {
        self.env.join("audit/log.jsonl")
    }

    fn recorded(&self, kind: &str) -> usize {
        let text = std::fs::read_to_string(self.record()).unwrap();
        text.matches(&format!("\"kind\":\"{kind}\"")).count()
    }

    /// How long the record says that the ledger is.
    fn noted(&self) -> u64 {
        let text = std::fs::read_to_string(self.record()).unwrap();
        let line = text.lines().rfind(|line| line.contains("\"kind\":\"ledger-kept\"")).unwrap();
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        entry["body"]["entries"].as_u64().unwrap()
    }

    /// Copies of the project's releases.
    fn copies(&self) -> usize {
        let names = std::fs::read_dir(self.env.join("ledger/outputs/demo")).unwrap();
        names.filter(|name| name.as_ref().unwrap().path().extension().is_none()).count()
    }

    /// Whole entries of the ledger.
    fn entries(&self) -> usize {
        entries(&std::fs::read(self.ledger()).unwrap()).0
    }

    /// Bytes behind the last whole entry of the ledger.
    fn torn(&self) -> u64 {
        entries(&std::fs::read(self.ledger()).unwrap()).1
    }
}

/// Whole entries, and the bytes behind them.
fn entries(mut bytes: &[u8]) -> (usize, u64) {
    let mut entries = 0;
    while let Some((length, rest)) = bytes.split_first_chunk::<8>() {
        let Some(rest) = rest.get(usize::try_from(u64::from_le_bytes(*length)).unwrap()..) else { break };
        (entries, bytes) = (entries + 1, rest);
    }
    (entries, bytes.len() as u64)
}

fn locked(path: &Path) -> File {
    let file = File::options().read(true).write(true).open(path).unwrap();
    file.lock().unwrap();
    file
}

/// Whether a program waits for the lock of a file.
fn waits(program: &Child, file: &Path) -> bool {
    let (pid, inode) = (program.id().to_string(), std::fs::metadata(file).unwrap().ino().to_string());
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    locks.lines().filter(|line| line.contains("->")).any(|line| {
        let mut words = line.split_whitespace();
        words.any(|word| word == pid) && words.any(|word| word.rsplit(':').next() == Some(&inode))
    })
}

fn until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not come to that");
        std::thread::yield_now();
    }
}

fn audit_is_whole(env: &Path) -> bool {
    let mut command = Command::new(program("misu"));
    command.args(["audit", "verify", "--env"]).arg(env).stdout(Stdio::null());
    command.status().unwrap().success()
}

/// The table but for the id of the question, and the certificate, which is about that one.
fn said(table: &ReleasedTable) -> ReleasedTable {
    ReleasedTable { query: String::new(), certificate: None, ..table.clone() }
}

#[test]
fn after_a_crash_the_same_question_gets_the_same_answer_once() {
    let mut cases = 0;
    for file in std::fs::read_dir(crate::root().join("tests/crashes")).unwrap() {
        let case: Case = toml::from_str(&std::fs::read_to_string(file.unwrap().path()).unwrap()).unwrap();
        let place = format!("{}: {}", case.title, case.why);
        let undisturbed = House::new().answer(&case.asks);
        let house = House::new();
        let (entries, closed) = (house.entries(), house.recorded("query-closed"));
        let copies = house.copies();
        house.killed(&case.asks, case.killed);
        assert_eq!(
            (house.entries(), house.torn()),
            (entries + case.entries_left, case.bytes_left),
            "{place}"
        );
        assert_eq!(house.recorded("query-closed"), closed, "{place}");

        let table = house.answer(&case.asks);
        assert_eq!(said(&table), said(&undisturbed), "{place}");
        assert!(table.certificate.is_some(), "{place}");
        assert_eq!((house.entries(), house.torn()), (entries + 1, 0), "{place}");
        assert_eq!(house.noted(), house.entries() as u64, "{place}: the record knows how long the ledger is");
        assert!(house.env.join("ledger/outputs/demo").join(&table.query).is_file(), "{place}");
        let unsettled = std::fs::read_dir(house.env.join("ledger/unsettled")).unwrap().count();
        assert_eq!(
            (house.copies(), unsettled),
            (copies + 1, 0),
            "{place}: a copy of each answer that went out"
        );

        assert_eq!(house.answer(&case.asks), table, "{place}");
        assert_eq!(house.entries(), entries + 1, "{place}");
        assert!(audit_is_whole(&house.env), "{place}");
        cases += 1;
    }
    assert!(cases >= 3);
}
