//! Arrow Flight SQL with the ADBC driver that people use.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::json;

use crate::doors::{DOORS, RESEARCHER, installed, printed};

const QUESTIONS: [&str; 4] = [
    "SELECT sex, count(DISTINCT person_id) AS persons FROM person GROUP BY sex",
    "SELECT age_band(birth_date, DATE '2024-04-01', 10) AS age, count(DISTINCT person_id) AS persons, count(*) AS n FROM person GROUP BY ROLLUP (age_band(birth_date, DATE '2024-04-01', 10))",
    "SELECT service_month, count(*) AS receipts, avg(total_points) AS mean, sum(total_points) AS points FROM ndb_receipt GROUP BY service_month",
    "SELECT \"table\", name, type FROM misu.columns WHERE \"table\" = 'person'",
];

#[test]
fn the_adbc_driver_gets_what_the_command_gives_and_nothing_else() {
    let cases: Vec<_> = QUESTIONS.iter().map(|sql| json!({"sql": sql, "csv": DOORS.csv(sql)})).collect();
    let mut granted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in DOORS.csv("SELECT \"table\", name FROM misu.columns").lines().skip(1) {
        let words: Vec<&str> = line.split(',').collect();
        granted.entry(words[0].to_owned()).or_default().push(words[3].to_owned());
    }
    granted.values_mut().for_each(|columns| columns.sort());
    let given = json!({
        "cases": cases,
        "granted": granted,
        "user": RESEARCHER,
        "refused": "SELECT birth_date,\n  count(*) FROM person GROUP BY birth_date",
        "refusal": ["refused [identity]", "line 2, column 33: birth_date", "allowed:"],
        "denied": "SELECT count(*) FROM ndb_material",
    });
    let mut command = Command::new(installed("adbc", "python"));
    command.arg(crate::root().join("tests/clients/adbc_session.py"));
    let found = printed(&DOORS.run(command, &given.to_string()));
    assert_eq!(found, "");
}

#[test]
fn the_python_example_runs_as_it_stands() {
    let mut command = Command::new(installed("adbc", "python"));
    command.arg(crate::root().join("examples/python/ask.py"));
    let shown = printed(&DOORS.run(command, ""));
    assert!(
        shown.contains(" female ") && shown.contains("shape: (") && shown.contains("refused [identity]"),
        "{shown}"
    );
}
