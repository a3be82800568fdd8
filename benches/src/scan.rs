//! What encryption costs: every file of the snapshot read and added up, as it is stored and in clear.
//!
//! Both sides are read by the same code, file by file by two threads, all columns; keys are opened before. There is no
//! result unless both find the same rows and the same sum.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use arrow::array::AsArray as _;
use arrow::compute::{cast, sum};
use arrow::datatypes::{DataType, Int64Type};
use arrow::record_batch::RecordBatch;
use catalog_model::ManifestBody;
use catalog_staged::encrypted;
use catalog_store::{Environment, FileKeyring, FileKeys};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Serialize;

use crate::Failure;

const THREADS: usize = 2;

/// Seconds by repetition.
#[derive(Serialize)]
pub(crate) struct Measured {
    rows: u64,
    stored: Vec<f64>,
    clear: Vec<f64>,
}

type Sources = Vec<(PathBuf, Option<FileKeys>)>;

/// Reads both sides in turn, after one unmeasured run each.
pub(crate) fn measure(
    environment: &Environment,
    snapshot: &ManifestBody,
    laid: &Path,
    repetitions: u32,
) -> Result<Measured, Failure> {
    let ring = FileKeyring::new(environment);
    let store = environment.room("store");
    let (mut stored, mut clear) = (Sources::new(), Sources::new());
    for file in snapshot.tables.values().flat_map(|table| &table.files) {
        stored.push((store.join(&file.path), ring.open(file, &|_| true)?));
        clear.push((laid.join(&file.path), None));
    }
    let found = read(&stored)?;
    if found != read(&clear)? {
        return Err("the stored files and those in clear do not hold the same".into());
    }
    let mut measured = Measured { rows: found.0, stored: Vec::new(), clear: Vec::new() };
    for _ in 0..repetitions {
        for (sources, seconds) in [(&stored, &mut measured.stored), (&clear, &mut measured.clear)] {
            let begun = Instant::now();
            read(sources)?;
            seconds.push(begun.elapsed().as_secs_f64());
        }
    }
    Ok(measured)
}

/// Rows of all files, and the sum of all whole numbers in them.
fn read(sources: &Sources) -> Result<(u64, i64), Failure> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<(u64, i64), String> {
        let mut found = (0, 0_i64);
        while let Some((path, keys)) = sources.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (rows, total) = one(path, keys.as_ref()).map_err(|error| error.to_string())?;
            found = (found.0 + rows, found.1.wrapping_add(total));
        }
        Ok(found)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        let mut all = (0, 0_i64);
        for thread in threads {
            let (rows, total) = thread.join().map_err(|_| "a thread of the bench ended")??;
            all = (all.0 + rows, all.1.wrapping_add(total));
        }
        Ok(all)
    })
}

fn one(path: &Path, keys: Option<&FileKeys>) -> Result<(u64, i64), Failure> {
    let keys = keys.map(FileKeys::by_column);
    let options = encrypted::reading(keys.as_ref())?;
    let (mut rows, mut total) = (0, 0_i64);
    for batch in ParquetRecordBatchReaderBuilder::try_new_with_options(File::open(path)?, options)?.build()? {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        total = total.wrapping_add(added(&batch)?);
    }
    Ok((rows, total))
}

fn added(batch: &RecordBatch) -> Result<i64, Failure> {
    let mut total = 0_i64;
    for column in batch.columns().iter().filter(|column| column.data_type().is_integer()) {
        let column = cast(column, &DataType::Int64)?;
        total = total.wrapping_add(sum(column.as_primitive::<Int64Type>()).unwrap_or(0));
    }
    Ok(total)
}
