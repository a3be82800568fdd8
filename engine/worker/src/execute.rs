//! From request to reply.

use std::future::Future;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use engine_protocol::{BucketSlice, Evidence, Keep, KeptFile, WorkerFault, WorkerReply, WorkerRequest};
use engine_vet::{Scope, Statement, VettedPlan, VettedRows, vet_statement};
use futures::StreamExt as _;

use crate::accumulate::Cells;
use crate::confine::Confined;
use crate::files::Descriptors;
use crate::ground::Ground;
use crate::keep;
use crate::rows::{KeyNumbers, Rows};

const STACK: usize = 64 << 20;

/// Runs one query to its end, in a process that is locked in.
pub fn run(_confined: &Confined, request: &WorkerRequest, files: Descriptors) -> WorkerReply {
    answer(request, files).unwrap_or_else(WorkerReply::Failed)
}

fn answer(request: &WorkerRequest, files: Descriptors) -> Result<WorkerReply, WorkerFault> {
    let catalogue = request.catalogue.catalogue();
    let scope = Scope { catalogue: &catalogue, grant: &request.grant };
    let statement = vet_statement(&request.sql, scope, &request.workspace);
    let statement = statement.map_err(|_| WorkerFault::Vetting)?;
    let ground = Ground::new(catalogue, request, files)?;
    match (statement, &request.keep) {
        (Statement::Query(plan), None) if plan.hash() == request.plan_hash => {
            evidence(*plan, ground, request).map(WorkerReply::Evidence)
        }
        (Statement::Table(rows), Some(keep)) if rows.hash() == request.plan_hash => {
            kept(*rows, ground, request, keep).map(WorkerReply::Kept)
        }
        _ => Err(WorkerFault::Vetting),
    }
}

/// The cells of all buckets.
fn evidence(plan: VettedPlan, ground: Ground, request: &WorkerRequest) -> Result<Evidence, WorkerFault> {
    let shape = plan.shape().clone();
    let numbers = shape.keys.iter().map(|key| KeyNumbers::new(&key.domain)).collect();
    let query = Arc::new(Query { plan, ground, numbers, most: request.limits.cells });
    let cells = by_bucket(request, |_, bucket| {
        let query = Arc::clone(&query);
        async move { query.bucket(&bucket).await }
    });
    let mut all = Cells::default();
    for (_, bucket) in cells? {
        all.merge(bucket, request.limits.cells)?;
    }
    all.evidence(&shape)
}

/// The files of all buckets, in their order.
fn kept(
    rows: VettedRows,
    ground: Ground,
    request: &WorkerRequest,
    keep: &Keep,
) -> Result<Vec<KeptFile>, WorkerFault> {
    if keep.files.len() != request.buckets.len() {
        return Err(WorkerFault::Data);
    }
    let schema = engine_vet::workspace_fields(rows.columns());
    let table = Arc::new((rows, ground, keep::Room::new(schema, keep.most)));
    let mut files = by_bucket(request, |number, bucket| {
        let (table, keys) = (Arc::clone(&table), keep.files.get(number).cloned().unwrap_or_default());
        async move {
            let (rows, ground, room) = table.as_ref();
            let stream = ground.stream(&bucket, &|source| rows.rows_over(source)).await?;
            room.write(stream, &keys).await
        }
    })?;
    files.sort_by_key(|(number, _)| *number);
    Ok(files.into_iter().map(|(_, file)| file).collect())
}

/// Runs every bucket, at most as many at a time as there are threads; what each gives, with its number.
fn by_bucket<T: Send + 'static, F: Future<Output = Result<T, WorkerFault>> + Send + 'static>(
    request: &WorkerRequest,
    run: impl Fn(usize, BucketSlice) -> F,
) -> Result<Vec<(usize, T)>, WorkerFault> {
    let threads = request.limits.threads.max(1) as usize;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        // Plans are as deep as their text; the optimizer descends them.
        .thread_stack_size(STACK)
        .build()
        .map_err(|_| WorkerFault::Execution)?;
    let runs = request.buckets.iter().cloned().enumerate().map(|(number, bucket)| {
        let running = run(number, bucket);
        async move {
            let ran = tokio::spawn(running).await.unwrap_or(Err(WorkerFault::Panic));
            ran.map(|given| (number, given))
        }
    });
    runtime.block_on(async {
        let mut runs = futures::stream::iter(runs).buffer_unordered(threads);
        let mut all = Vec::new();
        while let Some(bucket) = runs.next().await {
            all.push(bucket?);
        }
        Ok(all)
    })
}

/// What all buckets of a query share.
struct Query {
    plan: VettedPlan,
    ground: Ground,
    numbers: Vec<KeyNumbers>,
    most: u32,
}

impl Query {
    async fn bucket(&self, bucket: &BucketSlice) -> Result<Cells, WorkerFault> {
        let mut batches = self.ground.stream(bucket, &|source| self.plan.evidence_over(source)).await?;
        let shape = self.plan.shape();
        let mut rows = Rows::new(shape);
        while let Some(batch) = batches.next().await {
            rows.push(&batch.map_err(|error| fault(&error))?, shape, &self.numbers)?;
        }
        Cells::of(&rows, shape, self.most)
    }
}

/// The kind of an engine's error; its text may hold values and goes nowhere.
pub(crate) fn fault(error: &DataFusionError) -> WorkerFault {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => WorkerFault::Memory,
        DataFusionError::IoError(_) | DataFusionError::ObjectStore(_) | DataFusionError::ParquetError(_) => {
            WorkerFault::Data
        }
        _ => WorkerFault::Execution,
    }
}
