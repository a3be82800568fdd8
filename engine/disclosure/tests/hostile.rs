//! Evidence of a worker that is not whole: whatever bytes come, there is a table of enough persons or none.
//!
//! What is done with the bytes is the body of the fuzz target. With `MISU_CORPUS=FOLDER` the corpus is laid there, for
//! `make fuzz` to begin from.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use catalog_model::{CellRules, CountedUnit};
use classified::Protected;
use engine_disclosure::{Setting, Shape, Withheld, release};
use engine_protocol::{
    CellValue, Evidence, EvidenceAtom, EvidenceCell, EvidencePart, KeptFile, QuantileEvidence, QuantileStep,
    SumEvidence, TOTAL, WorkerFault, WorkerReply, write_packed,
};
use proptest::prelude::*;
use roaring::RoaringBitmap;

#[path = "../fuzz/reading.rs"]
mod reading;

use reading::{read, released, shapes};

fn part(persons: std::ops::Range<u32>) -> EvidencePart {
    let (set, mut bytes) = (RoaringBitmap::from_iter(persons), Vec::new());
    set.serialize_into(&mut bytes).unwrap();
    let sum = SumEvidence { sum: 1_000, values: set.len(), top1: 9, top2: 8, ..SumEvidence::default() };
    EvidencePart { rows: set.len(), persons: bytes, sums: vec![sum], ..EvidencePart::default() }
}

fn evidence() -> Evidence {
    let cell =
        |key, persons| EvidenceCell { key: vec![key], parts: vec![part(persons)], ..EvidenceCell::default() };
    Evidence { cells: vec![cell(0, 0..40), cell(1, 40..75), cell(2, 75..200), cell(TOTAL, 0..200)] }
}

fn value(person: u32) -> i128 {
    i128::from(1 + person % 9)
}

/// A row of each of these persons, with a value, at one of seven facilities in one of four municipalities.
fn rows_of(persons: impl Iterator<Item = u32>, quantiles: usize) -> EvidencePart {
    let (set, mut bytes) = (RoaringBitmap::from_iter(persons), Vec::new());
    set.serialize_into(&mut bytes).unwrap();
    let mut by_facility: BTreeMap<u32, i128> = BTreeMap::new();
    for person in &set {
        *by_facility.entry(person % 7).or_default() += value(person);
    }
    let municipalities: BTreeSet<u32> = set.iter().map(|person| person % 4).collect();
    let mut totals: Vec<i128> = by_facility.into_values().collect();
    totals.sort_unstable_by(|one, two| two.cmp(one));
    let facility = |at: usize| totals.get(at).copied().unwrap_or(0);
    let sum = SumEvidence {
        sum: totals.iter().sum(),
        values: set.len(),
        top1: set.iter().map(value).max().unwrap_or(0),
        facility_tops: Some((facility(0), facility(1))),
        ..SumEvidence::default()
    };
    let step = |width| QuantileStep { width, within: set.len(), ..QuantileStep::default() };
    let steps = [10, 20, 50].map(step).to_vec();
    EvidencePart {
        rows: set.len(),
        persons: bytes,
        facilities: u32::try_from(totals.len()).ok(),
        units: vec![u32::try_from(municipalities.len()).unwrap()],
        sums: vec![sum],
        quantiles: vec![QuantileEvidence { steps }; quantiles],
    }
}

/// A cell of some of three hundred persons, of whom every four meet the conditions in the four ways that there are.
fn cell_with_conditions(key: u32) -> EvidenceCell {
    let met = |person: u32| person / 3 % 4;
    let here = move || (0..300_u32).filter(move |person| key == TOTAL || person % 3 == key);
    let of = |is_in: &dyn Fn(u32) -> bool| rows_of(here().filter(|person| is_in(met(*person))), 0);
    let second = EvidencePart { sums: Vec::new(), ..of(&|met| met & 2 > 0) };
    EvidenceCell {
        key: vec![key],
        parts: vec![rows_of(here(), 1), of(&|met| met & 1 > 0), second],
        outside: vec![of(&|met| met & 1 == 0), of(&|met| met & 2 == 0)],
        atoms: (0..4).map(|met| EvidenceAtom { met, rows: of(&|other| other == met) }).collect(),
    }
}

/// A message, with the number of the query that it answers.
fn packed(query: u8, reply: &WorkerReply) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_packed(&mut bytes, reply).unwrap();
    [vec![query], bytes.split_off(4)].concat()
}

/// Whole evidence of each query.
fn whole(query: u8) -> Vec<u8> {
    let evidence = match query {
        0 => evidence(),
        _ => Evidence { cells: [0, 1, 2, TOTAL].map(cell_with_conditions).to_vec() },
    };
    packed(query, &WorkerReply::Evidence(evidence))
}

/// Replies to begin from, by name.
fn corpus() -> Vec<(&'static str, Vec<u8>)> {
    let tiny = EvidenceCell { atoms: vec![EvidenceAtom::default(); 1_000], ..EvidenceCell::default() };
    let file = KeptFile { rows: 1, bytes: b"PAREPARE".to_vec() };
    vec![
        ("whole", whole(0)),
        ("conditions", whole(1)),
        ("nobody", packed(1, &WorkerReply::Evidence(Evidence::default()))),
        ("tiny", packed(1, &WorkerReply::Evidence(Evidence { cells: vec![tiny] }))),
        ("kept", packed(0, &WorkerReply::Kept(vec![file]))),
        ("failed", packed(0, &WorkerReply::Failed(WorkerFault::Memory))),
    ]
}

/// The persons that a table shows.
fn shown(data: &[u8]) -> Option<Vec<i64>> {
    let persons = |row: &Vec<CellValue>| match row.get(1) {
        Some(CellValue::Integer(persons)) => Some(*persons),
        _ => None,
    };
    Some(released(data)?.ok()?.rows.iter().filter_map(persons).collect())
}

#[test]
fn whole_evidence_makes_a_table_and_evidence_without_units_none_where_rows_name_them() {
    assert_eq!(shown(&whole(0)).unwrap(), [40, 35, 125, 200]);
    let rules = CellRules::general(10, true);
    let setting = Setting { rules: &rules, query: "q", snapshot: "s", pack: "p", secret: None, past: None };
    let [shape, _] = shapes();
    let municipalities = Shape { units: vec![CountedUnit::Municipality], ..shape.clone() };
    for shape in [Shape { has_facility: true, ..shape }, municipalities] {
        assert!(release(&Protected::new(evidence()), &shape, setting).is_err());
    }
}

#[test]
fn every_reply_of_the_corpus_is_read() {
    for query in [0, 1] {
        let released = released(&whole(query)).unwrap();
        assert!(!matches!(released, Err(Withheld::Evidence(_))), "{released:?}");
    }
    for (_, data) in corpus() {
        read(&data);
        for part in 1..8 {
            read(&data[..data.len() * part / 8]);
        }
    }
    if let Ok(folder) = std::env::var("MISU_CORPUS") {
        let folder = Path::new(&folder).join("reply");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, data) in corpus() {
            std::fs::write(folder.join(name), data).unwrap();
        }
    }
}

/// Changes of some bytes: which, to what, and whether it is put in its place, before it, or taken away.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..8)
}

fn changed(mut bytes: Vec<u8>, changes: Vec<(prop::sample::Index, u8, u8)>) -> Vec<u8> {
    for (at, byte, kind) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        match kind {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => drop(bytes.remove(at)),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn changed_bytes_make_no_table_of_few_persons(changes in changes()) {
        read(&changed(whole(0), changes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn changed_bytes_of_evidence_with_conditions_make_none_either(changes in changes()) {
        read(&changed(whole(1), changes));
    }
}
