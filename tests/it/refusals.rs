//! Statements that are refused or denied: the rule, the place and the proposal, without any data.
//!
//! A case in `refusals/*.txt` is a statement ending in `;`, followed by what vetting says on lines that begin with `--`.
//! `UPDATE_EXPECT=1` writes the expectations anew.

use catalog_model::{Catalogue, Grant, Period, SnapshotId, Thresholds, Tier};
use engine_protocol::{Verdict, VerdictKind};
use engine_service::offline_verdict;
use expect_test::expect_file;

/// The granted tables, by name: a refusal lists them, and a new table of the catalogue must not change the cases.
const GRANTED: [&str; 23] = [
    "care_certification",
    "care_claim",
    "care_need_interval",
    "care_service",
    "care_total",
    "death",
    "dpc_charge",
    "dpc_insurance_mix",
    "dpc_stay",
    "dpc_stay_item",
    "dpc_stay_receipt",
    "municipality",
    "ndb_admission",
    "ndb_comment",
    "ndb_diagnosis",
    "ndb_drug",
    "ndb_drug_episode",
    "ndb_procedure",
    "ndb_receipt",
    "ndb_run",
    "ndb_service_date",
    "person",
    "population",
];

/// A grant of some tables, without one column.
fn grant(catalogue: &Catalogue) -> Grant {
    let granted = catalogue.tables.values().filter(|table| GRANTED.contains(&table.table.as_str()));
    let tables = granted.map(|table| {
        let columns = table.columns.iter().map(|column| column.name.clone());
        (table.table.clone(), columns.filter(|name| name != "copay_amount").collect())
    });
    Grant {
        project: "demo".to_owned(),
        snapshot: SnapshotId::from_digest(&[0; 32]),
        tier: Tier::Pseudonymized,
        period: Period { from: "2023-04".parse().unwrap(), to: "2025-03".parse().unwrap() },
        tables: tables.collect(),
        thresholds: Thresholds { persons: 10, zero_shown: true },
    }
}

fn shown(verdict: &Verdict, sql: &str) -> String {
    let mut text = match verdict.verdict {
        VerdictKind::Vetted => format!("-- vetted: {}\n", verdict.columns.join(" ")),
        VerdictKind::Refused => format!("-- refused by {}: ", verdict.rule.as_deref().unwrap()),
        VerdictKind::Denied => format!("-- denied by {}: ", verdict.rule.as_deref().unwrap()),
    };
    if let Some(message) = &verdict.message {
        text.push_str(&format!("{message}\n"));
    }
    if let Some((from, to)) = verdict.span {
        text.push_str(&format!("-- at: {}\n", sql.get(from..to).unwrap()));
    }
    if let Some(suggestion) = &verdict.suggestion {
        text.push_str(&format!("-- try: {suggestion}\n"));
    }
    text
}

#[test]
fn forbidden_statements_are_refused_with_rule_place_and_proposal() {
    let catalogue = Catalogue::builtin().unwrap();
    let grant = grant(&catalogue);
    let root = std::env::current_dir().unwrap().join("refusals");
    let mut files: Vec<_> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut statements = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut found = String::new();
        let mut sql = String::new();
        for line in text.lines().filter(|line| !line.starts_with("--")) {
            if line.starts_with('#') || (line.is_empty() && sql.is_empty()) {
                found.push_str(&format!("{line}\n"));
                continue;
            }
            sql.push_str(line);
            if let Some(statement) = sql.strip_suffix(';') {
                let verdict = offline_verdict(statement, &catalogue, &grant);
                let is_allowed = file.file_stem().is_some_and(|stem| stem == "allowed");
                assert_eq!(verdict.verdict == VerdictKind::Vetted, is_allowed, "{statement}\n{verdict:?}");
                found.push_str(&format!("{sql}\n{}", shown(&verdict, statement)));
                sql.clear();
                statements += 1;
            } else {
                sql.push('\n');
            }
        }
        expect_file![&file].assert_eq(&found);
    }
    assert!(statements >= 60, "{statements} statements");
}
