//! From request to reply.

use std::collections::HashSet;
use std::sync::Arc;

use catalog_model::{Catalogue, Grant};
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::datasource::provider_as_source;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, TableSource, WindowFunctionDefinition};
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use engine_protocol::{BucketSlice, Evidence, WorkerFault, WorkerReply, WorkerRequest};
use engine_vet::{Scope, VettedPlan, granted_schema, vet};
use futures::StreamExt as _;

use crate::accumulate::Cells;
use crate::confine::Confined;
use crate::exclude;
use crate::files::Descriptors;
use crate::rows::{KeyNumbers, Rows};
use crate::session;
use crate::source::BucketTable;

const STACK: usize = 64 << 20;

/// Runs one query to its end, in a process that is locked in.
pub fn run(_confined: &Confined, request: &WorkerRequest, files: Descriptors) -> WorkerReply {
    match evidence(request, files) {
        Ok(evidence) => WorkerReply::Evidence(evidence),
        Err(fault) => WorkerReply::Failed(fault),
    }
}

fn evidence(request: &WorkerRequest, files: Descriptors) -> Result<Evidence, WorkerFault> {
    let texts = request.catalogue.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    let catalogue = Catalogue::parse(texts).map_err(|_| WorkerFault::Vetting)?;
    let scope = Scope { catalogue: &catalogue, grant: &request.grant };
    let plan = vet(&request.sql, scope).map_err(|_| WorkerFault::Vetting)?;
    if plan.hash() != request.plan_hash {
        return Err(WorkerFault::Vetting);
    }
    let job = Arc::new(Job::new(plan, catalogue, request, files)?);
    let threads = request.limits.threads.max(1) as usize;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        // Plans are as deep as their text; the optimizer descends them.
        .thread_stack_size(STACK)
        .build()
        .map_err(|_| WorkerFault::Execution)?;
    let shape = job.plan.shape().clone();
    runtime.block_on(job.all(&request.buckets, threads))?.evidence(&shape)
}

/// The kind of an engine's error; its text may hold values and goes nowhere.
fn fault(error: &DataFusionError) -> WorkerFault {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => WorkerFault::Memory,
        DataFusionError::IoError(_) | DataFusionError::ObjectStore(_) | DataFusionError::ParquetError(_) => {
            WorkerFault::Data
        }
        _ => WorkerFault::Execution,
    }
}

/// What all buckets of a query share.
struct Job {
    plan: VettedPlan,
    catalogue: Catalogue,
    grant: Grant,
    excluded: Vec<u32>,
    numbers: Vec<KeyNumbers>,
    runtime: Arc<RuntimeEnv>,
    most: u32,
    files: Descriptors,
}

impl Job {
    fn new(
        plan: VettedPlan,
        catalogue: Catalogue,
        request: &WorkerRequest,
        files: Descriptors,
    ) -> Result<Self, WorkerFault> {
        Ok(Self {
            numbers: plan.shape().keys.iter().map(|key| KeyNumbers::new(&key.domain)).collect(),
            runtime: session::runtime(request.limits.memory).map_err(|_| WorkerFault::Execution)?,
            grant: request.grant.clone(),
            excluded: request.excluded.clone(),
            most: request.limits.cells,
            files,
            plan,
            catalogue,
        })
    }

    /// Runs every bucket, at most `threads` at a time.
    async fn all(self: Arc<Self>, buckets: &[BucketSlice], threads: usize) -> Result<Cells, WorkerFault> {
        let runs = buckets.iter().cloned().map(|bucket| {
            let job = Arc::clone(&self);
            async move {
                tokio::spawn(async move { job.bucket(&bucket).await })
                    .await
                    .unwrap_or(Err(WorkerFault::Panic))
            }
        });
        let mut runs = futures::stream::iter(runs).buffer_unordered(threads);
        let mut cells = Cells::default();
        while let Some(bucket) = runs.next().await {
            cells.merge(bucket?, self.most)?;
        }
        Ok(cells)
    }

    async fn bucket(&self, bucket: &BucketSlice) -> Result<Cells, WorkerFault> {
        let context = SessionContext::new_with_state(session::bucket(&self.runtime));
        let state = context.state();
        let source = |table: &str| self.source(table, bucket);
        let plan = self.plan.evidence_over(&source).map_err(|_| WorkerFault::Data)?;
        let plan =
            exclude::without(plan, &self.excluded, &self.catalogue).map_err(|_| WorkerFault::Vetting)?;
        let plan = state.optimize(&plan).map_err(|_| WorkerFault::Execution)?;
        self.check(&plan)?;
        let planner = state.query_planner();
        let plan = planner.create_physical_plan(&plan, &state).await.map_err(|error| fault(&error))?;
        let mut batches = execute_stream(plan, context.task_ctx()).map_err(|error| fault(&error))?;
        let shape = self.plan.shape();
        let mut rows = Rows::new(shape);
        while let Some(batch) = batches.next().await {
            rows.push(&batch.map_err(|error| fault(&error))?, shape, &self.numbers)?;
        }
        let mut cells = Cells::default();
        cells.add(&rows, shape, self.most)?;
        Ok(cells)
    }

    fn source(&self, table: &str, bucket: &BucketSlice) -> Option<Arc<dyn TableSource>> {
        let schema = granted_schema(self.catalogue.tables.get(table)?, &self.grant);
        let files = bucket.tables.get(table).map(Vec::as_slice).unwrap_or_default();
        let files = files.iter().map(|file| self.files.open(file)).collect::<Option<Vec<_>>>()?;
        let provider = BucketTable::new(schema, files);
        Some(provider_as_source(Arc::new(provider)))
    }

    /// A second net: after optimisation the plan reads granted tables and calls our functions, and nothing else.
    fn check(&self, plan: &LogicalPlan) -> Result<(), WorkerFault> {
        let functions: HashSet<String> =
            engine_vet::registered().iter().map(|function| function.name().to_owned()).collect();
        let aggregates: HashSet<String> =
            engine_vet::aggregates().iter().map(|function| function.name().to_owned()).collect();
        let windows: HashSet<String> =
            engine_vet::windows().iter().map(|function| function.name().to_owned()).collect();
        let visited = plan.apply_with_subqueries(|node| {
            let is_known = match node {
                LogicalPlan::TableScan(scan) => self.grant.tables.contains_key(scan.table_name.table()),
                LogicalPlan::Projection(_)
                | LogicalPlan::Filter(_)
                | LogicalPlan::Aggregate(_)
                | LogicalPlan::Join(_)
                | LogicalPlan::SubqueryAlias(_)
                | LogicalPlan::EmptyRelation(_)
                | LogicalPlan::Window(_)
                | LogicalPlan::Union(_)
                | LogicalPlan::Distinct(Distinct::All(_)) => true,
                LogicalPlan::Sort(_)
                | LogicalPlan::Repartition(_)
                | LogicalPlan::Subquery(_)
                | LogicalPlan::Limit(_)
                | LogicalPlan::Statement(_)
                | LogicalPlan::Values(_)
                | LogicalPlan::Explain(_)
                | LogicalPlan::Analyze(_)
                | LogicalPlan::Extension(_)
                | LogicalPlan::Distinct(Distinct::On(_))
                | LogicalPlan::Dml(_)
                | LogicalPlan::Ddl(_)
                | LogicalPlan::Copy(_)
                | LogicalPlan::DescribeTable(_)
                | LogicalPlan::Unnest(_)
                | LogicalPlan::RecursiveQuery(_) => false,
            };
            let mut calls_known = true;
            node.apply_expressions(|expr| {
                expr.apply(|expr| {
                    calls_known &= match expr {
                        Expr::ScalarFunction(call) => functions.contains(call.func.name()),
                        Expr::AggregateFunction(call) => aggregates.contains(call.func.name()),
                        Expr::WindowFunction(call) => match &call.fun {
                            WindowFunctionDefinition::AggregateUDF(call) => aggregates.contains(call.name()),
                            WindowFunctionDefinition::WindowUDF(call) => windows.contains(call.name()),
                        },
                        _ => true,
                    };
                    Ok(TreeNodeRecursion::Continue)
                })
            })?;
            if is_known && calls_known {
                Ok(TreeNodeRecursion::Continue)
            } else {
                Err(DataFusionError::Plan("a step outside the allow-list".to_owned()))
            }
        });
        visited.map(|_| ()).map_err(|_| WorkerFault::Execution)
    }
}
