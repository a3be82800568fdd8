//! What was asked: kept for auditors alone, compared before rules change, and forgotten when its time is over.

use crate::demo::{misu, said, untouched};
use crate::journeys::copy;

const NARROW: &str = "SELECT setting, count(DISTINCT person_id) AS persons FROM ndb_receipt GROUP BY setting";
const BROAD: &str = "SELECT prefecture, count(DISTINCT person_id) AS persons FROM ndb_receipt \
                     WHERE total_points > 4711 GROUP BY prefecture";
const REFUSED: &str = "SELECT person_id FROM ndb_receipt WHERE total_points = 4712";

#[test]
fn texts_are_for_auditors_and_show_what_other_rules_would_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("env");
    copy(&untouched(), &path);
    let env = path.display().to_string();
    said(&["people", "set", "--env", &env, "--as", "demo-operator", "ops", "--role", "operator"]);
    for (user, role) in [("mori", "auditor"), ("kondo", "data-officer")] {
        said(&["people", "set", "--env", &env, "--as", "ops", user, "--role", role]);
    }
    for sql in [NARROW, BROAD, BROAD, REFUSED] {
        misu(&["query", "--env", &env, "--user", "demo-researcher", "--project", "demo", sql]);
    }

    // The record has neither a text nor a digest that a text could be tried against.
    let record = std::fs::read_to_string(path.join("audit/log.jsonl")).unwrap();
    for text in [NARROW, BROAD, REFUSED] {
        assert!(!record.contains(blake3::hash(text.as_bytes()).to_hex().as_str()));
    }
    // Not the bare numbers: four digits stand in a digest by chance.
    assert!(!record.contains("> 4711") && !record.contains("= 4712"));

    let listed = said(&["questions", "list", "--env", &env, "--as", "mori"]);
    assert_eq!(listed.matches(BROAD).count(), 2, "{listed}");
    assert_eq!((listed.matches(REFUSED).count(), listed.matches("# ? ").count()), (1, 0), "{listed}");
    for user in ["kondo", "demo-researcher", "nobody"] {
        assert!(!misu(&["questions", "list", "--env", &env, "--as", user]).status.success(), "{user}");
    }

    // The same rules change nothing; without the prefecture one question of two that may run is denied.
    let rules = folder.path().join("rules");
    copy(&path.join("policies"), &rules);
    let compare = |user: &str| {
        let rules = rules.display().to_string();
        said(&["questions", "compare", "--env", &env, "--as", user, "--policies", &rules])
    };
    let count = |text: &str| text.split(' ').next().unwrap().to_owned();
    assert_eq!(count(&compare("kondo")), "0");
    let permit = rules.join("demo.toml");
    let text = std::fs::read_to_string(&permit).unwrap();
    let start = text.find("ndb_receipt = ").unwrap();
    let (before, receipt) = text.split_at(start);
    let narrower = receipt.replacen("\"prefecture\", ", "", 1).replacen("\"prefecture\",", "", 1);
    std::fs::write(&permit, format!("{before}{narrower}")).unwrap();
    let compared = compare("mori");
    assert!(compared.contains(BROAD) && compared.contains("asked 2 times"), "{compared}");
    assert!(compared.contains("+ denied by not-granted") && !compared.contains(NARROW), "{compared}");

    said(&["questions", "forget", "--env", &env, "--as", "kondo", "--before", "2999-01-01"]);
    assert!(!said(&["questions", "list", "--env", &env, "--as", "mori"]).contains(NARROW));
    assert!(misu(&["audit", "verify", "--env", &env]).status.success());
}

/// Tables of two columns each of the same receipts: more than an audit takes in while somebody waits.
const CROSSED: [&str; 3] = ["prefecture, setting", "service_month, setting", "prefecture, service_month"];

#[test]
fn an_answer_that_waits_for_an_audit_is_given_once_it_passed_and_stays_withheld_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("env");
    copy(&untouched(), &path);
    let env = path.display().to_string();
    said(&["people", "set", "--env", &env, "--as", "demo-operator", "ops", "--role", "operator"]);
    for (user, role) in [("mori", "auditor"), ("kondo", "data-officer")] {
        said(&["people", "set", "--env", &env, "--as", "ops", user, "--role", role]);
    }
    let permit = path.join("policies/demo.toml");
    let text = std::fs::read_to_string(&permit).unwrap();
    std::fs::write(&permit, text.replace("rules = \"general-2026\"", "rules = \"general-2026-audited\""))
        .unwrap();
    let ask = |columns: &str| {
        let sql = format!(
            "SELECT {columns}, count(DISTINCT person_id) AS persons FROM ndb_receipt GROUP BY {columns}"
        );
        misu(&["query", "--env", &env, "--user", "demo-researcher", "--project", "demo", &sql])
    };
    let audit = |user: &str, more: &[&str]| {
        let own = ["questions", "audit", "--env", env.as_str(), "--as", user];
        misu(&[&own[..], more].concat())
    };
    let listed = || String::from_utf8(audit("kondo", &[]).stdout).unwrap();
    assert_eq!(listed(), "");
    let withheld: Vec<&str> =
        CROSSED.into_iter().filter(|columns| ask(columns).status.code() == Some(5)).collect();
    let waiting = listed();
    assert_eq!(waiting.lines().count(), withheld.len(), "{waiting}");
    assert!(!withheld.is_empty());
    for user in ["mori", "demo-researcher", "nobody"] {
        assert!(!audit(user, &[]).status.success(), "{user}");
    }
    assert_eq!(audit("kondo", &["q0"]).status.code(), Some(2));
    for (line, columns) in waiting.lines().zip(withheld) {
        assert!(line.ends_with("demo-researcher for demo"), "{line}");
        let query = line.split(' ').next().unwrap();
        let passed = match audit("kondo", &[query]).status.code() {
            Some(0) => true,
            Some(5) => false,
            other => panic!("{query}: {other:?}"),
        };
        assert_eq!(ask(columns).status.success(), passed, "{columns}");
        assert_eq!(audit("kondo", &[query]).status.code(), Some(2), "it does not wait any more");
    }
    assert!(misu(&["audit", "verify", "--env", &env]).status.success());
}
