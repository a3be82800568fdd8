//! Rows made whole again: what a claim's rows share and what rows say alike is repeated, numbers of words become texts.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, RecordBatch, RecordBatchOptions, RecordBatchReader, UInt32Array,
};
use arrow::compute::{TakeOptions, concat_batches, take};
use arrow::datatypes::{DataType, Field, SchemaRef, UInt32Type};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::part::{Opened, reader};
use crate::{COUNT, PHRASE, RECORD, StagedError};

/// The rows of one table in one part, batch by batch.
#[derive(Debug)]
pub struct Rows {
    pub(crate) path: PathBuf,
    pub(crate) rows: ParquetRecordBatchReader,
    pub(crate) heads: Option<Heads>,
    pub(crate) phrases: Option<Phrases>,
    pub(crate) words: ArrayRef,
    pub(crate) schema: SchemaRef,
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, StagedError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.rows.next()?;
        let batch = batch.map_err(|source| StagedError::Arrow { path: self.path.clone(), source });
        Some(batch.and_then(|batch| self.whole(&batch)))
    }
}

impl Rows {
    fn whole(&mut self, rows: &RecordBatch) -> Result<RecordBatch, StagedError> {
        let count = rows.num_rows();
        let said = match &self.phrases {
            Some(_) => Some(self.phrases_of(rows)?),
            None => None,
        };
        let heads = match &mut self.heads {
            Some(heads) => {
                let places = heads.places(count).ok_or_else(|| StagedError::Heads(self.path.clone()))?;
                Some((&heads.batch, places))
            }
            None => None,
        };
        let phrases = self.phrases.as_ref().map(|phrases| &phrases.0).zip(said.as_ref());
        let arrow = |source| StagedError::Arrow { path: self.path.clone(), source };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            let own = rows.column_by_name(field.name()).map(Arc::clone);
            let of_claim = || {
                let (batch, places) = heads.as_ref()?;
                Some(checked_take(batch.column_by_name(field.name())?, places))
            };
            let of_phrase = || {
                let (batch, places) = phrases.as_ref()?;
                Some(checked_take(batch.column_by_name(field.name())?, places))
            };
            let stored = own.map(Ok).or_else(of_claim).or_else(of_phrase);
            let stored = stored.ok_or_else(|| StagedError::Column {
                path: self.path.clone(),
                column: field.name().clone(),
            })?;
            columns.push(worded(field, stored.map_err(arrow)?, &self.words).map_err(arrow)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(arrow)
    }

    /// The number of each row's phrase.
    fn phrases_of(&self, rows: &RecordBatch) -> Result<UInt32Array, StagedError> {
        let numbers = rows.column_by_name(PHRASE).and_then(|column| column.as_primitive_opt::<UInt32Type>());
        let numbers = numbers.filter(|numbers| numbers.null_count() == 0);
        numbers.cloned().ok_or_else(|| StagedError::Phrases(self.path.clone()))
    }
}

/// What rows say alike, by the number of the phrase.
#[derive(Debug)]
pub(crate) struct Phrases(RecordBatch);

impl Phrases {
    pub(crate) fn read(open: &Opened<'_>, path: &Path, names: &HashSet<String>) -> Result<Self, StagedError> {
        let (reader, _) = reader(open, path, 65_536, |name| names.contains(name))?;
        Ok(Self(all(reader, path)?))
    }

    /// Says whether a phrase has this column.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.column_by_name(name).is_some()
    }
}

/// Numbers of words become texts; every other column is what it is.
fn worded(field: &Field, stored: ArrayRef, words: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match (field.data_type(), stored.as_primitive_opt::<UInt32Type>()) {
        (DataType::Utf8, Some(numbers)) => checked_take(words, numbers),
        _ => Ok(stored),
    }
}

/// Everything that a reader gives.
fn all(reader: ParquetRecordBatchReader, path: &Path) -> Result<RecordBatch, StagedError> {
    let arrow = |source| StagedError::Arrow { path: path.to_owned(), source };
    let schema = RecordBatchReader::schema(&reader);
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(arrow)?;
    concat_batches(&schema, &batches).map_err(arrow)
}

fn checked_take(values: &dyn Array, places: &UInt32Array) -> Result<ArrayRef, ArrowError> {
    take(values, places, Some(TakeOptions { check_bounds: true }))
}

/// What the rows of each claim share, and how far it was handed out.
#[derive(Debug)]
pub(crate) struct Heads {
    batch: RecordBatch,
    counts: UInt32Array,
    at: usize,
    used: u32,
}

impl Heads {
    pub(crate) fn read(open: &Opened<'_>, path: &Path, names: &HashSet<String>) -> Result<Self, StagedError> {
        let (reader, _) =
            reader(open, path, 65_536, |name| names.contains(name) || name == RECORD || name == COUNT)?;
        let batch = all(reader, path)?;
        let counts = batch.column_by_name(COUNT).and_then(|column| column.as_primitive_opt::<UInt32Type>());
        let counts = counts.cloned();
        let counts =
            counts.ok_or_else(|| StagedError::Column { path: path.to_owned(), column: COUNT.to_owned() })?;
        Ok(Self { batch, counts, at: 0, used: 0 })
    }

    /// Says whether the claims' rows share this column.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.batch.column_by_name(name).is_some()
    }

    /// The claim of each of the next `rows` rows; nothing where there are more rows than the claims have.
    fn places(&mut self, rows: usize) -> Option<UInt32Array> {
        let mut places = Vec::with_capacity(rows);
        while places.len() < rows {
            let count = self.counts.values().get(self.at).copied()?;
            let left = usize::try_from(count - self.used).ok()?;
            let now = left.min(rows - places.len());
            places.resize(places.len() + now, u32::try_from(self.at).ok()?);
            self.used += u32::try_from(now).ok()?;
            if now == left {
                self.at += 1;
                self.used = 0;
            }
        }
        Some(UInt32Array::from(places))
    }
}
