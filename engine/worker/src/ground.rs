//! What every bucket of a request stands on: the catalogue's excerpt, the grant, the files, the engine's memory.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use catalog_model::{Catalogue, Grant, Workspace};
use datafusion::common::DataFusionError;
use datafusion::datasource::provider_as_source;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use engine_protocol::{BucketSlice, WorkerFault, WorkerRequest};
use engine_vet::{granted_schema, stored_name, workspace_schema};

use crate::execute::fault;
use crate::files::Descriptors;
use crate::source::BucketTable;
use crate::{exclude, net, period, session};

/// Finds a table's files by its name in the plan.
pub(crate) type Sources<'s> = dyn Fn(&str) -> Option<Arc<dyn TableSource>> + 's;

/// What every bucket of a request stands on.
pub(crate) struct Ground {
    catalogue: Catalogue,
    workspace: Workspace,
    grant: Grant,
    excluded: Vec<u32>,
    runtime: Arc<RuntimeEnv>,
    files: Descriptors,
}

impl Ground {
    pub(crate) fn new(
        catalogue: Catalogue,
        request: &WorkerRequest,
        files: Descriptors,
    ) -> Result<Self, WorkerFault> {
        Ok(Self {
            catalogue,
            workspace: request.workspace.clone(),
            grant: request.grant.clone(),
            excluded: request.excluded.clone(),
            runtime: session::runtime(request.limits.memory).map_err(|_| WorkerFault::Execution)?,
            files,
        })
    }

    /// The rows of a plan in one bucket. `over` is the vetted plan, put over the bucket's files.
    pub(crate) async fn stream(
        &self,
        bucket: &BucketSlice,
        over: &(dyn Fn(&Sources<'_>) -> Result<LogicalPlan, DataFusionError> + Sync),
    ) -> Result<SendableRecordBatchStream, WorkerFault> {
        let context = SessionContext::new_with_state(session::bucket(&self.runtime));
        let state = context.state();
        let plan = over(&|table: &str| self.source(table, bucket)).map_err(|_| WorkerFault::Data)?;
        let of = |table: &str| bucket.tables.get(table).map(Vec::as_slice).unwrap_or_default();
        let is_within = |table: &str| of(table).iter().all(|file| file.is_within);
        let plan = period::settled(plan, (&self.catalogue, &self.grant), &is_within)
            .map_err(|_| WorkerFault::Vetting)?;
        let plan =
            exclude::without(plan, &self.excluded, &self.catalogue).map_err(|_| WorkerFault::Vetting)?;
        let plan = state.optimize(&plan).map_err(|_| WorkerFault::Execution)?;
        net::logical(&plan, &|table| self.schema(table).is_some())?;
        let planner = state.query_planner();
        let plan = planner.create_physical_plan(&plan, &state).await.map_err(|error| fault(&error))?;
        net::physical(&plan)?;
        execute_stream(plan, context.task_ctx()).map_err(|error| fault(&error))
    }

    fn source(&self, table: &str, bucket: &BucketSlice) -> Option<Arc<dyn TableSource>> {
        let files = bucket.tables.get(table).map(Vec::as_slice).unwrap_or_default();
        let files = files.iter().map(|file| self.files.open(file)).collect::<Option<Vec<_>>>()?;
        let provider = BucketTable::new(self.schema(table)?, files);
        Some(provider_as_source(Arc::new(provider)))
    }

    /// The schema of a table that the request covers: a granted one, or one of the project's own under its id.
    fn schema(&self, table: &str) -> Option<SchemaRef> {
        let own = self.workspace.tables.iter().find(|(name, own)| stored_name(name, own) == table);
        if let Some((_, own)) = own {
            return Some(workspace_schema(own));
        }
        let granted = self.catalogue.tables.get(table).filter(|_| self.grant.tables.contains_key(table))?;
        Some(granted_schema(granted, &self.grant))
    }
}
