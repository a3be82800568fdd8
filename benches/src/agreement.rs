//! Whether both sides answered the same question: each shown group has the same number of persons in plain DataFusion.
//!
//! Hidden rows, groups of nobody and keys outside their domain have no counterpart; means are not compared, since the
//! two sides round them differently.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use engine_protocol::{CellValue, ReleasedTable, TableColumnKind};

use crate::Failure;

/// The signs of `2024-04`.
const MONTH: usize = 7;

/// The number of released rows that were found in the plain answer.
pub(crate) fn check(released: &ReleasedTable, plain: &[RecordBatch]) -> Result<u64, Failure> {
    let compared: Vec<usize> = released
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| matches!(column.kind, TableColumnKind::Key | TableColumnKind::Persons))
        .map(|(at, _)| at)
        .collect();
    let known = plain_rows(plain, &compared)?;
    let mut agreeing = 0;
    for row in released.rows.iter().filter_map(|row| shown(row, &compared)) {
        if !known.contains(&row) {
            return Err(format!("plain DataFusion does not have the row {row:?}").into());
        }
        agreeing += 1;
    }
    if agreeing == 0 { Err("no row could be compared".into()) } else { Ok(agreeing) }
}

/// A released row as text, unless it has no counterpart.
fn shown(row: &[CellValue], compared: &[usize]) -> Option<Vec<String>> {
    compared
        .iter()
        .filter_map(|at| row.get(*at))
        .map(|cell| match cell {
            CellValue::Suppressed | CellValue::Other | CellValue::Integer(0) => None,
            CellValue::Total => Some(String::new()),
            cell => Some(cell.text()),
        })
        .collect()
}

fn plain_rows(batches: &[RecordBatch], compared: &[usize]) -> Result<BTreeSet<Vec<String>>, Failure> {
    let options = FormatOptions::default();
    let mut rows = BTreeSet::new();
    for batch in batches {
        let columns = compared
            .iter()
            .map(|at| ArrayFormatter::try_new(batch.column(*at).as_ref(), &options))
            .collect::<Result<Vec<_>, _>>()?;
        let days: Vec<bool> =
            compared.iter().map(|at| batch.column(*at).data_type() == &DataType::Date32).collect();
        for row in 0..batch.num_rows() {
            let text = |(column, is_day): (&ArrayFormatter<'_>, &bool)| {
                let text = column.value(row).to_string();
                // A key that is a month is released as one.
                if *is_day { text.chars().take(MONTH).collect() } else { text }
            };
            rows.insert(columns.iter().zip(&days).map(text).collect());
        }
    }
    Ok(rows)
}
