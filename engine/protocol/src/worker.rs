//! What the guard asks a worker, and what the worker answers.

use std::collections::BTreeMap;
use std::fmt;

use catalog_model::{ColumnKeys, Excerpt, Grant, Workspace};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::bounded::{bounded, bytes, written};
use crate::evidence::Evidence;

/// Files of one reply at most: one for each bucket.
const MOST_FILES: usize = 65_536;
/// Rows of public figures at most.
const MOST_PUBLIC: usize = 100_000;
/// Keys, and figures, of one row of public figures at most.
const MOST_IN_ROW: usize = 256;

/// One query for one worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerRequest {
    /// The text; the worker vets it again.
    pub sql: String,
    /// What the permit comes down to.
    pub grant: Grant,
    /// The part of the catalogue that the plan needs.
    pub catalogue: Excerpt,
    /// The part of the project's workspace that the plan needs.
    pub workspace: Workspace,
    /// The hash that the worker's own vetting must give.
    pub plan_hash: String,
    /// Persons who opted out; no scan shows them.
    pub excluded: Vec<u32>,
    /// The files of each bucket.
    pub buckets: Vec<BucketSlice>,
    /// How many descriptors follow the request.
    pub descriptors: u32,
    /// How much the query may use.
    pub limits: Limits,
    /// For rows that are kept: how each bucket's file is written. Nothing for a query.
    pub keep: Option<Keep>,
    /// Whether the figures of the query over public tables are asked, and not the cells. Such a request brings no file
    /// about persons, so what its worker says can tell of nobody.
    pub public: bool,
}

/// Public figures for one combination of values of group keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicRow {
    /// For each key that they are looked up by the number of its value in the key's domain.
    #[serde(deserialize_with = "bounded::<_, _, MOST_IN_ROW>")]
    pub key: Vec<u32>,
    /// The figures, scaled by their decimal places.
    #[serde(deserialize_with = "bounded::<_, _, MOST_IN_ROW>")]
    pub figures: Vec<Option<i64>>,
}

/// How rows are written that a project keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// The keys of each bucket's file, in the order of the buckets.
    pub files: Vec<FileKeys>,
    /// Bytes of all files together.
    pub most: u64,
    /// For rows that are provided outside: the key of the pseudonyms that stand for persons. They are one file.
    pub provide: Option<PersonKey>,
}

/// What the person's column is called in rows that are provided outside.
pub const PROVIDED_PERSON: &str = "project_pseudonym";

/// The key of a project's pseudonyms, for one provision. Erased on drop.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct PersonKey([u8; 32]);

impl PersonKey {
    /// Takes a key.
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonKey(..)")
    }
}

/// One bucket's rows as an encrypted file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFile {
    /// The rows.
    pub rows: u64,
    /// The file.
    #[serde(serialize_with = "written", deserialize_with = "bytes")]
    pub bytes: Vec<u8>,
}

/// One bucket's files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketSlice {
    /// Parquet files by table.
    pub tables: BTreeMap<String, Vec<FileSlice>>,
}

/// One Parquet file, which the worker knows by a descriptor and not by a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSlice {
    /// The place of its descriptor among those that follow the request.
    pub descriptor: u32,
    /// Its size.
    pub bytes: u64,
    /// Whether all of its rows are within the permit's period, as the manifest says.
    pub is_within: bool,
    /// The keys of the columns that may be read; none where the file lies in clear.
    pub keys: Option<FileKeys>,
}

/// Unwrapped data keys of one file: of its footer, and of the columns that the permit grants. Erased on drop.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct FileKeys {
    /// What every encrypted piece of the file is bound to.
    pub bound_to: Vec<u8>,
    /// The footer's key.
    pub footer: Vec<u8>,
    /// The columns with their keys.
    pub columns: Vec<(String, Vec<u8>)>,
}

impl FileKeys {
    /// As readers and writers take them.
    pub fn by_column(&self) -> ColumnKeys<'_> {
        let columns = self.columns.iter().map(|(column, key)| (column.as_str(), key.as_slice())).collect();
        ColumnKeys { bound_to: &self.bound_to, footer: &self.footer, columns }
    }
}

impl fmt::Debug for FileKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKeys(..)")
    }
}

/// What a worker says before it is given a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkerHello {
    /// It is locked in.
    Ready,
    /// It cannot be locked in and ends; why.
    Unconfined(String),
}

/// How much a query may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Cells in the answer.
    pub cells: u32,
    /// Bytes of the answer, on the wire and as its reader holds it.
    pub bytes: u32,
    /// Seconds from request to answer.
    pub seconds: u32,
    /// Bytes of memory for the engine's operators.
    pub memory: u64,
    /// Buckets that run at the same time.
    pub threads: u32,
    /// Rows of a bucket that are held as they stand; more of them are grouped by the engine first, which takes longer
    /// and holds less.
    pub single: u32,
}

/// What a worker answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkerReply {
    /// The cells with what stands behind them.
    Evidence(Evidence),
    /// The rows that are kept, one encrypted file for each bucket.
    Kept(#[serde(deserialize_with = "bounded::<_, _, MOST_FILES>")] Vec<KeptFile>),
    /// The figures of the query over public tables.
    Public(#[serde(deserialize_with = "bounded::<_, _, MOST_PUBLIC>")] Vec<PublicRow>),
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
    /// Rows that are provided outside would stand for too few persons.
    FewPersons,
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
            Self::FewPersons => "worker-few-persons",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use catalog_model::{
        Catalogue, CodeList, Grant, Period, SnapshotId, Thresholds, Tier, Workspace, WorkspaceTable,
    };

    use super::{BucketSlice, FileSlice, Limits, WorkerRequest};
    use crate::frame::{read_packed, write_packed};

    /// A kept table as builds wrote it that knew nothing of ages.
    const OLDER: &str = r#"{
        "id": "1", "grant": "g", "lineage": ["person"], "bound": [],
        "columns": [{
            "name": "person_id", "kind": "number32", "is_person": true, "held": ["person"], "told": [],
            "is_column": true, "codes": null, "values": null, "measure": null
        }]
    }"#;

    fn request(table: WorkspaceTable) -> WorkerRequest {
        let period = Period { from: "2022-04".parse().unwrap(), to: "2026-03".parse().unwrap() };
        let list = CodeList { system: "sex".to_owned(), codes: vec!["1".to_owned()] };
        let file = FileSlice { descriptor: 0, bytes: 1, is_within: true, keys: None };
        WorkerRequest {
            sql: "SELECT count(*) AS n FROM ws.cohort".to_owned(),
            grant: Grant {
                project: "p".to_owned(),
                snapshot: SnapshotId::from_digest(&[0; 32]),
                tier: Tier::Pseudonymized,
                period,
                tables: BTreeMap::new(),
                thresholds: Thresholds { persons: 10, zero_shown: true },
            },
            catalogue: Catalogue::builtin().unwrap().excerpt(["person", "care_claim"], &["sex"]),
            workspace: Workspace {
                tables: BTreeMap::from([("cohort".to_owned(), table)]),
                views: Vec::new(),
                lists: BTreeMap::from([("men".to_owned(), list)]),
            },
            plan_hash: String::new(),
            excluded: Vec::new(),
            buckets: vec![BucketSlice { tables: BTreeMap::from([("ws.cohort".to_owned(), vec![file])]) }],
            descriptors: 1,
            limits: Limits { cells: 1, bytes: 1, seconds: 1, memory: 1, threads: 1, single: 1 },
            keep: None,
            public: false,
        }
    }

    #[test]
    fn a_request_over_a_kept_table_arrives_as_it_was_sent() {
        let none: WorkspaceTable = serde_json::from_str(OLDER).unwrap();
        let mut some = none.clone();
        some.ages.insert(65);
        for column in &mut some.columns {
            column.ages.insert(70);
            column.met.insert(75);
        }
        for table in [none, some] {
            let (sent, mut bytes) = (request(table), Vec::new());
            write_packed(&mut bytes, &sent).unwrap();
            assert_eq!(read_packed::<WorkerRequest>(&mut bytes.as_slice(), 1 << 24).unwrap(), sent);
            let written = serde_json::to_string(&sent.workspace).unwrap();
            assert_eq!(serde_json::from_str::<Workspace>(&written).unwrap(), sent.workspace);
        }
    }
}
