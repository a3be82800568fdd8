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
    ClientReply, ClientRequest, FileKeys, Keep, PROVIDED_PERSON, PersonKey, Question, WorkerReply,
    WorkerRequest,
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

/// The pseudonyms of forty persons in two buckets, as a locked-in worker provides them.
fn provided(key: u8, excluded: Vec<u32>) -> Vec<String> {
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
    };
    let WorkerReply::Kept(files) = reply(&worker(), request, &[bucket(0), bucket(1)]) else {
        panic!("no rows")
    };
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

const ALONE: &str = "[provision]\ntables = [\"cohort\", \"receipts\"]\n";
const JOINT: &str =
    "[provision]\ntables = [\"cohort\"]\njoint = { name = \"j\", projects = [\"demo\", \"two\"] }\n";

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
    // One officer alone lets nothing happen, however often.
    for _ in 0..2 {
        told("ws.cohort", 0, "another officer has to call the same");
    }
    assert!(!Path::new(&world.path("nowhere.rows")).exists());
}
