//! The index of attacks (`docs/attacks.md`) is whole, and what it names is there.

use std::collections::BTreeSet;

/// The names of a row's evidence.
fn evidence(row: &str) -> Vec<&str> {
    let last = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
    last.split('`').skip(1).step_by(2).collect()
}

/// The functions of all Rust files below the tree's root.
fn functions() -> BTreeSet<String> {
    let mut folders = vec![crate::root()];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let names =
                    text.lines().filter_map(|line| line.trim_start().strip_prefix("fn ")?.split_once('('));
                found.extend(names.map(|(name, _)| name.to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_attack_of_the_index_has_evidence_that_is_there() {
    let index = std::fs::read_to_string(crate::root().join("docs/attacks.md")).unwrap();
    let refused = std::fs::read_to_string("refusals/attacks.txt").unwrap();
    let headers: BTreeSet<&str> =
        refused.lines().filter_map(|line| line.strip_prefix("# ")?.split(':').next()).collect();
    let functions = functions();
    let is_there =
        |name: &str| headers.contains(name) || functions.contains(name) || crate::root().join(name).is_file();
    let rows: Vec<&str> = index.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    for (row, number) in rows.iter().zip(1..) {
        assert!(row.starts_with(&format!("| {number} |")), "{row}");
        let names = evidence(row);
        let missing: Vec<&&str> = names.iter().filter(|name| !is_there(name)).collect();
        assert!(!names.is_empty() && missing.is_empty(), "{row}: {missing:?}");
    }
    assert_eq!(rows.len(), 38);
    // Every number under which statements are refused is said to be.
    let said: BTreeSet<&str> = rows.iter().flat_map(|row| evidence(row)).collect();
    let unsaid: Vec<_> =
        headers.iter().filter(|header| header.starts_with("attack ") && !said.contains(*header)).collect();
    assert!(unsaid.is_empty(), "{unsaid:?}");
}
