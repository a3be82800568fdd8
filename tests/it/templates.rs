//! A template is approved once, asked with values of its domains, and refused after it was changed.

use std::path::Path;

use crate::demo::{DEMO, misu, text};

/// A template of the demo project: one parameter, codes of diseases.
pub(crate) const TEXT: &str = r#"
template = "patients-by-prefecture"
project = "demo"
title = { ja = "都道府県別の受診者", en = "patients by prefecture" }
sql = """
SELECT d.prefecture, count(DISTINCT d.person_id) AS persons FROM ndb_diagnosis d
WHERE d.disease_code IN $diseases GROUP BY d.prefecture"""

[parameter.diseases]
domain = { codes = ["disease", 3] }
example = "9990030"
"#;

#[test]
fn an_approved_template_is_bound_and_a_changed_one_refused() {
    let env = DEMO.env();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("template.toml").display().to_string();
    let ask = |value: &str| {
        let parameter = format!("diseases={value}");
        let name = "patients-by-prefecture";
        misu(&["query", "--env", &env, "--template", name, "--param", &parameter, "--format", "csv"])
    };
    assert_eq!(ask("9990010").status.code(), Some(3), "not approved yet");

    std::fs::write(&file, TEXT).unwrap();
    let approve =
        |user: &str| misu(&["approve-template", &file, "--env", &env, "--by", "demo-board", "--user", user]);
    assert_ne!(approve("nobody").status.code(), Some(0));
    let approved = approve("demo-researcher");
    assert!(approved.status.success(), "{}", text(&approved));

    let bound = ask("9990010");
    assert!(bound.status.success(), "{}", text(&bound));
    let sql = "SELECT d.prefecture, count(DISTINCT d.person_id) AS persons FROM ndb_diagnosis d WHERE d.disease_code \
               IN ('9990010') GROUP BY d.prefecture";
    let plain = misu(&["query", "--env", &env, "--format", "csv", sql]);
    assert_eq!(bound.stdout, plain.stdout, "a binding is protected as the question itself is");

    for outside in ["E11", "9990010') OR ('1' = '1", "9990010,9990020,9990030,9990031", ""] {
        let refused = ask(outside);
        assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
        assert!(text(&refused).contains("template"), "{}", text(&refused));
    }

    let lies = Path::new(&env).join("policies/templates/patients-by-prefecture.toml");
    let changed =
        std::fs::read_to_string(&lies).unwrap().replace("d.disease_code IN", "d.disease_code NOT IN");
    std::fs::write(&lies, changed).unwrap();
    let refused = ask("9990010");
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(text(&refused).contains("not what was approved"), "{}", text(&refused));
}

#[test]
fn a_budget_does_not_depend_on_conditions() {
    let env = DEMO.env();
    let budget = |sql: &str| {
        let output = misu(&["vet", "--budget", "--json", "--env", &env, sql]);
        let printed = text(&output);
        let line = printed.lines().nth(1).unwrap_or_else(|| panic!("{printed}"));
        serde_json::from_str::<serde_json::Value>(line).unwrap()
    };
    let all = budget("SELECT prefecture, count(*) AS n FROM ndb_diagnosis GROUP BY prefecture");
    let none = budget(
        "SELECT prefecture, count(*) AS n FROM ndb_diagnosis WHERE icd10 LIKE 'Q999%' GROUP BY prefecture",
    );
    assert_eq!(all, none);
    assert_eq!(all["cells"], 48);
    assert_eq!(all["is_within"], true);
    assert!(all["rows"].as_u64().unwrap() > 0);
    let refused = misu(&["vet", "--budget", "--json", "--env", &env, "SELECT * FROM person"]);
    assert_eq!(refused.status.code(), Some(3));
    assert_eq!(text(&refused).lines().count(), 1);
}
