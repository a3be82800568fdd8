//! DataFusion as anybody would use it: tables over files, two partitions, default settings, no protection.

use std::path::Path;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_sql::parser::DFParser;
use datafusion_sql::planner::SqlToRel;
use tokio::runtime::{Builder, Runtime};

use crate::Failure;
use crate::clear::Listed;
use crate::tables::Tables;

/// As many as the worker has threads.
const PARTITIONS: usize = 2;

/// A session over files in clear.
pub(crate) struct Plain {
    runtime: Runtime,
    context: SessionContext,
    tables: Tables,
}

impl Plain {
    /// Registers every table from its files in `folder`.
    pub(crate) fn open(folder: &Path, listed: &Listed) -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread().worker_threads(PARTITIONS).build()?;
        let context =
            SessionContext::new_with_config(SessionConfig::new().with_target_partitions(PARTITIONS));
        let tables = runtime.block_on(Tables::open(&context.state(), folder, listed))?;
        Ok(Self { runtime, context, tables })
    }

    /// Plans and runs a query.
    pub(crate) fn ask(&self, sql: &str) -> Result<Vec<RecordBatch>, Failure> {
        let statement = DFParser::parse_sql(sql)?.pop_front().ok_or("an empty query")?;
        let plan = SqlToRel::new(&self.tables).statement_to_plan(statement)?;
        let context = self.context.clone();
        // Spawned, so that the driving task runs on the workers as well and not on a third thread.
        let run = self.runtime.spawn(async move {
            let plan = context.state().create_physical_plan(&plan).await?;
            collect(Arc::clone(&plan), context.task_ctx()).await
        });
        Ok(self.runtime.block_on(run)??)
    }
}
