//! The manual page that lists every layout, written from the catalogue and the cases: `UPDATE_EXPECT=1` writes it anew,
//! and a stale page fails.
#![cfg(test)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use catalog_model::{Catalogue, Family};

const HEAD: &str = "\
# Every layout, with its fields, fixtures and source

Written from the catalogue and from the fixtures by a test of `pseudonymizer`, which fails where this page is stale.
*Record types* and *fields* are those that the layout describes; *places* counts a field that repeats as often as it stands in a line.
A *fixture* is a file written by hand from the format document, with all that the reader must make of it (`pseudonymizer/tests/cases`, for packages `pseudonymizer/tests/packages`, for official masters `pseudonymizer/tests/masters`).

| layout | file | record types | fields | places | fixtures | source |
| --- | --- | ---: | ---: | ---: | ---: | --- |
";

#[test]
fn the_page_lists_every_layout() {
    let root = std::env::current_dir().unwrap();
    let catalogue = Catalogue::builtin().unwrap();
    let fixtures = fixtures(&root);
    let packages = std::fs::read_dir(root.join("tests/packages")).unwrap().count();
    let mut page = HEAD.to_owned();
    for (name, family) in &catalogue.families {
        let count = match family.framing.package {
            Some(_) => packages,
            None => fixtures.get(name).copied().unwrap_or(0),
        };
        page.push_str(&row(family, count));
    }
    assert!(fixtures.keys().all(|family| catalogue.families.contains_key(family)));
    let path = root.join("../docs/manual/layouts.md");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, page, "run again with UPDATE_EXPECT=1");
}

/// How many cases each layout has.
fn fixtures(root: &Path) -> BTreeMap<String, usize> {
    let mut fixtures = BTreeMap::new();
    for case in std::fs::read_dir(root.join("tests/cases")).unwrap() {
        let family = std::fs::read_to_string(case.unwrap().path().join("family")).unwrap();
        *fixtures.entry(family.trim().to_owned()).or_insert(0) += 1;
    }
    for master in std::fs::read_dir(root.join("tests/masters")).unwrap() {
        let name = master.unwrap().file_name().to_string_lossy().into_owned();
        let family = match name.split_once('_') {
            Some(("dpc6", _)) => "master-dpc6-assumed",
            Some(("dpc14", _)) => "master-dpc14-assumed",
            _ => "master",
        };
        *fixtures.entry(family.to_owned()).or_insert(0) += 1;
    }
    fixtures
}

fn row(family: &Family, fixtures: usize) -> String {
    let fields = || family.records.iter().flat_map(|record| &record.fields);
    let places: usize = fields().map(|field| field.repeat.max(1)).sum();
    let (records, fields) = (family.records.len(), fields().count());
    let source = family.source.replace('|', "\\|");
    let mut row = String::new();
    writeln!(
        row,
        "| `{}` | {} | {records} | {fields} | {places} | {fixtures} | {source} |",
        family.family, family.name.ja
    )
    .unwrap();
    row
}
