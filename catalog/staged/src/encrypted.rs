//! Files whose every column has a key of its own: the two sides that Parquet's modular encryption asks for.
//!
//! Only the one rule stands here that Parquet has not: a column without a key is not written in clear, nothing is
//! written. Whose keys they are, and who is given which, is decided by those who call.

use std::sync::Arc;

use arrow::datatypes::Schema;
use catalog_model::ColumnKeys;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::errors::ParquetError;

/// Why a file cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum Unkeyed {
    /// A column would stand in clear.
    #[error("column {0} has no key")]
    Column(String),
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

/// What a writer of such rows is given.
///
/// # Errors
///
/// A leaf column has no key, or one of no length that Parquet knows.
pub fn encryption(schema: &Schema, keys: &ColumnKeys<'_>) -> Result<Arc<FileEncryptionProperties>, Unkeyed> {
    let mut properties = FileEncryptionProperties::builder(keys.footer.to_vec())
        .with_aad_prefix(keys.bound_to.to_vec())
        .with_aad_prefix_storage(false);
    for leaf in ArrowSchemaConverter::new().convert(schema)?.columns() {
        let column = leaf.path().string();
        let key = keys.columns.iter().find(|(name, _)| *name == column);
        let (_, key) = key.ok_or_else(|| Unkeyed::Column(column.clone()))?;
        properties = properties.with_column_key(&column, key.to_vec());
    }
    Ok(properties.build()?)
}
