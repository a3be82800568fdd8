//! Parquet files: how ours are written, and how they are read back.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use catalog_model::Table;
use catalog_staged::StagedError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};

/// Why a file of tables cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Parquet refused.
    #[error("cannot {action} the table file {path}")]
    Parquet {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What Parquet said.
        source: parquet::errors::ParquetError,
    },
    /// Arrow refused.
    #[error("cannot lay out rows for {path}")]
    Arrow {
        /// The file.
        path: PathBuf,
        /// What Arrow said.
        source: arrow::error::ArrowError,
    },
    /// A column that must be there is not.
    #[error("{path} has no column {column} of the expected type")]
    Column {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// Staged rows cannot be read.
    #[error(transparent)]
    Staged(#[from] StagedError),
}

/// A Parquet file that is being written.
#[derive(Debug)]
pub struct ParquetFile {
    path: PathBuf,
    writer: ArrowWriter<File>,
    rows: u64,
}

/// Rows in a row group: large enough to compress well, small enough to bound memory.
const ROW_GROUP: usize = 262_144;

impl ParquetFile {
    /// Creates a file that is read as a whole once or twice: without dictionaries and statistics, which cost time and,
    /// for lines as they come, space.
    ///
    /// # Errors
    ///
    /// It cannot be created.
    pub fn staged(path: &Path, schema: SchemaRef) -> Result<Self, FileError> {
        let plain = Self::properties()
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .build();
        Self::with_properties(path, schema, plain)
    }

    /// Creates a file of a snapshot.
    ///
    /// # Errors
    ///
    /// It cannot be created.
    pub fn create(path: &Path, schema: SchemaRef) -> Result<Self, FileError> {
        Self::with_properties(path, schema, Self::properties().build())
    }

    fn properties() -> WriterPropertiesBuilder {
        let level = ZstdLevel::try_new(1).unwrap_or_default();
        WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP))
    }

    fn with_properties(
        path: &Path,
        schema: SchemaRef,
        properties: WriterProperties,
    ) -> Result<Self, FileError> {
        let file = File::create(path).map_err(|source| FileError::Io {
            action: "create",
            path: path.to_owned(),
            source,
        })?;
        let writer = ArrowWriter::try_new(file, schema, Some(properties))
            .map_err(|source| FileError::Parquet { action: "create", path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), writer, rows: 0 })
    }

    /// Writes rows.
    ///
    /// # Errors
    ///
    /// The disk is full, or the rows do not fit the schema.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), FileError> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(|source| FileError::Parquet {
            action: "write",
            path: self.path.clone(),
            source,
        })
    }

    /// Completes the file; the number of rows. It is brought to disk together with its neighbours, by whoever commits.
    ///
    /// # Errors
    ///
    /// The disk is full.
    pub fn finish(self) -> Result<u64, FileError> {
        let closed = self.writer.close();
        closed.map_err(|source| FileError::Parquet { action: "complete", path: self.path, source })?;
        Ok(self.rows)
    }
}

/// Opens a file for reading in batches of at most `rows` rows.
///
/// # Errors
///
/// It is not there or not a Parquet file.
pub fn open(path: &Path, rows: usize) -> Result<ParquetRecordBatchReader, FileError> {
    let file =
        File::open(path).map_err(|source| FileError::Io { action: "open", path: path.to_owned(), source })?;
    ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|builder| builder.with_batch_size(rows).build())
        .map_err(|source| FileError::Parquet { action: "open", path: path.to_owned(), source })
}

/// A digest of a table's schema and of what each column is, for the manifest.
pub fn schema_fingerprint(table: &Table) -> String {
    let schema: Arc<Schema> = Arc::new(catalog_model::arrow_schema(table));
    let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 table schema");
    for (field, column) in schema.fields().iter().zip(&table.columns) {
        let text = format!(
            "{}\0{}\0{}\0{}\n",
            field.name(),
            field.data_type(),
            field.is_nullable(),
            column.class.as_str()
        );
        hasher.update(text.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}
