//! What the guard asks a worker, and what the worker answers.

use std::collections::BTreeMap;

use catalog_model::Grant;
use serde::{Deserialize, Serialize};

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

/// The cells of a query at its finest grouping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The cells, each key once.
    pub cells: Vec<EvidenceCell>,
}

/// One cell with what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceCell {
    /// For each group key the number of its value in the key's domain; the domain's length stands for "other".
    pub key: Vec<u32>,
    /// Rows.
    pub rows: u64,
    /// The persons, as a serialized Roaring bitmap of person numbers.
    pub persons: Vec<u8>,
    /// The sums of the measures.
    pub sums: Vec<SumEvidence>,
}

/// One measure's sum in one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SumEvidence {
    /// The sum, scaled by the measure's decimal places.
    pub sum: i128,
    /// How many rows have a value.
    pub values: u64,
    /// The largest total of one person.
    pub top1: i128,
    /// The second largest.
    pub top2: i128,
}
