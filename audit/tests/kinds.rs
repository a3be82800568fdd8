//! The table of kinds in `FORMAT.md` is the list of kinds.

#![cfg(test)]

use audit::Kind;

#[test]
fn every_kind_is_described_and_nothing_else_is() {
    let text = std::fs::read_to_string("FORMAT.md").unwrap();
    let table = text.split("## Kinds").nth(1).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let described: Vec<&str> = rows.collect();
    let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(described, kinds);
    assert!(kinds.len() >= 30);
}
