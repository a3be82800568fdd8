//! What a permit comes down to when a query is vetted: plain values, no policy language.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::calendar::Period;
use crate::manifest::SnapshotId;

/// The tables, columns, period, tier and thresholds that a project may use.
///
/// `policies` makes one from a permit; vetting needs nothing else, so the worker can vet again without Cedar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The project.
    pub project: String,
    /// The snapshot that the permit is pinned to.
    pub snapshot: SnapshotId,
    /// Pseudonymized (仮名化) or anonymized (匿名化) data.
    pub tier: Tier,
    /// Service months that queries may see; rows outside are filtered away.
    pub period: Period,
    /// Columns by table.
    pub tables: BTreeMap<String, BTreeSet<String>>,
    /// The numbers that disclosure control starts from; a permit can only make them stricter.
    pub thresholds: Thresholds,
}

impl Grant {
    /// Says whether the column of the table is granted.
    pub fn allows(&self, table: &str, column: &str) -> bool {
        self.tables.get(table).is_some_and(|columns| columns.contains(column))
    }
}

/// Which form of the data a permit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// 仮名化: names and numbers removed, clinical values kept.
    Pseudonymized,
    /// 匿名化: values generalised as well.
    Anonymized,
}

/// The numbers that disclosure control starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// A published cell has at least so many distinct persons.
    pub persons: u32,
    /// Whether an exact zero is shown.
    pub zero_shown: bool,
}
