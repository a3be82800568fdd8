//! Rows that left, and data that were erased: what no release and no snapshot shows.

use serde::{Deserialize, Serialize};

use super::document::Part;
use crate::Language;

/// Rows that two officers let leave, or that were refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// When, as day and minute in Japan.
    pub at: String,
    /// The project.
    pub project: String,
    /// Who got them, and whose rows they can be matched with.
    pub receiver: String,
    /// Each table with its columns.
    pub columns: Vec<String>,
    /// Each table with a class of its rows.
    pub rows: Vec<String>,
    /// The officers.
    pub officers: Vec<String>,
    /// Why nothing left; empty where rows did.
    pub failed: String,
}

/// Data whose keys were destroyed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// When, as day and minute in Japan.
    pub at: String,
    /// The dataset, or one fiscal year of it.
    pub what: String,
    /// Why.
    pub why: String,
    /// The officers.
    pub officers: Vec<String>,
}

/// Rows that left, as a table.
pub(super) fn provisions(provisions: &[Leaving], language: Language) -> Part {
    let w = |ja, en| language.pick(ja, en);
    let row = |one: &Leaving| {
        let outcome = match one.failed.as_str() {
            "" => w("提供", "left").to_owned(),
            reason => format!("{} ({reason})", w("不成立", "nothing left")),
        };
        vec![
            one.at.clone(),
            one.project.clone(),
            outcome,
            one.receiver.clone(),
            one.columns.join(", "),
            one.rows.join(", "),
            one.officers.join(", "),
        ]
    };
    Part::table(
        w("行データの提供", "rows provided"),
        &[
            w("日時", "when"),
            w("課題", "project"),
            w("結果", "outcome"),
            w("提供先", "receiver"),
            w("表と項目*", "tables and columns*"),
            w("行数の区分", "rows"),
            w("承認者", "officers"),
        ],
        provisions.iter().map(row).collect(),
    )
}

/// Data that were erased, as a table.
pub(super) fn erasures(erased: &[Erased], language: Language) -> Part {
    let w = |ja, en| language.pick(ja, en);
    let row = |one: &Erased| vec![one.at.clone(), one.what.clone(), one.why.clone(), one.officers.join(", ")];
    Part::table(
        w("データの消去", "data erased"),
        &[w("日時", "when"), w("対象*", "what*"), w("理由*", "why*"), w("承認者", "officers")],
        erased.iter().map(row).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::{Erased, Leaving, erasures, provisions};
    use crate::Language;
    use crate::board::Part;

    fn rows(part: Part) -> Vec<String> {
        let Part::Table(listing) = part else { panic!("no table") };
        listing.rows.iter().map(|row| row.join(" | ")).collect()
    }

    #[test]
    fn what_left_and_what_was_erased_is_told_with_who_agreed() {
        let officers = vec!["ichiro".to_owned(), "jiro".to_owned()];
        let left = Leaving {
            at: "2026-11-22 10:00".to_owned(),
            project: "demo".to_owned(),
            receiver: "project demo".to_owned(),
            columns: vec!["ws.cohort sex".to_owned()],
            rows: vec!["ws.cohort 10 to 99".to_owned()],
            officers: officers.clone(),
            failed: String::new(),
        };
        let failed = Leaving {
            at: "2026-11-22 11:00".to_owned(),
            project: "demo".to_owned(),
            receiver: "project demo".to_owned(),
            failed: "no-rows".to_owned(),
            ..Leaving::default()
        };
        assert_eq!(
            rows(provisions(&[left, failed], Language::English)),
            [
                "2026-11-22 10:00 | demo | left | project demo | ws.cohort sex | ws.cohort 10 to 99 | ichiro, jiro",
                "2026-11-22 11:00 | demo | nothing left (no-rows) | project demo |  |  | ",
            ]
        );
        let erased = Erased {
            at: "2026-11-22 12:00".to_owned(),
            what: "ndb of 2023".to_owned(),
            why: "contract".to_owned(),
            officers,
        };
        assert_eq!(
            rows(erasures(&[erased], Language::Japanese)),
            ["2026-11-22 12:00 | ndb of 2023 | contract | ichiro, jiro"]
        );
    }
}
