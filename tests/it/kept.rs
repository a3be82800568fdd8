//! What a project keeps, how it lies on disk, and what becomes of it when somebody opts out, the project is halted or
//! its use ends.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use catalog_model::FileEntry;
use catalog_store::{Environment, Passphrase, Workspaces};
use engine_protocol::{
    CellValue, Certificate, ClientReply, ClientRequest, Question, VerdictKind, WorkspaceAct, WorkspaceAsk,
    WorkspaceReply,
};
use engine_service::{Guard, WorkerProgram};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use time::OffsetDateTime;

use crate::demo::{files, misu, program, said, text, untouched};
use crate::files::options;
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

/// The state of opt-outs that the certificate of an answer names.
fn certified(guard: &Guard, sql: &str) -> String {
    let ClientReply::Released(table) = ask(guard, sql) else { panic!("not released: {sql}") };
    // The second line of the signed note.
    let said = table.certificate.as_deref().and_then(|note| note.lines().nth(1)).unwrap();
    let said: Certificate = serde_json::from_str(said).unwrap();
    assert_eq!((said.version, &said.query), (2, &table.query));
    said.exclusion.unwrap()
}

#[test]
fn a_certificate_names_the_state_of_opt_outs_and_tells_of_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    copy(&untouched(), &env);
    let house = guard(&env);
    let by_sex = "SELECT sex, count(DISTINCT person_id) AS persons FROM person GROUP BY sex";
    let admitted = "SELECT count(DISTINCT person_id) AS persons FROM dpc_stay";
    let before = certified(&house, by_sex);
    assert_eq!(certified(&house, admitted), before);
    leave_out(&env);
    let after = certified(&house, by_sex);
    assert_ne!(after, before);
    assert_eq!(certified(&house, admitted), after);
    // Whether there is a list or none, the reader's copy has a digest that nobody makes without the ledger's key.
    assert!([&before, &after].iter().all(|state| state.len() == 64));
    // The record has the exclusion when a query opens and when its release is kept; never who is in it.
    let record = std::fs::read_to_string(env.join("audit/log.jsonl")).unwrap();
    for kind in ["query-opened", "ledger-kept"] {
        let of_kind = record.lines().filter(|line| line.contains(&format!("\"kind\":\"{kind}\"")));
        assert_eq!(of_kind.filter(|line| line.contains("\"exclusion\":\"ab\"")).count(), 2, "{kind}");
    }
    assert!(!record.contains("[0,1,2,"));
}

/// Adds a version of the list `diabetes`.
fn add_codes(guard: &Guard, codes: &[&str]) {
    let (user, project) = (USER.to_owned(), "demo".to_owned());
    let codes = codes.iter().map(|code| (*code).to_owned()).collect();
    let act = WorkspaceAct::AddCodes { name: "diabetes".to_owned(), system: "icd10".to_owned(), codes };
    let reply = guard.answer(&ClientRequest::Workspace(WorkspaceAsk { user, project, act }));
    assert!(matches!(reply, ClientReply::Workspace(WorkspaceReply::Done { .. })), "{reply:?}");
}

#[test]
fn record_and_certificate_name_the_version_of_a_list_and_no_version_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    copy(&untouched(), &env);
    let house = guard(&env);
    add_codes(&house, &["E110", "E112", "E114", "E119"]);
    add_codes(&house, &["E119"]);
    let by = |list: &str| {
        format!(
            "SELECT count(DISTINCT person_id) AS n FROM ndb_diagnosis WHERE icd10 IN (SELECT code FROM {list})"
        )
    };
    let ClientReply::Released(table) = ask(&house, &by("lists.diabetes@1")) else { panic!("not released") };
    let said = table.certificate.as_deref().and_then(|note| note.lines().nth(1)).unwrap();
    let said: Certificate = serde_json::from_str(said).unwrap();
    assert_eq!((said.version, said.lists), (3, vec!["diabetes@1".to_owned()]));
    let record = || std::fs::read_to_string(env.join("audit/log.jsonl")).unwrap();
    assert_eq!(record().matches("\"lists\":\"diabetes@1\"").count(), 1);
    // Without a number it is the newest, then and now.
    let _ = ask(&house, &by("lists.diabetes"));
    assert_eq!(record().matches("\"lists\":\"diabetes@2\"").count(), 1);
    let make = "CREATE TABLE ws.ill AS SELECT person_id FROM ndb_diagnosis WHERE icd10 IN (SELECT code FROM lists.diabetes)";
    assert!(matches!(ask(&house, make), ClientReply::Released(_)));
    assert_eq!(record().matches("\"lists\":\"diabetes@2\"").count(), 2);
    add_codes(&house, &["E110"]);
    let _ = ask(&house, &by("lists.diabetes"));
    assert_eq!(record().matches("\"lists\":\"diabetes@3\"").count(), 1);
    let record = record();
    let added: Vec<&str> = record.lines().filter(|line| line.contains("\"act\":\"codes-added\"")).collect();
    for (entry, said) in added.iter().zip(["\"version\":1", "\"version\":2", "\"version\":3"]) {
        assert!(entry.contains(said), "{entry}");
    }
    assert_eq!(added.len(), 3);
    let (user, project) = (USER.to_owned(), "demo".to_owned());
    let listed =
        house.answer(&ClientRequest::Workspace(WorkspaceAsk { user, project, act: WorkspaceAct::List }));
    let ClientReply::Workspace(WorkspaceReply::Listing { kept }) = listed else { panic!("{listed:?}") };
    let lists: Vec<&str> =
        kept.iter().filter(|item| item.kind == "list").map(|item| item.name.as_str()).collect();
    assert_eq!(lists, ["lists.diabetes", "lists.diabetes@2", "lists.diabetes@1"]);
    assert!(kept.iter().all(|item| item.by == USER));
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

#[test]
fn what_says_the_same_gets_the_kept_answer_and_other_names_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    copy(&untouched(), &env);
    let house = guard(&env);
    let released = |sql: &str| match ask(&house, sql) {
        ClientReply::Released(table) => table,
        other => panic!("{sql}: {other:?}"),
    };
    let first = released(
        "SELECT sex, count(DISTINCT person_id) AS n FROM person WHERE sex IN ('1', '2') GROUP BY sex",
    );
    assert!(
        first.rows.iter().all(|row| matches!(row[1], CellValue::Integer(count) if count > 0)),
        "{first:?}"
    );
    for sql in [
        "select  sex,\n  count(distinct person_id) as n\nfrom person where sex in ('2', '1', '2') group by sex",
        "SELECT sex, count(DISTINCT person_id) AS n FROM person WHERE (sex IN ('1', '2')) GROUP BY sex",
        "SELECT p.sex, count(DISTINCT p.person_id) AS n FROM person p WHERE p.sex IN ('1', '2') GROUP BY p.sex",
    ] {
        assert_eq!(released(sql), first, "{sql}");
    }
    // Other names and another order of columns are the asker's own, over the same cells.
    let other = released(
        "SELECT count(DISTINCT person_id) AS persons, sex AS s FROM person WHERE sex IN ('2', '1') GROUP BY sex",
    );
    assert_eq!(other.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["persons", "s"]);
    assert_ne!(other.query, first.query);
    let cells = |table: &[Vec<CellValue>], key: usize| {
        let mut cells: Vec<String> =
            table.iter().map(|row| format!("{:?} {:?}", row[key], row[1 - key])).collect();
        cells.sort();
        cells
    };
    assert_eq!(cells(&other.rows, 1), cells(&first.rows, 0));
}

/// Registers a kept table; what is told of it.
fn register(guard: &Guard, name: &str) -> String {
    let (user, project) = (USER.to_owned(), "demo".to_owned());
    let act = WorkspaceAct::RegisterCohort { name: name.to_owned() };
    match guard.answer(&ClientRequest::Workspace(WorkspaceAsk { user, project, act })) {
        ClientReply::Workspace(WorkspaceReply::Done { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

/// The one number that a question gives; none where it is hidden.
fn number(guard: &Guard, from: &str) -> Option<i64> {
    let sql = format!("SELECT count(DISTINCT person_id) AS n FROM {from}");
    let ClientReply::Released(table) = ask(guard, &sql) else { panic!("not released: {sql}") };
    match table.rows.first().and_then(|row| row.first()) {
        Some(CellValue::Integer(count)) => Some(*count),
        _ => None,
    }
}

#[test]
fn a_registered_cohort_is_compared_when_it_is_registered_and_with_what_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    copy(&untouched(), &env);
    let house = guard(&env);
    for sql in [
        "CREATE TABLE ws.women AS SELECT person_id FROM person WHERE sex = '2'",
        "CREATE TABLE ws.men AS SELECT person_id FROM person WHERE sex = '1'",
    ] {
        assert!(matches!(ask(&house, sql), ClientReply::Released(_)), "{sql}");
    }
    let count =
        |what: &str| std::fs::read_to_string(env.join("audit/log.jsonl")).unwrap().matches(what).count();
    let before = count("\"kind\":\"near-cohort\"");
    let near = || count("\"kind\":\"near-cohort\"") - before;
    // Nobody has asked for the women yet. From now on they are only theirs who ask for the cohort.
    assert_eq!(register(&house, "ws.women"), "ws.women is registered as a cohort for review");
    assert_eq!(near(), 0);
    assert_eq!(number(&house, "person WHERE sex = '2'"), None);
    assert_eq!(near(), 1);
    assert!(number(&house, "ws.women").is_some());
    // The men were asked for in other words: the board is told, and whoever registers is told the same.
    assert!(number(&house, "person WHERE sex = '1'").is_some());
    assert_eq!(register(&house, "ws.men"), "ws.men is registered as a cohort for review");
    assert_eq!(near(), 2);
    assert_eq!(number(&house, "ws.men"), None);
    assert_eq!(count("\"reason\":\"registered\""), 2);
    assert_eq!(count("\"act\":\"cohort-registered\""), 2);
}

/// The files of `ws.cohort` in clear, as whoever has the project's key could write them.
fn in_clear(env: &Path) -> Vec<Vec<u8>> {
    let workspaces = Workspaces::new(&Environment::open(env).unwrap());
    let clear = |file: &FileEntry| {
        let keys = workspaces.open("demo", file).unwrap().unwrap();
        let source = File::open(workspaces.path("demo", file).unwrap()).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(source, options(&keys)).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(reader.schema()), None).unwrap();
        for batch in reader.build().unwrap() {
            writer.write(&batch.unwrap()).unwrap();
        }
        writer.into_inner().unwrap()
    };
    workspaces.read("demo").unwrap().tables["cohort"].files.iter().map(clear).collect()
}

#[test]
fn no_value_or_name_of_a_kept_table_lies_in_the_bytes_of_its_project() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    copy(&untouched(), &env);
    // Every row has the same code.
    let make = "CREATE TABLE ws.cohort AS SELECT person_id, disease_code, icd10 FROM ndb_diagnosis \
                WHERE disease_code = '9990030'";
    let kept = ask(&guard(&env), make);
    assert!(matches!(kept, ClientReply::Released(_)), "{kept:?}");
    let has = |bytes: &[u8], word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    let mut found = Vec::new();
    files(&env.join("workspaces"), &mut found);
    assert!(found.iter().any(|(path, _)| path.extension().is_some_and(|kind| kind == "parquet")));
    let clear = in_clear(&env);
    for word in ["person_id", "disease_code", "icd10", "9990030"] {
        for (path, bytes) in &found {
            assert!(!has(bytes, word), "{word} lies in {}", path.display());
        }
        assert!(clear.iter().any(|bytes| has(bytes, word)), "the search finds {word} where it is");
    }
}

/// Runs commands that must go well.
fn walk(env: &str, commands: &[&str]) {
    for command in commands {
        said(&command.split(' ').chain(["--env", env]).collect::<Vec<_>>());
    }
}

/// Has the project `averages` approved, with sato in it.
fn approve(env: &str) {
    walk(
        env,
        &[
            "people set --as demo-operator ops --role operator",
            "people set --as ops sato --role researcher --trained-until 2099-03-31",
            "people set --as ops mori --role reviewer",
            "people set --as ops hara --role reviewer",
            "people set --as ops kondo --role data-officer",
        ],
    );
    let application = crate::root().join("tests/journeys/averages.toml").display().to_string();
    said(&["application", "write", "--env", env, "--as", "sato", &application]);
    walk(
        env,
        &[
            "application move submit averages --as sato",
            "application accept averages --as kondo --reviewer mori --reviewer hara",
            "application review averages --as mori --vote for --comment 必要最小限である",
            "application review averages --as hara --vote for --comment 公益性が認められる",
            "application approve averages --as kondo",
        ],
    );
}

#[test]
fn what_a_finished_project_kept_is_unreadable_when_it_is_put_back_without_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let (env, copies) = (folder.path().join("env"), folder.path().join("copies"));
    copy(&untouched(), &env);
    let at = env.display().to_string();
    approve(&at);
    let ask = |sql: &str| misu(&["query", sql, "--env", &at, "--project", "averages", "--user", "sato"]);
    let count = "SELECT sex, count(DISTINCT person_id) AS persons FROM ws.cohort GROUP BY sex";
    for sql in ["CREATE TABLE ws.cohort AS SELECT person_id, sex FROM person", count] {
        let answer = ask(sql);
        assert!(answer.status.success(), "{sql}: {}", text(&answer));
    }
    let (permit, space) = (env.join("policies/averages.toml"), env.join("workspaces/averages"));
    let permitted = std::fs::read(&permit).unwrap();
    copy(&space, &copies);
    walk(
        &at,
        &[
            "application move close averages --as sato --reason 研究の終了",
            "application move finish averages --as ops --reason 利用期間の満了",
        ],
    );
    assert!(!space.exists() && !permit.exists());

    // Even with its permit back, what was copied of the tables is worth nothing.
    copy(&copies, &space);
    std::fs::write(&permit, permitted).unwrap();
    let key = space.join("key.json");
    std::fs::remove_file(&key).unwrap();
    let answer = ask(count);
    assert!(!answer.status.success() && text(&answer).contains("key.json"), "{}", text(&answer));
    // It is the key and nothing else: a backup that holds it as well must end too, as decision 0169 says.
    std::fs::copy(copies.join("key.json"), &key).unwrap();
    let answer = ask(count);
    assert!(answer.status.success(), "{}", text(&answer));
}
