//! Every kind of entry that the record knows is written by some program: a kind that nobody writes promises what is
//! not kept.

use std::path::Path;

/// Every source of ours that is no test and no report, but for the list of kinds itself.
fn sources(folder: &Path, found: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_skipped = name.starts_with('.')
            || ["tests", "target", "node_modules", "reporting"].contains(&name.as_str());
        if path.is_dir() && !is_skipped {
            sources(&path, found);
        } else if name.ends_with(".rs") && !path.ends_with("audit/src/kind.rs") {
            found.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_kind_is_written_by_some_program() {
    let mut found = String::new();
    sources(&crate::root(), &mut found);
    let list = std::fs::read_to_string(crate::root().join("audit/src/kind.rs")).unwrap();
    let names = list.lines().filter_map(|line| line.trim().split_once(" = \"")).map(|(name, _)| name);
    let unwritten: Vec<&str> = names.filter(|name| !found.contains(&format!("Kind::{name}"))).collect();
    assert_eq!(unwritten, [""; 0]);
}
