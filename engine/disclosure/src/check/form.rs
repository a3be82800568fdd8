//! The file that `misu check-table` reads, as it is written.

use std::collections::BTreeMap;

use catalog_model::{CountedUnit, Rounding};
use serde::Deserialize;

/// A table made elsewhere, with the tables that were or will be published beside it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableForm {
    /// The rule pack; whoever reads the file finds it.
    #[serde(default)]
    pub(crate) rules: Option<String>,
    pub(crate) dimensions: Vec<DimensionForm>,
    pub(crate) cells: Vec<CellForm>,
    /// What the sums are amounts of, where nobody knows the persons behind them: `oral-external`, `injection`.
    #[serde(default)]
    pub(crate) amount: Option<String>,
    #[serde(default)]
    pub(crate) linked: Vec<TableForm>,
    #[serde(default)]
    pub(crate) rounding: Option<Rounding>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DimensionForm {
    pub(crate) name: String,
    pub(crate) levels: Vec<LevelForm>,
    /// How many live at the place that a level is, where levels are places.
    #[serde(default)]
    pub(crate) populations: BTreeMap<String, u64>,
}

/// A level, or a level that is made up of others.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum LevelForm {
    Plain(String),
    Group { name: String, parts: Vec<LevelForm> },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CellForm {
    #[serde(default)]
    pub(crate) at: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) count: Option<u64>,
    #[serde(default)]
    pub(crate) persons: Option<u64>,
    #[serde(default)]
    pub(crate) facilities: Option<u64>,
    #[serde(default)]
    pub(crate) insurers: Option<u64>,
    #[serde(default)]
    pub(crate) municipalities: Option<u64>,
    #[serde(default)]
    pub(crate) sum: Option<serde_json::Number>,
    #[serde(default)]
    pub(crate) top1: Option<serde_json::Number>,
    #[serde(default)]
    pub(crate) top2: Option<serde_json::Number>,
    #[serde(default)]
    pub(crate) suppressed: bool,
    /// The environment's numbers of the persons behind it, where whoever made the table has them.
    #[serde(default)]
    pub(crate) cohort: Option<Vec<u32>>,
}

impl CellForm {
    /// The insurers and municipalities that the file counts.
    pub(crate) fn units(&self) -> Vec<(CountedUnit, u64)> {
        let counts =
            [(CountedUnit::Insurer, self.insurers), (CountedUnit::Municipality, self.municipalities)];
        counts.into_iter().filter_map(|(unit, count)| Some((unit, count?))).collect()
    }
}

impl LevelForm {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Plain(name) | Self::Group { name, .. } => name,
        }
    }

    pub(crate) fn parts(&self) -> &[Self] {
        match self {
            Self::Plain(_) => &[],
            Self::Group { parts, .. } => parts,
        }
    }

    /// How many levels lie below.
    pub(crate) fn height(&self) -> u32 {
        self.parts().iter().map(|part| part.height() + 1).max().unwrap_or(0)
    }
}
