//! Rows of the evidence plan → cells with what stands behind them.
//!
//! The evidence plan gives one row for each group and person. Here the persons of a group become a bitmap and their
//! sums a total with the two largest contributions, in checked 128-bit arithmetic.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, UInt32Type};
use arrow::record_batch::RecordBatch;
use engine_protocol::{Evidence, EvidenceCell, SumEvidence, WorkerFault};
use engine_vet::{KEY_PREFIX, KeyDomain, KeyKind, NUM_PREFIX, PERSON, ROWS, SUM_PREFIX, VettedPlan};
use roaring::RoaringBitmap;

/// The cells of a query so far.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    cells: HashMap<Vec<u32>, Cell>,
}

#[derive(Debug, Default)]
struct Cell {
    rows: u64,
    // Collected first, made a bitmap at the end: rows of a bucket do not come in order of persons.
    persons: Vec<u32>,
    sums: Vec<SumEvidence>,
}

/// How values of a key become the numbers of its domain.
#[derive(Debug)]
pub(crate) struct KeyNumbers {
    texts: HashMap<String, u32>,
    days: HashMap<i32, u32>,
    kind: KeyKind,
    other: u32,
}

impl KeyNumbers {
    pub(crate) fn new(domain: &KeyDomain) -> Self {
        let numbered = || domain.values.iter().zip(0_u32..);
        Self {
            texts: numbered().map(|(value, number)| (value.code.clone(), number)).collect(),
            days: numbered().filter_map(|(value, number)| Some((value.days?, number))).collect(),
            kind: domain.kind,
            other: u32::try_from(domain.values.len()).unwrap_or(u32::MAX - 1),
        }
    }

    /// The numbers of a column's values; a value outside the domain, and a missing one, is "other".
    fn of(&self, column: &ArrayRef) -> Result<Vec<u32>, WorkerFault> {
        let text = |value: Option<&str>| {
            value.and_then(|value| self.texts.get(value)).copied().unwrap_or(self.other)
        };
        match (self.kind, column.data_type()) {
            (KeyKind::Text, DataType::Utf8) => Ok(column.as_string::<i32>().iter().map(text).collect()),
            (KeyKind::Text, DataType::Utf8View) => Ok(column.as_string_view().iter().map(text).collect()),
            (KeyKind::Flag, DataType::Boolean) => {
                let flag =
                    |value: Option<bool>| text(value.map(|value| if value { "true" } else { "false" }));
                Ok(column.as_boolean().iter().map(flag).collect())
            }
            (KeyKind::Date, DataType::Date32) => {
                let day = |value: Option<i32>| value.and_then(|day| self.days.get(&day)).copied();
                Ok(column
                    .as_primitive::<Date32Type>()
                    .iter()
                    .map(|value| day(value).unwrap_or(self.other))
                    .collect())
            }
            _ => Err(WorkerFault::Execution),
        }
    }
}

impl Cells {
    /// Adds rows of one bucket.
    pub(crate) fn add(
        &mut self,
        batch: &RecordBatch,
        plan: &VettedPlan,
        numbers: &[KeyNumbers],
        most: u32,
    ) -> Result<(), WorkerFault> {
        let column = |name: &str| batch.column_by_name(name).ok_or(WorkerFault::Execution);
        let persons = column(PERSON)?.as_primitive_opt::<UInt32Type>().ok_or(WorkerFault::Execution)?;
        let rows = column(ROWS)?.as_primitive_opt::<Int64Type>().ok_or(WorkerFault::Execution)?;
        let mut keys = Vec::with_capacity(numbers.len());
        for (at, numbers) in numbers.iter().enumerate() {
            keys.push(numbers.of(column(&format!("{KEY_PREFIX}{at}"))?)?);
        }
        let mut measures = Vec::with_capacity(plan.measures().len());
        for (at, measure) in plan.measures().iter().enumerate() {
            let sums = scaled(column(&format!("{SUM_PREFIX}{at}"))?, measure.scale)?;
            let values = column(&format!("{NUM_PREFIX}{at}"))?;
            let values = values.as_primitive_opt::<Int64Type>().ok_or(WorkerFault::Execution)?;
            measures.push((sums, values, measure.largest));
        }
        let mut key = vec![0; keys.len()];
        for row in 0..batch.num_rows() {
            for (part, column) in key.iter_mut().zip(&keys) {
                *part = column.get(row).copied().unwrap_or(u32::MAX);
            }
            if !self.cells.contains_key(&key) {
                if self.cells.len() >= most as usize {
                    return Err(WorkerFault::TooLarge);
                }
                let sums = vec![SumEvidence::default(); measures.len()];
                self.cells.insert(key.clone(), Cell { sums, ..Cell::default() });
            }
            let Some(cell) = self.cells.get_mut(&key) else { continue };
            let count = u64::try_from(rows.value(row)).map_err(|_| WorkerFault::Execution)?;
            cell.rows = cell.rows.checked_add(count).ok_or(WorkerFault::Execution)?;
            // A row without a person cannot be protected; vetting rules it out, and nothing is guessed here.
            if persons.is_null(row) {
                return Err(WorkerFault::Execution);
            }
            cell.persons.push(persons.value(row));
            for (sum, (totals, values, largest)) in cell.sums.iter_mut().zip(&measures) {
                let total = totals.get(row).copied().unwrap_or_default();
                let number = u64::try_from(values.value(row)).map_err(|_| WorkerFault::Execution)?;
                // The engine sums in 64 bits and wraps; within these bounds it cannot have.
                if i128::from(number) * i128::from(*largest) > i128::from(i64::MAX) {
                    return Err(WorkerFault::Execution);
                }
                add(sum, total, number)?;
            }
        }
        Ok(())
    }

    /// Adds the cells of other buckets.
    pub(crate) fn merge(&mut self, other: Self, most: u32) -> Result<(), WorkerFault> {
        for (key, cell) in other.cells {
            let Some(known) = self.cells.get_mut(&key) else {
                if self.cells.len() >= most as usize {
                    return Err(WorkerFault::TooLarge);
                }
                self.cells.insert(key, cell);
                continue;
            };
            known.rows = known.rows.checked_add(cell.rows).ok_or(WorkerFault::Execution)?;
            known.persons.extend(cell.persons);
            for (sum, more) in known.sums.iter_mut().zip(&cell.sums) {
                sum.sum = sum.sum.checked_add(more.sum).ok_or(WorkerFault::Execution)?;
                sum.values = sum.values.checked_add(more.values).ok_or(WorkerFault::Execution)?;
                contribute(sum, more.top1);
                contribute(sum, more.top2);
            }
        }
        Ok(())
    }

    /// The cells as evidence, in order of their keys.
    pub(crate) fn evidence(self) -> Result<Evidence, WorkerFault> {
        let mut cells = Vec::with_capacity(self.cells.len());
        for (key, mut cell) in self.cells {
            cell.persons.sort_unstable();
            let rows = cell.persons.len();
            let bitmap = RoaringBitmap::from_sorted_iter(cell.persons.iter().copied());
            // Each person has one row for each group, so none may come twice.
            let bitmap = bitmap.map_err(|_| WorkerFault::Execution)?;
            if bitmap.len() != rows as u64 {
                return Err(WorkerFault::Execution);
            }
            let mut persons = Vec::with_capacity(bitmap.serialized_size());
            bitmap.serialize_into(&mut persons).map_err(|_| WorkerFault::Execution)?;
            cells.push(EvidenceCell { key, rows: cell.rows, persons, sums: cell.sums });
        }
        cells.sort_unstable_by(|one, two| one.key.cmp(&two.key));
        Ok(Evidence { cells })
    }
}

fn add(sum: &mut SumEvidence, total: i128, values: u64) -> Result<(), WorkerFault> {
    sum.sum = sum.sum.checked_add(total).ok_or(WorkerFault::Execution)?;
    sum.values = sum.values.checked_add(values).ok_or(WorkerFault::Execution)?;
    contribute(sum, total);
    Ok(())
}

fn contribute(sum: &mut SumEvidence, total: i128) {
    if total > sum.top1 {
        sum.top2 = sum.top1;
        sum.top1 = total;
    } else if total > sum.top2 {
        sum.top2 = total;
    }
}

/// A column of sums as scaled whole numbers; a sum of nothing is zero.
fn scaled(column: &ArrayRef, scale: u32) -> Result<Vec<i128>, WorkerFault> {
    match column.data_type() {
        DataType::Int64 if scale == 0 => Ok(column
            .as_primitive::<Int64Type>()
            .iter()
            .map(|value| i128::from(value.unwrap_or_default()))
            .collect()),
        DataType::Decimal128(_, places) if i64::from(*places) == i64::from(scale) => {
            Ok(column.as_primitive::<Decimal128Type>().iter().map(Option::unwrap_or_default).collect())
        }
        _ => Err(WorkerFault::Execution),
    }
}
