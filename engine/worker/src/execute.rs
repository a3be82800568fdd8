//! From request to reply.

use std::future::Future;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;
use engine_protocol::{
    BucketSlice, Evidence, Keep, KeptFile, PersonKey, PublicRow, WorkerFault, WorkerReply, WorkerRequest,
};
use engine_vet::{NotVetted, Scope, Statement, VettedPlan, VettedRows, vet_statement};
use futures::StreamExt as _;

use crate::accumulate::Cells;
use crate::confine::Confined;
use crate::files::Descriptors;
use crate::ground::{Ground, Sources};
use crate::rows::{Form, KeyNumbers, Rows};
use crate::{keep, provide, public};

const STACK: usize = 64 << 20;

/// Runs one query to its end, in a process that is locked in.
pub fn run(_confined: &Confined, request: &WorkerRequest, files: Descriptors) -> WorkerReply {
    answer(request, files).unwrap_or_else(WorkerReply::Failed)
}

fn answer(request: &WorkerRequest, files: Descriptors) -> Result<WorkerReply, WorkerFault> {
    let catalogue = request.catalogue.catalogue();
    let scope = Scope { catalogue: &catalogue, grant: &request.grant };
    let statement = vet_statement(&request.sql, scope, &request.workspace);
    let statement = statement.map_err(|not_vetted| match not_vetted {
        NotVetted::Refused(_) | NotVetted::Denied(_) => WorkerFault::Vetting,
        NotVetted::NoStack => WorkerFault::Memory,
    })?;
    let ground = Ground::new(catalogue, request, files)?;
    match (statement, &request.keep) {
        (Statement::Query(plan), None) if plan.hash() == request.plan_hash => match request.public {
            true => figures(*plan, ground, request).map(WorkerReply::Public),
            false => evidence(*plan, ground, request).map(WorkerReply::Evidence),
        },
        (Statement::Table(rows), Some(keep)) if rows.hash() == request.plan_hash => {
            let files = match &keep.provide {
                Some(key) => provided(*rows, ground, request, (keep, key)).map(|file| vec![file]),
                None => kept(*rows, ground, request, keep),
            };
            files.map(WorkerReply::Kept)
        }
        _ => Err(WorkerFault::Vetting),
    }
}

/// The cells of all buckets.
fn evidence(plan: VettedPlan, ground: Ground, request: &WorkerRequest) -> Result<Evidence, WorkerFault> {
    let shape = plan.shape().clone();
    let numbers = shape.keys.iter().map(|key| KeyNumbers::new(&key.domain)).collect();
    let single = usize::try_from(request.limits.single).unwrap_or(usize::MAX);
    let query = Arc::new(Query { plan, ground, numbers, most: request.limits.cells, single });
    let threads = request.limits.threads.max(1);
    let cells = by_bucket(together(&request.buckets, threads), threads, |_, bucket| {
        let query = Arc::clone(&query);
        async move { query.bucket(&bucket).await }
    });
    let cells = cells?.into_iter().map(|(_, cells)| cells).collect();
    Cells::evidence(cells, &shape, (request.limits.cells, threads))
}

/// The figures of the plan's query over public tables, whose files are one bucket.
fn figures(plan: VettedPlan, ground: Ground, request: &WorkerRequest) -> Result<Vec<PublicRow>, WorkerFault> {
    let [_] = request.buckets.as_slice() else { return Err(WorkerFault::Data) };
    let asked = Arc::new((plan, ground));
    let found = by_bucket(request.buckets.clone(), 1, |_, bucket| {
        let asked = Arc::clone(&asked);
        async move {
            let (plan, ground) = asked.as_ref();
            let mut batches = ground.stream(&bucket, &|source| plan.public_over(source)).await?;
            let mut rows = Vec::new();
            while let Some(batch) = batches.next().await {
                public::push(&batch.map_err(|error| fault(&error))?, plan.shape(), &mut rows)?;
            }
            Ok(rows)
        }
    });
    Ok(found?.into_iter().flat_map(|(_, rows)| rows).collect())
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
    let threads = request.limits.threads.max(1);
    let mut files = by_bucket(request.buckets.clone(), threads, |number, bucket| {
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

/// All rows as one file, with pseudonyms in the place of persons.
fn provided(
    rows: VettedRows,
    ground: Ground,
    request: &WorkerRequest,
    (keep, key): (&Keep, &PersonKey),
) -> Result<KeptFile, WorkerFault> {
    let [keys] = keep.files.as_slice() else { return Err(WorkerFault::Data) };
    let form = provide::Form::new(rows.columns(), key, request.grant.thresholds)?;
    let schema = engine_vet::workspace_fields(rows.columns());
    let table = Arc::new((rows, ground, keep::Room::new(Arc::clone(&schema), keep.most)));
    let threads = request.limits.threads.max(1);
    let mut gathered = by_bucket(request.buckets.clone(), threads, |_, bucket| {
        let table = Arc::clone(&table);
        async move {
            let (rows, ground, room) = table.as_ref();
            let stream = ground.stream(&bucket, &|source| rows.rows_over(source)).await?;
            room.gather(stream).await
        }
    })?;
    gathered.sort_by_key(|(number, _)| *number);
    let batches: Vec<RecordBatch> = gathered.into_iter().flat_map(|(_, batches)| batches).collect();
    provide::file((&schema, &batches), &form, keys)
}

/// Buckets of so many bytes are read in one plan, since planning costs as much as reading a few megabytes.
const TOGETHER: u64 = 32 << 20;

/// Small buckets put together, but not into fewer than there are threads: what must hold is that all rows of a person
/// are read by one plan.
fn together(buckets: &[BucketSlice], threads: u32) -> Vec<BucketSlice> {
    let bytes = |bucket: &BucketSlice| bucket.tables.values().flatten().map(|file| file.bytes).sum::<u64>();
    let share = buckets.iter().map(bytes).sum::<u64>().div_ceil(u64::from(threads)).min(TOGETHER);
    let mut runs: Vec<BucketSlice> = Vec::new();
    let mut room = 0;
    for bucket in buckets {
        let bytes = bytes(bucket);
        match runs.last_mut().filter(|_| bytes <= room) {
            Some(run) => {
                for (table, files) in &bucket.tables {
                    run.tables.entry(table.clone()).or_default().extend(files.iter().cloned());
                }
                room -= bytes;
            }
            None => {
                runs.push(bucket.clone());
                room = share.saturating_sub(bytes);
            }
        }
    }
    runs
}

/// Runs every bucket, at most as many at a time as there are threads; what each gives, with its number.
fn by_bucket<T: Send + 'static, F: Future<Output = Result<T, WorkerFault>> + Send + 'static>(
    buckets: Vec<BucketSlice>,
    threads: u32,
    run: impl Fn(usize, BucketSlice) -> F,
) -> Result<Vec<(usize, T)>, WorkerFault> {
    let threads = threads as usize;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        // Plans are as deep as their text; the optimizer descends them.
        .thread_stack_size(STACK)
        .build()
        .map_err(|_| WorkerFault::Execution)?;
    let runs = buckets.into_iter().enumerate().map(|(number, bucket)| {
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
    /// Rows that are held as they stand.
    single: usize,
}

impl Query {
    async fn bucket(&self, bucket: &BucketSlice) -> Result<Cells, WorkerFault> {
        let rows = match self.rows(bucket, Form::Single).await? {
            Some(rows) => rows,
            None => self.rows(bucket, Form::Grouped).await?.ok_or(WorkerFault::TooLarge)?,
        };
        Cells::of(&rows, self.plan.shape(), self.most)
    }

    /// The bucket's rows; nothing where those as they stand are too many to hold.
    async fn rows(&self, bucket: &BucketSlice, form: Form) -> Result<Option<Rows>, WorkerFault> {
        let over = |source: &Sources<'_>| match form {
            Form::Grouped => self.plan.evidence_over(source),
            Form::Single => self.plan.rows_over(source),
        };
        let mut batches = self.ground.stream(bucket, &over).await?;
        let shape = self.plan.shape();
        let mut rows = Rows::new(shape, form);
        while let Some(batch) = batches.next().await {
            rows.push(&batch.map_err(|error| fault(&error))?, shape, &self.numbers)?;
            if form == Form::Single && rows.len() > self.single {
                return Ok(None);
            }
        }
        Ok(Some(rows))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use engine_protocol::{BucketSlice, FileSlice};

    use super::{TOGETHER, together};

    fn buckets(bytes: &[u64]) -> Vec<BucketSlice> {
        let file = |(bytes, descriptor): (&u64, u32)| FileSlice {
            descriptor,
            bytes: *bytes,
            is_within: false,
            keys: None,
        };
        let files = bytes.iter().zip(0..).map(file);
        files.map(|file| BucketSlice { tables: BTreeMap::from([("t".to_owned(), vec![file])]) }).collect()
    }

    fn descriptors(runs: &[BucketSlice]) -> Vec<Vec<u32>> {
        runs.iter().map(|run| run.tables["t"].iter().map(|file| file.descriptor).collect()).collect()
    }

    #[test]
    fn small_buckets_are_read_together_and_every_thread_has_work() {
        let runs = |bytes: &[u64], threads| descriptors(&together(&buckets(bytes), threads));
        assert_eq!(runs(&[1; 6], 2), [vec![0, 1, 2], vec![3, 4, 5]]);
        assert_eq!(runs(&[1; 3], 4), [[0], [1], [2]]);
        assert_eq!(runs(&[TOGETHER / 2; 5], 1), [vec![0, 1], vec![2, 3], vec![4]]);
        assert_eq!(runs(&[TOGETHER * 2; 3], 2), [[0], [1], [2]]);
        assert_eq!(runs(&[0; 4], 2), [[0, 1, 2, 3]]);
        assert_eq!(runs(&[], 2), Vec::<Vec<u32>>::new());
    }
}
