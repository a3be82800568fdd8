//! One table's staged rows: what the rows of a claim share is written once for the claim, the rest row by row.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatchOptions, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use catalog_model::Table;
use catalog_staged::{COUNT, LINE, RECORD, heads_file, rows_file, staged_schema, stored_field};

use catalog_store::StagedFiles;

use super::builder::ColumnBuilder;
use super::files::{FileError, ParquetFile};

/// Rows that are written together: few enough that their columns stay in a processor's cache.
const BATCH: usize = 16_384;

/// A table whose rows are being staged.
#[derive(Debug)]
pub(super) struct StagedTable {
    /// Which columns go to the heads, in the order of the table, and the place of each there or among the rows.
    places: Vec<(bool, usize)>,
    heads: Side,
    rows: Side,
    files: StagedFiles,
    records: Vec<u32>,
    counts: Vec<u32>,
    lines: Vec<u32>,
}

/// A file of the table, and the columns that wait for it.
#[derive(Debug)]
struct Side {
    path: PathBuf,
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    file: Option<ParquetFile>,
}

impl StagedTable {
    /// Stages a table's rows in `folder`, by `files`; `shared` says which of the columns that the file gives go to the heads.
    pub(super) fn new((files, folder): (&StagedFiles, &Path), table: &Table, shared: &[bool]) -> Self {
        let number = |name: &str| Field::new(name, DataType::UInt32, false);
        let (mut heads, mut rows) = (vec![number(RECORD), number(COUNT)], vec![number(LINE)]);
        let (mut head_columns, mut row_columns) = (Vec::new(), Vec::new());
        let mut places = Vec::new();
        for (column, field) in staged_schema(table).fields().iter().skip(2).enumerate() {
            let is_shared = shared.get(column).copied().unwrap_or(false);
            let (fields, columns) =
                if is_shared { (&mut heads, &mut head_columns) } else { (&mut rows, &mut row_columns) };
            places.push((is_shared, columns.len()));
            fields.push(stored_field(field));
            columns.push(ColumnBuilder::new(field.data_type(), BATCH));
        }
        let side = |path, fields: Vec<Field>, columns| Side {
            path,
            schema: Arc::new(Schema::new(fields)),
            columns,
            file: None,
        };
        Self {
            places,
            heads: side(heads_file(folder, &table.table), heads, head_columns),
            rows: side(rows_file(folder, &table.table), rows, row_columns),
            files: files.clone(),
            records: Vec::new(),
            counts: Vec::new(),
            lines: Vec::with_capacity(BATCH),
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
        let (is_shared, place) = *self.places.get(column)?;
        let side = if is_shared { &mut self.heads } else { &mut self.rows };
        side.columns.get_mut(place)
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
        self.rows.write(&self.files, vec![lines])
    }

    fn flush_heads(&mut self) -> Result<(), FileError> {
        let (records, counts) = (std::mem::take(&mut self.records), std::mem::take(&mut self.counts));
        self.heads.write(&self.files, vec![records, counts])
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Result<(), FileError> {
        self.flush_rows()?;
        self.flush_heads()?;
        self.rows.finish()?;
        self.heads.finish()
    }
}

impl Side {
    /// Writes the columns that wait, behind these numbers.
    fn write(&mut self, files: &StagedFiles, numbers: Vec<Vec<u32>>) -> Result<(), FileError> {
        let rows = numbers.first().map_or(0, Vec::len);
        if rows == 0 {
            return Ok(());
        }
        let mut columns: Vec<ArrayRef> =
            numbers.into_iter().map(|numbers| Arc::new(UInt32Array::from(numbers)) as ArrayRef).collect();
        let fields = self.schema.fields().iter().skip(columns.len());
        for (builder, field) in self.columns.iter_mut().zip(fields) {
            let fresh = ColumnBuilder::new(field.data_type(), BATCH);
            columns.push(std::mem::replace(builder, fresh).finish());
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|source| FileError::Arrow { path: self.path.clone(), source })?;
        if self.file.is_none() {
            self.file = Some(ParquetFile::staged(files, &self.path, Arc::clone(&self.schema))?);
        }
        match &mut self.file {
            Some(file) => file.write(&batch),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<(), FileError> {
        self.file.map_or(Ok(()), |file| file.finish().map(drop))
    }
}
