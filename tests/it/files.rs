//! The files of a snapshot in clear, for oracles that hold no key; and the real worker over files: those in clear, or
//! those of the store with the keys that the guard would give.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use catalog_model::{Catalogue, Grant, Workspace};
use catalog_staged::encrypted;
use catalog_store::{Environment, FileKeyring, FileKeys};
use engine_protocol::{BucketSlice, Evidence, FileSlice, Limits, PublicRow, WorkerReply, WorkerRequest};
use engine_service::{WorkerProgram, may_read, wire};
use engine_vet::{FUNCTION_SYSTEMS, VettedPlan};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use crate::demo::program;

/// How an encrypted file is read.
pub(crate) fn options(keys: &FileKeys) -> ArrowReaderOptions {
    encrypted::reading(Some(&keys.by_column())).unwrap()
}

/// Copies the latest snapshot's files in clear into a folder; their paths by bucket and table.
pub(crate) fn in_clear(environment: &Environment, folder: &Path) -> Vec<BTreeMap<String, Vec<PathBuf>>> {
    let (ring, store) = (FileKeyring::new(environment), environment.room("store"));
    let (_, manifest) = environment.snapshots().unwrap().head().unwrap().unwrap();
    let mut buckets: BTreeMap<u32, BTreeMap<String, Vec<PathBuf>>> = BTreeMap::new();
    for (table, entry) in &manifest.body.tables {
        for (number, file) in entry.files.iter().enumerate() {
            // Public tables lie in no bucket; here they are one behind the last.
            let bucket = file.bucket.unwrap_or(u32::MAX);
            let keys = ring.open(file, &|_| true).unwrap().expect("every file of a snapshot is encrypted");
            let source = std::fs::File::open(store.join(&file.path)).unwrap();
            let reader =
                ParquetRecordBatchReaderBuilder::try_new_with_options(source, options(&keys)).unwrap();
            let path = folder.join(format!("{table}-{bucket}-{number}.parquet"));
            let target = std::fs::File::create(&path).unwrap();
            let mut writer = ArrowWriter::try_new(target, reader.schema().clone(), None).unwrap();
            for batch in reader.build().unwrap() {
                writer.write(&batch.unwrap()).unwrap();
            }
            writer.close().unwrap();
            buckets.entry(bucket).or_default().entry(table.clone()).or_default().push(path);
        }
    }
    buckets.into_values().collect()
}

/// The request by which a worker is asked what a vetted plan needs, with room enough for a test.
pub(crate) fn request(plan: &VettedPlan, catalogue: &Catalogue, grant: &Grant) -> WorkerRequest {
    WorkerRequest {
        sql: plan.sql().to_owned(),
        grant: grant.clone(),
        catalogue: catalogue.excerpt(plan.used().keys().map(String::as_str), &FUNCTION_SYSTEMS),
        workspace: Workspace::default(),
        plan_hash: plan.hash().to_owned(),
        excluded: Vec::new(),
        buckets: Vec::new(),
        descriptors: 0,
        limits: LIMITS,
        keep: None,
        public: false,
    }
}

/// Room enough for a test.
pub(crate) const LIMITS: Limits =
    Limits { cells: 1 << 20, bytes: 1 << 30, seconds: 60, memory: 1 << 31, threads: 2, single: u32::MAX };

/// Runs a query over files in clear, by bucket and table, in a worker of its own, locked in as always.
pub(crate) fn evidence(
    worker: &WorkerProgram,
    request: WorkerRequest,
    buckets: &[BTreeMap<String, Vec<PathBuf>>],
) -> Evidence {
    table(reply(worker, request, buckets))
}

/// What a worker says to a request over files in clear, by bucket and table.
pub(crate) fn reply(
    worker: &WorkerProgram,
    mut request: WorkerRequest,
    buckets: &[BTreeMap<String, Vec<PathBuf>>],
) -> WorkerReply {
    let mut files = Vec::new();
    let mut slice = |path: &PathBuf| {
        let bytes = std::fs::metadata(path).unwrap().len();
        files.push(path.clone());
        FileSlice { descriptor: u32::try_from(files.len() - 1).unwrap(), bytes, is_within: false, keys: None }
    };
    for tables in buckets {
        let tables =
            tables.iter().map(|(table, paths)| (table.clone(), paths.iter().map(&mut slice).collect()));
        request.buckets.push(BucketSlice { tables: tables.collect() });
    }
    run(worker, request, files)
}

/// Runs a request over the latest snapshot as it is stored, with the keys that the guard gives for the plan.
pub(crate) fn stored_evidence(
    at: (&WorkerProgram, &Environment, &Catalogue),
    plan: &VettedPlan,
    request: WorkerRequest,
) -> Evidence {
    let grant = request.grant.clone();
    table(stored_reply(at, plan, &grant, request))
}

/// What a worker says to a request over the latest snapshot as it is stored, with the keys that the guard gives under a
/// grant, whatever the request says of it.
pub(crate) fn stored_reply(
    (worker, environment, catalogue): (&WorkerProgram, &Environment, &Catalogue),
    plan: &VettedPlan,
    grant: &Grant,
    mut request: WorkerRequest,
) -> WorkerReply {
    let (ring, store) = (FileKeyring::new(environment), environment.room("store"));
    let (_, manifest) = environment.snapshots().unwrap().head().unwrap().unwrap();
    let (mut buckets, mut files) = (BTreeMap::<u32, BucketSlice>::new(), Vec::new());
    for table in plan.used().keys() {
        // A list of codes has no file.
        if table.starts_with("lists.") {
            continue;
        }
        let definition = &catalogue.tables[table];
        let Some(entry) = manifest.body.tables.get(table) else { continue };
        for file in entry.files_in(grant.period) {
            let may = |column: &str| may_read((definition, column), grant, plan.used());
            let keys = ring.open(file, &may).unwrap();
            let descriptor = u32::try_from(files.len()).unwrap();
            let is_within = entry.is_within(file, definition.period.as_deref(), grant.period);
            let slice = FileSlice { descriptor, bytes: file.bytes, is_within, keys: keys.as_ref().map(wire) };
            let Some(bucket) = file.bucket else { continue };
            buckets.entry(bucket).or_default().tables.entry(table.clone()).or_default().push(slice);
            files.push(store.join(&file.path));
        }
    }
    request.buckets = buckets.into_values().collect();
    run(worker, request, files)
}

/// The figures of public tables that a plan is computed with, by a worker that gets no other file.
pub(crate) fn stored_public(
    (worker, environment, catalogue): (&WorkerProgram, &Environment, &Catalogue),
    plan: &VettedPlan,
    mut request: WorkerRequest,
) -> Vec<PublicRow> {
    let (ring, store) = (FileKeyring::new(environment), environment.room("store"));
    let (_, manifest) = environment.snapshots().unwrap().head().unwrap().unwrap();
    let (mut bucket, mut files) = (BucketSlice::default(), Vec::new());
    for table in plan.used().keys().filter(|table| catalogue.tables[*table].is_open()) {
        let entry = manifest.body.tables.get(table).into_iter();
        for file in entry.flat_map(|entry| entry.files_in(request.grant.period)) {
            let may =
                |column: &str| may_read((&catalogue.tables[table], column), &request.grant, plan.used());
            let keys = ring.open(file, &may).unwrap();
            let descriptor = u32::try_from(files.len()).unwrap();
            let keys = keys.as_ref().map(wire);
            let slice = FileSlice { descriptor, bytes: file.bytes, is_within: false, keys };
            bucket.tables.entry(table.clone()).or_default().push(slice);
            files.push(store.join(&file.path));
        }
    }
    request.buckets = vec![bucket];
    request.public = true;
    match run(worker, request, files) {
        WorkerReply::Public(rows) => rows,
        other => panic!("{other:?}"),
    }
}

fn run(worker: &WorkerProgram, mut request: WorkerRequest, files: Vec<PathBuf>) -> WorkerReply {
    request.descriptors = u32::try_from(files.len()).unwrap();
    worker.run(request, files).unwrap()
}

fn table(reply: WorkerReply) -> Evidence {
    match reply {
        WorkerReply::Evidence(evidence) => evidence,
        other => panic!("{other:?}"),
    }
}

/// The worker that was built beside the command.
pub(crate) fn worker() -> WorkerProgram {
    WorkerProgram::beside(&program("misu")).unwrap()
}
