//! Sequences of questions that together would disclose: `tests/attacks/*.toml`, one file each, read from the root.

#![cfg(test)]

use std::collections::BTreeMap;
use std::path::Path;

use catalog_model::CellRules;
use classified::Protected;
use engine_disclosure::{
    AggregateKind, AggregateShape, KeyLabel, KeyShape, Ledger, LedgerEntry, PartShape, Past, Setting, Shape,
    Withheld, release,
};
use engine_protocol::{CellValue, Evidence, EvidenceCell, EvidencePart, Post, PostColumn, PostExpr, TOTAL};
use roaring::RoaringBitmap;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attack {
    title: String,
    why: String,
    step: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    user: String,
    asks: String,
    /// By label the persons, as ranges with both ends.
    cells: BTreeMap<String, Vec<String>>,
    total: Option<Vec<String>>,
    #[serde(default)]
    shows: Vec<String>,
    #[serde(default)]
    hides: Vec<String>,
    #[serde(default)]
    withheld: bool,
}

fn persons(ranges: &[String]) -> RoaringBitmap {
    let range = |range: &String| {
        let (from, to) = range.split_once('-').unwrap();
        from.parse::<u32>().unwrap()..=to.parse().unwrap()
    };
    ranges.iter().flat_map(range).collect()
}

fn cell(key: u32, ranges: &[String]) -> EvidenceCell {
    let persons = persons(ranges);
    let mut bytes = Vec::new();
    persons.serialize_into(&mut bytes).unwrap();
    EvidenceCell {
        key: vec![key],
        parts: vec![EvidencePart { rows: persons.len(), persons: bytes, ..EvidencePart::default() }],
    }
}

fn shape(step: &Step) -> Shape {
    let label = |code: &String| KeyLabel { code: code.clone(), ja: code.clone(), en: code.clone() };
    let column = |name: &str, value| PostColumn { name: name.to_owned(), value };
    Shape {
        keys: vec![KeyShape { values: step.cells.keys().map(label).collect() }],
        sets: if step.total.is_some() { vec![1, 0] } else { vec![1] },
        parts: vec![PartShape::default()],
        aggregates: vec![AggregateShape { part: 0, kind: AggregateKind::Persons, unit: None }],
        post: Post {
            columns: vec![column("group", PostExpr::Key(0)), column("persons", PostExpr::Aggregate(0))],
            ..Post::default()
        },
        ..Shape::default()
    }
}

/// What a step shows and hides, by label; none where the table is withheld.
fn ask(ledger: &mut Ledger, step: &Step) -> Option<BTreeMap<String, bool>> {
    let mut cells: Vec<EvidenceCell> =
        step.cells.values().zip(0..).map(|(ranges, key)| cell(key, ranges)).collect();
    cells.extend(step.total.iter().map(|ranges| cell(TOTAL, ranges)));
    let rules = CellRules::general(10, true);
    let keys = ["group".to_owned()];
    let released = {
        let past = Past { ledger, family: "f", base: &step.asks, keys: &keys, conditions: &[] };
        let setting =
            Setting { rules: &rules, query: "q", snapshot: "s", pack: "p", secret: None, past: Some(&past) };
        release(&Protected::new(Evidence { cells }), &shape(step), setting)
    };
    let released = match released {
        Ok(released) => released,
        Err(Withheld::Ledger) => return None,
        Err(other) => panic!("{other}"),
    };
    ledger.keep(LedgerEntry {
        question: step.asks.clone(),
        project: step.user.clone(),
        snapshot: "s".to_owned(),
        family: "f".to_owned(),
        answer: Vec::new(),
        cohorts: released.cohorts,
    });
    let row = |row: &Vec<CellValue>| {
        let label = match &row[0] {
            CellValue::Key { code, .. } => code.clone(),
            _ => "total".to_owned(),
        };
        (label, row[1] != CellValue::Suppressed)
    };
    Some(released.table.get().rows.iter().map(row).collect())
}

#[test]
fn every_attack_is_stopped_where_it_says() {
    let folder = Path::new("../../tests/attacks");
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert!(names.len() >= 4);
    for name in names {
        let attack: Attack = toml::from_str(&std::fs::read_to_string(&name).unwrap()).unwrap();
        assert!(!attack.why.is_empty() && attack.step.len() > 1);
        let mut ledger = Ledger::default();
        for step in &attack.step {
            let place = format!("{}: {}", attack.title, step.asks);
            let Some(cells) = ask(&mut ledger, step) else {
                assert!(step.withheld, "{place}: withheld");
                continue;
            };
            assert!(!step.withheld, "{place}: not withheld");
            let of = |is_shown: bool| -> Vec<&String> {
                cells.iter().filter(|(_, shown)| **shown == is_shown).map(|(label, _)| label).collect()
            };
            let mut shows: Vec<&String> = step.shows.iter().collect();
            shows.sort();
            assert_eq!(of(true), shows, "{place}: shown");
            assert_eq!(of(false), step.hides.iter().collect::<Vec<_>>(), "{place}: hidden");
        }
    }
}
