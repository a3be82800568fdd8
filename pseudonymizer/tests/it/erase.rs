//! Erasing a dataset's fiscal year: its files open no more, all others do, and a signed record says so.

use std::collections::BTreeMap;
use std::path::Path;

use audit::{SignedStatement, StatementKind, VerifierKey};
use catalog_store::{Environment, FileKeyring};

use crate::world::{ingest, json, ok, refused, write_delivery};

const SECRET: &str = "a secret of its own";

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

fn erase(env: &str, officer: &str) -> String {
    let secret = Path::new(env).with_file_name(officer).display().to_string();
    let output = ingest(&[
        "delivery",
        "erase",
        "ndb",
        "--year",
        "2023",
        "--reason",
        "保存期間満了",
        "--officer",
        officer,
        "--secret",
        &secret,
        "--env",
        env,
    ]);
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
    assert!(erase(&env, "ichiro").contains("another officer"));
    assert_eq!(readable(&env), before);
    assert!(erase(&env, "jiro").contains("1 deliveries recalled"));

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
}
