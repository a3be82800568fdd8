//! How a project's releases go out: how many, which kinds people look at first, and how many are looked at later.
//!
//! What stands in an application can only be stricter than what holds for everybody.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::fault::{FileFault, FileProblem, Reading};

/// The kinds of outputs that a permit can send to people before they go out: what a column shows, or every output.
pub const OUTPUT_KINDS: [&str; 7] = ["all", "sum", "average", "spread", "quantile", "computed", "many-keys"];

/// The section `[outputs]` of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// Kinds that two reviewers look at before they go out.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub reviewed: BTreeSet<String>,
    /// Releases in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a_day: Option<u32>,
    /// One in so many releases is looked at afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drawn_one_in: Option<u32>,
    /// Points of denied answers in a day, after which nothing more is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    denials_a_day: Option<u32>,
    /// Questions in a day that pick rows by the same terms and other values, at which the steward is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alike_a_day: Option<u32>,
    /// The tables and figures that were planned for publication; a release outside of them is told of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub planned: Vec<Planned>,
}

/// A table or figure that was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// What it is called.
    pub title: String,
    /// The columns that it is made of, as `table.column`; those that only link rows need not be named.
    pub columns: BTreeSet<String>,
}

/// Releases in a day where the application says nothing.
const A_DAY: u32 = 2_000;
/// One in so many is drawn where the application says nothing.
const DRAWN_ONE_IN: u32 = 50;
/// Points of denied answers in a day where the application says nothing: 100 answers that are withheld or stand near
/// an earlier one, or 2,000 questions that are refused.
const DENIALS_A_DAY: u32 = 2_000;
/// Questions in a day that pick rows by the same terms and other values, where the application says nothing.
const ALIKE_A_DAY: u32 = 100;
/// Keys beyond which a table has many.
const MANY_KEYS: usize = 3;

impl Outputs {
    /// Nothing of one's own but kinds that people look at, and what is planned.
    pub(crate) fn written(kinds: Vec<String>, planned: Vec<Planned>) -> Self {
        Self { reviewed: kinds.into_iter().collect(), planned, ..Self::default() }
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn check(&self, reading: Reading<'_>) -> Result<(), FileFault> {
        let unknown = self.reviewed.iter().find(|kind| !OUTPUT_KINDS.contains(&kind.as_str()));
        if let Some(kind) = unknown {
            return Err(reading.fault("outputs.reviewed", FileProblem::Unknown(kind.clone())));
        }
        for planned in &self.planned {
            reading.text("outputs.planned.title", &planned.title)?;
            if planned.columns.is_empty() {
                return Err(reading.fault("outputs.planned.columns", FileProblem::Empty));
            }
            for column in &planned.columns {
                let (table, name) = column.split_once('.').unwrap_or((column, ""));
                reading.name("outputs.planned.columns", table)?;
                reading.name("outputs.planned.columns", name)?;
            }
        }
        Ok(())
    }

    /// How many releases go out in a day.
    pub fn a_day(&self) -> u32 {
        self.a_day.map_or(A_DAY, |number| number.min(A_DAY))
    }

    /// One in so many releases is drawn for a later review.
    pub fn drawn_one_in(&self) -> u64 {
        u64::from(self.drawn_one_in.map_or(DRAWN_ONE_IN, |number| number.clamp(1, DRAWN_ONE_IN)))
    }

    /// Points of denied answers in a day, after which nothing more is answered.
    pub fn denials_a_day(&self) -> u32 {
        self.denials_a_day.map_or(DENIALS_A_DAY, |number| number.min(DENIALS_A_DAY))
    }

    /// Questions in a day that pick rows by the same terms and other values, at which the steward is told.
    pub fn alike_a_day(&self) -> u32 {
        self.alike_a_day.map_or(ALIKE_A_DAY, |number| number.clamp(1, ALIKE_A_DAY))
    }

    /// Whether one planned table has all of these columns, or nothing was planned. A column of a table that the project
    /// made itself is compared by its name.
    pub fn is_planned(&self, columns: &[&str]) -> bool {
        let is_of = |planned: &Planned, column: &str| match column.strip_prefix("ws.") {
            None => planned.columns.contains(column),
            Some(own) => {
                let name = own.rsplit('.').next().unwrap_or(own);
                planned.columns.iter().any(|column| column.rsplit('.').next() == Some(name))
            }
        };
        self.planned.is_empty()
            || self.planned.iter().any(|one| columns.iter().all(|column| is_of(one, column)))
    }

    /// Whether people look at an output before it goes out: one with columns of these kinds and so many keys.
    pub fn is_reviewed<'k>(&self, kinds: impl IntoIterator<Item = &'k str>, keys: usize) -> bool {
        let is_named = |kind: &str| self.reviewed.contains(kind);
        is_named("all") || (is_named("many-keys") && keys > MANY_KEYS) || kinds.into_iter().any(is_named)
    }
}

#[cfg(test)]
mod tests {
    use super::Outputs;

    #[test]
    fn an_application_is_only_stricter() {
        let outputs = |text: &str| toml::from_str::<Outputs>(text).unwrap();
        let none = outputs("");
        assert_eq!((none.a_day(), none.drawn_one_in(), none.denials_a_day()), (2_000, 50, 2_000));
        let looser = outputs("a_day = 9000\ndrawn_one_in = 1000\ndenials_a_day = 9000");
        assert_eq!((looser.a_day(), looser.drawn_one_in(), looser.denials_a_day()), (2_000, 50, 2_000));
        let stricter = outputs("a_day = 0\ndrawn_one_in = 0\ndenials_a_day = 5");
        assert_eq!((stricter.a_day(), stricter.drawn_one_in(), stricter.denials_a_day()), (0, 1, 5));
        let alike = |text: &str| outputs(text).alike_a_day();
        assert_eq!((alike(""), alike("alike_a_day = 900"), alike("alike_a_day = 3")), (100, 100, 3));
    }

    #[test]
    fn a_release_is_within_one_planned_table_or_outside_of_the_plan() {
        let text = "planned = [{ title = \"1\", columns = [\"person.sex\"] }, \
                    { title = \"2\", columns = [\"ndb_receipt.setting\", \"ndb_receipt.total_points\"] }]";
        let outputs: Outputs = toml::from_str(text).unwrap();
        for inside in [&["person.sex"][..], &["ndb_receipt.total_points"], &[], &["ws.mine.setting"]] {
            assert!(outputs.is_planned(inside), "{inside:?}");
        }
        // Two planned tables are not one that crosses them.
        let crossed = ["person.sex", "ndb_receipt.setting"];
        for outside in [&["person.birth_date"][..], &crossed, &["ws.mine.birth_date"]] {
            assert!(!outputs.is_planned(outside), "{outside:?}");
        }
        assert!(Outputs::default().is_planned(&["person.birth_date"]));
    }

    #[test]
    fn kinds_are_sent_to_people() {
        let quantile: Outputs = toml::from_str("reviewed = [\"quantile\"]").unwrap();
        assert!(quantile.is_reviewed(["key", "persons", "quantile"], 1));
        assert!(!quantile.is_reviewed(["key", "persons"], 9));
        let wide: Outputs = toml::from_str("reviewed = [\"many-keys\"]").unwrap();
        assert!(wide.is_reviewed(["persons"], 4) && !wide.is_reviewed(["persons"], 3));
        let all: Outputs = toml::from_str("reviewed = [\"all\"]").unwrap();
        assert!(all.is_reviewed([], 0));
        assert!(!Outputs::default().is_reviewed(["quantile", "all"], 9));
    }
}
