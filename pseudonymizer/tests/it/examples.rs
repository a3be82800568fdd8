//! Databases that only TOML files describe: added to an environment, taken in and linked with the shipped ones.

use std::path::Path;

use crate::world::{copy, ingest, json, ok, write_delivery};

fn example(name: &str, folder: &str) -> String {
    let root = std::env::current_dir().unwrap().join("../examples");
    root.join(name).join(folder).display().to_string()
}

/// An environment with the hand-written receipt of one person, taken in before any example is added.
fn environment(folder: &Path) -> String {
    let env = folder.join("env").display().to_string();
    ok(&["init", &env, "--demo-seed", "5", "--buckets", "2"]);
    let bytes = crate::case_bytes("uke-western");
    let receipts = folder.join("receipts");
    write_delivery(&receipts, "ndb-2023-04", "ndb", &[("a.UKE", "ndb-medical", &bytes)]);
    ok(&["ingest", &receipts.display().to_string(), "--env", &env]);
    env
}

#[test]
fn three_more_databases_need_no_rust_and_link_with_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let env = environment(folder.path());
    for name in ["cancer-registry", "vaccination", "disability-welfare"] {
        ok(&["catalog", "add", &example(name, "catalog"), "--env", &env]);
        ok(&["ingest", &example(name, "delivery"), "--env", &env]);
    }
    let linked = json(&["link", "--env", &env, "--json"]);
    // 花子 (receipt, registry, dose), 次郎 (registry, doses, welfare), 五郎 (welfare).
    assert_eq!(linked["persons"], 3, "{linked}");
    ok(&["publish", "--env", &env]);
    let quality = json(&["quality", "--env", &env]);
    assert_eq!(quality["total"]["closes"], true);
    let rows = ["ndb_receipt", "cancer_tumour", "vaccination_dose", "welfare_service", "person"];
    let rows = rows.map(|table| quality["tables"][table].as_u64().unwrap());
    assert_eq!(rows, [1, 2, 3, 3, 3]);
    let quarantine = ok(&["quarantine", "--env", &env]);
    let rows: Vec<&str> = quarantine.lines().skip(1).collect();
    assert_eq!(
        rows,
        [
            "cancer-2023-04\tnotifications.csv\t4\trow\tbirth_date\tdate\t1",
            "vaccination-2023-04\tdoses.tsv\t4\trow\tvaccine\tcode\t1",
        ]
    );
}

#[test]
fn a_scheme_of_an_added_database_joins_records_that_no_shipped_scheme_joins() {
    let folder = tempfile::tempdir().unwrap();
    let env = environment(folder.path());
    ok(&["catalog", "add", &example("vaccination", "catalog"), "--env", &env]);
    ok(&["ingest", &example("vaccination", "delivery"), "--env", &env]);
    let linked = json(&["link", "--env", &env, "--json"]);
    // The dose without a name belongs to 次郎 by municipality and addressee number alone.
    assert_eq!(linked["persons"], 2, "{linked}");
    let schemes = linked["schemes"].as_array().unwrap();
    let addressee = schemes.iter().find(|scheme| scheme["scheme"] == "addressee").unwrap();
    assert_eq!((addressee["mentions"].as_u64(), addressee["keys"].as_u64()), (Some(3), Some(2)));
}

#[test]
fn a_catalogue_that_would_store_a_name_is_not_added() {
    let folder = tempfile::tempdir().unwrap();
    let env = environment(folder.path());
    let more = folder.path().join("more");
    copy(Path::new(&example("cancer-registry", "catalog")), &more);
    let table = more.join("tables/cancer/cancer_tumour.toml");
    let text = std::fs::read_to_string(&table).unwrap();
    std::fs::write(&table, text.replace("\"row.morphology\"", "\"row.name\"")).unwrap();
    let output = ingest(&["catalog", "add", &more.display().to_string(), "--env", &env]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        message.contains("made of row.name, which is of class direct and must not be stored"),
        "{message}"
    );
    assert!(!Path::new(&env).join("catalog/tables/cancer").exists());
}
