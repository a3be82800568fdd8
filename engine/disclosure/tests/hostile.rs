//! Evidence of a worker that is not whole: whatever bytes come, there is a table of enough persons or none.

#![cfg(test)]

use catalog_model::CellRules;
use classified::Protected;
use engine_disclosure::{
    AggregateKind, AggregateShape, KeyLabel, KeyShape, PartShape, Setting, Shape, release,
};
use engine_protocol::{
    CellValue, Evidence, EvidenceCell, EvidencePart, Post, PostColumn, PostExpr, SumEvidence, TOTAL,
    read_packed, write_packed,
};
use proptest::prelude::*;
use roaring::RoaringBitmap;

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

fn shape() -> Shape {
    let label = |code: &str| KeyLabel { code: code.into(), ja: code.into(), en: code.into() };
    let kinds = [AggregateKind::Persons, AggregateKind::Rows, AggregateKind::Sum { at: 0, scale: 0 }];
    let column = |at: usize| PostColumn { name: at.to_string(), value: PostExpr::Aggregate(at) };
    let key = PostColumn { name: "key".to_owned(), value: PostExpr::Key(0) };
    Shape {
        keys: vec![KeyShape { values: ["a", "b", "c"].map(label).to_vec() }],
        sets: vec![1, 0],
        parts: vec![PartShape { sums: vec![0], quantiles: 0 }],
        aggregates: kinds.map(|kind| AggregateShape { part: 0, kind, unit: None }).to_vec(),
        post: Post { columns: std::iter::once(key).chain((0..3).map(column)).collect(), ..Post::default() },
        persons: Some(200),
        largest: vec![1_000],
        ..Shape::default()
    }
}

/// The numbers of persons that a table made of these bytes shows; nothing where there is none.
fn shown(bytes: &[u8]) -> Option<Vec<u64>> {
    let mut framed = u32::try_from(bytes.len()).unwrap().to_le_bytes().to_vec();
    framed.extend(bytes);
    let evidence: Evidence = read_packed(&mut framed.as_slice(), 1 << 20).ok()?;
    let rules = CellRules::general(10, true);
    let setting = Setting { rules: &rules, query: "q", snapshot: "s", pack: "p", secret: None, past: None };
    let released = release(&Protected::new(evidence), &shape(), setting).ok()?;
    let persons = |row: &Vec<CellValue>| match row.get(1) {
        Some(CellValue::Suppressed) | None => None,
        Some(value) => Some(value.text().replace(',', "").parse().unwrap()),
    };
    Some(released.table.get().rows.iter().filter_map(persons).collect())
}

fn packed() -> Vec<u8> {
    let mut bytes = Vec::new();
    write_packed(&mut bytes, &evidence()).unwrap();
    bytes.split_off(4)
}

#[test]
fn whole_evidence_makes_a_table_and_evidence_without_facilities_none_where_rows_name_them() {
    assert_eq!(shown(&packed()).unwrap(), [40, 35, 125, 200]);
    let rules = CellRules::general(10, true);
    let setting = Setting { rules: &rules, query: "q", snapshot: "s", pack: "p", secret: None, past: None };
    let shape = Shape { has_facility: true, ..shape() };
    assert!(release(&Protected::new(evidence()), &shape, setting).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn changed_bytes_make_no_table_of_few_persons(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..8),
    ) {
        let mut bytes = packed();
        for (at, byte, kind) in changes {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                break;
            }
        }
        let shown = shown(&bytes).unwrap_or_default();
        prop_assert!(shown.iter().all(|persons| *persons == 0 || *persons >= 10), "{shown:?}");
    }
}
