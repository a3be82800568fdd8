//! Where staged files lie, and how they are read.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use catalog_store::Environment;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::failure::Failure;

/// Rows in a batch: what is in memory at one time.
pub(crate) const BATCH: usize = 131_072;

/// The folders of a delivery's parts.
pub(crate) fn parts(environment: &Environment, delivery: &str, parts: u32) -> Vec<PathBuf> {
    let folder = environment.room("store").join("staging").join(delivery);
    (0..parts).map(|part| folder.join(format!("{part:05}"))).collect()
}

/// The files with a delivery's identities, one for each part.
pub(crate) fn identities(environment: &Environment, delivery: &str, parts: u32) -> Vec<PathBuf> {
    let folder = environment.room("links").join("staging").join(delivery);
    (0..parts).map(|part| folder.join(format!("{part:05}.parquet"))).collect()
}

/// Hands the rows of a file over, batch by batch: the named columns, or all where none is named.
pub(crate) fn each_batch(
    path: &Path,
    columns: &[&str],
    mut take: impl FnMut(&RecordBatch) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let file = File::open(path).map_err(|source| Failure::Read { path: path.to_owned(), source })?;
    let parquet = |source| Failure::Parquet { path: path.to_owned(), source };
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(parquet)?.with_batch_size(BATCH);
    if !columns.is_empty() {
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        builder = builder.with_projection(mask);
    }
    for batch in builder.build().map_err(parquet)? {
        take(&batch.map_err(|source| Failure::Rows { path: path.to_owned(), source })?)?;
    }
    Ok(())
}
