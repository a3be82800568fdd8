//! What rules read: the columns that any of them needs of the published tables of one bucket, person by person.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrowPrimitiveType, AsArray as _, BooleanArray, PrimitiveArray, RecordBatch, StringArray,
    UInt32Array,
};
use arrow::datatypes::{Schema, UInt32Type};
use catalog_model::{Catalogue, Date, Table};

use crate::tables::files::FileError;

/// The columns that the catalogue's rules need, by table; found once for all buckets.
#[derive(Clone, Debug, Default)]
pub struct Wanted(BTreeMap<&'static str, BTreeSet<&'static str>>);

impl Wanted {
    /// What the rules of this catalogue need.
    pub fn of(catalogue: &Catalogue) -> Self {
        let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let sources = |table: &Table| table.derive.as_ref().map(|rule| rule.sources(table));
        for (table, columns) in catalogue.tables.values().filter_map(sources).flatten() {
            wanted.entry(table).or_default().extend(columns);
        }
        Self(wanted)
    }
}

/// The rows of one bucket that rules need, as far as they are published yet.
#[derive(Debug)]
pub struct Sources {
    wanted: Wanted,
    tables: BTreeMap<String, RecordBatch>,
}

impl Sources {
    /// Nothing yet.
    pub const fn new(wanted: Wanted) -> Self {
        Self { wanted, tables: BTreeMap::new() }
    }

    /// Keeps what rules need of a table's rows, which are sorted by person.
    pub fn keep(&mut self, table: &Table, batch: &RecordBatch) {
        let Some(wanted) = self.wanted.0.get(table.table.as_str()) else { return };
        let person = table.person_column().map(|column| column.name.as_str());
        let schema = batch.schema();
        let is_wanted = |name: &str| person == Some(name) || wanted.contains(name);
        let columns: Vec<usize> = schema
            .fields()
            .iter()
            .enumerate()
            .filter_map(|(at, field)| is_wanted(field.name()).then_some(at))
            .collect();
        if let Ok(kept) = batch.project(&columns) {
            self.tables.insert(table.table.clone(), kept);
        }
    }

    pub(super) const fn of<'s>(&'s self, catalogue: &'s Catalogue) -> Reading<'s> {
        Reading { sources: self, catalogue }
    }
}

/// The sources with the catalogue, which says what a table without rows would look like.
#[derive(Clone, Copy)]
pub(super) struct Reading<'s> {
    sources: &'s Sources,
    catalogue: &'s Catalogue,
}

impl Reading<'_> {
    /// A table's rows.
    pub(super) fn table(&self, name: &'static str) -> Result<Source, FileError> {
        let missing =
            |column: &str| FileError::Column { path: PathBuf::from(name), column: column.to_owned() };
        let table = self.catalogue.tables.get(name).ok_or_else(|| missing("person_id"))?;
        let batch = match self.sources.tables.get(name) {
            Some(batch) => batch.clone(),
            None => RecordBatch::new_empty(Arc::<Schema>::new(catalog_model::arrow_schema(table))),
        };
        let person = table.person_column().map_or("person_id", |column| column.name.as_str());
        let persons = batch.column_by_name(person).and_then(|array| array.as_primitive_opt::<UInt32Type>());
        let persons = persons.cloned().ok_or_else(|| missing(person))?;
        Ok(Source { name, batch, persons })
    }
}

/// The rows of one table.
pub(super) struct Source {
    name: &'static str,
    batch: RecordBatch,
    /// The person of each row.
    pub(super) persons: UInt32Array,
}

impl Source {
    pub(super) fn numbers<T: ArrowPrimitiveType>(
        &self,
        column: &str,
    ) -> Result<PrimitiveArray<T>, FileError> {
        let array = self.batch.column_by_name(column).and_then(|array| array.as_primitive_opt::<T>());
        array.cloned().ok_or_else(|| self.missing(column))
    }

    pub(super) fn texts(&self, column: &str) -> Result<StringArray, FileError> {
        let array = self.batch.column_by_name(column).and_then(|array| array.as_string_opt::<i32>());
        array.cloned().ok_or_else(|| self.missing(column))
    }

    pub(super) fn flags(&self, column: &str) -> Result<BooleanArray, FileError> {
        let array = self.batch.column_by_name(column).and_then(|array| array.as_boolean_opt());
        array.cloned().ok_or_else(|| self.missing(column))
    }

    fn missing(&self, column: &str) -> FileError {
        FileError::Column { path: PathBuf::from(self.name), column: column.to_owned() }
    }
}

/// A row's value, where it has one.
pub(super) fn value<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    array.is_valid(row).then(|| array.value(row))
}

/// A row's text, where it has one.
pub(super) fn text(array: &StringArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}

/// Whether a row says yes.
pub(super) fn is_true(array: &BooleanArray, row: usize) -> bool {
    array.is_valid(row) && array.value(row)
}

/// The days of a set of days, by the first day of their month; a day that the month does not have is none.
pub(super) fn days_of(month: i32, days: i32) -> impl DoubleEndedIterator<Item = i32> {
    let length = i32::try_from(Date::from_days(month).month().days()).unwrap_or(31);
    (0..length).filter(move |bit| days & 1 << bit != 0).map(move |bit| month + bit)
}

/// Goes through the persons of all sources in order, with the rows of each source that are about the person.
pub(super) fn each_person<const N: usize>(
    sources: [&UInt32Array; N],
    mut visit: impl FnMut(u32, [Range<usize>; N]),
) {
    let mut from = [0_usize; N];
    loop {
        let next = sources.iter().zip(&from).filter_map(|(persons, at)| persons.values().get(*at)).min();
        let Some(person) = next.copied() else { return };
        let mut rows = [const { 0..0 }; N];
        for ((persons, at), rows) in sources.iter().zip(&mut from).zip(&mut rows) {
            let rest = persons.values().get(*at..).unwrap_or_default();
            let end = *at + rest.partition_point(|other| *other == person);
            *rows = *at..end;
            *at = end;
        }
        visit(person, rows);
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::UInt32Array;

    use super::each_person;

    #[test]
    fn every_person_of_any_source_is_visited_once_with_the_rows_of_each() {
        let (one, two) = (UInt32Array::from(vec![1, 1, 4]), UInt32Array::from(vec![2, 4, 4]));
        let mut seen = Vec::new();
        each_person([&one, &two], |person, rows| seen.push((person, rows)));
        assert_eq!(seen, [(1, [0..2, 0..0]), (2, [2..2, 0..1]), (4, [2..3, 1..3])]);
    }
}
