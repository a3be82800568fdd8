//! Files whose every column has a key of its own: the two sides that Parquet's modular encryption asks for.
//!
//! Only the two rules stand here that Parquet has not: a column without a key is not written in clear, nothing is
//! written; and no Bloom filter is. Whose keys they are, and who is given which, is decided by those who call.

use std::sync::Arc;

use arrow::datatypes::Schema;
use catalog_model::ColumnKeys;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};

/// Why a file cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum Unkeyed {
    /// A column would stand in clear.
    #[error("column {0} has no key")]
    Column(String),
    /// A Bloom filter of a column would.
    #[error("column {0} would have a Bloom filter, which is not encrypted")]
    Bloom(String),
    /// Parquet refused.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}

/// What a reader is given: a column whose key is not there cannot be read.
///
/// # Errors
///
/// A key has no length that Parquet knows.
pub fn decryption(keys: &ColumnKeys<'_>) -> Result<Arc<FileDecryptionProperties>, ParquetError> {
    let mut properties =
        FileDecryptionProperties::builder(keys.footer.to_vec()).with_aad_prefix(keys.bound_to.to_vec());
    for (column, key) in &keys.columns {
        properties = properties.with_column_key(column, key.to_vec());
    }
    properties.build()
}

/// How Arrow's reader reads a file: of an encrypted one, the columns whose keys are given.
///
/// # Errors
///
/// As [`decryption`].
pub fn reading(keys: Option<&ColumnKeys<'_>>) -> Result<ArrowReaderOptions, ParquetError> {
    let options = ArrowReaderOptions::new();
    Ok(match keys {
        Some(keys) => options.with_file_decryption_properties(decryption(keys)?),
        None => options,
    })
}

/// What a writer of such rows is given, on top of how it lays them out.
///
/// # Errors
///
/// A leaf column has no key, or one of no length that Parquet knows, or would have a Bloom filter.
pub fn writing(
    layout: WriterPropertiesBuilder,
    schema: &Schema,
    keys: &ColumnKeys<'_>,
) -> Result<WriterProperties, Unkeyed> {
    let mut encryption = FileEncryptionProperties::builder(keys.footer.to_vec())
        .with_aad_prefix(keys.bound_to.to_vec())
        .with_aad_prefix_storage(false);
    let leaves = ArrowSchemaConverter::new().convert(schema)?;
    let mut columns = Vec::new();
    for leaf in leaves.columns() {
        let column = leaf.path().string();
        let key = keys.columns.iter().find(|(name, _)| *name == column);
        let (_, key) = key.ok_or_else(|| Unkeyed::Column(column.clone()))?;
        columns.push((column, *key));
    }
    // One key for all has a form of its own in Parquet, the only one that all libraries take keys for directly. Whoever
    // has the footer's key has every column's then, in whichever form the file says so.
    if columns.iter().any(|(_, key)| *key != keys.footer) {
        for (column, key) in columns {
            encryption = encryption.with_column_key(&column, key.to_vec());
        }
    }
    let properties = layout.with_file_encryption_properties(encryption.build()?).build();
    // Parquet writes Bloom filters in clear, whatever else it encrypts: a test of who is in the file.
    let filtered =
        leaves.columns().iter().find(|leaf| properties.bloom_filter_properties(leaf.path()).is_some());
    match filtered {
        Some(leaf) => Err(Unkeyed::Bloom(leaf.path().string())),
        None => Ok(properties),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, UInt32Array};
    use arrow::record_batch::RecordBatch;
    use bytes::Bytes;
    use catalog_model::ColumnKeys;
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::file::properties::WriterProperties;

    use super::{Unkeyed, reading, writing};

    fn rows() -> RecordBatch {
        let persons = UInt32Array::from_iter_values((0..64).map(|number| 0x4D49_5355 + number));
        RecordBatch::try_from_iter([("person_id", Arc::new(persons) as _)]).unwrap()
    }

    fn keys() -> ColumnKeys<'static> {
        ColumnKeys { footer: &[1; 32], bound_to: b"file", columns: vec![("person_id", &[2; 32][..])] }
    }

    fn written(properties: WriterProperties) -> Vec<u8> {
        let mut writer = ArrowWriter::try_new(Vec::new(), rows().schema(), Some(properties)).unwrap();
        writer.write(&rows()).unwrap();
        writer.into_inner().unwrap()
    }

    #[test]
    fn no_value_lies_in_the_bytes_and_a_bloom_filter_is_refused() {
        let builder = WriterProperties::builder;
        let bytes = written(writing(builder(), &rows().schema(), &keys()).unwrap());
        assert!(bytes.starts_with(b"PARE") && bytes.ends_with(b"PARE"));
        assert!(bytes.windows(3).all(|bytes| bytes != b"SIM"), "a value in clear");
        let clear = written(builder().build());
        assert!(clear.windows(3).any(|bytes| bytes == b"SIM"), "the search finds one where there is one");
        let refused = writing(builder().set_bloom_filter_enabled(true), &rows().schema(), &keys());
        assert!(matches!(refused, Err(Unkeyed::Bloom(column)) if column == "person_id"));
    }

    #[test]
    fn a_column_without_a_key_is_not_written() {
        let keys = ColumnKeys { columns: Vec::new(), ..keys() };
        let refused = writing(WriterProperties::builder(), &rows().schema(), &keys);
        assert!(matches!(refused, Err(Unkeyed::Column(column)) if column == "person_id"));
    }

    /// The column, where these keys open it.
    fn read(bytes: Vec<u8>, keys: &ColumnKeys<'_>) -> Option<ArrayRef> {
        let options = reading(Some(keys)).unwrap();
        let builder =
            ParquetRecordBatchReaderBuilder::try_new_with_options(Bytes::from(bytes), options).ok()?;
        let batch = builder.build().ok()?.next()?.ok()?;
        Some(Arc::clone(batch.column(0)))
    }

    #[test]
    fn the_footers_key_opens_a_column_only_where_it_is_the_columns_too() {
        let write = |keys: &ColumnKeys<'_>| {
            written(writing(WriterProperties::builder(), &rows().schema(), keys).unwrap())
        };
        let one = ColumnKeys { columns: vec![("person_id", &[1; 32][..])], ..keys() };
        let footer = ColumnKeys { columns: Vec::new(), ..keys() };
        let (bytes, persons) = (write(&one), Some(Arc::clone(rows().column(0))));
        assert!(bytes.starts_with(b"PARE") && bytes.windows(3).all(|bytes| bytes != b"SIM"));
        assert_eq!(read(bytes.clone(), &footer), persons);
        assert_eq!(read(bytes.clone(), &one), persons, "as a reader that is given each column's key");
        assert_eq!(read(bytes, &ColumnKeys { bound_to: b"elsewhere", ..footer.clone() }), None);
        assert_eq!(read(write(&keys()), &keys()), persons);
        assert_eq!(read(write(&keys()), &footer), None);
    }
}
