//! What was erased answers nothing, not even to a guard that had its keys opened; everything else does.

use std::os::unix::fs::PermissionsExt as _;

use catalog_store::{Agreed, Asked, Environment, Erasure, Officers, Passphrase};
use engine_protocol::{ClientReply, ClientRequest, Question, Verdict, VerdictKind};
use engine_service::{Guard, WorkerProgram};
use time::OffsetDateTime;

use crate::demo::untouched;
use crate::halting::NEVER;
use crate::journeys::copy;

const RECEIPTS: &str =
    "SELECT prefecture, count(DISTINCT person_id) AS patients FROM ndb_receipt GROUP BY prefecture";
const PERSONS: &str = "SELECT sex, count(DISTINCT person_id) AS persons FROM person GROUP BY sex";

fn question(sql: &str) -> Question {
    Question { user: "demo-researcher".to_owned(), project: "demo".to_owned(), sql: sql.to_owned() }
}

fn verdict(guard: &Guard, request: &ClientRequest) -> Verdict {
    match guard.answer(request) {
        ClientReply::Verdict(verdict) => verdict,
        other => panic!("{other:?}"),
    }
}

/// What two officers agree on.
fn agreed(environment: &Environment) -> Agreed {
    let secret = |name: &str| Passphrase::new(&format!("the secret of {name}").into_bytes().into());
    let mut officers = Officers::open(&environment.room("keys")).unwrap();
    for name in ["ichiro", "jiro"] {
        officers.register(name, &secret(name), None).unwrap();
    }
    for name in ["ichiro", "jiro"] {
        let present = officers.present(name, &secret(name)).unwrap();
        if let Asked::Agreed(agreed) = officers.ask("erase ndb", present, &|_| true).unwrap() {
            return agreed;
        }
    }
    panic!("nobody agreed")
}

#[test]
fn a_question_that_reaches_what_was_erased_is_denied_and_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    copy(&untouched(), &env);
    let worker = folder.path().join("misu-worker");
    std::fs::write(&worker, NEVER).unwrap();
    std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = WorkerProgram::beside(&folder.path().join("misu-guard")).unwrap();
    let guard = Guard::open(&env, program, OffsetDateTime::now_utc).unwrap();
    for sql in [RECEIPTS, PERSONS] {
        let found = verdict(&guard, &ClientRequest::Vet(question(sql)));
        assert_eq!(found.verdict, VerdictKind::Vetted, "{found:?}");
    }
    let environment = Environment::open(&env).unwrap();
    let at = "2026-11-22T00:00:00Z".to_owned();
    let erasure = Erasure { database: "ndb".to_owned(), at, ..Erasure::default() };
    assert!(!environment.erase(&erasure, &agreed(&environment)).unwrap().is_empty());
    for request in [ClientRequest::Vet(question(RECEIPTS)), ClientRequest::Query(question(RECEIPTS))] {
        let found = verdict(&guard, &request);
        assert_eq!((found.verdict, found.rule.as_deref()), (VerdictKind::Denied, Some("erased")));
        let message = found.message.unwrap();
        assert!(message.contains("ndb") && message.contains("2026-11-22"), "{message}");
    }
    let found = verdict(&guard, &ClientRequest::Vet(question(PERSONS)));
    assert_eq!(found.verdict, VerdictKind::Vetted);
}
