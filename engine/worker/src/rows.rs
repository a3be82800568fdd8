//! Rows of the evidence plan, as plain columns.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, UInt32Type};
use arrow::record_batch::RecordBatch;
use engine_protocol::WorkerFault;
use engine_vet::{
    FACILITY, KEY_PREFIX, KeyDomain, KeyKind, NUM_PREFIX, PERSON, PlanShape, RANKED, ROWS, ROWS_PREFIX,
    SQUARE_PREFIX, SUM_PREFIX,
};

/// Rows of one bucket: one for each group and person (and facility, and ranked value).
#[derive(Debug)]
pub(crate) struct Rows {
    keys: Vec<Vec<u32>>,
    persons: Vec<u32>,
    facilities: Vec<Option<u32>>,
    ranked: Vec<Option<i128>>,
    /// Rows of the whole cell, then of each condition.
    parts: Vec<Vec<u64>>,
    measures: Vec<Measure>,
}

/// One measure of the rows.
#[derive(Debug, Default)]
pub(crate) struct Measure {
    totals: Vec<i128>,
    values: Vec<u64>,
    squares: Vec<i128>,
}

impl Measure {
    /// The total, the number of values and the sum of squares of a row.
    pub(crate) fn at(&self, row: usize) -> (i128, u64, i128) {
        let total = self.totals.get(row).copied().unwrap_or_default();
        let values = self.values.get(row).copied().unwrap_or_default();
        (total, values, self.squares.get(row).copied().unwrap_or_default())
    }
}

impl Rows {
    pub(crate) fn new(shape: &PlanShape) -> Self {
        Self {
            keys: vec![Vec::new(); shape.keys.len()],
            persons: Vec::new(),
            facilities: Vec::new(),
            ranked: Vec::new(),
            parts: vec![Vec::new(); shape.parts()],
            measures: shape.measures.iter().map(|_| Measure::default()).collect(),
        }
    }

    /// Takes the rows of a batch.
    pub(crate) fn push(
        &mut self,
        batch: &RecordBatch,
        shape: &PlanShape,
        numbers: &[KeyNumbers],
    ) -> Result<(), WorkerFault> {
        let column = |name: &str| batch.column_by_name(name).ok_or(WorkerFault::Execution);
        let persons = column(PERSON)?.as_primitive_opt::<UInt32Type>().ok_or(WorkerFault::Execution)?;
        // A row without a person cannot be protected; vetting rules it out, and nothing is guessed here.
        if persons.null_count() > 0 {
            return Err(WorkerFault::Execution);
        }
        self.persons.extend(persons.values());
        // Rows are numbered in 32 bits.
        u32::try_from(self.persons.len()).map_err(|_| WorkerFault::TooLarge)?;
        for (at, (numbers, keys)) in numbers.iter().zip(&mut self.keys).enumerate() {
            keys.extend(numbers.of(column(&format!("{KEY_PREFIX}{at}"))?)?);
        }
        if shape.has_facility {
            let facilities = column(FACILITY)?.as_primitive_opt::<UInt32Type>();
            self.facilities.extend(facilities.ok_or(WorkerFault::Execution)?.iter());
        }
        if let Some(ranked) = &shape.ranked {
            self.ranked.extend(optional(column(RANKED)?, ranked.scale)?);
        }
        for (at, part) in self.parts.iter_mut().enumerate() {
            let name = at.checked_sub(1).map_or(ROWS.to_owned(), |at| format!("{ROWS_PREFIX}{at}"));
            part.extend(counts(column(&name)?)?);
        }
        for (at, (measure, known)) in shape.measures.iter().zip(&mut self.measures).enumerate() {
            let totals = optional(column(&format!("{SUM_PREFIX}{at}"))?, measure.scale)?;
            let values = counts(column(&format!("{NUM_PREFIX}{at}"))?)?;
            // The engine sums in 64 bits and wraps; within these bounds it cannot have.
            let most = values.iter().max().copied().unwrap_or_default();
            if i128::from(most) * i128::from(measure.largest) > i128::from(i64::MAX) {
                return Err(WorkerFault::Execution);
            }
            known.totals.extend(totals.into_iter().map(Option::unwrap_or_default));
            known.values.extend(values);
            if measure.squares {
                let squares = optional(column(&format!("{SQUARE_PREFIX}{at}"))?, measure.scale * 2)?;
                known.squares.extend(squares.into_iter().map(Option::unwrap_or_default));
            }
        }
        Ok(())
    }

    pub(crate) const fn len(&self) -> usize {
        self.persons.len()
    }

    /// The rows' numbers in order of their persons.
    pub(crate) fn by_person(&self) -> Vec<u32> {
        // Person and row in one number sort faster than rows by their persons.
        let pairs = self.persons.iter().zip(0_u64..);
        let mut order: Vec<u64> = pairs.map(|(person, row)| u64::from(*person) << 32 | row).collect();
        order.sort_unstable();
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is the row")]
        order.into_iter().map(|pair| pair as u32).collect()
    }

    pub(crate) fn person(&self, row: usize) -> u32 {
        self.persons.get(row).copied().unwrap_or_default()
    }

    /// The keys, column by column.
    pub(crate) fn keys(&self) -> &[Vec<u32>] {
        &self.keys
    }

    pub(crate) fn facility(&self, row: usize) -> Option<u32> {
        self.facilities.get(row).copied().flatten()
    }

    pub(crate) fn ranked(&self, row: usize) -> Option<i128> {
        self.ranked.get(row).copied().flatten()
    }

    /// The rows of a part that stand behind a row.
    pub(crate) fn part(&self, part: usize, row: usize) -> u64 {
        self.parts.get(part).and_then(|part| part.get(row)).copied().unwrap_or_default()
    }

    pub(crate) fn measures(&self) -> &[Measure] {
        &self.measures
    }
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
            (KeyKind::Text, DataType::Int64) => {
                let number = |value: Option<i64>| text(value.map(|value| value.to_string()).as_deref());
                Ok(column.as_primitive::<Int64Type>().iter().map(number).collect())
            }
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

fn counts(column: &ArrayRef) -> Result<Vec<u64>, WorkerFault> {
    let counts = column.as_primitive_opt::<Int64Type>().ok_or(WorkerFault::Execution)?;
    counts
        .iter()
        .map(|count| u64::try_from(count.unwrap_or_default()).map_err(|_| WorkerFault::Execution))
        .collect()
}

/// A column of numbers as scaled whole numbers.
fn optional(column: &ArrayRef, scale: u32) -> Result<Vec<Option<i128>>, WorkerFault> {
    match column.data_type() {
        DataType::Int64 if scale == 0 => {
            Ok(column.as_primitive::<Int64Type>().iter().map(|value| value.map(i128::from)).collect())
        }
        DataType::Decimal128(_, places) if i64::from(*places) == i64::from(scale) => {
            Ok(column.as_primitive::<Decimal128Type>().iter().collect())
        }
        _ => Err(WorkerFault::Execution),
    }
}

/// A row as a test writes it.
#[cfg(test)]
#[derive(Clone, Debug)]
pub(crate) struct TestRow {
    pub(crate) person: u32,
    pub(crate) facility: u32,
    pub(crate) keys: Vec<u32>,
    pub(crate) parts: Vec<u64>,
    pub(crate) values: Vec<i64>,
}

#[cfg(test)]
impl Rows {
    pub(crate) fn of(rows: &[TestRow], shape: &PlanShape) -> Self {
        let mut own = Self::new(shape);
        for row in rows {
            own.persons.push(row.person);
            own.facilities.push(Some(row.facility));
            own.keys.iter_mut().zip(&row.keys).for_each(|(column, key)| column.push(*key));
            own.parts.iter_mut().zip(&row.parts).for_each(|(column, rows)| column.push(*rows));
            for (measure, value) in own.measures.iter_mut().zip(&row.values) {
                let value = i128::from(*value);
                measure.totals.push(value);
                measure.values.push(1);
                measure.squares.push(value * value);
            }
        }
        own
    }
}
