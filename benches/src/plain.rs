//! DataFusion as anybody would use it: tables over files, two partitions, default settings, no protection.

use std::path::Path;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use catalog_model::ManifestBody;
use catalog_store::Environment;
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_sql::parser::DFParser;
use datafusion_sql::planner::SqlToRel;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::tables::Tables;
use crate::{Failure, clear};

/// As many as the worker has threads.
const PARTITIONS: usize = 2;

/// A session over a snapshot's files.
pub(crate) struct Plain {
    runtime: Runtime,
    context: SessionContext,
    tables: Tables,
    /// The files in clear, gone with this.
    _files: Option<TempDir>,
}

impl Plain {
    /// Registers every table of the snapshot, from copies in clear: in `folder`, where they stay, or beside the
    /// environment, where they do not.
    pub(crate) fn open(
        environment: &Environment,
        snapshot: &ManifestBody,
        folder: Option<&Path>,
    ) -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread().worker_threads(PARTITIONS).build()?;
        let context =
            SessionContext::new_with_config(SessionConfig::new().with_target_partitions(PARTITIONS));
        let files = match folder {
            Some(_) => None,
            None => Some(tempfile::tempdir_in(environment.room("scratch"))?),
        };
        let place = files.as_ref().map(TempDir::path).or(folder).ok_or("there is no folder for the files")?;
        clear::lay(environment, snapshot, place)?;
        let tables = runtime.block_on(Tables::open(&context.state(), place, snapshot))?;
        Ok(Self { runtime, context, tables, _files: files })
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
