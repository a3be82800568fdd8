//! A query that passed every rule: the only thing that may be executed.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::CountedUnit;
use datafusion_expr::LogicalPlan;
use engine_protocol::Post;

use crate::domain::KeyDomain;

/// A vetted query with its evidence plan. It has one maker, [`crate::vet()`], and private fields.
#[derive(Clone, Debug)]
pub struct VettedPlan {
    pub(crate) sql: String,
    pub(crate) shape: PlanShape,
    pub(crate) evidence: LogicalPlan,
    /// The evidence without the facility and the units that go along.
    pub(crate) asked: LogicalPlan,
    pub(crate) public: Option<LogicalPlan>,
    pub(crate) used: BTreeMap<String, BTreeSet<String>>,
    pub(crate) lineage: BTreeSet<String>,
    pub(crate) systems: BTreeSet<String>,
    pub(crate) key_systems: Vec<Option<String>>,
    pub(crate) key_ages: Vec<bool>,
    pub(crate) hash: String,
}

/// What a vetted query gives, apart from how it is executed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanShape {
    /// The group keys.
    pub keys: Vec<KeyColumn>,
    /// The grouping sets that are asked, each as the set of keys that it groups by: bit `n` for key `n`.
    pub sets: Vec<u32>,
    /// The conditional parts beside the whole cell, as text; part `n` of a cell is condition `n - 1`.
    pub conditions: Vec<String>,
    /// The measures that are summed.
    pub measures: Vec<MeasureColumn>,
    /// The column whose quantiles are asked.
    pub ranked: Option<RankedColumn>,
    /// Whether the rows name a facility.
    pub has_facility: bool,
    /// The units beside the facility that rows name: insurers, municipalities.
    pub units: Vec<CountedUnit>,
    /// Whether rows may name no facility and no unit since no row of a table that does stands behind them. Rows of such
    /// a table that have no number then name one of their own.
    pub has_gaps: bool,
    /// The aggregates, which the post-program refers to by number.
    pub aggregates: Vec<Aggregate>,
    /// What is computed from protected aggregates.
    pub post: Post,
    /// The public figures that it is computed with, if it is.
    pub public: Option<PublicShape>,
}

/// Figures of public tables that a result is computed with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicShape {
    /// The group keys that they are looked up by.
    pub keys: Vec<usize>,
    /// The decimal places of each.
    pub scales: Vec<u32>,
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
    /// The table and column, or what it is made of.
    pub column: String,
    /// The part whose rows are summed.
    pub part: usize,
    /// The number of what is summed: measures of several parts that sum the same have the same one.
    pub of: usize,
    /// Decimal places of the summed numbers: 0 or 5.
    pub scale: u32,
    /// The largest absolute value that one row can contribute, scaled.
    pub largest: i64,
    /// Whether squares are summed as well.
    pub squares: bool,
    /// The unit of the measure.
    pub unit: Option<String>,
}

/// The column whose quantiles are asked; a query asks those of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankedColumn {
    /// The part whose rows are ranked.
    pub part: usize,
    /// Decimal places of its values: 0 or 5.
    pub scale: u32,
    /// The asked ranks, in thousandths.
    pub ranks: Vec<u32>,
    /// The largest absolute value, scaled.
    pub largest: i64,
    /// The unit of the measure.
    pub unit: Option<String>,
}

/// One aggregate of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// The part of the cell that it is taken of.
    pub part: usize,
    /// What is taken.
    pub kind: AggregateKind,
}

/// What an aggregate takes; a number refers to [`PlanShape::measures`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateKind {
    /// The number of rows.
    Rows,
    /// The number of distinct persons.
    Persons,
    /// The sum of a measure.
    Sum(usize),
    /// The mean of a measure over rows that have it.
    Average(usize),
    /// The sample variance of a measure over rows that have it.
    Variance(usize),
    /// Its square root.
    Deviation(usize),
    /// The quantile of this number in [`RankedColumn::ranks`].
    Quantile(usize),
}

impl VettedPlan {
    /// The text that was vetted.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// What the query gives.
    pub const fn shape(&self) -> &PlanShape {
        &self.shape
    }

    /// The plan that gives one row for each group and person (and facility, unit and ranked value).
    pub const fn evidence(&self) -> &LogicalPlan {
        &self.evidence
    }

    /// The plan over public tables that gives the figures of [`PublicShape`], where there are any.
    pub const fn public(&self) -> Option<&LogicalPlan> {
        self.public.as_ref()
    }

    /// The columns that the query touches, by table.
    pub const fn used(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.used
    }

    /// The catalogue's tables behind everything that is read, those behind the project's own tables among them.
    pub const fn lineage(&self) -> &BTreeSet<String> {
        &self.lineage
    }

    /// The code systems of the columns that the query touches.
    pub const fn systems(&self) -> &BTreeSet<String> {
        &self.systems
    }

    /// For each group key whether it tells ages.
    pub fn key_ages(&self) -> &[bool] {
        &self.key_ages
    }

    /// For each group key the code system of its values, where it is a column as it stands in its table.
    pub fn key_systems(&self) -> &[Option<String>] {
        &self.key_systems
    }

    /// The digest of the evidence plan, the shape, the grant and the catalogue; guard and worker must agree on it.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

impl PlanShape {
    /// The grouping sets whose cells the worker computes: those asked, and where there are several every margin
    /// between them, since totals can be derived from one another.
    pub fn evidence_sets(&self) -> Vec<u32> {
        match self.sets.as_slice() {
            [_] => self.sets.clone(),
            _ => (0..1_u32 << self.keys.len().min(8)).rev().collect(),
        }
    }

    /// How many different things are summed.
    pub fn summed(&self) -> usize {
        self.measures.iter().map(|measure| measure.of + 1).max().unwrap_or(0)
    }

    /// The number of parts of a cell.
    pub const fn parts(&self) -> usize {
        self.conditions.len() + 1
    }
}
