//! A query that passed every rule: the only thing that may be executed.

use std::collections::{BTreeMap, BTreeSet};

use datafusion_expr::LogicalPlan;

use crate::domain::KeyDomain;

/// A vetted query with its evidence plan. It has one maker, [`crate::vet()`], and private fields.
#[derive(Clone, Debug)]
pub struct VettedPlan {
    pub(crate) sql: String,
    pub(crate) keys: Vec<KeyColumn>,
    pub(crate) measures: Vec<MeasureColumn>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) is_rollup: bool,
    pub(crate) evidence: LogicalPlan,
    pub(crate) used: BTreeMap<String, BTreeSet<String>>,
    pub(crate) hash: String,
}

/// A group key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// Its name in the result.
    pub name: String,
    /// Its values.
    pub domain: KeyDomain,
}

/// A measure that is summed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasureColumn {
    /// The table and column.
    pub column: String,
    /// Decimal places of the summed numbers: 0 or 5.
    pub scale: u32,
    /// The largest absolute value that one row can contribute, scaled.
    pub largest: i64,
    /// The unit of the measure.
    pub unit: Option<String>,
}

/// One column of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub kind: OutputKind,
}

/// What a column of the result shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// The group key of this number.
    Key(usize),
    /// The number of rows.
    Rows,
    /// The number of distinct persons.
    Persons,
    /// The sum of the measure of this number.
    Sum(usize),
    /// The mean of the measure of this number over rows that have it.
    Average(usize),
}

impl VettedPlan {
    /// The text that was vetted.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The group keys.
    pub fn keys(&self) -> &[KeyColumn] {
        &self.keys
    }

    /// The measures that are summed.
    pub fn measures(&self) -> &[MeasureColumn] {
        &self.measures
    }

    /// The columns of the result, in order.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Whether totals over the last keys are asked for as well (`GROUP BY ROLLUP`).
    pub const fn is_rollup(&self) -> bool {
        self.is_rollup
    }

    /// The plan that gives one row for each group and person.
    pub const fn evidence(&self) -> &LogicalPlan {
        &self.evidence
    }

    /// The columns that the query touches, by table.
    pub const fn used(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.used
    }

    /// The digest of the evidence plan, the grant and the catalogue; guard and worker must agree on it.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}
