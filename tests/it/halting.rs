//! Stopping what runs: a halt, and a permit that ends while a query runs, are seen within ten seconds, and nothing
//! comes out.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use catalog_store::Passphrase;
use engine_protocol::{ClientReply, ClientRequest, Question, VerdictKind};
use engine_service::{Guard, WorkerProgram};
use time::OffsetDateTime;

use crate::demo::untouched;
use crate::journeys::copy;

/// A worker that says it is ready and then never answers. Each one writes a byte into the file `.begun` beside it.
pub(crate) const NEVER: &str = "#!/bin/sh\nprintf . >>\"$0.begun\"\n\
    printf '\\001\\000\\000\\000\\000' >&0\nexec /bin/sleep 300\n";

fn question() -> ClientRequest {
    ClientRequest::Query(Question {
        user: "demo-researcher".to_owned(),
        project: "demo".to_owned(),
        sql: "SELECT sex, count(DISTINCT person_id) AS persons FROM person GROUP BY sex".to_owned(),
    })
}

/// The outcome and its reason, or fault, in the last `query-closed` entry.
pub(crate) fn closed(env: &Path) -> (String, String) {
    let text = std::fs::read_to_string(env.join("audit/log.jsonl")).unwrap();
    let line = text.lines().rfind(|line| line.contains("\"kind\":\"query-closed\"")).unwrap();
    let entry: serde_json::Value = serde_json::from_str(line).unwrap();
    let said = |name: &str| entry["body"][name].as_str().unwrap_or_default().to_owned();
    (said("outcome"), said("reason") + &said("fault"))
}

/// Asks a guard whose worker never answers, does something meanwhile, and gives the answer and how long it took.
fn asked(env: &Path, folder: &Path, meanwhile: impl FnOnce()) -> (ClientReply, Duration) {
    let worker = folder.join("misu-worker");
    std::fs::write(&worker, NEVER).unwrap();
    std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = WorkerProgram::beside(&folder.join("misu-guard")).unwrap();
    let passphrase = Passphrase::find(&|_| None).unwrap();
    let guard = Guard::open(env, program, OffsetDateTime::now_utc).unwrap().unlocked_by(passphrase);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| guard.answer(&question()));
        // It runs once it is opened in the record.
        let log = env.join("audit/log.jsonl");
        let opened = || std::fs::read_to_string(&log).unwrap().matches("\"query-opened\"").count();
        let before = opened();
        let begun = Instant::now();
        while opened() == before && begun.elapsed() < Duration::from_secs(60) && !asking.is_finished() {
            std::thread::yield_now();
        }
        let stopped = Instant::now();
        meanwhile();
        (asking.join().unwrap(), stopped.elapsed())
    })
}

#[test]
fn a_halt_and_an_ended_permit_stop_a_running_query_within_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    copy(&untouched(), &env);
    let halts = env.join("policies/halts");
    std::fs::create_dir_all(&halts).unwrap();
    let halt = halts.join("demo.json");
    let (reply, took) = asked(&env, folder.path(), || {
        std::fs::write(&halt, r#"{"project":"demo","who":"kondo","at":"now","reason":"a drill"}"#).unwrap();
    });
    assert_eq!(reply, ClientReply::Withheld);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(closed(&env), ("stopped".to_owned(), "halt".to_owned()));

    // Nothing new begins while it is halted.
    let program = WorkerProgram::beside(&folder.path().join("misu-guard")).unwrap();
    let guard = Guard::open(&env, program, OffsetDateTime::now_utc).unwrap();
    let ClientReply::Verdict(verdict) = guard.answer(&question()) else { panic!("answered") };
    assert_eq!((verdict.verdict, verdict.rule.as_deref()), (VerdictKind::Denied, Some("halt")));

    // A permit that is withdrawn while a query runs stops it as well.
    std::fs::remove_file(&halt).unwrap();
    let permit = env.join("policies/demo.toml");
    let (reply, took) = asked(&env, folder.path(), || {
        std::fs::rename(&permit, permit.with_extension("withdrawn")).unwrap();
    });
    assert_eq!(reply, ClientReply::Withheld);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(closed(&env), ("stopped".to_owned(), "permit-ended".to_owned()));
}
