//! Sequences of questions that together would disclose: `tests/attacks/*.toml`, one file each, read from the root.

#![cfg(test)]

use std::collections::BTreeMap;
use std::path::Path;

use catalog_model::{BeyondAudit, CellRules};
use classified::Protected;
use engine_disclosure::{
    AggregateKind, AggregateShape, Depth, Form, KeyLabel, KeyShape, Ledger, LedgerEntry, PartShape, Past,
    Setting, Shape, Term, Withheld, release,
};
use engine_protocol::{CellValue, Evidence, EvidenceCell, EvidencePart, Post, PostColumn, PostExpr, TOTAL};
use roaring::RoaringBitmap;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attack {
    title: String,
    why: String,
    /// Whether the pack hides zeros.
    #[serde(default)]
    hides_zeros: bool,
    /// Whether the pack withholds what was not audited with the whole family.
    #[serde(default)]
    withholds_beyond: bool,
    step: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    user: String,
    asks: String,
    /// What the labels are of, one word each.
    #[serde(default = "group")]
    by: Vec<String>,
    /// The rows that are asked; other questions about the same ones are of the same source.
    source: Option<String>,
    /// What rows are picked by, beside the source: values by column.
    #[serde(default)]
    picks: BTreeMap<String, String>,
    /// The snapshot that is asked.
    #[serde(default = "first")]
    snapshot: String,
    /// Pairs of numbers that linking found to be one person's by then, all that are known.
    #[serde(default)]
    same: Vec<(u32, u32)>,
    /// The list of those who are left out of every scan.
    #[serde(default)]
    left_out: String,
    /// By label the persons, as ranges with both ends.
    cells: BTreeMap<String, Vec<String>>,
    total: Option<Vec<String>>,
    #[serde(default)]
    shows: Vec<String>,
    #[serde(default)]
    hides: Vec<String>,
    #[serde(default)]
    withheld: bool,
    /// Whether a data officer ordered the audit.
    #[serde(default)]
    ordered: bool,
}

fn group() -> Vec<String> {
    vec!["group".to_owned()]
}

fn first() -> String {
    "first".to_owned()
}

impl Step {
    /// The words that stand in a place of the labels.
    fn words(&self, place: usize) -> Vec<&str> {
        let words = self.cells.keys().filter_map(|label| label.split(' ').nth(place));
        words.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    /// A label as the numbers of its words.
    fn key(&self, label: &str) -> Vec<u32> {
        let number = |(place, word): (usize, &str)| {
            u32::try_from(self.words(place).iter().position(|other| *other == word).unwrap()).unwrap()
        };
        label.split(' ').enumerate().map(number).collect()
    }
}

fn persons(ranges: &[String]) -> RoaringBitmap {
    let range = |range: &String| {
        let (from, to) = range.split_once('-').unwrap();
        from.parse::<u32>().unwrap()..=to.parse().unwrap()
    };
    ranges.iter().flat_map(range).collect()
}

fn cell(key: Vec<u32>, ranges: &[String]) -> EvidenceCell {
    let persons = persons(ranges);
    let mut bytes = Vec::new();
    persons.serialize_into(&mut bytes).unwrap();
    EvidenceCell {
        key,
        parts: vec![EvidencePart { rows: persons.len(), persons: bytes, ..EvidencePart::default() }],
        ..EvidenceCell::default()
    }
}

fn shape(step: &Step) -> Shape {
    let label = |code: &str| KeyLabel { code: code.to_owned(), ja: code.to_owned(), en: code.to_owned() };
    let column = |name: &str, value| PostColumn { name: name.to_owned(), value };
    let key = |place| KeyShape { values: step.words(place).into_iter().map(label).collect() };
    let keys: Vec<KeyShape> = (0..step.by.len()).map(key).collect();
    let all = (1 << keys.len()) - 1;
    let mut columns: Vec<PostColumn> =
        step.by.iter().enumerate().map(|(at, name)| column(name, PostExpr::Key(at))).collect();
    columns.push(column("persons", PostExpr::Aggregate(0)));
    Shape {
        keys,
        sets: if step.total.is_some() { vec![all, 0] } else { vec![all] },
        parts: vec![PartShape::default()],
        aggregates: vec![AggregateShape { part: 0, kind: AggregateKind::Persons, unit: None }],
        post: Post { columns, ..Post::default() },
        ..Shape::default()
    }
}

/// What a step shows and hides, by label; none where the table is withheld.
fn ask(ledger: &mut Ledger, step: &Step, rules: &CellRules) -> Option<BTreeMap<String, bool>> {
    // A worker says nothing of a cell that nobody is in.
    let some = step.cells.iter().filter(|(_, ranges)| !ranges.is_empty());
    let mut cells: Vec<EvidenceCell> = some.map(|(label, ranges)| cell(step.key(label), ranges)).collect();
    cells.extend(step.total.iter().map(|ranges| cell(vec![TOTAL; step.by.len()], ranges)));
    let asked = step.source.as_ref().unwrap_or(&step.asks);
    let source = format!("{asked}\n{}\n{}", step.left_out, step.snapshot);
    let picks = step.picks.iter();
    let form = Form::new(&source, picks.map(|(column, value)| Term::values(column, [value.as_str()])));
    let base = format!("{source}\n{:?}", step.picks);
    let released = {
        let past = Past {
            ledger,
            family: "f",
            snapshot: &step.snapshot,
            base: &base,
            keys: &step.by,
            conditions: &[],
            form: &form,
            columns: &step.by,
            terms: &[],
            depth: if step.ordered { Depth::OffLine } else { Depth::OnLine },
        };
        let setting = Setting {
            rules,
            query: "q",
            snapshot: &step.snapshot,
            pack: "p",
            secret: None,
            past: Some(&past),
        };
        release(&Protected::new(Evidence { cells }), &shape(step), setting)
    };
    let released = match released {
        Ok(released) => released,
        Err(Withheld::Ledger | Withheld::Beyond) => return None,
        Err(other) => panic!("{other}"),
    };
    ledger.keep(LedgerEntry {
        question: step.asks.clone(),
        project: step.user.clone(),
        snapshot: step.snapshot.clone(),
        family: "f".to_owned(),
        answer: Vec::new(),
        cohorts: released.cohorts,
    });
    let row = |row: &Vec<CellValue>| {
        let (shown, keys) = row.split_last().unwrap();
        let word = |key: &CellValue| match key {
            CellValue::Key { code, .. } => code.clone(),
            _ => "total".to_owned(),
        };
        let mut words: Vec<String> = keys.iter().map(word).collect();
        words.dedup_by(|one, two| one == two && one == "total");
        (words.join(" "), *shown != CellValue::Suppressed)
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
        let beyond_audit = if attack.withholds_beyond { BeyondAudit::Withhold } else { BeyondAudit::Exact };
        let rules = CellRules { beyond_audit, ..CellRules::general(10, !attack.hides_zeros) };
        for step in &attack.step {
            let place = format!("{}: {}", attack.title, step.asks);
            ledger.know(step.same.iter().copied());
            let Some(cells) = ask(&mut ledger, step, &rules) else {
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
