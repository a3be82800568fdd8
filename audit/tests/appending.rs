//! Appends under adverse conditions: many at once, killed in the middle, torn ends, damaged ends.

#![cfg(test)]

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use audit::{
    AuditError, Entry, EntryRef, Event, Kind, LOG_FILE, Log, Outcome, QueryRequest, Value, verify_file,
};
use proptest::prelude::*;
use time::{Duration, OffsetDateTime};

const FIXED: fn() -> OffsetDateTime = || OffsetDateTime::UNIX_EPOCH;

fn event(who: &str) -> Event {
    Event::new(Kind::View, who)
}

fn entries(folder: &Path) -> Vec<Entry> {
    let text = fs::read(folder.join(LOG_FILE)).unwrap();
    text.split_inclusive(|byte| *byte == b'\n')
        .map(|line| Entry::parse(line.strip_suffix(b"\n").unwrap()).unwrap())
        .collect()
}

fn cut(folder: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(folder.join(LOG_FILE)).unwrap();
    file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
}

fn add(folder: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(folder.join(LOG_FILE)).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_group_is_a_chain_like_entries_one_by_one_and_none_of_it_is_reserved() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), FIXED).unwrap();
    log.record(event("alone")).unwrap();
    add(folder.path(), b"{\"torn");
    let head = log.record_all((0..300).map(|n| event(&format!("group-{n}")))).unwrap();
    assert_eq!(log.record_all([]).unwrap(), head);
    // The torn end was put right first.
    let verified = verify_file(log.path()).unwrap();
    assert_eq!((verified.entries, verified.head), (302, head));
    let reserved = log.record_all([event("x"), Event::new(Kind::QueryOpened, "x")]);
    assert!(matches!(reserved, Err(AuditError::Reserved { kind: Kind::QueryOpened })));
    assert_eq!(verify_file(log.path()).unwrap().entries, 302);
}

#[test]
fn times_never_go_back_and_a_clock_that_does_is_recorded_once() {
    let folder = tempfile::tempdir().unwrap();
    let seconds = Arc::new(AtomicI64::new(1_000));
    let looked = Arc::clone(&seconds);
    let clock = move || OffsetDateTime::UNIX_EPOCH + Duration::seconds(looked.load(Ordering::SeqCst));
    let log = Log::create(folder.path(), clock).unwrap();
    for now in [1_000, 999, 400, 401, 1_500, 100, 90] {
        seconds.store(now, Ordering::SeqCst);
        log.record(event("user")).unwrap();
    }
    let found = entries(folder.path());
    let times: Vec<i64> = found.iter().map(|entry| entry.at().unix_timestamp()).collect();
    // A second is two processors' clocks; ten minutes are not.
    assert_eq!(times, [1_000, 1_000, 1_000, 1_000, 1_000, 1_500, 1_500, 1_500, 1_500]);
    let set_back: Vec<(usize, Option<&Value>)> = found
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.kind() == Kind::ClockSetBack)
        .map(|(at, entry)| (at, entry.body().value("milliseconds")))
        .collect();
    assert_eq!(set_back, [(2, Some(&Value::Whole(600_000))), (6, Some(&Value::Whole(1_400_000)))]);
    assert_eq!(verify_file(log.path()).unwrap().back_in_time, 0);
}

#[test]
fn threads_lose_and_repeat_no_number() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), FIXED).unwrap();
    let recorded = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|n| {
                // Half of them share one log, half open their own.
                let log = if n % 2 == 0 { log.clone() } else { Log::open(folder.path(), FIXED).unwrap() };
                scope.spawn(move || {
                    (0..25).map(|_| log.record(event(&format!("thread-{n}"))).unwrap()).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let mut numbers: Vec<u64> = recorded.iter().map(|entry| entry.seq()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    assert_eq!(verify_file(log.path()).unwrap().entries, 100);
    let standing: Vec<EntryRef> = entries(folder.path()).iter().map(Entry::reference).collect();
    assert!(recorded.iter().all(|entry| standing.contains(entry)));
}

/// Not a test of its own: what the child processes of the tests below do.
#[test]
fn child() {
    let (Ok(folder), Ok(count)) = (std::env::var("AUDIT_TEST_FOLDER"), std::env::var("AUDIT_TEST_COUNT"))
    else {
        return;
    };
    let log = Log::open(Path::new(&folder), FIXED).unwrap();
    let long = "x".repeat(20_000);
    for _ in 0..count.parse::<u64>().unwrap() {
        let entry = log.record(event("child").with("filling", long.as_str())).unwrap();
        // Acknowledged: from here on the entry may not be lost.
        println!("\nacknowledged {}", entry.seq());
    }
}

fn spawn(folder: &Path, count: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("AUDIT_TEST_FOLDER", folder)
        .env("AUDIT_TEST_COUNT", count.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn acknowledged(line: &str) -> Option<u64> {
    line.strip_prefix("acknowledged ").map(|seq| seq.parse().unwrap())
}

#[test]
fn processes_lose_and_repeat_no_number() {
    let folder = tempfile::tempdir().unwrap();
    Log::create(folder.path(), FIXED).unwrap();
    let children: Vec<Child> = (0..3).map(|_| spawn(folder.path(), 20)).collect();
    let mut numbers = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        numbers.extend(String::from_utf8(output.stdout).unwrap().lines().filter_map(acknowledged));
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..60).collect::<Vec<_>>());
    assert_eq!(verify_file(&folder.path().join(LOG_FILE)).unwrap().entries, 60);
}

#[test]
fn a_killed_process_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), FIXED).unwrap();
    let mut expected = 0;
    for round in 1..=5 {
        let mut child = spawn(folder.path(), u64::MAX);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        lines.by_ref().filter_map(|line| acknowledged(&line)).nth(round * 3);
        child.kill().unwrap();
        child.wait().unwrap();
        if let Some(last) = lines.filter_map(|line| acknowledged(&line)).last() {
            expected = last + 1;
        }
        let next = log.record(event("parent")).unwrap().seq();
        assert!(next >= expected, "entry {next} after {expected} acknowledged ones");
        assert_eq!(verify_file(log.path()).unwrap().entries, next + 1);
    }
}

#[test]
fn a_torn_end_is_cut_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), FIXED).unwrap();
    log.record(event("first")).unwrap();
    // Once a torn end that is longer than what replaces it, once a shorter one.
    for torn in [2000, 3] {
        add(folder.path(), "{\"seq\":1,".repeat(torn).get(..torn).unwrap().as_bytes());
        assert_eq!(verify_file(log.path()).unwrap().torn_bytes, torn as u64);
        log.record(event("after")).unwrap();
        let standing = entries(folder.path());
        let [.., recovered, after] = &standing[..] else { panic!("{standing:?}") };
        assert_eq!(recovered.kind(), Kind::LogRecovered);
        assert_eq!(recovered.body().value("bytes_cut"), Some(&Value::from(torn)));
        assert_eq!(after.who(), "after");
        assert_eq!(verify_file(log.path()).unwrap().torn_bytes, 0);
    }
    assert_eq!(entries(folder.path())[0].who(), "first");
}

#[test]
fn a_first_entry_that_was_torn_leaves_an_empty_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), FIXED).unwrap();
    add(folder.path(), b"{\"seq\":0");
    assert_eq!(log.record(event("next")).unwrap().seq(), 1);
    assert_eq!(verify_file(log.path()).unwrap().entries, 2);
}

#[test]
fn an_entry_that_lacks_only_its_newline_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), FIXED).unwrap();
    log.record(event("first")).unwrap();
    let kept = log.record(event("kept")).unwrap();
    cut(folder.path(), 1);
    assert_eq!(log.record(event("next")).unwrap().seq(), 3);
    let standing = entries(folder.path());
    assert_eq!(standing[1].reference(), kept);
    assert_eq!(standing[2].body().value("completed"), Some(&Value::from(1_u64)));
    assert!(verify_file(log.path()).is_ok());
}

#[test]
fn nothing_is_appended_to_a_damaged_end() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), FIXED).unwrap();
    log.record(event("first")).unwrap();
    log.record(event("second")).unwrap();
    let sound = fs::read(log.path()).unwrap();
    // A byte of the last line's content, of its hash, and its newline.
    for back in [200, 20, 1] {
        let mut damaged = sound.clone();
        let place = damaged.len() - back;
        damaged[place] ^= 1;
        fs::write(log.path(), &damaged).unwrap();
        let error = log.record(event("third")).unwrap_err();
        assert!(matches!(error, AuditError::Damaged { .. }), "{back}: {error}");
        assert!(matches!(Log::open(folder.path(), FIXED), Err(AuditError::Damaged { .. })));
        assert_eq!(fs::read(log.path()).unwrap(), damaged);
    }
}

#[test]
fn a_log_is_begun_once_and_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Log::open(folder.path(), FIXED).unwrap_err();
    assert!(missing.to_string().starts_with("cannot open "), "{missing}");
    let log = Log::create(&folder.path().join("audit"), FIXED).unwrap();
    let again = Log::create(&folder.path().join("audit"), FIXED).unwrap_err();
    assert!(again.to_string().starts_with("cannot begin "), "{again}");
    fs::remove_file(log.path()).unwrap();
    assert!(matches!(log.record(event("late")), Err(AuditError::Io { doing: "open", .. })));
}

#[test]
fn only_the_log_itself_opens_and_closes_queries() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), FIXED).unwrap();
    for kind in [Kind::QueryOpened, Kind::QueryClosed, Kind::LogRecovered] {
        let error = log.record(Event::new(kind, "somebody")).unwrap_err();
        assert_eq!(error.to_string(), format!("entries of kind {kind} are written by the log itself"));
    }
    assert_eq!(verify_file(log.path()).unwrap().entries, 0);
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), FIXED).unwrap();
    let deep = (0..40).fold(Value::Flag(true), |inner, _| Value::List(vec![inner]));
    for event in [event("deep").with("value", deep), event(&"long".repeat(100_000))] {
        assert!(matches!(log.record(event), Err(AuditError::Unwritable { kind: Kind::View, .. })));
    }
    let late = Log::open(folder.path(), || time::macros::datetime!(-1-01-01 0:00 UTC)).unwrap();
    assert!(matches!(late.record(event("early")), Err(AuditError::Beyond { .. })));
    assert_eq!(fs::read(log.path()).unwrap(), b"");
}

#[test]
fn a_query_that_cannot_be_closed_gives_no_receipt_and_no_second_entry() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), FIXED).unwrap();
    let request = QueryRequest::new("researcher", "demo", "5a", audit::Digest::ZERO);
    let opened = log.open_query(request).unwrap();
    let aside = folder.path().join("aside");
    fs::rename(log.path(), &aside).unwrap();
    assert!(opened.close(Outcome::Failed { fault: "disk-full".to_owned() }).is_err());
    let verified = verify_file(&aside).unwrap();
    assert_eq!((verified.entries, verified.unclosed.len()), (1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    // Wherever a crash cuts an append, the entries before it stay and the next append goes through.
    #[test]
    fn any_cut_of_the_last_append_recovers(who in prop::collection::vec(".{0,40}", 1..4), back in 0_u64..400) {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path(), FIXED).unwrap();
        for who in &who {
            log.record(event(who)).unwrap();
        }
        let before = fs::metadata(log.path()).unwrap().len();
        log.record(event("crashed")).unwrap();
        let length = fs::metadata(log.path()).unwrap().len();
        cut(folder.path(), back.min(length - before));
        log.record(event("next")).unwrap();
        prop_assert!(verify_file(log.path()).is_ok());
        let standing = entries(folder.path());
        prop_assert!(standing.iter().zip(&who).all(|(entry, who)| entry.who() == who));
        prop_assert_eq!(standing.last().unwrap().who(), "next");
    }
}
