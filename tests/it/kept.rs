//! What a project keeps, and what becomes of it when somebody opts out or the project is halted.

use std::path::Path;

use catalog_store::{Environment, Passphrase};
use engine_protocol::{
    CellValue, ClientReply, ClientRequest, Question, VerdictKind, WorkspaceAct, WorkspaceAsk,
};
use engine_service::{Guard, WorkerProgram};
use time::OffsetDateTime;

use crate::demo::{program, untouched};
use crate::journeys::copy;

const USER: &str = "demo-researcher";

/// A guard of an environment, in this process.
pub(crate) fn guard(env: &Path) -> Guard {
    let worker = WorkerProgram::beside(&program("misu-guard")).unwrap();
    let guard = Guard::open(env, worker, OffsetDateTime::now_utc).unwrap();
    guard.unlocked_by(Passphrase::find(&|_| None).unwrap())
}

fn ask(guard: &Guard, sql: &str) -> ClientReply {
    let text = |text: &str| text.to_owned();
    guard.answer(&ClientRequest::Query(Question { user: text(USER), project: text("demo"), sql: text(sql) }))
}

/// The persons of every row.
fn persons(guard: &Guard, table: &str) -> Vec<i64> {
    let sql = format!("SELECT sex, count(DISTINCT person_id) AS persons FROM {table} GROUP BY sex");
    let ClientReply::Released(table) = ask(guard, &sql) else { panic!("not released: {sql}") };
    let count = |row: &Vec<CellValue>| match row.last() {
        Some(CellValue::Integer(count)) => *count,
        _ => 0,
    };
    table.rows.iter().map(count).collect()
}

#[test]
fn whoever_opts_out_is_left_out_of_what_was_kept_before() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    copy(&untouched(), &env);
    let house = guard(&env);
    let kept = ask(&house, "CREATE TABLE ws.everybody AS SELECT person_id, sex FROM person");
    assert!(matches!(kept, ClientReply::Released(_)), "{kept:?}");
    let before = persons(&house, "ws.everybody");
    leave_out(&env);
    let after = persons(&house, "ws.everybody");
    assert!(after.iter().sum::<i64>() + 590 < before.iter().sum::<i64>(), "{before:?} {after:?}");
    // As where they had never been kept: in an environment of its own, since the ledger here would hold the same
    // persons back who come under another name.
    let other = folder.path().join("other");
    copy(&untouched(), &other);
    leave_out(&other);
    assert_eq!(after, persons(&guard(&other), "person"));
}

/// Has the persons with the first numbers opt out.
fn leave_out(env: &Path) {
    let environment = Environment::open(env).unwrap();
    let (_, manifest) = environment.snapshots().unwrap().head().unwrap().unwrap();
    let room = environment.room("exclusions");
    let numbers: Vec<String> = (0..600).map(|number| number.to_string()).collect();
    std::fs::create_dir_all(&room).unwrap();
    let list = format!("{{\"exclusion\":\"ab\",\"persons\":[{}]}}", numbers.join(","));
    std::fs::write(room.join(format!("{}.json", manifest.id)), list).unwrap();
    std::fs::write(room.join("list.json"), "{}").unwrap();
}

#[test]
fn a_halted_project_keeps_no_list_and_registers_no_cohort() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    copy(&untouched(), &env);
    let house = guard(&env);
    let act = |act: WorkspaceAct| {
        let (user, project) = (USER.to_owned(), "demo".to_owned());
        house.answer(&ClientRequest::Workspace(WorkspaceAsk { user, project, act }))
    };
    let codes = || WorkspaceAct::AddCodes {
        name: "diabetes".to_owned(),
        system: "icd10".to_owned(),
        codes: vec!["E119".to_owned()],
    };
    assert!(matches!(act(codes()), ClientReply::Workspace(_)));
    let halts = env.join("policies/halts");
    std::fs::create_dir_all(&halts).unwrap();
    let halt = r#"{"project":"demo","who":"kondo","at":"now","reason":"a drill"}"#;
    std::fs::write(halts.join("demo.json"), halt).unwrap();
    for what in [codes(), WorkspaceAct::RegisterCohort { name: "ws.c".to_owned() }, WorkspaceAct::List] {
        let ClientReply::Verdict(verdict) = act(what.clone()) else { panic!("{what:?} was done") };
        assert_eq!((verdict.verdict, verdict.rule.as_deref()), (VerdictKind::Denied, Some("halt")));
    }
    for sql in ["CREATE VIEW ws.v AS SELECT person_id FROM person", "DROP VIEW ws.v"] {
        let ClientReply::Verdict(verdict) = ask(&house, sql) else { panic!("{sql} was done") };
        assert_eq!(verdict.rule.as_deref(), Some("halt"));
    }
    let entry = std::fs::read_to_string(env.join("audit/log.jsonl")).unwrap();
    assert_eq!(entry.matches("\"act\":\"codes-added\"").count(), 1);
}
