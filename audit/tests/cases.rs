//! One log per file in `cases/`, its verdict beside it; `UPDATE_EXPECT=1` writes the verdicts.
//!
//! `sound.jsonl` is what the log's own functions write on a fixed clock, so it pins the format as well; the others
//! are `sound.jsonl` with one thing done to it, which their names say.

#![cfg(test)]

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, Ordering};

use audit::{
    Body, Digest, Entry, EntryRef, Event, Kind, LOG_FILE, Log, Outcome, QueryRequest, Verified, VerifyError,
    verify, verify_noted,
};
use expect_test::expect_file;
use time::{Duration, OffsetDateTime, macros::datetime};

fn cases() -> PathBuf {
    std::env::current_dir().unwrap().join("tests/cases")
}

/// A clock that moves on by a second and a bit whenever it is looked at.
fn clock() -> impl Fn() -> OffsetDateTime + Send + Sync {
    let looks = AtomicI32::new(0);
    move || {
        datetime!(2026-11-21 09:00 +09:00)
            + Duration::milliseconds(1_250) * looks.fetch_add(1, Ordering::SeqCst)
    }
}

fn record_a_day(log: &Log) {
    let delivery = Body::new().with("files", 3_u64).with("records", 120_345_u64);
    let events = [
        Event::new(Kind::EnvironmentCreated, "misu").with("demo", true),
        Event::new(Kind::DeliveryAccepted, "misu-ingest").subject("ndb-2025-04").with("delivery", delivery),
        Event::new(Kind::IngestFinished, "misu-ingest").subject("ndb-2025-04").with("quarantined", 0_u64),
        Event::new(Kind::SnapshotPublished, "misu-ingest").subject("5a".repeat(32)),
        Event::new(Kind::PermitRegistered, "board").project("demo").with("title", "糖尿病と\"要介護\"\n"),
        Event::new(Kind::QueryRefused, "demo-researcher").project("demo").with("rule", "rows-stay-inside"),
    ];
    for event in events {
        log.record(event).unwrap();
    }
    let plan = Digest::new([7; 32]);
    let request = QueryRequest::new("demo-researcher", "demo", &"5a".repeat(32), plan);
    let opened = log.open_query(request.clone().with("tables", vec!["person", "ndb_diagnosis"])).unwrap();
    let outcome = Outcome::Released { cells: 24, suppressed: 3, digest: Digest::new([9; 32]) };
    let closed = opened.close(outcome).unwrap();
    assert_eq!(closed.query().to_string(), "q6");
    drop(log.open_query(request.clone()).unwrap());
    let opened = log.open_query(request).unwrap();
    std::mem::forget(opened);
    log.record(Event::new(Kind::View, "auditor").subject("report-2026-11")).unwrap();
}

fn verdict(result: &Result<Verified, VerifyError>) -> String {
    match result {
        Ok(verified) => {
            let head = verified.head.map_or_else(|| "none".to_owned(), |head| head.to_string());
            let unclosed: Vec<String> = verified.unclosed.iter().map(ToString::to_string).collect();
            format!(
                "verified\nentries: {}\nhead: {head}\nunclosed: {}\ntorn bytes: {}\n",
                verified.entries,
                unclosed.join(" "),
                verified.torn_bytes,
            )
        }
        Err(error) => {
            let source = error.source().map_or_else(String::new, |source| format!(": {source}"));
            format!("{error}{source}\n")
        }
    }
}

#[test]
fn the_log_writes_the_sound_case() {
    let folder = tempfile::tempdir().unwrap();
    record_a_day(&Log::create(folder.path(), clock()).unwrap());
    let text = fs::read_to_string(folder.path().join(LOG_FILE)).unwrap();
    expect_file![cases().join("sound.jsonl")].assert_eq(&text);
}

#[test]
fn every_case_has_its_verdict() {
    let mut files: Vec<PathBuf> = fs::read_dir(cases()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    assert!(files.len() >= 16, "{files:?}");
    for file in files {
        let bytes = fs::read(&file).unwrap();
        expect_file![file.with_extension("txt")].assert_eq(&verdict(&verify(&bytes[..])));
    }
}

#[test]
fn any_changed_bit_of_the_sound_case_is_found() {
    let sound = fs::read(cases().join("sound.jsonl")).unwrap();
    for place in 0..sound.len() {
        for bit in 0..8 {
            let mut changed = sound.clone();
            changed[place] ^= 1 << bit;
            assert!(verify(&changed[..]).is_err(), "bit {bit} of byte {place}");
        }
    }
}

#[test]
fn what_is_read_is_written_back() {
    for line in fs::read_to_string(cases().join("sound.jsonl")).unwrap().lines() {
        assert_eq!(Entry::parse(line.as_bytes()).unwrap().to_line(), line);
    }
}

#[test]
fn a_noted_head_finds_what_was_cut_off_the_end() {
    let sound = fs::read_to_string(cases().join("sound.jsonl")).unwrap();
    let head = verify(sound.as_bytes()).unwrap().head;
    let middle = Entry::parse(sound.lines().nth(4).unwrap().as_bytes()).unwrap().reference();
    assert!(verify_noted(sound.as_bytes(), head).is_ok());
    assert!(verify_noted(sound.as_bytes(), Some(middle)).is_ok());

    let cut: String = sound.split_inclusive('\n').take(8).collect();
    assert!(verify(cut.as_bytes()).is_ok(), "the chain alone cannot know");
    assert!(matches!(verify_noted(cut.as_bytes(), head), Err(VerifyError::NotHeld { .. })));
    let rewritten = EntryRef::new(middle.seq(), Digest::new([1; 32]));
    assert!(matches!(verify_noted(sound.as_bytes(), Some(rewritten)), Err(VerifyError::NotHeld { .. })));
}
