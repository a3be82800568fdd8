//! `misu dummy`: DuckDB reads what it writes, arranged branches have their persons, and verdicts are those of the
//! environment.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::json;

use crate::demo::program;
use crate::doors::{DOORS, installed, printed};

/// Questions whose conditions are arranged, and the persons that each finds at least.
const QUESTIONS: [(&str, usize); 3] = [
    (
        "SELECT count(DISTINCT p.person_id) FROM person p JOIN ndb_diagnosis d ON d.person_id = p.person_id \
         WHERE p.sex = '2' AND d.icd10 LIKE 'E11%' AND d.is_main AND NOT d.is_suspected",
        15,
    ),
    (
        "SELECT count(DISTINCT person_id) FROM ndb_drug \
         WHERE drug_class IN ('statin', 'antiplatelet') AND service_month >= DATE '2023-06-01'",
        15,
    ),
    (
        "SELECT count(DISTINCT r.person_id) FROM ndb_receipt r WHERE (r.total_points > 20000 AND r.setting = 'inpatient' \
         OR r.total_points BETWEEN 9000 AND 9001 AND r.prefecture <> '13') AND EXISTS (SELECT 1 FROM care_certification c \
         WHERE c.person_id = r.person_id AND c.application_class = '1')",
        30,
    ),
];

#[test]
fn dummy_data_are_read_by_duckdb_and_every_branch_finds_its_persons() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("dummy");
    let mut command = Command::new(program("misu"));
    command.args(["dummy", "--env", &DOORS.env(), "--persons", "200", "--each", "15", "--out"]).arg(&out);
    for (number, (sql, _)) in QUESTIONS.iter().enumerate() {
        let file = folder.path().join(format!("{number}.sql"));
        std::fs::write(&file, sql).unwrap();
        command.arg("--for").arg(file);
    }
    let told = printed(&command.output().unwrap());
    assert!(!told.contains("left to chance"), "{told}");
    assert_eq!(told.matches("15 persons with").count(), 4, "{told}");

    let mut granted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in DOORS.csv("SELECT \"table\", name FROM misu.columns").lines().skip(1) {
        let words: Vec<&str> = line.split(',').collect();
        granted.entry(words[0].to_owned()).or_default().push(words[3].to_owned());
    }
    let questions: Vec<_> =
        QUESTIONS.iter().map(|(sql, least)| json!({"sql": sql, "least": least})).collect();
    let given = json!({"folder": out, "granted": granted, "questions": questions});
    let mut oracle = Command::new(installed("oracle", "python"));
    oracle.arg(crate::root().join("tests/clients/dummy_session.py"));
    assert_eq!(printed(&DOORS.run(oracle, &given.to_string())), "");

    for (sql, _) in QUESTIONS {
        let vet = |arguments: &[&str]| {
            let output =
                Command::new(program("misu")).args(["vet", "--json", sql]).args(arguments).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let [catalogue, permit] = ["catalog", "permit.toml"].map(|name| out.join(name).display().to_string());
        assert_eq!(
            vet(&["--env", &DOORS.env()]),
            vet(&["--catalog", &catalogue, "--permit", &permit]),
            "{sql}"
        );
    }
}
