//! Rows that a project keeps, as one encrypted Parquet file for each bucket.
//!
//! The file is made in memory and goes to the guard through the socket: the worker opens and writes no file. Footer and
//! columns are encrypted under keys that came with the request; a column without a key ends the query.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use catalog_staged::encrypted;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use engine_protocol::{FileKeys, KeptFile, WorkerFault};
use futures::StreamExt as _;

use crate::execute::fault;

/// Rows in a row group.
const ROW_GROUP: usize = 262_144;

/// How rows are written, and how much room there is for all buckets together.
pub(crate) struct Room {
    schema: SchemaRef,
    most: u64,
    taken: AtomicU64,
}

impl Room {
    pub(crate) const fn new(schema: SchemaRef, most: u64) -> Self {
        Self { schema, most, taken: AtomicU64::new(0) }
    }

    /// Writes one bucket's rows.
    pub(crate) async fn write(
        &self,
        mut rows: SendableRecordBatchStream,
        keys: &FileKeys,
    ) -> Result<KeptFile, WorkerFault> {
        let properties = properties(&self.schema, keys)?;
        let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&self.schema), Some(properties))
            .map_err(|_| WorkerFault::Data)?;
        let (mut count, mut before) = (0_u64, 0_u64);
        while let Some(batch) = rows.next().await {
            let batch = self.fitted(&batch.map_err(|error| fault(&error))?)?;
            count += batch.num_rows() as u64;
            writer.write(&batch).map_err(|_| WorkerFault::Data)?;
            let now = (writer.bytes_written() + writer.in_progress_size()) as u64;
            self.take(now.saturating_sub(before))?;
            before = before.max(now);
        }
        let bytes = writer.into_inner().map_err(|_| WorkerFault::Data)?;
        self.take((bytes.len() as u64).saturating_sub(before))?;
        Ok(KeptFile { rows: count, bytes })
    }

    /// One bucket's rows, as they are kept.
    pub(crate) async fn gather(
        &self,
        mut rows: SendableRecordBatchStream,
    ) -> Result<Vec<RecordBatch>, WorkerFault> {
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await {
            let batch = self.fitted(&batch.map_err(|error| fault(&error))?)?;
            self.take(batch.get_array_memory_size() as u64)?;
            batches.push(batch);
        }
        Ok(batches)
    }

    /// Takes so many bytes more of the room.
    fn take(&self, more: u64) -> Result<(), WorkerFault> {
        let taken = self.taken.fetch_add(more, Ordering::Relaxed).saturating_add(more);
        if taken <= self.most { Ok(()) } else { Err(WorkerFault::TooLarge) }
    }

    /// The batch in the types that are kept: the engine may deliver text in another layout.
    fn fitted(&self, batch: &RecordBatch) -> Result<RecordBatch, WorkerFault> {
        let columns = self.schema.fields().iter().zip(batch.columns());
        let columns = columns.map(|(field, column)| arrow::compute::cast(column, field.data_type()));
        let columns = columns.collect::<Result<Vec<ArrayRef>, _>>().map_err(|_| WorkerFault::Execution)?;
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|_| WorkerFault::Execution)
    }
}

/// How a file of these columns is written.
pub(crate) fn properties(schema: &SchemaRef, keys: &FileKeys) -> Result<WriterProperties, WorkerFault> {
    let layout = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap_or_default()))
        .set_max_row_group_row_count(Some(ROW_GROUP));
    encrypted::writing(layout, schema, &keys.by_column()).map_err(|_| WorkerFault::Data)
}
