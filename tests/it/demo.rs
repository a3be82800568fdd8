//! The demo in small, and what must hold of the environment that it leaves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use bytes::Bytes;
use catalog_store::{Environment, FileKeyring, FileKeys, StagedFiles};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use tempfile::TempDir;

/// A program of ours, built before the tests (`make test` does).
pub(crate) fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().unwrap().parent().unwrap().join(name);
    assert!(path.is_file(), "{} is not built; run `make test`", path.display());
    path
}

/// What `misu` does with these words.
pub(crate) fn misu(arguments: &[&str]) -> Output {
    Command::new(program("misu")).args(arguments).env("LC_ALL", "C").output().unwrap()
}

/// What a command prints that must go well.
pub(crate) fn said(arguments: &[&str]) -> String {
    let output = misu(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// All that a command printed.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub(crate) struct Demo {
    folder: TempDir,
    output: String,
}

impl Demo {
    pub(crate) fn env(&self) -> String {
        self.folder.path().join("demo/env").display().to_string()
    }

    fn truth(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join("demo/truth").join(name)).unwrap()
    }
}

/// A small demo of one's own.
pub(crate) fn demo() -> Demo {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("demo").display().to_string();
    let output =
        misu(&["demo", "--dir", &dir, "--persons", "1200", "--months", "6", "--seed", "3", "--no-serve"]);
    assert!(output.status.success(), "{}", text(&output));
    // What tests ask enters the ledger and changes what is shown next; a copy stays as the demo left it.
    let demo = folder.path().join("demo");
    crate::journeys::copy(&demo.join("env"), &demo.join("untouched"));
    Demo { folder, output: text(&output) }
}

pub(crate) static DEMO: LazyLock<Demo> = LazyLock::new(demo);

/// The environment as the small demo left it, for tests whose answers depend on what was asked before.
pub(crate) fn untouched() -> PathBuf {
    DEMO.folder.path().join("demo/untouched")
}

/// The environment that the small demo leaves.
pub(crate) fn environment() -> PathBuf {
    PathBuf::from(DEMO.env())
}

fn snapshot(output: &str) -> &str {
    output.lines().find_map(|line| line.strip_prefix("snapshot ")).unwrap().split(' ').next().unwrap()
}

#[test]
fn the_demo_answers_five_questions_and_refuses_one() {
    let output = &DEMO.output;
    for number in 1..=6 {
        assert!(output.contains(&format!("\n({number}) ")), "{output}");
    }
    assert!(output.contains("identity") && output.contains("^^^"), "{output}");
    assert!(output.contains("precision 1.0") || output.contains("precision 0.9"), "{output}");
    assert!(output.contains("***"), "{output}");
}

#[test]
fn two_demos_with_the_same_seed_have_the_same_snapshot() {
    assert_eq!(snapshot(&DEMO.output), snapshot(&demo().output));
}

#[test]
fn accounts_close_in_the_quality_report() {
    let output = misu(&["quality", "--json", "--env", &DEMO.env()]);
    let quality: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(quality["total"]["closes"], true);
    let sum = |key: &str| -> u64 {
        quality["total"][key].as_object().unwrap().values().map(|lines| lines.as_u64().unwrap()).sum()
    };
    let total = |key: &str| quality["total"][key].as_u64().unwrap();
    assert_eq!(total("read"), total("stored") + sum("dropped") + sum("quarantined"));
    assert!(sum("quarantined") > 0);
}

/// Every file below a folder, with its bytes.
pub(crate) fn files(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            found.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
}

#[test]
fn no_identity_of_the_truth_lies_anywhere_in_the_environment() {
    let mut found = Vec::new();
    files(Path::new(&DEMO.env()), &mut found);
    let published = published();
    assert!(!published.is_empty());
    // Parquet pages are compressed, so their content is looked at as it is read back.
    let staged = Environment::open(Path::new(&DEMO.env())).unwrap().staged_files();
    let readable: Vec<(PathBuf, Vec<u8>)> = found
        .iter()
        .flat_map(|(path, bytes)| {
            [Some((path.clone(), bytes.clone())), uncompressed(path, &published, &staged)]
        })
        .flatten()
        .collect();
    let identities = synthetic::identities::Identities::parse(&DEMO.truth("identities.csv"));
    assert!(identities.len() > 5_000, "{}", identities.len());
    for (path, bytes) in &readable {
        assert_eq!(identities.first_in(bytes), None, "in {}", path.display());
    }
}

/// The files of the demo's snapshots, with their keys.
fn published() -> BTreeMap<PathBuf, FileKeys> {
    let environment = Environment::open(Path::new(&DEMO.env())).unwrap();
    let (ring, store) = (FileKeyring::new(&environment), environment.room("store"));
    let mut published = BTreeMap::new();
    for (_, manifest) in environment.snapshots().unwrap().all().unwrap() {
        for file in manifest.body.tables.values().flat_map(|table| &table.files) {
            let keys = ring.open(file, &|_| true).unwrap().expect("every file of a snapshot is encrypted");
            published.insert(store.join(&file.path), keys);
        }
    }
    published
}

#[test]
fn no_column_name_of_the_catalogue_lies_in_a_file_of_the_snapshot() {
    for path in published().into_keys() {
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.starts_with(b"PARE"), "{} has a footer in clear", path.display());
        for name in [&b"person_id"[..], b"birth_date", b"municipality", b"ARROW:schema"] {
            assert!(!bytes.windows(name.len()).any(|window| window == name), "{}", path.display());
        }
    }
}

#[test]
fn no_table_file_of_the_environment_lies_in_clear() {
    let mut found = Vec::new();
    files(Path::new(&DEMO.env()), &mut found);
    found.retain(|(path, _)| path.extension().is_some_and(|extension| extension == "parquet"));
    let is_in = |room: &str| found.iter().any(|(path, _)| path.to_string_lossy().contains(room));
    assert!(is_in("/store/staging/") && is_in("/links/run-") && is_in("/links/persons-"));
    for (path, bytes) in &found {
        assert!(!bytes.starts_with(b"PAR1") && !bytes.ends_with(b"PAR1"), "{} is in clear", path.display());
    }
}

/// The text columns of a Parquet file, one value after the other: of a file of a snapshot with its keys, of staged rows
/// and links with the environment's.
fn uncompressed(
    path: &Path,
    published: &BTreeMap<PathBuf, FileKeys>,
    staged: &StagedFiles,
) -> Option<(PathBuf, Vec<u8>)> {
    use arrow::array::AsArray as _;
    path.extension().filter(|extension| *extension == "parquet")?;
    let path = path.canonicalize().unwrap();
    let (bytes, options) = match published.get(&path) {
        Some(keys) => (std::fs::read(&path).unwrap(), crate::files::options(keys)),
        None => (staged.read(&path).unwrap().to_vec(), ArrowReaderOptions::new()),
    };
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(Bytes::from(bytes), options);
    let reader = reader.unwrap().build().unwrap();
    let mut bytes = Vec::new();
    for batch in reader {
        for column in batch.unwrap().columns() {
            if let Some(texts) = column.as_string_opt::<i32>() {
                for value in texts.iter().flatten() {
                    bytes.extend_from_slice(value.as_bytes());
                    bytes.push(b'\n');
                }
            }
        }
    }
    Some((path, bytes))
}

#[test]
fn exit_codes_say_whose_fault_it_is() {
    let env = DEMO.env();
    let code = |arguments: &[&str]| {
        let output = misu(&[arguments, &["--env", &env]].concat());
        (output.status.code().unwrap(), text(&output))
    };
    let allowed = "SELECT sex, count(DISTINCT person_id) FROM person GROUP BY sex";
    assert_eq!(code(&["query", allowed]).0, 0);
    let beside = Command::new(program("misu"))
        .args(["query", "--env", "env", allowed])
        .current_dir(DEMO.folder.path().join("demo"))
        .output()
        .unwrap();
    assert!(beside.status.success(), "a path from the working directory: {}", text(&beside));
    assert_eq!(code(&["vet", allowed]).0, 0);
    assert_eq!(code(&["query", "SELECT * FROM person"]).0, 3);
    assert_eq!(code(&["vet", "SELECT * FROM person"]).0, 3);
    assert_eq!(code(&["query", "SELECT count(*) FROM ndb_material"]).0, 4);
    assert_eq!(code(&["query", "--user", "somebody", allowed]).0, 4);
    assert_eq!(code(&["query", "--project", "other", allowed]).0, 4);
    assert_eq!(misu(&["query"]).status.code(), Some(2));
}

#[test]
fn every_format_carries_the_same_figures() {
    let env = DEMO.env();
    let sql = "SELECT sex, count(DISTINCT person_id) AS persons FROM person GROUP BY sex";
    let out = |format: &str| misu(&["query", sql, "--env", &env, "--format", format]).stdout;
    let json: serde_json::Value = serde_json::from_slice(&out("json")).unwrap();
    let persons: Vec<String> =
        json["rows"].as_array().unwrap().iter().map(|row| row[1]["integer"].to_string()).collect();
    assert!(persons.len() >= 2);
    let csv = String::from_utf8(out("csv")).unwrap();
    for number in persons {
        assert!(csv.contains(&number), "{csv}");
    }
    assert_eq!(&out("xlsx")[..2], b"PK");
    assert_eq!(&out("arrow")[..6], b"ARROW1");
}

#[test]
fn offline_and_online_verdicts_are_the_same_bytes() {
    let env = DEMO.env();
    let permit = format!("{env}/policies/demo.toml");
    let catalogue = format!("{env}/catalog");
    for sql in [
        "SELECT sex, count(*) FROM person GROUP BY sex",
        "SELECT count(*) FROM person WHERE person_id = 1",
        "SELECT sum(copay_amount) FROM ndb_receipt",
        "SELECT count(*) FROM nowhere",
    ] {
        let online = misu(&["vet", "--json", "--env", &env, sql]);
        let offline = misu(&["vet", "--json", "--catalog", &catalogue, "--permit", &permit, sql]);
        assert_eq!(text(&online), text(&offline));
        assert_eq!(online.status.code(), offline.status.code());
    }
}

#[test]
fn a_changed_byte_of_the_record_is_found() {
    let log = Path::new(&DEMO.env()).join("audit/log.jsonl");
    let copy = DEMO.folder.path().join("copy.jsonl");
    let bytes = std::fs::read(&log).unwrap();
    std::fs::write(&copy, &bytes).unwrap();
    let verify = || misu(&["audit", "verify", "--log", &copy.display().to_string()]);
    assert_eq!(verify().status.code(), Some(0));
    let third = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0 + 20;
    let mut changed = bytes;
    changed[third] ^= 1;
    std::fs::write(&copy, changed).unwrap();
    let output = verify();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("line 3"), "{}", text(&output));
}

#[test]
fn the_doctor_finds_a_demo_well_and_a_missing_key() {
    let env = DEMO.env();
    let output = misu(&["doctor", "--env", &env]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("DEMO"));
    assert!(text(&output).contains("kB, the oldest release of 20"), "{}", text(&output));
    let copy = DEMO.folder.path().join("broken");
    std::fs::create_dir_all(copy.join("catalog")).unwrap();
    std::fs::copy(Path::new(&env).join("misu.toml"), copy.join("misu.toml")).unwrap();
    let output = misu(&["doctor", "--env", &copy.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("restore keys/ from a backup"), "{}", text(&output));
}
