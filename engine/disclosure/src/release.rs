//! The one function that releases.

use std::collections::BTreeSet;

use catalog_model::Thresholds;
use classified::{Protected, Released};
use engine_protocol::{CellValue, Evidence, ReleasedTable, TableColumn};

use crate::format;
use crate::rules::{few_persons, margins};
use crate::shape::{OutputKind, Shape};
use crate::table::{self, Cell, Cells, TOTAL};

/// Cells up to which absent groups are listed as zeros; in larger tables an absent group means zero.
const FILL: usize = 40;
/// Cells beyond which nothing is released.
const MOST: usize = 200_000;

/// A released table with what the record keeps of it.
#[derive(Debug)]
pub struct Release {
    /// The table, for the asker.
    pub table: Released<ReleasedTable>,
    /// Its cells and margins.
    pub cells: u64,
    /// Hidden for too few persons.
    pub primary: u64,
    /// Hidden because a margin would have given another one away.
    pub secondary: u64,
}

/// Why nothing is released. The asker is not told which.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    /// The worker's evidence cannot be used.
    #[error("the worker's evidence cannot be used: {0}")]
    Evidence(String),
    /// The table is too large.
    #[error("the table has {0} cells")]
    TooLarge(usize),
}

/// Protects a table and releases it.
///
/// `query`, `snapshot` and `rules` are written on the released table.
///
/// # Errors
///
/// The evidence cannot be used or the table is too large; the asker is told neither.
pub fn release(
    evidence: &Protected<Evidence>,
    shape: &Shape,
    thresholds: Thresholds,
    query: &str,
    snapshot: &str,
    rules: &str,
) -> Result<Release, Withheld> {
    let bad = |error: table::BadEvidence| Withheld::Evidence(error.to_string());
    let mut cells = table::read(evidence.inside(), shape).map_err(bad)?;
    // Where zeros are hidden an absent group would tell one, so all are listed.
    let is_whole = table::fill(&mut cells, shape, if thresholds.zero_shown { FILL } else { MOST });
    if !is_whole && !thresholds.zero_shown {
        return Err(Withheld::TooLarge(usize::MAX));
    }
    if shape.is_rollup {
        table::roll_up(&mut cells, shape.keys.len()).map_err(bad)?;
    }
    if cells.len() > MOST {
        return Err(Withheld::TooLarge(cells.len()));
    }
    let mut hidden = few_persons::hidden(&cells, thresholds);
    let primary = hidden.len() as u64;
    if shape.is_rollup {
        margins::protect(&cells, shape.keys.len(), thresholds, &mut hidden);
    }
    let released = ReleasedTable {
        query: query.to_owned(),
        snapshot: snapshot.to_owned(),
        columns: columns(shape),
        rows: rows(&cells, &hidden, shape),
        suppressed: hidden.len() as u64,
        threshold: thresholds.persons,
        rules: rules.to_owned(),
    };
    Ok(Release {
        table: checked(released),
        cells: cells.len() as u64,
        primary,
        secondary: hidden.len() as u64 - primary,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "every rule was applied just above: this is where a table is released"
)]
fn checked(table: ReleasedTable) -> Released<ReleasedTable> {
    Released::assert_checked(table)
}

fn columns(shape: &Shape) -> Vec<TableColumn> {
    let column = |output: &crate::shape::OutputShape| TableColumn {
        name: output.name.clone(),
        kind: output.kind.column(),
        unit: output.unit.clone(),
    };
    shape.outputs.iter().map(column).collect()
}

fn rows(cells: &Cells, hidden: &BTreeSet<Vec<u32>>, shape: &Shape) -> Vec<Vec<CellValue>> {
    let row = |(key, cell): (&Vec<u32>, &Cell)| {
        let is_hidden = hidden.contains(key);
        shape.outputs.iter().map(|output| value(output.kind, key, cell, is_hidden, shape)).collect()
    };
    cells.iter().map(row).collect()
}

fn value(kind: OutputKind, key: &[u32], cell: &Cell, is_hidden: bool, shape: &Shape) -> CellValue {
    if let OutputKind::Key(at) = kind {
        return label(at, key, shape);
    }
    if is_hidden {
        return CellValue::Suppressed;
    }
    let measure = |measure: usize| cell.sums.get(measure).copied().unwrap_or_default();
    let whole = |number: u64| CellValue::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    match kind {
        OutputKind::Rows => whole(cell.rows),
        OutputKind::Persons => whole(cell.persons.len()),
        OutputKind::Sum { measure: at, scale } => format::sum(&measure(at), scale),
        OutputKind::Average { measure: at, scale } => format::average(&measure(at), scale),
        OutputKind::Key(_) => CellValue::Empty,
    }
}

fn label(at: usize, key: &[u32], shape: &Shape) -> CellValue {
    let value = key.get(at).copied().unwrap_or(TOTAL);
    if value == TOTAL {
        return CellValue::Total;
    }
    match shape.keys.get(at).and_then(|key| key.values.get(value as usize)) {
        Some(label) => {
            CellValue::Key { code: label.code.clone(), ja: label.ja.clone(), en: label.en.clone() }
        }
        None => CellValue::Other,
    }
}

#[cfg(test)]
mod tests {
    use catalog_model::Thresholds;
    use classified::Protected;
    use engine_protocol::{Evidence, EvidenceCell, SumEvidence};
    use roaring::RoaringBitmap;

    use super::{Withheld, release};
    use crate::shape::{KeyLabel, KeyShape, OutputKind, OutputShape, Shape};

    const RULE: Thresholds = Thresholds { persons: 10, zero_shown: true };

    fn shape(is_rollup: bool) -> Shape {
        let label = |code: &str| KeyLabel { code: code.to_owned(), ja: code.to_owned(), en: code.to_owned() };
        let output = |name: &str, kind| OutputShape { name: name.to_owned(), kind, unit: None };
        Shape {
            keys: vec![KeyShape { values: vec![label("a"), label("b"), label("c")] }],
            measures: 1,
            outputs: vec![
                output("k", OutputKind::Key(0)),
                output("persons", OutputKind::Persons),
                output("mean", OutputKind::Average { measure: 0, scale: 0 }),
            ],
            is_rollup,
        }
    }

    fn cell(key: u32, persons: std::ops::Range<u32>) -> EvidenceCell {
        let mut bytes = Vec::new();
        let rows = u64::from(persons.end - persons.start);
        persons.collect::<RoaringBitmap>().serialize_into(&mut bytes).unwrap();
        let sums = vec![SumEvidence { sum: i128::from(rows) * 2, values: rows, top1: 2, top2: 2 }];
        EvidenceCell { key: vec![key], rows, persons: bytes, sums }
    }

    fn text(cells: Vec<EvidenceCell>, is_rollup: bool) -> Vec<String> {
        let evidence = Protected::new(Evidence { cells });
        let released = release(&evidence, &shape(is_rollup), RULE, "q1", "s", "r").unwrap();
        let rows = &released.table.get().rows;
        rows.iter()
            .map(|row| row.iter().map(engine_protocol::CellValue::text).collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn few_persons_are_hidden_and_zero_is_shown() {
        assert_eq!(text(vec![cell(0, 0..9), cell(1, 0..10)], false), ["a *** ***", "b 10 2.00", "c 0 "]);
    }

    #[test]
    fn a_total_hides_a_second_cell() {
        let cells = vec![cell(0, 0..9), cell(1, 9..30), cell(2, 30..80), cell(3, 80..95)];
        assert_eq!(
            text(cells, true),
            ["a *** ***", "b 21 2.00", "c 50 2.00", "(other) *** ***", "(total) 95 2.00"],
        );
    }

    #[test]
    fn evidence_outside_the_declared_shape_is_not_used() {
        let withheld = |cells: Vec<EvidenceCell>| {
            release(&Protected::new(Evidence { cells }), &shape(false), RULE, "q", "s", "r").err()
        };
        let few_rows = EvidenceCell { rows: 3, ..cell(0, 0..9) };
        let no_bitmap = EvidenceCell { persons: vec![1, 2], ..cell(0, 0..9) };
        let no_sums = EvidenceCell { sums: vec![], ..cell(0, 0..9) };
        for cells in [
            vec![cell(4, 0..9)],
            vec![cell(0, 0..9), cell(0, 9..20)],
            vec![few_rows],
            vec![no_bitmap],
            vec![no_sums],
        ] {
            assert!(matches!(withheld(cells), Some(Withheld::Evidence(_))));
        }
    }
}
