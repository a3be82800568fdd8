//! Where staged files lie, and how they are read.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use catalog_model::FileEntry;
use catalog_staged::encrypted;
use catalog_store::{DeliveryRecord, Environment, FileKeyring, StagedFiles};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;

use crate::failure::Failure;

/// Rows in a batch: what is in memory at one time.
pub(crate) const BATCH: usize = 131_072;

/// The folders of a delivery's parts.
pub(crate) fn parts(environment: &Environment, delivery: &DeliveryRecord) -> Vec<PathBuf> {
    let folder = environment.room("store").join("staging").join(delivery.staged());
    (0..delivery.parts).map(|part| folder.join(format!("{part:05}"))).collect()
}

/// The files with a delivery's identities, one for each part.
pub(crate) fn identities(environment: &Environment, delivery: &DeliveryRecord) -> Vec<PathBuf> {
    let folder = environment.room("links").join("staging").join(delivery.staged());
    (0..delivery.parts).map(|part| folder.join(format!("{part:05}.parquet"))).collect()
}

/// Hands the rows of a staged file over, batch by batch: the named columns, or all where none is named.
pub(crate) fn each_batch(
    files: &StagedFiles,
    path: &Path,
    columns: &[&str],
    mut take: impl FnMut(&RecordBatch) -> Result<(), Failure>,
) -> Result<(), Failure> {
    each_batch_of(path, files.bytes(path)?, ArrowReaderOptions::new(), columns, &mut take)
}

/// As [`each_batch`], of a file of a snapshot, which is encrypted.
pub(crate) fn each_published_batch(
    store: &Path,
    ring: &FileKeyring,
    file: &FileEntry,
    columns: &[&str],
    mut take: impl FnMut(&RecordBatch) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let path = store.join(&file.path);
    let keys = ring.open(file, &|column| columns.is_empty() || columns.contains(&column))?;
    let open = File::open(&path).map_err(|source| Failure::Read { path: path.clone(), source })?;
    let keys = keys.as_ref().map(catalog_store::FileKeys::by_column);
    let options = encrypted::reading(keys.as_ref())
        .map_err(|source| Failure::Parquet { path: path.clone(), source })?;
    each_batch_of(&path, open, options, columns, &mut take)
}

fn each_batch_of<F: ChunkReader + 'static>(
    path: &Path,
    file: F,
    options: ArrowReaderOptions,
    columns: &[&str],
    take: &mut dyn FnMut(&RecordBatch) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let parquet = |source| Failure::Parquet { path: path.to_owned(), source };
    let mut builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .map_err(parquet)?
        .with_batch_size(BATCH);
    if !columns.is_empty() {
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        builder = builder.with_projection(mask);
    }
    for batch in builder.build().map_err(parquet)? {
        take(&batch.map_err(|source| Failure::Rows { path: path.to_owned(), source })?)?;
    }
    Ok(())
}
