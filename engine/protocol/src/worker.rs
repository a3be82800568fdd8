//! What the guard asks a worker, and what the worker answers.

use std::collections::BTreeMap;

use catalog_model::Grant;
use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;

/// One query for one worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerRequest {
    /// The text; the worker vets it again.
    pub sql: String,
    /// What the permit comes down to.
    pub grant: Grant,
    /// The catalogue's files, as path and text.
    pub catalogue: Vec<(String, String)>,
    /// The hash that the worker's own vetting must give.
    pub plan_hash: String,
    /// Persons who opted out; no scan shows them.
    pub excluded: Vec<u32>,
    /// The files of each bucket.
    pub buckets: Vec<BucketSlice>,
    /// How much the query may use.
    pub limits: Limits,
}

/// One bucket's files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketSlice {
    /// Paths of Parquet files by table.
    pub tables: BTreeMap<String, Vec<String>>,
}

/// How much a query may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Cells in the answer.
    pub cells: u32,
    /// Bytes of the answer.
    pub bytes: u32,
    /// Seconds from request to answer.
    pub seconds: u32,
    /// Bytes of memory for the engine's operators.
    pub memory: u64,
    /// Buckets that run at the same time.
    pub threads: u32,
}

/// What a worker answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkerReply {
    /// The cells with what stands behind them.
    Evidence(Evidence),
    /// Nothing; the asker is told no more than that.
    Failed(WorkerFault),
}

/// Why a worker gives no answer. The word goes into the audit record, not to the asker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkerFault {
    /// The worker's own vetting refused the text or gave another hash.
    Vetting,
    /// A file could not be opened or read.
    Data,
    /// The engine gave an error while running.
    Execution,
    /// The engine needed more memory than it is given.
    Memory,
    /// The engine panicked: a defect.
    Panic,
    /// The answer would have too many cells or bytes.
    TooLarge,
}

impl WorkerFault {
    /// The word for the audit record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vetting => "worker-vetting",
            Self::Data => "worker-data",
            Self::Execution => "worker-execution",
            Self::Memory => "worker-memory",
            Self::Panic => "worker-panic",
            Self::TooLarge => "worker-too-large",
        }
    }
}
