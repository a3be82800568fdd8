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
