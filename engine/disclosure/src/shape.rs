//! What a result looks like, as far as disclosure control needs to know.

use engine_protocol::TableColumnKind;

/// The shape of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The group keys.
    pub keys: Vec<KeyShape>,
    /// The number of measures that are summed.
    pub measures: usize,
    /// The columns of the result.
    pub outputs: Vec<OutputShape>,
    /// Whether totals over the last keys are asked for as well.
    pub is_rollup: bool,
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

/// One column of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputShape {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub kind: OutputKind,
    /// The unit of a measure.
    pub unit: Option<String>,
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
    /// The sum of a measure with so many decimal places.
    Sum {
        /// The measure's number.
        measure: usize,
        /// Its decimal places.
        scale: u32,
    },
    /// The mean of a measure with so many decimal places.
    Average {
        /// The measure's number.
        measure: usize,
        /// Its decimal places.
        scale: u32,
    },
}

impl OutputKind {
    /// The kind as the released table names it.
    pub(crate) const fn column(self) -> TableColumnKind {
        match self {
            Self::Key(_) => TableColumnKind::Key,
            Self::Rows => TableColumnKind::Rows,
            Self::Persons => TableColumnKind::Persons,
            Self::Sum { .. } => TableColumnKind::Sum,
            Self::Average { .. } => TableColumnKind::Average,
        }
    }
}
