//! A snapshot's files in clear, laid out as the snapshot lies: what plain DataFusion would have.

use std::fs::File;
use std::path::Path;

use catalog_model::{FileEntry, ManifestBody};
use catalog_staged::encrypted;
use catalog_store::{Environment, FileKeyring, FileKeys};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::Failure;

/// Copies every file of the snapshot into `folder` under its own path, compressed as in the store.
pub(crate) fn lay(environment: &Environment, snapshot: &ManifestBody, folder: &Path) -> Result<(), Failure> {
    let ring = FileKeyring::new(environment);
    for file in snapshot.tables.values().flat_map(|table| &table.files) {
        let keys = ring.open(file, &|_| true)?;
        copy(&environment.room("store"), file, keys.as_ref(), folder)?;
    }
    Ok(())
}

fn copy(store: &Path, file: &FileEntry, keys: Option<&FileKeys>, folder: &Path) -> Result<(), Failure> {
    let source = File::open(store.join(&file.path))?;
    let keys = keys.map(FileKeys::by_column);
    let options = encrypted::reading(keys.as_ref())?;
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(source, options)?;
    let path = folder.join(&file.path);
    std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?)).build();
    let mut writer = ArrowWriter::try_new(File::create(path)?, reader.schema().clone(), Some(properties))?;
    for batch in reader.build()? {
        writer.write(&batch?)?;
    }
    writer.close()?;
    Ok(())
}
