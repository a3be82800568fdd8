//! One part of a delivery: its files, and its words.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatchReader as _, StringArray, StringBuilder};
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use catalog_model::Table;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::rows::{Heads, Phrases, Rows};
use crate::{
    LINE, PHRASE, RECORD, StagedError, WORD, heads_file, phrases_file, rows_file, staged_schema, words_file,
};

/// Gives the bytes of a staged file, which lies encrypted.
pub type Opened<'a> = dyn Fn(&Path) -> std::io::Result<Bytes> + Send + Sync + 'a;

/// The staged files of one part.
pub struct StagedPart<'a> {
    folder: PathBuf,
    open: &'a Opened<'a>,
    words: OnceLock<ArrayRef>,
}

impl fmt::Debug for StagedPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StagedPart({})", self.folder.display())
    }
}

impl<'a> StagedPart<'a> {
    /// The part in `folder`, whose files `open` reads; nothing is read yet.
    pub const fn new(folder: PathBuf, open: &'a Opened<'a>) -> Self {
        Self { folder, open, words: OnceLock::new() }
    }

    /// The folder of the part.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A table's rows with all their columns, in batches of at most `batch` rows; nothing where it has none.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or is not of the staged form.
    pub fn rows(&self, table: &Table, batch: usize) -> Result<Option<Rows>, StagedError> {
        let fields = staged_schema(table).fields().iter().map(|field| field.as_ref().clone()).collect();
        self.fields(&table.table, fields, batch)
    }

    /// The same, with only the named columns.
    ///
    /// # Errors
    ///
    /// As for [`StagedPart::rows`].
    pub fn columns(&self, table: &Table, names: &[&str], batch: usize) -> Result<Option<Rows>, StagedError> {
        let schema = staged_schema(table);
        let named = schema.fields().iter().filter(|field| names.contains(&field.name().as_str()));
        self.fields(&table.table, named.map(|field| field.as_ref().clone()).collect(), batch)
    }

    /// The same for whoever does not know the table, only its name: of these columns those that were staged.
    ///
    /// # Errors
    ///
    /// As for [`StagedPart::rows`].
    pub fn fields(
        &self,
        table: &str,
        mut wanted: Vec<Field>,
        batch: usize,
    ) -> Result<Option<Rows>, StagedError> {
        let path = rows_file(&self.folder, table);
        if !path.exists() {
            return Ok(None);
        }
        let names: HashSet<String> = wanted.iter().map(|field| field.name().clone()).collect();
        let (rows, has_records) =
            reader(self.open, &path, batch, |name| names.contains(name) || [LINE, PHRASE].contains(&name))?;
        let heads = match has_records {
            true => None,
            false => Some(Heads::read(self.open, &heads_file(&self.folder, table), &names)?),
        };
        let own = rows.schema();
        let phrases = match own.field_with_name(PHRASE) {
            Ok(_) => Some(Phrases::read(self.open, &phrases_file(&self.folder, table), &names)?),
            Err(_) => None,
        };
        let is_apart = |name: &str| {
            heads.as_ref().is_some_and(|heads| heads.has(name))
                || phrases.as_ref().is_some_and(|phrases| phrases.has(name))
        };
        wanted.retain(|field| own.field_with_name(field.name()).is_ok() || is_apart(field.name()));
        let words = self.words()?;
        Ok(Some(Rows { path, rows, heads, phrases, words, schema: Arc::new(Schema::new(wanted)) }))
    }

    /// Every text by its number; the first is none.
    fn words(&self) -> Result<ArrayRef, StagedError> {
        if let Some(words) = self.words.get() {
            return Ok(Arc::clone(words));
        }
        let path = words_file(&self.folder);
        let mut words = StringBuilder::new();
        words.append_null();
        if path.exists() {
            for batch in reader(self.open, &path, 65_536, |_| true)?.0 {
                let batch = batch.map_err(|source| StagedError::Arrow { path: path.clone(), source })?;
                let column = batch.column_by_name(WORD).and_then(|column| column.as_string_opt::<i32>());
                let column: &StringArray = column
                    .ok_or_else(|| StagedError::Column { path: path.clone(), column: WORD.to_owned() })?;
                column.iter().for_each(|word| words.append_option(word));
            }
        }
        let words: ArrayRef = Arc::new(words.finish());
        debug_assert!(words.is_null(0));
        Ok(Arc::clone(self.words.get_or_init(|| words)))
    }
}

/// Opens a file for the wanted columns; also whether it has the column of claims.
pub(crate) fn reader(
    open: &Opened<'_>,
    path: &Path,
    batch: usize,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<(ParquetRecordBatchReader, bool), StagedError> {
    let file = open(path).map_err(|source| StagedError::Open { path: path.to_owned(), source })?;
    let parquet = |source| StagedError::Parquet { path: path.to_owned(), source };
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(parquet)?.with_batch_size(batch);
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let has_records = names.iter().any(|name| name == RECORD);
    let wanted: Vec<usize> =
        names.iter().enumerate().filter(|(_, name)| is_wanted(name)).map(|(at, _)| at).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    Ok((builder.with_projection(mask).build().map_err(parquet)?, has_records))
}
