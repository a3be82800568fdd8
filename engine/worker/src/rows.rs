//! Rows behind a query's cells, as plain columns.
//!
//! Rows come in one of two forms: one for each group and person, as the evidence plan gives them, or as they stand below
//! its grouping. Both come to the same cells, since what a person adds is summed here in any case; rows as they stand
//! save the engine a grouping that often takes hardly any of them together.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, UInt32Type};
use arrow::record_batch::RecordBatch;
use engine_protocol::WorkerFault;
use engine_vet::{
    FACILITY, KEY_PREFIX, KeyDomain, KeyKind, MEASURE_PREFIX, NUM_PREFIX, PART_PREFIX, PERSON, PlanShape,
    RANKED, ROWS, ROWS_PREFIX, SQUARE_PREFIX, SUM_PREFIX, UNIT_PREFIX,
};

use crate::memo::{Memo, packed};

/// Where there are more than so many numbers of persons for a row, rows are sorted; else they are counted by person.
const SPARSE: usize = 8;

/// Which rows there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One for each group and person (and facility, unit and ranked value).
    Grouped,
    /// As they stand below the grouping.
    Single,
}

/// Rows of one bucket.
#[derive(Debug)]
pub(crate) struct Rows {
    form: Form,
    keys: Vec<Vec<u32>>,
    /// For each key the numbers that were looked up before.
    memos: Vec<Memo>,
    persons: Vec<u32>,
    facilities: Vec<Option<u32>>,
    /// Insurers and municipalities, in the order of the shape.
    units: Vec<Vec<Option<u32>>>,
    ranked: Vec<Option<i128>>,
    /// Rows of the whole cell, then of each condition.
    parts: Vec<Counts>,
    measures: Vec<Measure>,
}

/// How many rows of a part, or values of a measure, stand behind each row.
#[derive(Debug)]
enum Counts {
    /// One behind each.
    Once,
    /// One or none.
    Flags(Vec<bool>),
    Numbers(Vec<u64>),
}

impl Counts {
    fn at(&self, row: usize) -> u64 {
        match self {
            Self::Once => 1,
            Self::Flags(flags) => flags.get(row).copied().unwrap_or_default().into(),
            Self::Numbers(numbers) => numbers.get(row).copied().unwrap_or_default(),
        }
    }
}

/// One measure of the rows.
#[derive(Debug)]
pub(crate) struct Measure {
    totals: Totals,
    values: Counts,
    squares: Squares,
}

/// What each row adds to a measure.
#[derive(Debug)]
enum Totals {
    /// One value, held within the declared bounds, which are of 64 bits.
    Values(Vec<i64>),
    /// The sum of the values of a group and person.
    Sums(Vec<i128>),
}

impl Totals {
    fn at(&self, row: usize) -> i128 {
        match self {
            Self::Values(values) => values.get(row).copied().unwrap_or_default().into(),
            Self::Sums(sums) => sums.get(row).copied().unwrap_or_default(),
        }
    }

    /// Adds what rows add, each held to `most`; nothing of a row adds nothing.
    fn extend(&mut self, totals: &[Option<i128>], most: impl Fn(usize) -> i128) {
        let held = totals.iter().enumerate().map(|(row, total)| {
            let most = most(row);
            total.unwrap_or_default().clamp(-most, most)
        });
        match self {
            // INVARIANT: `most` is a declared bound here, which 64 bits hold.
            Self::Values(values) => values.extend(held.map(|total| i64::try_from(total).unwrap_or_default())),
            Self::Sums(sums) => sums.extend(held),
        }
    }
}

#[derive(Debug)]
enum Squares {
    /// Nobody asks for them.
    Unasked,
    /// Of the total, which is one value.
    Own,
    Sums(Vec<i128>),
}

impl Measure {
    fn new(form: Form, squares: bool) -> Self {
        let (totals, values, own) = match form {
            Form::Grouped => {
                (Totals::Sums(Vec::new()), Counts::Numbers(Vec::new()), Squares::Sums(Vec::new()))
            }
            Form::Single => (Totals::Values(Vec::new()), Counts::Flags(Vec::new()), Squares::Own),
        };
        Self { totals, values, squares: if squares { own } else { Squares::Unasked } }
    }

    /// The total, the number of values and the sum of squares of a row.
    pub(crate) fn at(&self, row: usize) -> (i128, u64, i128) {
        let total = self.totals.at(row);
        let squares = match &self.squares {
            Squares::Unasked => 0,
            Squares::Own => total * total,
            Squares::Sums(sums) => sums.get(row).copied().unwrap_or_default(),
        };
        (total, self.values.at(row), squares)
    }
}

impl Rows {
    pub(crate) fn new(shape: &PlanShape, form: Form) -> Self {
        let counts = |part: usize| match form {
            Form::Grouped => Counts::Numbers(Vec::new()),
            Form::Single if part == 0 => Counts::Once,
            Form::Single => Counts::Flags(Vec::new()),
        };
        Self {
            form,
            keys: vec![Vec::new(); shape.keys.len()],
            memos: shape.keys.iter().map(|_| Memo::default()).collect(),
            persons: Vec::new(),
            facilities: Vec::new(),
            units: vec![Vec::new(); shape.units.len()],
            ranked: Vec::new(),
            parts: (0..shape.parts()).map(counts).collect(),
            measures: shape.measures.iter().map(|measure| Measure::new(form, measure.squares)).collect(),
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
        for (at, ((numbers, keys), memo)) in
            numbers.iter().zip(&mut self.keys).zip(&mut self.memos).enumerate()
        {
            numbers.push(column(&format!("{KEY_PREFIX}{at}"))?, memo, keys)?;
        }
        if shape.has_facility {
            extend(&mut self.facilities, column(FACILITY)?)?;
        }
        for (at, known) in self.units.iter_mut().enumerate() {
            extend(known, column(&format!("{UNIT_PREFIX}{at}"))?)?;
        }
        if let Some(ranked) = &shape.ranked {
            self.ranked.extend(optional(column(RANKED)?, ranked.scale)?);
        }
        match self.form {
            Form::Grouped => self.push_grouped(shape, &column),
            Form::Single => self.push_single(shape, &column),
        }
    }

    fn push_grouped<'b>(
        &mut self,
        shape: &PlanShape,
        column: &dyn Fn(&str) -> Result<&'b ArrayRef, WorkerFault>,
    ) -> Result<(), WorkerFault> {
        for (at, part) in self.parts.iter_mut().enumerate() {
            let name = at.checked_sub(1).map_or(ROWS.to_owned(), |at| format!("{ROWS_PREFIX}{at}"));
            if let Counts::Numbers(part) = part {
                part.extend(counts(column(&name)?)?);
            }
        }
        for (at, (measure, known)) in shape.measures.iter().zip(&mut self.measures).enumerate() {
            let totals = optional(column(&format!("{SUM_PREFIX}{at}"))?, measure.scale)?;
            let values = counts(column(&format!("{NUM_PREFIX}{at}"))?)?;
            // A sum that left its type was held to it; so many values within their bounds come to no more than this.
            let most = |row: usize| {
                let values = values.get(row).copied().unwrap_or_default();
                i128::from(values).saturating_mul(i128::from(measure.largest))
            };
            known.totals.extend(&totals, most);
            if let Counts::Numbers(known) = &mut known.values {
                known.extend(values);
            }
            if let Squares::Sums(sums) = &mut known.squares {
                let squares = optional(column(&format!("{SQUARE_PREFIX}{at}"))?, measure.scale * 2)?;
                sums.extend(squares.into_iter().map(Option::unwrap_or_default));
            }
        }
        Ok(())
    }

    fn push_single<'b>(
        &mut self,
        shape: &PlanShape,
        column: &dyn Fn(&str) -> Result<&'b ArrayRef, WorkerFault>,
    ) -> Result<(), WorkerFault> {
        for (at, part) in self.parts.iter_mut().skip(1).enumerate() {
            let marks = column(&format!("{PART_PREFIX}{at}"))?;
            if let Counts::Flags(part) = part {
                part.extend((0..marks.len()).map(|row| marks.is_valid(row)));
            }
        }
        for (at, (measure, known)) in shape.measures.iter().zip(&mut self.measures).enumerate() {
            let (values, most) = (column(&format!("{MEASURE_PREFIX}{at}"))?, measure.largest);
            let whole = values.as_primitive_opt::<Int64Type>().filter(|_| measure.scale == 0);
            match (&mut known.totals, &mut known.values, whole) {
                (Totals::Values(totals), Counts::Flags(flags), Some(values)) => {
                    // Where there is no value lies any number.
                    let value = |(row, value): (usize, &i64)| if values.is_valid(row) { *value } else { 0 };
                    let all = values.values().iter().enumerate().map(value);
                    totals.extend(all.map(|value| value.clamp(-most, most)));
                    flags.extend((0..values.len()).map(|row| values.is_valid(row)));
                }
                (totals, flags, _) => {
                    let values = optional(values, measure.scale)?;
                    totals.extend(&values, |_| i128::from(most));
                    if let Counts::Flags(flags) = flags {
                        flags.extend(values.iter().map(Option::is_some));
                    }
                }
            }
        }
        Ok(())
    }

    pub(crate) const fn len(&self) -> usize {
        self.persons.len()
    }

    /// The rows' numbers in order of their persons.
    pub(crate) fn by_person(&self) -> Vec<u32> {
        let numbers = self.persons.iter().max().map_or(0, |most| *most as usize + 1);
        if numbers / SPARSE > self.persons.len() {
            return self.sorted_by_person();
        }
        // Where each person's rows begin; the place of the next one, as they are put there.
        let mut places = vec![0_u32; numbers];
        for person in &self.persons {
            if let Some(count) = places.get_mut(*person as usize) {
                *count += 1;
            }
        }
        let mut begin = 0;
        for place in &mut places {
            (*place, begin) = (begin, begin + *place);
        }
        let mut order = vec![0; self.persons.len()];
        for (person, row) in self.persons.iter().zip(0_u32..) {
            if let Some(place) = places.get_mut(*person as usize) {
                if let Some(own) = order.get_mut(*place as usize) {
                    *own = row;
                }
                *place += 1;
            }
        }
        order
    }

    fn sorted_by_person(&self) -> Vec<u32> {
        // Person and row in one number sort faster than rows by their persons.
        let pairs = self.persons.iter().zip(0_u64..);
        let mut order: Vec<u64> = pairs.map(|(person, row)| u64::from(*person) << 32 | row).collect();
        // Files lie in order of persons, so there are as many runs as files; this way of sorting merges them.
        order.sort();
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

    /// The facility behind each row; nothing where rows name none.
    pub(crate) fn facilities(&self) -> &[Option<u32>] {
        &self.facilities
    }

    /// For each unit of the shape the one behind each row.
    pub(crate) fn units(&self) -> &[Vec<Option<u32>>] {
        &self.units
    }

    pub(crate) fn ranked(&self, row: usize) -> Option<i128> {
        self.ranked.get(row).copied().flatten()
    }

    /// The rows of a part that stand behind a row.
    pub(crate) fn part(&self, part: usize, row: usize) -> u64 {
        self.parts.get(part).map_or(0, |part| part.at(row))
    }

    /// The conditions that a row meets: bit `n` for condition `n`.
    pub(crate) fn met(&self, row: usize) -> u32 {
        let parts = self.parts.iter().skip(1).zip(0_u32..32);
        parts.fold(0, |met, (part, at)| if part.at(row) > 0 { met | 1 << at } else { met })
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

    /// Adds the numbers of a column's values; a value outside the domain, and a missing one, is "other".
    pub(crate) fn push(
        &self,
        column: &ArrayRef,
        memo: &mut Memo,
        keys: &mut Vec<u32>,
    ) -> Result<(), WorkerFault> {
        let known = |text: &str| self.texts.get(text).copied().unwrap_or(self.other);
        // Rows of one person lie together, and say the same in many columns.
        let mut last = (String::new(), known(""));
        let mut text = |value: Option<&str>| match value {
            Some(value) if value == last.0 => last.1,
            Some(value) => {
                let number = match packed(value) {
                    Some(short) => memo.number(short, || known(value)),
                    None => known(value),
                };
                last.0.clear();
                last.0.push_str(value);
                last.1 = number;
                number
            }
            None => self.other,
        };
        match (self.kind, column.data_type()) {
            (KeyKind::Text, DataType::Utf8) => keys.extend(column.as_string::<i32>().iter().map(text)),
            (KeyKind::Text, DataType::Utf8View) => keys.extend(column.as_string_view().iter().map(text)),
            (KeyKind::Text, DataType::Int64) => {
                let mut number =
                    |value: i64| memo.number(u128::from(value.cast_unsigned()), || known(&value.to_string()));
                let number = |value: Option<i64>| value.map_or(self.other, &mut number);
                keys.extend(column.as_primitive::<Int64Type>().iter().map(number));
            }
            (KeyKind::Flag, DataType::Boolean) => {
                let mut flag = |value: bool| text(Some(if value { "true" } else { "false" }));
                let flag = |value: Option<bool>| value.map_or(self.other, &mut flag);
                keys.extend(column.as_boolean().iter().map(flag));
            }
            (KeyKind::Date, DataType::Date32) => {
                let day = |day: i32| self.days.get(&day).copied().unwrap_or(self.other);
                let mut day = |of: i32| memo.number(u128::from(of.cast_unsigned()), || day(of));
                let day = |value: Option<i32>| value.map_or(self.other, &mut day);
                keys.extend(column.as_primitive::<Date32Type>().iter().map(day));
            }
            _ => return Err(WorkerFault::Execution),
        }
        Ok(())
    }
}

/// Adds the numbers of a column, with nothing where it has none.
fn extend(known: &mut Vec<Option<u32>>, column: &ArrayRef) -> Result<(), WorkerFault> {
    let numbers = column.as_primitive_opt::<UInt32Type>().ok_or(WorkerFault::Execution)?;
    match numbers.null_count() {
        0 => known.extend(numbers.values().iter().copied().map(Some)),
        _ => known.extend(numbers.iter()),
    }
    Ok(())
}

fn counts(column: &ArrayRef) -> Result<Vec<u64>, WorkerFault> {
    let counts = column.as_primitive_opt::<Int64Type>().ok_or(WorkerFault::Execution)?;
    counts
        .iter()
        .map(|count| u64::try_from(count.unwrap_or_default()).map_err(|_| WorkerFault::Execution))
        .collect()
}

/// A column of numbers as scaled whole numbers.
pub(crate) fn optional(column: &ArrayRef, scale: u32) -> Result<Vec<Option<i128>>, WorkerFault> {
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
    /// In the order of the shape.
    pub(crate) units: Vec<Option<u32>>,
    pub(crate) keys: Vec<u32>,
    pub(crate) parts: Vec<u64>,
    pub(crate) values: Vec<Option<i64>>,
}

#[cfg(test)]
impl Rows {
    pub(crate) fn of(rows: &[TestRow], shape: &PlanShape) -> Self {
        let mut own = Self::new(shape, Form::Grouped);
        for row in rows {
            own.persons.push(row.person);
            own.facilities.push(Some(row.facility));
            own.units.iter_mut().zip(&row.units).for_each(|(column, unit)| column.push(*unit));
            own.keys.iter_mut().zip(&row.keys).for_each(|(column, key)| column.push(*key));
            for (part, rows) in own.parts.iter_mut().zip(&row.parts) {
                if let Counts::Numbers(part) = part {
                    part.push(*rows);
                }
            }
            for (measure, value) in own.measures.iter_mut().zip(&row.values) {
                measure.totals.extend(&[value.map(i128::from)], |_| i128::from(i64::MAX));
                if let Counts::Numbers(values) = &mut measure.values {
                    values.push(value.is_some().into());
                }
                if let Squares::Sums(squares) = &mut measure.squares {
                    squares.push(i128::from(value.unwrap_or_default()).pow(2));
                }
            }
        }
        own
    }
}

#[cfg(test)]
mod tests {
    use engine_vet::PlanShape;
    use proptest::prelude::*;

    use super::{Form, Rows};

    proptest! {
        #[test]
        fn rows_of_few_and_of_many_persons_come_in_one_order(
            persons in prop::collection::vec(0_u32..300, 0..120),
        ) {
            let mut rows = Rows::new(&PlanShape::default(), Form::Single);
            rows.persons = persons;
            prop_assert_eq!(rows.by_person(), rows.sorted_by_person());
        }
    }
}
