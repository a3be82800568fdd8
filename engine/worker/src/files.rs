//! Data files as open descriptors with the keys of what may be read: nothing is opened, and nothing is found by a path.

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use catalog_staged::encrypted;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::encryption::decrypt::FileDecryptionProperties;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use engine_protocol::FileSlice;
use futures::FutureExt as _;
use futures::future::BoxFuture;

/// The descriptors of a query's files, in the order in which they came.
#[derive(Debug, Default)]
pub struct Descriptors(Vec<Arc<File>>);

impl From<Vec<OwnedFd>> for Descriptors {
    fn from(files: Vec<OwnedFd>) -> Self {
        Self(files.into_iter().map(|file| Arc::new(File::from(file))).collect())
    }
}

impl Descriptors {
    /// The file of a slice; none where its descriptor did not come or its keys are of no use.
    pub(crate) fn open(&self, slice: &FileSlice) -> Option<DataFile> {
        let file = Arc::clone(self.0.get(slice.descriptor as usize)?);
        let decryption = match &slice.keys {
            Some(keys) => Some(encrypted::decryption(&keys.by_column()).ok()?),
            None => None,
        };
        Some(DataFile { file, bytes: slice.bytes, decryption })
    }
}

/// One data file.
#[derive(Clone)]
pub(crate) struct DataFile {
    file: Arc<File>,
    bytes: u64,
    decryption: Option<Arc<FileDecryptionProperties>>,
}

impl fmt::Debug for DataFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Parquet's own text of the properties would show keys.
        f.debug_struct("DataFile").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl DataFile {
    /// The size.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read(&self, range: &Range<u64>) -> Result<Bytes, ParquetError> {
        let length = range.end.checked_sub(range.start).filter(|_| range.end <= self.bytes);
        let length = length.and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or_else(|| ParquetError::EOF("beyond the end of a file".to_owned()))?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, range.start)?;
        Ok(Bytes::from(bytes))
    }

    /// Reads the footer, from its end, until it is whole.
    fn metadata(&self) -> Result<ParquetMetaData, ParquetError> {
        let mut want = FOOTER.min(self.bytes);
        loop {
            let tail = self.read(&(self.bytes - want..self.bytes))?;
            let mut reader = ParquetMetaDataReader::new().with_decryption_properties(self.decryption.clone());
            match reader.try_parse_sized(&tail, self.bytes) {
                Err(ParquetError::NeedMoreData(more)) if more as u64 > want && more as u64 <= self.bytes => {
                    want = more as u64;
                }
                Err(error) => return Err(error),
                Ok(()) => return reader.finish(),
            }
        }
    }
}

/// What is read first of a file: the footer of most.
const FOOTER: u64 = 64 << 10;

/// Gives DataFusion the files of one table in one bucket; a file's "path" is its number in this list.
#[derive(Debug)]
pub(crate) struct Readers(pub(crate) Vec<DataFile>);

impl ParquetFileReaderFactory for Readers {
    fn create_reader(
        &self,
        _partition: usize,
        file: PartitionedFile,
        _hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let number = file.object_meta.location.as_ref().parse::<usize>().ok();
        let file = number.and_then(|number| self.0.get(number)).cloned();
        let file = file.ok_or_else(|| DataFusionError::Internal("a file that was not given".to_owned()))?;
        Ok(Box::new(Reader(file)))
    }
}

struct Reader(DataFile);

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        // A bucket is one task on a thread of its own, so a read may wait for the disk.
        let bytes = self.0.read(&range);
        async move { bytes }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        let metadata = self.0.metadata().map(Arc::new);
        async move { metadata }.boxed()
    }
}
