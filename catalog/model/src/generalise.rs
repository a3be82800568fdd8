//! How a column is seen where a permit is for anonymized (匿名化) data.
//!
//! The pseudonymized tier keeps values; the anonymized one sees the same tables through these rules, at every scan, so
//! that neither a condition nor a group nor a sum ever meets the value itself.

use serde::{Deserialize, Serialize};

use crate::class::Class;
use crate::table::{Column, ColumnKind};

/// How a column is seen in the anonymized tier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Generalise {
    /// As it is.
    #[default]
    Keep,
    /// A day becomes the first of its month.
    Month,
    /// A number becomes one of the bands between these ascending cuts; the first and the last band are open.
    Bands(Vec<i64>),
    /// A number above this counts as this.
    Top(i64),
    /// A code that begins with a code of this system is shown as [`OTHER`].
    Rare(String),
    /// The column is not there.
    Withhold,
}

/// What a rare code is shown as.
pub const OTHER: &str = "other";

/// Cuts of a band at most.
pub const MOST_CUTS: usize = 60;

impl Column {
    /// How the column is seen in the anonymized tier: as the catalogue says, and where it says nothing, days as their
    /// months and other exact values not at all.
    pub fn generalised(&self) -> Generalise {
        match (&self.generalise, self.kind) {
            (Some(said), _) => said.clone(),
            (None, ColumnKind::Date) => Generalise::Month,
            // A set of days of a month tells days.
            (None, ColumnKind::Days) => Generalise::Withhold,
            (None, _) if self.class == Class::Exact => Generalise::Withhold,
            (None, _) => Generalise::Keep,
        }
    }

    /// What is wrong with the column's rule, if anything.
    pub(crate) fn generalise_problem(&self) -> Option<&'static str> {
        let is_number = matches!(self.kind, ColumnKind::Int | ColumnKind::Decimal5);
        match self.generalise.as_ref()? {
            Generalise::Keep if self.class == Class::Exact || self.kind == ColumnKind::Date => {
                Some("an exact value and a day are not kept in the anonymized tier")
            }
            Generalise::Month if self.kind != ColumnKind::Date => Some("only a day becomes a month"),
            Generalise::Bands(cuts) if !is_number || !is_ascending(cuts) => {
                Some("bands are of a number, between 1 to 60 ascending cuts")
            }
            Generalise::Top(_) if !is_number || self.class != Class::Measure => {
                Some("only a measure is held at a top")
            }
            Generalise::Rare(_) if self.kind != ColumnKind::String => Some("only a code is rare"),
            Generalise::Withhold if matches!(self.class, Class::Person) => {
                Some("the person stands behind every row and is not withheld")
            }
            _ => None,
        }
    }
}

fn is_ascending(cuts: &[i64]) -> bool {
    (1..=MOST_CUTS).contains(&cuts.len()) && cuts.is_sorted_by(|one, two| one < two)
}
