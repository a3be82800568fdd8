//! A snapshot's files in clear: laid out as the snapshot lies, and one file for each table as deliveries come.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::datatypes::DataType;
use catalog_model::{FileEntry, ManifestBody, TableEntry};
use catalog_staged::encrypted;
use catalog_store::{Environment, FileKeyring, FileKeys};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::Failure;

/// Which files each table has, for the peers.
const LIST: &str = "tables.json";

/// Which files each table has, under the folder in which they lie.
pub(crate) type Listed = BTreeMap<String, Vec<String>>;

/// Copies every file of the snapshot into `folder` under its own path, compressed as in the store.
pub(crate) fn lay(
    environment: &Environment,
    snapshot: &ManifestBody,
    folder: &Path,
) -> Result<Listed, Failure> {
    let ring = FileKeyring::new(environment);
    for file in snapshot.tables.values().flat_map(|table| &table.files) {
        let keys = ring.open(file, &|_| true)?;
        copy(&environment.room("store"), file, keys.as_ref(), folder)?;
    }
    let tables = snapshot.tables.iter().filter(|(_, table)| !table.files.is_empty());
    let paths = |(name, table): (&String, &TableEntry)| {
        (name.clone(), table.files.iter().map(|file| file.path.clone()).collect::<Vec<_>>())
    };
    let listed: Listed = tables.map(paths).collect();
    std::fs::write(folder.join(LIST), serde_json::to_vec(&listed)?)?;
    Ok(listed)
}

/// Writes each of the laid tables again as one file: month by month, as deliveries bring them, and within a month in
/// no order of persons.
pub(crate) fn as_delivered(laid: &Path, listed: &Listed, folder: &Path) -> Result<Listed, Failure> {
    let mut delivered = Listed::new();
    for (table, paths) in listed {
        let mut batches = Vec::new();
        for path in paths {
            let file = File::open(laid.join(path))?;
            for batch in ParquetRecordBatchReaderBuilder::try_new(file)?.build()? {
                batches.push(batch?);
            }
        }
        let Some(schema) = batches.first().map(RecordBatch::schema) else { continue };
        let rows = concat_batches(&schema, &batches)?;
        drop(batches);
        let rows = take_record_batch(&rows, &lexsort_to_indices(&order(&rows), None)?)?;
        let name = format!("{table}.parquet");
        let mut writer =
            ArrowWriter::try_new(File::create(folder.join(&name))?, schema, Some(properties()?))?;
        writer.write(&rows)?;
        writer.close()?;
        delivered.insert(table.clone(), vec![name]);
    }
    Ok(delivered)
}

/// By the first column of months, where there is one, and then mixed.
fn order(rows: &RecordBatch) -> Vec<SortColumn> {
    let columns = rows.schema_ref().fields().iter().zip(rows.columns());
    let mut months = columns
        .filter(|(field, _)| field.name().ends_with("_month") && field.data_type() == &DataType::Date32)
        .map(|(_, column)| ArrayRef::clone(column));
    // Multiplying by an odd number is one-to-one; the upper bits then decide.
    let mixed = (0..rows.num_rows() as u64).map(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed: ArrayRef = std::sync::Arc::new(UInt64Array::from_iter_values(mixed));
    let columns = months.next().into_iter().chain([mixed]);
    columns.map(|values| SortColumn { values, options: None }).collect()
}

fn properties() -> Result<WriterProperties, Failure> {
    Ok(WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?)).build())
}

fn copy(store: &Path, file: &FileEntry, keys: Option<&FileKeys>, folder: &Path) -> Result<(), Failure> {
    let source = File::open(store.join(&file.path))?;
    let keys = keys.map(FileKeys::by_column);
    let options = encrypted::reading(keys.as_ref())?;
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(source, options)?;
    let path = folder.join(&file.path);
    std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
    let mut writer = ArrowWriter::try_new(File::create(path)?, reader.schema().clone(), Some(properties()?))?;
    for batch in reader.build()? {
        writer.write(&batch?)?;
    }
    writer.close()?;
    Ok(())
}
