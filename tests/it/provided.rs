//! Rows that leave for a project: by its permit and two officers, by its pseudonyms, in files that open with their key
//! alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Output;

use arrow::array::AsArray as _;
use bytes::Bytes;
use catalog_model::{Catalogue, ColumnKeys, Workspace, project_pseudonym};
use catalog_staged::encrypted;
use catalog_store::{from_hex, hex};
use engine_protocol::{
    ClientReply, ClientRequest, FileKeys, Keep, PROVIDED_PERSON, PersonKey, Question, WorkerFault,
    WorkerReply, WorkerRequest,
};
use engine_vet::{FUNCTION_SYSTEMS, Scope, Statement, vet_statement};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use crate::demo::{misu, said, text, untouched};
use crate::files::{LIMITS, reply, worker};
use crate::journeys::copy;
use crate::kept::guard;
use crate::people::{Rows, write};
use crate::queries::grant;

/// The names of the columns, and the pseudonyms, of a file that opens with this key.
fn opened(bytes: Bytes, (key, bound_to): (&[u8], &[u8])) -> (Vec<String>, Vec<String>) {
    assert!(bytes.starts_with(b"PARE"));
    assert!(ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).is_err());
    let keys = ColumnKeys { bound_to, footer: key, columns: Vec::new() };
    let options = encrypted::reading(Some(&keys)).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options).unwrap();
    let columns = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut names = Vec::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        names.extend(batch.column(0).as_string::<i32>().iter().map(|name| name.unwrap().to_owned()));
    }
    (columns, names)
}

/// What a locked-in worker says that is to provide forty persons in two buckets.
fn asked(key: u8, excluded: Vec<u32>) -> WorkerReply {
    let catalogue = Catalogue::builtin().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bucket = |rest: i64| {
        let rows = (0..40).filter(|person| person % 2 == rest);
        let rows: Rows = rows.map(|person| BTreeMap::from([("person_id", person)])).collect();
        let folder = folder.path().join(rest.to_string());
        std::fs::create_dir(&folder).unwrap();
        BTreeMap::from([("person".to_owned(), vec![write(&catalogue, "person", &rows, &folder)])])
    };
    let grant = grant(&catalogue);
    let scope = Scope { catalogue: &catalogue, grant: &grant };
    let sql = "CREATE TABLE ws.provided_rows AS SELECT person_id, sex FROM person";
    let Statement::Table(rows) = vet_statement(sql, scope, &Workspace::default()).unwrap() else {
        panic!("no table")
    };
    let column = |name: &str| (name.to_owned(), vec![9; 32]);
    let columns = vec![column(PROVIDED_PERSON), column("sex")];
    let keys = FileKeys { bound_to: b"here".to_vec(), footer: vec![9; 32], columns };
    let request = WorkerRequest {
        sql: rows.sql().to_owned(),
        grant: grant.clone(),
        catalogue: catalogue.excerpt(rows.used().keys().map(String::as_str), &FUNCTION_SYSTEMS),
        workspace: Workspace::default(),
        plan_hash: rows.hash().to_owned(),
        excluded,
        buckets: Vec::new(),
        descriptors: 0,
        limits: LIMITS,
        keep: Some(Keep { files: vec![keys], most: 1 << 26, provide: Some(PersonKey::new([key; 32])) }),
        public: false,
    };
    reply(&worker(), request, &[bucket(0), bucket(1)])
}

/// The pseudonyms of forty persons, as they are provided.
fn provided(key: u8, excluded: Vec<u32>) -> Vec<String> {
    let WorkerReply::Kept(files) = asked(key, excluded) else { panic!("no rows") };
    assert_eq!(files.len(), 1);
    let (columns, names) = opened(Bytes::from(files[0].bytes.clone()), (&[9; 32], b"here"));
    assert_eq!(
        (columns, files[0].rows),
        (vec![PROVIDED_PERSON.to_owned(), "sex".to_owned()], names.len() as u64)
    );
    names
}

#[test]
fn a_worker_provides_rows_by_pseudonyms_of_one_key_and_without_who_opted_out() {
    let name = |key: u8, person: u32| hex(&project_pseudonym(&[key; 32], person));
    let names = provided(7, Vec::new());
    let expected: BTreeSet<String> = (0..40).map(|person| name(7, person)).collect();
    assert_eq!(names, expected.iter().cloned().collect::<Vec<_>>(), "sorted by name, all of them");
    assert!(provided(8, Vec::new()).iter().all(|other| !expected.contains(other)));
    let left: BTreeSet<String> = provided(7, vec![3, 5]).into_iter().collect();
    let gone: BTreeSet<String> = expected.difference(&left).cloned().collect();
    assert_eq!((left.len(), gone), (38, BTreeSet::from([name(7, 3), name(7, 5)])));
}

#[test]
fn a_worker_provides_no_rows_of_fewer_persons_than_the_threshold() {
    let all_but = |left: u32| asked(7, (left..40).collect());
    assert!(matches!(all_but(10), WorkerReply::Kept(_)));
    assert_eq!(all_but(9), WorkerReply::Failed(WorkerFault::FewPersons));
    assert_eq!(all_but(1), WorkerReply::Failed(WorkerFault::FewPersons));
}

const ALONE: &str = "[provision]\n\
    tables = { cohort = [\"sex\"], receipts = [\"receipt_id\"], few = [\"sex\"], \
    provided_rows = [\"sex\"] }\n";
const JOINT: &str = "[provision]\ntables = { cohort = [\"sex\"] }\n\
    joint = { name = \"j\", projects = [\"demo\", \"two\"] }\n";

/// An environment with two projects that have permits for anonymized data and keep a cohort each, and two officers. So
/// few people share a month of birth in it that the cohorts have no rows; everything else is as with rows.
struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        copy(&untouched(), &world.folder.path().join("env"));
        for project in ["demo", "two"] {
            world.permit(project, "");
        }
        for project in ["demo", "two"] {
            world.keep(project, "CREATE TABLE ws.cohort AS SELECT person_id, sex FROM person");
        }
        for officer in ["ichiro", "jiro"] {
            std::fs::write(world.path(officer), format!("the secret of {officer}")).unwrap();
            let (secret, env) = (world.path(officer), world.path("env"));
            said(&["keys", "officer", officer, "--new-secret", &secret, "--env", &env]);
        }
        world
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Gives a project a permit as the demo's, for anonymized data, with this section.
    fn permit(&self, project: &str, section: &str) {
        let demo = std::fs::read_to_string(untouched().join("policies/demo.toml")).unwrap();
        let own = format!("project = \"{project}\"");
        let permit = demo.replace("tier = \"pseudonymized\"", "tier = \"anonymized\"");
        let permit = permit.replace("project = \"demo\"", &own);
        assert!(permit.contains("tier = \"anonymized\"") && permit.contains(&own), "{permit}");
        let path = self.folder.path().join(format!("env/policies/{project}.toml"));
        std::fs::write(path, format!("{permit}\n{section}")).unwrap();
    }

    fn keep(&self, project: &str, sql: &str) {
        let (user, project) = ("demo-researcher".to_owned(), project.to_owned());
        let question = Question { user, project, sql: sql.to_owned() };
        let kept = guard(Path::new(&self.path("env"))).answer(&ClientRequest::Query(question));
        assert!(matches!(kept, ClientReply::Released(_)), "{kept:?}");
    }

    /// What an officer's call for a table does, into places of this name.
    fn call(&self, (project, table): (&str, &str), officer: &str, to: &str) -> Output {
        let (out, keys) = (self.path(&format!("{to}.rows")), self.path(&format!("{to}.keys")));
        let (secret, env) = (self.path(officer), self.path("env"));
        let places: [&str; 6] = ["--out", &out, "--keys", &keys, "--env", &env];
        let officer: [&str; 4] = ["--officer", officer, "--secret", &secret];
        misu(&[&["provide", table, "--project", project][..], &places[..], &officer[..]].concat())
    }

    /// Two officers provide a project's cohort: whose pseudonyms it has, and in which epoch.
    fn provided(&self, project: &str, to: &str) -> (String, u64) {
        let first = self.call((project, "ws.cohort"), "ichiro", to);
        assert!(text(&first).contains("another officer has to call the same"), "{}", text(&first));
        // What is agreed on is told before: which columns, of what question, to whom.
        assert!(text(&first).contains("ws.cohort: columns sex; fewer than 10 rows; made by demo-researcher"));
        assert!(text(&first).contains(&format!("receiver: project {project}")), "{}", text(&first));
        assert!(!Path::new(&self.path(&format!("{to}.rows"))).exists());
        let second = self.call((project, "ws.cohort"), "jiro", to);
        assert!(second.status.success(), "{}", text(&second));
        let list = std::fs::read(self.path(&format!("{to}.keys"))).unwrap();
        let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
        let file = &list["files"][0];
        let bytes =
            std::fs::read(Path::new(&self.path(&format!("{to}.rows"))).join("cohort.parquet")).unwrap();
        assert_eq!(blake3::hash(&bytes).to_hex().as_str(), file["blake3"].as_str().unwrap());
        let digits = |name: &str| from_hex(file[name].as_str().unwrap()).unwrap();
        let (columns, _) = opened(Bytes::from(bytes), (&digits("key"), &digits("aad_prefix")));
        assert_eq!(columns, [PROVIDED_PERSON, "sex"]);
        (list["provision"].as_str().unwrap().to_owned(), list["epoch"].as_u64().unwrap())
    }
}

#[test]
fn two_officers_let_rows_leave_and_each_time_under_new_pseudonyms() {
    let world = World::new();
    for project in ["demo", "two"] {
        world.permit(project, ALONE);
    }
    let provided = |project: &str, to: &str| {
        let (name, epoch) = world.provided(project, to);
        format!("{name}, {epoch}")
    };
    assert_eq!(provided("demo", "first"), "project demo, 1");
    assert_eq!(provided("two", "other"), "project two, 1");
    assert_eq!(provided("demo", "again"), "project demo, 2");
    for project in ["demo", "two"] {
        world.permit(project, JOINT);
    }
    assert_eq!(provided("demo", "one"), "joint j of demo two, 1");
    assert_eq!(provided("two", "two"), "joint j of demo two, 1");
    assert_eq!(provided("two", "later"), "joint j of demo two, 2");
    let record = std::fs::read_to_string(world.folder.path().join("env/audit/log.jsonl")).unwrap();
    assert_eq!(record.matches("\"kind\":\"rows-provided\"").count(), 6);
    assert_eq!(record.matches("\"columns\":[\"ws.cohort sex\"]").count(), 6);
    assert!(record.contains("\"receiver\":\"project two, joint j of demo two\""));
    assert!(!record.contains("provision-failed"));
}

#[test]
fn nothing_leaves_that_the_permit_does_not_name_or_that_all_projects_have() {
    let world = World::new();
    let told = |table: &str, code: i32, why: &str| {
        let output = world.call(("demo", table), "ichiro", "nowhere");
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        assert!(text(&output).contains(why), "{}", text(&output));
    };
    told("ws.cohort", 4, "provides for no rows outside");
    world.permit("demo", JOINT);
    told("ws.cohort", 4, "the permit of two is not in force, or does not name");
    world.permit("demo", ALONE);
    world.keep("demo", "CREATE TABLE ws.receipts AS SELECT person_id, receipt_id FROM ndb_receipt");
    world.keep("demo", "CREATE TABLE ws.unnamed AS SELECT person_id, sex FROM person");
    told("ws.unnamed", 4, "does not name ws.unnamed");
    told("ws.receipts", 1, "receipt_id of ws.receipts holds a number that is the same for every project");
    told("ws.nothing", 1, "there is no ws.nothing");
    let record = std::fs::read_to_string(world.folder.path().join("env/audit/log.jsonl")).unwrap();
    for reason in ["not-approved", "not-joint", "table-not-named", "shared-number", "no-table"] {
        assert!(record.contains(&format!("\"reason\":\"{reason}\"")), "{reason}");
    }
    // One officer alone lets nothing happen, however often.
    for _ in 0..2 {
        told("ws.cohort", 0, "another officer has to call the same");
    }
    assert!(!Path::new(&world.path("nowhere.rows")).exists());
    world.keep("demo", "CREATE TABLE ws.provided_rows AS SELECT person_id, sex AS gender FROM person");
    told("ws.provided_rows", 4, "does not name column gender of ws.provided_rows");
    // Nor for a project that is halted, or whose rows others match that are.
    world.permit("two", JOINT);
    world.permit("demo", JOINT);
    let halts = world.folder.path().join("env/policies/halts");
    std::fs::create_dir_all(&halts).unwrap();
    for halted in ["demo", "two"] {
        std::fs::write(halts.join(format!("{halted}.json")), "{}").unwrap();
        told("ws.cohort", 4, &format!("the use of {halted} is halted"));
        std::fs::remove_file(halts.join(format!("{halted}.json"))).unwrap();
    }
    told("ws.cohort", 0, "another officer has to call the same");
}

#[test]
fn a_table_leaves_under_whatever_name_and_what_fails_is_recorded_with_its_request() {
    let world = World::new();
    world.permit("demo", ALONE);
    world.keep("demo", "CREATE TABLE ws.provided_rows AS SELECT person_id, sex FROM person");
    let call = |officer: &str, to: &str| world.call(("demo", "ws.provided_rows"), officer, to);
    assert!(text(&call("ichiro", "one")).contains("another officer has to call the same"));
    let done = call("jiro", "one");
    assert!(done.status.success(), "{}", text(&done));
    assert!(Path::new(&world.path("one.rows")).join("provided_rows.parquet").exists());
    // A permit that shows no zero provides no rows of nobody.
    let path = world.folder.path().join("env/policies/demo.toml");
    let permit = std::fs::read_to_string(&path).unwrap();
    let stricter = match permit.contains("[thresholds]") {
        true => permit.replace("[thresholds]", "[thresholds]\nzero_shown = false"),
        false => format!("thresholds = {{ zero_shown = false }}\n{permit}"),
    };
    std::fs::write(&path, stricter).unwrap();
    world.keep("demo", "CREATE TABLE ws.few AS SELECT person_id, sex FROM person");
    let call = |officer: &str, to: &str| world.call(("demo", "ws.few"), officer, to);
    let record = || std::fs::read_to_string(world.folder.path().join("env/audit/log.jsonl")).unwrap();
    assert!(text(&call("ichiro", "two")).contains("another officer has to call the same"));
    let failed = call("jiro", "two");
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed));
    assert!(text(&failed).contains("fewer persons than the permit's threshold"), "{}", text(&failed));
    assert!(!Path::new(&world.path("two.rows")).exists() && !Path::new(&world.path("two.keys")).exists());
    let failed: Vec<String> =
        record().lines().filter(|line| line.contains("provision-failed")).map(str::to_owned).collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].contains("\"reason\":\"no-rows\"") && failed[0].contains("\"request\":"));
    assert!(record().contains("worker-few-persons"));
}
