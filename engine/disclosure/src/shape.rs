//! What a result looks like, as far as disclosure control needs to know.

use std::collections::BTreeMap;

use catalog_model::CountedUnit;
use engine_protocol::{Post, TableColumnKind};

/// The shape of a result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    /// The group keys.
    pub keys: Vec<KeyShape>,
    /// The grouping sets that are released, each as the set of keys that it groups by: bit `n` for key `n`.
    pub sets: Vec<u32>,
    /// The parts of a cell: the whole, then one for each condition.
    pub parts: Vec<PartShape>,
    /// The aggregates, which the post-program refers to by number.
    pub aggregates: Vec<AggregateShape>,
    /// What is computed from protected aggregates.
    pub post: Post,
    /// Whether every row names a facility, so that evidence without them cannot be used.
    pub has_facility: bool,
    /// The insurers and municipalities that rows name, in the order in which evidence counts them.
    pub units: Vec<CountedUnit>,
    /// Whether a row of no table that names a facility or unit names none. Otherwise whoever names none may be of one.
    pub has_gaps: bool,
    /// Persons of the snapshot, where it is known: no more stand behind all cells together. Their numbers may be higher,
    /// since none is given twice.
    pub persons: Option<u64>,
    /// For each thing that is summed the largest absolute value that one row can have, scaled; where one is missing no
    /// bound is declared.
    pub largest: Vec<i64>,
    /// Persons that cells of a value need where that is more than others need, by key and value; `u32::MAX` where
    /// nothing of it is shown.
    pub least: BTreeMap<(usize, u32), u32>,
    /// Figures of public tables, which the post-program computes with.
    pub public: PublicFigures,
}

/// Figures of public tables by values of group keys. They are no one's secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicFigures {
    /// The group keys that they are looked up by.
    pub keys: Vec<usize>,
    /// By the numbers of the keys' values the figures: whole numbers, each scaled by so many decimal places.
    pub rows: BTreeMap<Vec<u32>, Vec<Option<(i128, u32)>>>,
}

impl PublicFigures {
    /// The figures of a cell.
    pub(crate) fn of(&self, key: &[u32]) -> Option<&[Option<(i128, u32)>]> {
        let by = self.keys.iter().map(|at| key.get(*at).copied()).collect::<Option<Vec<u32>>>()?;
        self.rows.get(&by).map(Vec::as_slice)
    }
}

/// A group key with its declared values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyShape {
    /// Its values, in display order.
    pub values: Vec<KeyLabel>,
}

/// One declared value of a group key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLabel {
    /// The code.
    pub code: String,
    /// The Japanese name.
    pub ja: String,
    /// The English name.
    pub en: String,
}

impl Shape {
    /// How many different things are summed.
    pub(crate) fn summed(&self) -> usize {
        self.parts.iter().flat_map(|part| &part.sums).map(|of| of + 1).max().unwrap_or(0)
    }

    /// Whether the rows of a part are shown.
    pub(crate) fn shows_rows(&self, part: usize) -> bool {
        let mut of_part = self.aggregates.iter().filter(|aggregate| aggregate.part == part);
        of_part.any(|aggregate| matches!(aggregate.kind, AggregateKind::Rows))
    }
}

/// How much evidence a part has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartShape {
    /// For each sum the number of what is summed: sums of several parts that sum the same have the same one.
    pub sums: Vec<usize>,
    /// The number of quantiles.
    pub quantiles: usize,
}

/// One aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregateShape {
    /// The part of the cell that it is taken of.
    pub part: usize,
    /// What is taken.
    pub kind: AggregateKind,
    /// The unit of a measure.
    pub unit: Option<String>,
}

/// What an aggregate takes; a number is that of the sum or quantile in its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateKind {
    /// The number of rows.
    Rows,
    /// The number of distinct persons.
    Persons,
    /// The sum of a measure with so many decimal places.
    Sum {
        /// The sum's number.
        at: usize,
        /// The measure's decimal places.
        scale: u32,
    },
    /// The mean of a measure with so many decimal places.
    Average {
        /// The sum's number.
        at: usize,
        /// The measure's decimal places.
        scale: u32,
    },
    /// The sample variance of a measure with so many decimal places.
    Variance {
        /// The sum's number.
        at: usize,
        /// The measure's decimal places.
        scale: u32,
        /// Whether its square root is taken.
        is_root: bool,
    },
    /// A quantile of a measure with so many decimal places.
    Quantile {
        /// The quantile's number.
        at: usize,
        /// The measure's decimal places.
        scale: u32,
    },
}

impl AggregateKind {
    /// The kind as the released table names it.
    pub(crate) const fn column(self) -> TableColumnKind {
        match self {
            Self::Rows => TableColumnKind::Rows,
            Self::Persons => TableColumnKind::Persons,
            Self::Sum { .. } => TableColumnKind::Sum,
            Self::Average { .. } => TableColumnKind::Average,
            Self::Variance { .. } => TableColumnKind::Spread,
            Self::Quantile { .. } => TableColumnKind::Quantile,
        }
    }
}
