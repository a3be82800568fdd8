//! Erasing a dataset's fiscal year: its files open no more, all others do, and a signed record says so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Output;

use audit::{SignedStatement, StatementKind, VerifierKey};
use catalog_store::{Agreed, Asked, Environment, Erasure, FileKeyring, Officers, Passphrase};

use crate::world::{ingest, json, ok, refused, write_delivery};

const SECRET: &str = "a secret of its own";
const NDB: (&str, &str) = ("ndb", "2023");
const UNFINISHED: &str = "unfinished";

/// How many files of the first snapshot can be read and how many cannot, by database and fiscal year.
fn readable(env: &str) -> BTreeMap<(String, Option<i32>), (u32, u32)> {
    let environment = Environment::open(Path::new(env)).unwrap();
    let (catalogue, _) = environment.catalogue().unwrap();
    let ring = FileKeyring::new(&environment);
    let (_, manifest) = environment.snapshots().unwrap().all().unwrap().remove(0);
    let mut found: BTreeMap<_, (u32, u32)> = BTreeMap::new();
    for (name, entry) in manifest.body.tables {
        let table = &catalogue.tables[&name];
        for file in entry.files.iter().filter(|_| table.derive.is_none()) {
            let count = found.entry((table.database.clone(), file.year)).or_default();
            match ring.open(file, &|_| true) {
                Ok(_) => count.0 += 1,
                Err(_) => count.1 += 1,
            }
        }
    }
    found
}

/// Whether every file of the latest snapshot can be read.
fn all_readable(env: &str) -> bool {
    let environment = Environment::open(Path::new(env)).unwrap();
    let ring = FileKeyring::new(&environment);
    let (_, manifest) = environment.snapshots().unwrap().head().unwrap().unwrap();
    let mut files = manifest.body.tables.values().flat_map(|table| &table.files);
    files.all(|file| ring.open(file, &|_| true).is_ok())
}

fn asked(env: &str, officer: &str, (database, year): (&str, &str)) -> Output {
    let secret = Path::new(env).with_file_name(officer).display().to_string();
    ingest(&[
        "delivery",
        "erase",
        database,
        "--year",
        year,
        "--reason",
        "保存期間満了",
        "--officer",
        officer,
        "--secret",
        &secret,
        "--env",
        env,
    ])
}

fn erase(env: &str, officer: &str, what: (&str, &str)) -> String {
    let output = asked(env, officer, what);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn officers(env: &str) {
    for officer in ["ichiro", "jiro"] {
        let secret = Path::new(env).with_file_name(officer);
        std::fs::write(&secret, format!("{SECRET}, {officer}\n")).unwrap();
        ok(&["keys", "officer", officer, "--new-secret", &secret.display().to_string(), "--env", env]);
    }
}

fn publish(env: &str) -> serde_json::Value {
    ok(&["link", "--env", env]);
    json(&["publish", "--env", env, "--json"])
}

/// What a killed ingest leaves: staged rows under a key of their own, of a delivery that is not booked.
fn unfinished(env: &str) -> PathBuf {
    let environment = Environment::open(Path::new(env)).unwrap();
    let part = environment.room("store").join("staging").join(UNFINISHED).join("00000");
    std::fs::create_dir_all(&part).unwrap();
    environment.staged_files().write(&part.join("rows.parquet"), b"rows").unwrap();
    assert!(staged(env).contains(UNFINISHED));
    part
}

fn staged(env: &str) -> BTreeSet<String> {
    Environment::open(Path::new(env)).unwrap().staged_deliveries().unwrap()
}

/// The agreement of two officers, as the guard's tests make it.
fn agreed(environment: &Environment) -> Agreed {
    let officers = Officers::open(&environment.room("keys")).unwrap();
    for officer in ["ichiro", "jiro"] {
        let secret = Passphrase::new(&format!("{SECRET}, {officer}").into_bytes().into());
        let present = officers.present(officer, &secret).unwrap();
        if let Asked::Agreed(agreed) = officers.ask("erase", present, &|_| true).unwrap() {
            return agreed;
        }
    }
    panic!("nobody agreed")
}

/// The signed record of the erasure, which must verify.
fn record(env: &str) -> serde_json::Value {
    let audit = Path::new(env).join("audit");
    let key = std::fs::read_to_string(audit.join("checkpoint.key")).unwrap();
    let mut notes = std::fs::read_dir(audit.join("deletions")).unwrap();
    let note = std::fs::read_to_string(notes.next().unwrap().unwrap().path()).unwrap();
    assert!(notes.next().is_none());
    let signed = SignedStatement::parse(StatementKind::Deletion, &note).unwrap();
    signed.verify(&VerifierKey::parse(key.trim()).unwrap()).unwrap();
    serde_json::from_str(signed.json()).unwrap()
}

#[test]
fn an_erasure_that_was_killed_is_ended_and_told_by_whoever_writes_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let env = path("env").display().to_string();
    let receipts = crate::case_bytes("uke-western");
    write_delivery(&path("receipts"), "ndb-2023-04", "ndb", &[("a.UKE", "ndb-medical", &receipts)]);
    ok(&["init", &env, "--demo-seed", "5", "--buckets", "2"]);
    ok(&["ingest", &path("receipts").display().to_string(), "--env", &env]);
    officers(&env);
    // The keys are gone and the killed run came no further.
    let environment = Environment::open(Path::new(&env)).unwrap();
    let text = |text: &str| text.to_owned();
    let erasure = Erasure {
        database: text("ndb"),
        year: Some(2023),
        at: text("2026-11-22T00:00:00Z"),
        by: vec![text("ichiro"), text("jiro")],
        request: text("r"),
        why: text("保存期間満了"),
    };
    environment.erase(&erasure, &agreed(&environment)).unwrap();
    ok(&["keys", "rotate", "delivery", "--env", &env]);
    assert!(environment.meta().unwrap().deliveries().unwrap().is_empty());
    let record = record(&env);
    assert_eq!((record["by"][1].as_str(), record["deliveries_recalled"].as_u64()), (Some("jiro"), Some(1)));
    let log = std::fs::read_to_string(Path::new(&env).join("audit/log.jsonl")).unwrap();
    let late = log.lines().filter(|line| line.contains("\"kind\":\"data-erased\"")).collect::<Vec<_>>();
    assert!(late.len() == 1 && late[0].contains("\"late\":true") && late[0].contains("ichiro"), "{late:?}");
}

#[test]
fn a_year_of_a_dataset_ends_by_two_officers_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let env = path("env").display().to_string();
    let receipts = crate::case_bytes("uke-western");
    write_delivery(&path("receipts"), "ndb-2023-04", "ndb", &[("a.UKE", "ndb-medical", &receipts)]);
    write_delivery(
        &path("stays"),
        "dpc-2023-04",
        "dpc",
        &[("ff4.txt", "dpc-ff4", &crate::case_bytes("dpc-ff4"))],
    );
    ok(&["init", &env, "--demo-seed", "5", "--buckets", "2"]);
    for delivery in ["receipts", "stays"] {
        ok(&["ingest", &path(delivery).display().to_string(), "--env", &env]);
    }
    publish(&env);
    officers(&env);
    let before = readable(&env);
    assert!(before.values().all(|(_, closed)| *closed == 0));
    for (what, why) in [
        (("person", "2023"), "no layout delivers a database person"),
        (("public", "2023"), "no layout delivers a database public"),
        (("care", "2023"), "nothing of care of fiscal year 2023 is here"),
        (("ndb", "2032"), "nothing of ndb of fiscal year 2032 is here"),
    ] {
        let output = asked(&env, "ichiro", what);
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(why), "{said}");
    }
    let left = unfinished(&env);
    let said = erase(&env, "ichiro", NDB);
    assert!(said.contains("1 deliveries with") && said.contains("another officer"), "{said}");
    assert_eq!(readable(&env), before);
    assert!(erase(&env, "jiro", NDB).contains("1 deliveries recalled"));
    assert!(!left.exists() && !staged(&env).contains(UNFINISHED) && !staged(&env).is_empty());

    let year = ("ndb".to_owned(), Some(2023));
    for (place, (open, closed)) in readable(&env) {
        assert_eq!(if place == year { open } else { closed }, 0, "{place:?}");
    }
    let snapshots = json(&["snapshots", "list", "--env", &env, "--json"]);
    let erased = snapshots[0]["erased"].as_array().unwrap();
    assert!(
        erased.iter().any(|what| what.as_str().unwrap().starts_with("ndb of fiscal year 2023 erased at"))
    );
    let record = record(&env);
    assert_eq!(
        (record["fiscal_year"].as_i64(), record["deliveries_recalled"].as_u64()),
        (Some(2023), Some(1))
    );
    assert!(record["keys_destroyed"].as_u64().unwrap() > 0 && record["note"] == "保存期間満了");
    let log = std::fs::read_to_string(Path::new(&env).join("audit/log.jsonl")).unwrap();
    assert!(log.contains("\"kind\":\"data-erased\"") && log.contains("\"kind\":\"delivery-recalled\""));

    // Nothing of that year comes back: not as its own delivery, and not in one of a later year.
    let at = receipts.windows(4).position(|bytes| bytes == b"1234").unwrap();
    let mut later = receipts;
    later[at] = b'9';
    write_delivery(&path("later"), "ndb-late", "ndb", &[("a.UKE", "ndb-medical", &later)]);
    let list = path("later").join("delivery.toml");
    assert!(
        refused(&["ingest", &path("later").display().to_string(), "--env", &env]).contains("were erased at")
    );
    let text = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, text.replace("month = \"2023-04\"", "month = \"2024-05\"")).unwrap();
    ok(&["ingest", &path("later").display().to_string(), "--env", &env]);
    let published = publish(&env);
    assert!(published["left_out"].as_u64().unwrap() > 0, "{published}");
    let quality = json(&["quality", "--env", &env]);
    assert_eq!(quality["tables"]["ndb_receipt"], 0);
    assert!(quality["tables"]["dpc_insurance_mix"].as_u64().unwrap() > 0);

    // Asked again it is done already, and what was made since without that year stays, whoever asks.
    assert!(all_readable(&env));
    for officer in ["ichiro", "jiro"] {
        assert!(erase(&env, officer, NDB).contains("already"));
    }
    assert!(all_readable(&env));
    // The records of the erased year would go with the delivery of a later month, and the officers are told.
    let said = erase(&env, "ichiro", ("ndb", "2024"));
    assert!(said.contains("1 deliveries with") && !said.contains("with 0 records"), "{said}");
}
