//! What stands behind each cell of a query: the contract between worker and disclosure control.
//!
//! A cell is one combination of group values, or a margin: a key that a grouping set leaves out stands at [`TOTAL`].
//! The worker computes every margin from rows of persons, never from other cells, so that the persons of a margin are
//! distinct and its largest contributors are those of the margin. A cell has parts: part 0 is the whole cell, and each
//! condition inside an aggregate (`count(DISTINCT CASE WHEN … THEN person_id END)`, `FILTER`) is a part of its own,
//! with its own persons. A reader can subtract a part from its cell, and parts from each other, so what stands behind
//! the rows outside each condition, and behind the rows that meet exactly some of several, comes with them.

use serde::{Deserialize, Serialize};

use crate::bounded::{bounded, bytes, written};

/// Cells of one query at most; a query may be allowed fewer.
const MOST_CELLS: usize = 100_000;
/// Keys, parts, sums, quantiles and steps of one cell at most.
const MOST_IN_CELL: usize = 256;
/// Combinations of conditions that rows of one cell meet at most.
const MOST_ATOMS: usize = 65_536;

/// Stands for "all values" in a cell's key.
pub const TOTAL: u32 = u32::MAX;

/// The cells and margins of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The cells, each key once.
    #[serde(deserialize_with = "bounded::<_, _, MOST_CELLS>")]
    pub cells: Vec<EvidenceCell>,
}

/// One cell or margin with what stands behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceCell {
    /// For each group key the number of its value in the key's domain; the domain's length stands for "other", and
    /// [`TOTAL`] for all values.
    #[serde(deserialize_with = "bounded::<_, _, MOST_IN_CELL>")]
    pub key: Vec<u32>,
    /// The whole cell, then one part for each condition of the query.
    #[serde(deserialize_with = "bounded::<_, _, MOST_IN_CELL>")]
    pub parts: Vec<EvidencePart>,
    /// For each condition the rows that do not meet it; a sum for each measured column of the query.
    #[serde(deserialize_with = "bounded::<_, _, MOST_IN_CELL>")]
    pub outside: Vec<EvidencePart>,
    /// Where there are several conditions, the rows by which of them they meet.
    #[serde(deserialize_with = "bounded::<_, _, MOST_ATOMS>")]
    pub atoms: Vec<EvidenceAtom>,
}

/// The rows of a cell that meet these conditions and no others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceAtom {
    /// The conditions: bit `n` for condition `n`.
    pub met: u32,
    /// What stands behind the rows; a sum for each measured column of the query.
    pub rows: EvidencePart,
}

/// What stands behind a cell, or behind the rows of it that meet a condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidencePart {
    /// Rows.
    pub rows: u64,
    /// The persons, as a serialized Roaring bitmap of person numbers.
    #[serde(serialize_with = "written", deserialize_with = "bytes")]
    pub persons: Vec<u8>,
    /// How many distinct facilities stand behind the rows, where the rows name one.
    pub facilities: Option<u32>,
    /// How many distinct ones of each unit that the query's rows name: insurers, municipalities.
    #[serde(deserialize_with = "bounded::<_, _, MOST_IN_CELL>")]
    pub units: Vec<u32>,
    /// The sums of the part's measures.
    #[serde(deserialize_with = "bounded::<_, _, MOST_IN_CELL>")]
    pub sums: Vec<SumEvidence>,
    /// The quantiles that are asked of the part.
    #[serde(deserialize_with = "bounded::<_, _, MOST_IN_CELL>")]
    pub quantiles: Vec<QuantileEvidence>,
}

/// One measure's sum in one part of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SumEvidence {
    /// The sum, scaled by the measure's decimal places.
    pub sum: i128,
    /// How many rows have a value.
    pub values: u64,
    /// How many persons have a negative total.
    pub negatives: u64,
    /// The sum of the rows' squares, scaled by twice the decimal places, where variance is asked.
    pub squares: Option<i128>,
    /// The largest total of one person.
    pub top1: i128,
    /// The second largest.
    pub top2: i128,
    /// The largest and second largest total of one facility, where the rows name one.
    pub facility_tops: Option<(i128, i128)>,
}

/// Where a quantile lies, coarser step by step: the gate releases the finest step that enough persons stand behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuantileEvidence {
    /// The steps, from the finest interval to the coarsest; empty where no row has a value.
    #[serde(deserialize_with = "bounded::<_, _, MOST_IN_CELL>")]
    pub steps: Vec<QuantileStep>,
}

/// An interval of values that holds the value at the asked rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuantileStep {
    /// The lowest value of the interval, scaled by the measure's decimal places.
    pub low: i128,
    /// The interval's width, scaled alike.
    pub width: i128,
    /// Distinct persons with a value below the interval.
    pub below: u64,
    /// Distinct persons with a value in it.
    pub within: u64,
    /// Distinct persons with a value above it.
    pub above: u64,
}
