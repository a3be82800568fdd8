//! What is wrong with policies is found when they are loaded, with its file and place.
//!
//! One file per case in `loading/`: `.cedar` stands for the invariants, `.cedarschema` for the schema, `.pack.toml`
//! for a rule pack, `.application.toml` for one more application; the errors beside it, `UPDATE_EXPECT=1` writes
//! them.

#![cfg(test)]

use std::fs;
use std::path::PathBuf;

use catalog_model::Catalogue;
use expect_test::expect_file;
use policies::{Application, Policies, PolicyError, Request, Sources};
use time::macros::datetime;

const OTHER: &str = include_str!("applications/other.toml");

fn other() -> Application {
    Application::parse("other.toml", OTHER).unwrap()
}

fn load(file: &str, text: &str) -> Result<Policies, Vec<PolicyError>> {
    let catalogue = Catalogue::builtin().unwrap();
    let mut applications = vec![other()];
    let packs = [Sources::SHIPPED.packs[0], (file, text)];
    let mut sources = Sources::SHIPPED;
    match file.split_once('.').unwrap().1 {
        "cedar" => sources.invariants = (file, text),
        "cedarschema" => sources.schema = (file, text),
        "pack.toml" => sources.packs = &packs,
        "application.toml" => applications.push(Application::parse(file, text).unwrap()),
        other => panic!("{other}"),
    }
    Policies::parse(&sources, applications, &catalogue)
}

#[test]
fn every_case_is_found() {
    let folder = std::env::current_dir().unwrap().join("tests/loading");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_none_or(|extension| extension != "txt"));
    files.sort();
    assert!(files.len() >= 20, "{files:?}");
    for path in files {
        let file = path.file_name().unwrap().to_str().unwrap();
        let errors = load(file, &fs::read_to_string(&path).unwrap()).unwrap_err();
        let lines: String = errors.iter().map(|error| format!("{error}\n")).collect();
        expect_file![path.with_extension("txt")].assert_eq(&lines);
    }
}

#[test]
fn the_shipped_policies_have_no_error() {
    let policies = load("general-2027.pack.toml", &Sources::SHIPPED.packs[0].1.replace("-2026", "-2027"));
    let policies = policies.map_err(|errors| format!("{errors:#?}")).unwrap();
    assert_eq!(policies.projects().collect::<Vec<_>>(), ["other"]);
    assert!(policies.project_text("other").unwrap().contains("@id(\"other/ask\")"));
    assert!(policies.rule_pack("general-2027").is_some());
}

// Cedar passes over a policy that it cannot evaluate; a forbid that is passed over would open a door.
#[test]
fn what_cannot_be_evaluated_is_denied() {
    let forbid = "@id(\"i\") @reason(\"r\") @reason_ja(\"r\") forbid (principal, action, resource)\n\
                  when { context.now.toTime().toMilliseconds() + 9223372036854775807 < 0 };";
    let policies = load("overflow.cedar", forbid).unwrap();
    let catalogue = Catalogue::builtin().unwrap();
    let request = Request {
        user: "other-researcher".to_owned(),
        project: "other".to_owned(),
        purpose: "comments".to_owned(),
        now: datetime!(2026-11-21 09:00 UTC),
        snapshot: other().approval().snapshot.clone(),
    };
    let denied = policies.permit(&request, &catalogue).unwrap_err();
    assert!(denied.bug().is_some_and(|bug| bug.contains("overflow")), "{denied}");
    let midnight = Request { now: datetime!(2026-11-21 00:00 UTC), ..request };
    assert!(policies.permit(&midnight, &catalogue).is_ok());
}
