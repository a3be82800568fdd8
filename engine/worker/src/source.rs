//! One table's files in one bucket, as DataFusion reads them: an explicit list, nothing is looked up.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, Result};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetFileReaderFactory, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use crate::files::{DataFile, Readers};

/// A table's files in one bucket.
#[derive(Debug)]
pub(crate) struct BucketTable {
    schema: SchemaRef,
    files: Vec<PartitionedFile>,
    readers: Arc<Readers>,
}

impl BucketTable {
    /// Takes the table's files.
    pub(crate) fn new(schema: SchemaRef, files: Vec<DataFile>) -> Self {
        let numbered = files.iter().enumerate();
        let listed = numbered.map(|(number, file)| PartitionedFile::new(number.to_string(), file.bytes()));
        Self { schema, files: listed.collect(), readers: Arc::new(Readers(files)) }
    }
}

#[async_trait]
impl TableProvider for BucketTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Row groups are pruned by a filter; the filter itself stays in the plan.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => Arc::clone(&self.schema),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let mut source = ParquetSource::new(Arc::clone(&self.schema))
            .with_parquet_file_reader_factory(Arc::clone(&self.readers) as Arc<dyn ParquetFileReaderFactory>)
            // The indexes of pages are encrypted column by column and read all at once: where one column's key is
            // withheld, a condition on another could not be answered.
            .with_enable_page_index(false)
            .with_bloom_filter_on_read(false);
        if let Some(filter) = conjunction(filters.iter().cloned()) {
            let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
            source = source.with_predicate(state.create_physical_expr(filter, &schema)?);
        }
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(vec![self.files.clone().into()])
            .with_projection_indices(projection.cloned())?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch, StringArray};
    use datafusion::logical_expr::{Expr, col, lit};
    use datafusion::parquet::arrow::ArrowWriter;
    use datafusion::parquet::encryption::encrypt::FileEncryptionProperties;
    use datafusion::parquet::file::properties::WriterProperties;
    use datafusion::prelude::SessionContext;
    use engine_protocol::{FileKeys, FileSlice};

    use super::BucketTable;
    use crate::files::Descriptors;
    use crate::session;

    const FOOTER: [u8; 32] = [1; 32];
    const GRANTED: [u8; 32] = [2; 32];
    const WITHHELD: [u8; 32] = [3; 32];

    fn rows() -> RecordBatch {
        let granted: Int64Array = (0..1_000).map(Some).collect();
        let withheld: StringArray = (0..1_000).map(|row| Some(format!("secret {row}"))).collect();
        RecordBatch::try_from_iter([
            ("granted", Arc::new(granted) as _),
            ("withheld", Arc::new(withheld) as _),
        ])
        .unwrap()
    }

    /// A table of one encrypted file, opened with these keys of columns.
    fn table(bound_to: &[u8], columns: &[(&str, [u8; 32])]) -> BucketTable {
        let encryption = FileEncryptionProperties::builder(FOOTER.to_vec())
            .with_aad_prefix(b"dataset and file".to_vec())
            .with_aad_prefix_storage(false)
            .with_column_key("granted", GRANTED.to_vec())
            .with_column_key("withheld", WITHHELD.to_vec())
            .build()
            .unwrap();
        let properties = WriterProperties::builder().with_file_encryption_properties(encryption).build();
        let file = tempfile::tempfile().unwrap();
        let mut writer =
            ArrowWriter::try_new(file.try_clone().unwrap(), rows().schema(), Some(properties)).unwrap();
        writer.write(&rows()).unwrap();
        writer.close().unwrap();
        let keys = FileKeys {
            bound_to: bound_to.to_vec(),
            footer: FOOTER.to_vec(),
            columns: columns.iter().map(|(name, key)| ((*name).to_owned(), key.to_vec())).collect(),
        };
        let bytes = file.metadata().unwrap().len();
        let slice = FileSlice { descriptor: 0, bytes, is_within: false, keys: Some(keys) };
        let files = Descriptors::from(vec![OwnedFd::from(file)]);
        BucketTable::new(rows().schema(), vec![files.open(&slice).unwrap()])
    }

    /// Runs a plan that no vetting has seen: what a broken vetter would let through.
    fn read(table: BucketTable, columns: &[&str]) -> Option<usize> {
        read_where(table, columns, None)
    }

    fn read_where(table: BucketTable, columns: &[&str], condition: Option<Expr>) -> Option<usize> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let context =
                SessionContext::new_with_state(session::bucket(&session::runtime(1 << 30).unwrap()));
            let frame = context.read_table(Arc::new(table)).unwrap();
            let frame = match condition {
                Some(condition) => frame.filter(condition).unwrap(),
                None => frame,
            };
            let frame = frame.select_columns(columns).unwrap();
            let batches = frame.collect().await.ok()?;
            Some(batches.iter().map(RecordBatch::num_rows).sum())
        })
    }

    #[test]
    fn a_column_whose_key_is_withheld_cannot_be_read_by_any_plan() {
        let bound_to = b"dataset and file";
        let granted = [("granted", GRANTED)];
        assert_eq!(read(table(bound_to, &granted), &["granted"]), Some(1_000));
        assert_eq!(read(table(bound_to, &granted), &["withheld"]), None);
        assert_eq!(read(table(bound_to, &granted), &["granted", "withheld"]), None);
        let wrong = [("granted", GRANTED), ("withheld", GRANTED)];
        assert_eq!(read(table(bound_to, &wrong), &["withheld"]), None);
        let all = [("granted", GRANTED), ("withheld", WITHHELD)];
        assert_eq!(read(table(bound_to, &all), &["granted", "withheld"]), Some(1_000));
    }

    #[test]
    fn a_condition_on_a_granted_column_is_answered_beside_a_withheld_one() {
        let condition = || Some(col("granted").gt_eq(lit(990_i64)));
        let granted = || table(b"dataset and file", &[("granted", GRANTED)]);
        assert_eq!(read_where(granted(), &["granted"], condition()), Some(10));
        let secret = Some(col("withheld").eq(lit("secret 7")));
        assert_eq!(read_where(granted(), &["granted"], secret), None);
    }

    #[test]
    fn a_file_in_the_place_of_another_cannot_be_read() {
        let all = [("granted", GRANTED), ("withheld", WITHHELD)];
        assert_eq!(read(table(b"dataset and other file", &all), &["granted"]), None);
    }
}
