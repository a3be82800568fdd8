//! Parquet files: how ours are written, and how they are read back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use catalog_model::Table;
use catalog_staged::StagedError;
use catalog_staged::encrypted::{self, Unkeyed};
use catalog_store::{EnvironmentError, FileKeys, StagedFiles};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

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
    /// A column has no key, or one that may not be written beside encryption.
    #[error("{path}: the column {column} would lie in clear")]
    Clear {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// The file's keys cannot be had.
    #[error("the keys of {path} cannot be had")]
    Keys {
        /// The file.
        path: PathBuf,
        /// What the store said.
        source: Box<EnvironmentError>,
    },
    /// A column that must be there is not.
    #[error("{path} has no column {column} of the expected type")]
    Column {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// Rows were staged when their table had other columns.
    #[error("the staged rows of {table} have no column {column}")]
    Older {
        /// The table.
        table: String,
        /// A column that the catalogue has since.
        column: String,
    },
    /// A staged file cannot be written or read.
    #[error(transparent)]
    Store(Box<EnvironmentError>),
    /// Staged rows cannot be read.
    #[error(transparent)]
    Staged(#[from] StagedError),
}

impl From<EnvironmentError> for FileError {
    fn from(error: EnvironmentError) -> Self {
        Self::Store(Box::new(error))
    }
}

/// A Parquet file that is being written.
#[derive(Debug)]
pub struct ParquetFile {
    path: PathBuf,
    writer: ArrowWriter<Sink>,
    rows: u64,
}

/// Where the bytes of a file go.
#[derive(Debug)]
enum Sink {
    /// To disk: what Parquet itself encrypts.
    Disk(File),
    /// To memory until all are there, since they are encrypted as a whole.
    Memory(Vec<u8>, StagedFiles),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Disk(file) => file.write(bytes),
            Self::Memory(kept, _) => kept.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Disk(file) => file.flush(),
            Self::Memory(..) => Ok(()),
        }
    }
}

/// Rows in a row group: large enough to compress well, small enough to bound memory.
const ROW_GROUP: usize = 262_144;

impl ParquetFile {
    /// Creates a file that is read as a whole once or twice: without dictionaries and statistics, which cost time and,
    /// for lines as they come, space.
    ///
    /// Numbers are packed by their differences, so that less is left to compress; keys of identities are not compressed
    /// at all, since they cannot be.
    ///
    /// # Errors
    ///
    /// It cannot be created.
    pub fn staged(files: &StagedFiles, path: &Path, schema: SchemaRef) -> Result<Self, FileError> {
        let mut plain =
            Self::properties().set_dictionary_enabled(false).set_statistics_enabled(EnabledStatistics::None);
        for field in schema.fields() {
            let column = ColumnPath::from(field.name().as_str());
            plain = match field.data_type() {
                DataType::UInt32 => plain.set_column_encoding(column, Encoding::DELTA_BINARY_PACKED),
                DataType::FixedSizeBinary(32) => {
                    plain.set_column_compression(column, Compression::UNCOMPRESSED)
                }
                _ => plain,
            };
        }
        Self::with_properties(path, schema, plain.build(), Sink::Memory(Vec::new(), files.clone()))
    }

    /// Creates a file of links, whose keys and numbers are sorted.
    ///
    /// # Errors
    ///
    /// It cannot be created.
    pub fn links(files: &StagedFiles, path: &Path, schema: SchemaRef) -> Result<Self, FileError> {
        let sink = Sink::Memory(Vec::new(), files.clone());
        Self::with_properties(path, schema, Self::properties().build(), sink)
    }

    /// Creates an encrypted file of a snapshot: its footer and each column under a key of its own.
    ///
    /// # Errors
    ///
    /// It cannot be created, or a column has no key: Parquet would write it in clear.
    pub fn encrypted(path: &Path, schema: SchemaRef, keys: &FileKeys) -> Result<Self, FileError> {
        let parquet = |source| FileError::Parquet { action: "encrypt", path: path.to_owned(), source };
        let properties = encrypted::writing(Self::properties(), &schema, &keys.by_column());
        let properties = properties.map_err(|error| match error {
            Unkeyed::Column(column) | Unkeyed::Bloom(column) => {
                FileError::Clear { path: path.to_owned(), column }
            }
            Unkeyed::Parquet(source) => parquet(source),
        })?;
        let file = File::create(path).map_err(|source| FileError::Io {
            action: "create",
            path: path.to_owned(),
            source,
        })?;
        Self::with_properties(path, schema, properties, Sink::Disk(file))
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
        sink: Sink,
    ) -> Result<Self, FileError> {
        let writer = ArrowWriter::try_new(sink, schema, Some(properties))
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
        let rows = self.rows;
        self.finish_digested().map(|_| rows)
    }

    /// Completes a staged file; the digest of what it says. The same is found where it is read and was not damaged.
    ///
    /// # Errors
    ///
    /// The disk is full.
    pub fn finish_digested(self) -> Result<blake3::Hash, FileError> {
        let closed = self.writer.into_inner();
        let path = &self.path;
        let parquet = |source| FileError::Parquet { action: "complete", path: path.clone(), source };
        match closed.map_err(parquet)? {
            Sink::Memory(bytes, files) => {
                files.write(path, &bytes)?;
                Ok(blake3::hash(&bytes))
            }
            Sink::Disk(_) => Ok(blake3::hash(&[])),
        }
    }
}

/// The digest of what each staged file says, by the file's name.
#[derive(Debug, Default)]
pub struct Digests(BTreeMap<String, String>);

impl Digests {
    /// Completes a file and notes its digest.
    ///
    /// # Errors
    ///
    /// The disk is full.
    pub fn finish(&mut self, file: ParquetFile) -> Result<(), FileError> {
        let name = file.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.0.insert(name, file.finish_digested()?.to_hex().to_string());
        Ok(())
    }

    /// The digests by name.
    pub fn into_map(self) -> BTreeMap<String, String> {
        self.0
    }
}

/// Opens a staged file or one of links for reading in batches of at most `rows` rows.
///
/// # Errors
///
/// It is not there, does not open with the environment's keys, or is not a Parquet file.
pub fn open(files: &StagedFiles, path: &Path, rows: usize) -> Result<ParquetRecordBatchReader, FileError> {
    ParquetRecordBatchReaderBuilder::try_new(files.bytes(path)?)
        .and_then(|builder| builder.with_batch_size(rows).build())
        .map_err(|source| FileError::Parquet { action: "open", path: path.to_owned(), source })
}

/// Opens an encrypted file of a snapshot; a column whose key is not there cannot be read.
///
/// # Errors
///
/// It is not there, not a Parquet file, or the keys are not its own.
pub fn open_encrypted(
    path: &Path,
    rows: usize,
    keys: &FileKeys,
) -> Result<ParquetRecordBatchReader, FileError> {
    let file =
        File::open(path).map_err(|source| FileError::Io { action: "open", path: path.to_owned(), source })?;
    let parquet = |source| FileError::Parquet { action: "open", path: path.to_owned(), source };
    let options = encrypted::reading(Some(&keys.by_column())).map_err(parquet)?;
    ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .and_then(|builder| builder.with_batch_size(rows).build())
        .map_err(parquet)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch, StringArray};
    use catalog_store::{FileKeys, SecretKey, StagedFiles};

    use super::{FileError, ParquetFile, open_encrypted};

    fn rows() -> RecordBatch {
        let names: StringArray = (0..2_000).map(|row| Some(format!("MARKEDTEXT{row:04}"))).collect();
        let numbers: Int64Array = (0..2_000).map(Some).collect();
        RecordBatch::try_from_iter([
            ("marked_column", Arc::new(names) as _),
            ("second_column", Arc::new(numbers) as _),
        ])
        .unwrap()
    }

    fn keys(columns: &[&str]) -> FileKeys {
        let key = |column: &&str| ((*column).to_owned(), SecretKey::new([5; 32]));
        FileKeys {
            bound_to: b"dataset and file".to_vec(),
            footer: SecretKey::new([9; 32]),
            columns: columns.iter().map(key).collect::<BTreeMap<_, _>>(),
        }
    }

    fn write(path: &std::path::Path, keys: &FileKeys) -> Result<(), FileError> {
        let mut file = ParquetFile::encrypted(path, rows().schema(), keys)?;
        file.write(&rows())?;
        file.finish().map(|_| ())
    }

    #[test]
    fn no_value_statistic_or_name_lies_in_the_bytes_of_an_encrypted_file() {
        let folder = tempfile::tempdir().unwrap();
        let (clear, sealed) = (folder.path().join("clear"), folder.path().join("sealed"));
        let mut file = ParquetFile::links(&StagedFiles::Clear, &clear, rows().schema()).unwrap();
        file.write(&rows()).unwrap();
        file.finish().unwrap();
        write(&sealed, &keys(&["marked_column", "second_column"])).unwrap();
        let holds = |path: &std::path::Path, needle: &[u8]| {
            std::fs::read(path).unwrap().windows(needle.len()).any(|bytes| bytes == needle)
        };
        // The search finds what lies in clear: the least value as a statistic, and the column's name.
        for needle in ["MARKEDTEXT0000", "marked_column"] {
            assert!(holds(&clear, needle.as_bytes()));
            assert!(!holds(&sealed, needle.as_bytes()));
        }
        assert!(std::fs::read(&sealed).unwrap().starts_with(b"PARE"));
        assert!(!holds(&sealed, b"dataset and file"), "what pieces are bound to is not stored");
    }

    #[test]
    fn a_column_without_a_key_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let refused = write(&folder.path().join("file"), &keys(&["marked_column"]));
        assert!(matches!(refused, Err(FileError::Clear { column, .. }) if column == "second_column"));
    }

    #[test]
    fn rows_come_back_with_the_keys_and_not_under_another_binding() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let keys = keys(&["marked_column", "second_column"]);
        write(&path, &keys).unwrap();
        let read: Vec<RecordBatch> =
            open_encrypted(&path, 10_000, &keys).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(read, [rows()]);
        let moved = FileKeys { bound_to: b"another file".to_vec(), ..keys };
        assert!(open_encrypted(&path, 10_000, &moved).is_err());
    }
}
