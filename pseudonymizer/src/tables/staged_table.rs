//! One table's staged rows: what the rows of a claim share is written once for the claim, what lines say alike once for
//! all of them, the rest row by row.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatchOptions, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use catalog_model::Table;
use catalog_staged::{
    COUNT, LINE, PHRASE, RECORD, heads_file, phrases_file, rows_file, staged_schema, stored_field,
};

use catalog_store::StagedFiles;

use super::builder::ColumnBuilder;
use super::files::{Digests, FileError, ParquetFile};
use crate::formats::Home;

/// Rows that are written together: few enough that their columns stay in a processor's cache.
const BATCH: usize = 16_384;

/// A table whose rows are being staged.
#[derive(Debug)]
pub(super) struct StagedTable {
    /// Where each column goes, in the order of the table, and its place there.
    places: Vec<(Home, usize)>,
    heads: Side,
    rows: Side,
    /// What rows say alike; nothing where no column is of that kind.
    phrases: Option<Side>,
    files: StagedFiles,
    records: Vec<u32>,
    counts: Vec<u32>,
    lines: Vec<u32>,
    /// The phrase of each row.
    said: Vec<u32>,
    /// How many phrases there are, and how many of them wait to be written.
    known: u32,
    waiting: usize,
}

/// A file of the table, and the columns that wait for it.
#[derive(Debug)]
struct Side {
    path: PathBuf,
    fields: Vec<Field>,
    columns: Vec<ColumnBuilder>,
    /// Once there is something to write.
    file: Option<(SchemaRef, ParquetFile)>,
}

impl StagedTable {
    /// Stages a table's rows in `folder`, by `files`; `homes` says where each column goes that the file gives.
    pub(super) fn new((files, folder): (&StagedFiles, &Path), table: &Table, homes: &[Home]) -> Self {
        let number = |name: &str| Field::new(name, DataType::UInt32, false);
        let has_phrases = homes.contains(&Home::Phrase);
        let mut heads = Side::new(heads_file(folder, &table.table), vec![number(RECORD), number(COUNT)]);
        let numbers = if has_phrases { vec![number(LINE), number(PHRASE)] } else { vec![number(LINE)] };
        let mut rows = Side::new(rows_file(folder, &table.table), numbers);
        let mut phrases = Side::new(phrases_file(folder, &table.table), Vec::new());
        let mut places = Vec::new();
        for (column, field) in staged_schema(table).fields().iter().skip(2).enumerate() {
            let home = homes.get(column).copied().unwrap_or(Home::Row);
            let side = match home {
                Home::Claim => &mut heads,
                Home::Phrase => &mut phrases,
                Home::Row => &mut rows,
            };
            places.push((home, side.columns.len()));
            side.add(field);
        }
        Self {
            places,
            heads,
            rows,
            phrases: has_phrases.then_some(phrases),
            files: files.clone(),
            records: Vec::new(),
            counts: Vec::new(),
            lines: Vec::with_capacity(BATCH),
            said: Vec::new(),
            known: 0,
            waiting: 0,
        }
    }

    /// Begins a row; whether it is the claim's first, so that what it shares with the next is wanted.
    pub(super) fn begin_row(&mut self, record: u32) -> Result<bool, FileError> {
        if self.records.last() == Some(&record) {
            return Ok(false);
        }
        let flushed = if self.records.len() >= BATCH { self.flush_heads() } else { Ok(()) };
        self.records.push(record);
        self.counts.push(0);
        flushed.map(|()| true)
    }

    /// The builder of a column.
    pub(super) fn column(&mut self, column: usize) -> Option<&mut ColumnBuilder> {
        let (home, place) = *self.places.get(column)?;
        let side = match home {
            Home::Claim => &mut self.heads,
            Home::Phrase => self.phrases.as_mut()?,
            Home::Row => &mut self.rows,
        };
        side.columns.get_mut(place)
    }

    /// Gives the row a phrase: one that is known, or the one whose values were pushed last. Its number; nothing where the
    /// table has no phrases, or no numbers are left for them.
    pub(super) fn phrase(&mut self, known: Option<u32>) -> Option<u32> {
        self.phrases.as_ref()?;
        let number = match known {
            Some(number) => number,
            None => {
                let number = self.known;
                self.known = self.known.checked_add(1)?;
                self.waiting += 1;
                number
            }
        };
        self.said.push(number);
        Some(number)
    }

    /// Ends a row; whether enough rows wait to be written.
    pub(super) fn end_row(&mut self, line: u32) -> bool {
        self.lines.push(line);
        if let Some(count) = self.counts.last_mut() {
            *count += 1;
        }
        self.lines.len() >= BATCH
    }

    /// Writes the rows that wait.
    pub(super) fn flush_rows(&mut self) -> Result<(), FileError> {
        let lines = std::mem::replace(&mut self.lines, Vec::with_capacity(BATCH));
        let Some(phrases) = &mut self.phrases else { return self.rows.write(&self.files, vec![lines]) };
        let said = std::mem::replace(&mut self.said, Vec::with_capacity(BATCH));
        self.rows.write(&self.files, vec![lines, said])?;
        if self.waiting >= BATCH {
            phrases.write_rows(&self.files, std::mem::take(&mut self.waiting))
        } else {
            Ok(())
        }
    }

    fn flush_heads(&mut self) -> Result<(), FileError> {
        let (records, counts) = (std::mem::take(&mut self.records), std::mem::take(&mut self.counts));
        self.heads.write(&self.files, vec![records, counts])
    }

    /// Writes what is left.
    pub(super) fn finish(mut self, digests: &mut Digests) -> Result<(), FileError> {
        self.flush_rows()?;
        self.flush_heads()?;
        self.rows.finish(digests)?;
        self.heads.finish(digests)?;
        let Some(mut phrases) = self.phrases else { return Ok(()) };
        phrases.write_rows(&self.files, self.waiting)?;
        phrases.finish(digests)
    }
}

impl Side {
    /// A file with these numbers before its columns.
    fn new(path: PathBuf, numbers: Vec<Field>) -> Self {
        Self { path, fields: numbers, columns: Vec::new(), file: None }
    }

    fn add(&mut self, field: &Field) {
        self.fields.push(stored_field(field));
        self.columns.push(ColumnBuilder::new(field.data_type(), BATCH));
    }

    /// Writes the columns that wait, behind these numbers.
    fn write(&mut self, files: &StagedFiles, numbers: Vec<Vec<u32>>) -> Result<(), FileError> {
        let rows = numbers.first().map_or(0, Vec::len);
        let numbers = numbers.into_iter().map(|numbers| Arc::new(UInt32Array::from(numbers)) as ArrayRef);
        self.write_columns(files, numbers.collect(), rows)
    }

    /// Writes the columns that wait, so many rows.
    fn write_rows(&mut self, files: &StagedFiles, rows: usize) -> Result<(), FileError> {
        self.write_columns(files, Vec::new(), rows)
    }

    fn write_columns(
        &mut self,
        files: &StagedFiles,
        mut columns: Vec<ArrayRef>,
        rows: usize,
    ) -> Result<(), FileError> {
        if rows == 0 {
            return Ok(());
        }
        columns.extend(self.columns.iter_mut().map(ColumnBuilder::take));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = match &self.file {
            Some((schema, _)) => Arc::clone(schema),
            None => Arc::new(Schema::new(self.fields.clone())),
        };
        let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)
            .map_err(|source| FileError::Arrow { path: self.path.clone(), source })?;
        if self.file.is_none() {
            let file = ParquetFile::staged(files, &self.path, Arc::clone(&schema))?;
            self.file = Some((schema, file));
        }
        match &mut self.file {
            Some((_, file)) => file.write(&batch),
            None => Ok(()),
        }
    }

    fn finish(self, digests: &mut Digests) -> Result<(), FileError> {
        self.file.map_or(Ok(()), |(_, file)| digests.finish(file))
    }
}
