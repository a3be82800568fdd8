//! Figures of the catalogue: how a column's values are spread and how many rows have none, as a released table.
//!
//! A figure is the answer to one question, and which question that is, is said here once: whoever shows a figure shows
//! the answer to this question, and the guard holds it against what was asked. The rows of the question stand in one
//! table with their total, so that they are protected together.

use serde::{Deserialize, Serialize};

use crate::client::{CatalogueTable, ReleasedTable};

impl CatalogueTable {
    /// The question whose answer is the figure of a column; none where nothing of the column may be counted.
    pub fn figure(&self, column: &str) -> Option<String> {
        let column = self.columns.iter().find(|of| of.name == column)?;
        let (table, name) = (&self.name, &column.name);
        let has_persons = self.columns.iter().any(|of| of.class == "person");
        let persons = if has_persons { "count(DISTINCT person_id) AS persons, " } else { "" };
        let counts = format!("{persons}count(*) AS rows, count(*) FILTER (WHERE {name} IS NULL) AS missing");
        match column.usage.as_str() {
            "filter, group" => {
                Some(format!("SELECT {name}, {counts}\nFROM {table}\nGROUP BY ROLLUP ({name})"))
            }
            "filter" | "filter, sum, avg" => Some(format!("SELECT {counts}\nFROM {table}")),
            _ => None,
        }
    }
}

/// A figure of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    /// The column, whose table is the one that was asked for.
    pub column: String,
    /// The day on which it was put into the catalogue.
    pub day: String,
    /// The released table.
    pub released: ReleasedTable,
}

/// A data officer's wish to show a released table as the figure of a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FigureWish {
    /// The data officer.
    pub user: String,
    /// The project to which it was released.
    pub project: String,
    /// The table of the catalogue.
    pub table: String,
    /// The column.
    pub column: String,
    /// The released table, as it was released.
    pub released: ReleasedTable,
}

/// What became of the wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FigureReply {
    /// The catalogue shows it.
    Shown,
    /// The user is no data officer.
    NotAllowed,
    /// The project has no release of exactly this table, or it was called back.
    NotReleased,
    /// The release answers another question than the column's.
    OtherQuestion,
}

#[cfg(test)]
mod tests {
    use crate::client::{CatalogueColumn, CatalogueTable};

    fn table(usages: &[(&str, &str, &str)]) -> CatalogueTable {
        let text = |text: &str| text.to_owned();
        let column = |(name, class, usage): &(&str, &str, &str)| CatalogueColumn {
            name: text(name),
            ja: text(name),
            en: text(name),
            class: text(class),
            kind: text("text"),
            unit: None,
            usage: text(usage),
            note: None,
            codes: Vec::new(),
        };
        CatalogueTable {
            name: text("t"),
            database: text("d"),
            ja: text("t"),
            en: text("t"),
            row: (text("r"), text("r")),
            source: text("s"),
            columns: usages.iter().map(column).collect(),
        }
    }

    #[test]
    fn a_column_that_may_be_a_group_is_spread_and_others_are_counted() {
        let table = table(&[
            ("person_id", "person", "join, count(DISTINCT …)"),
            ("sex", "quasi", "filter, group"),
            ("points", "measure", "filter, sum, avg"),
            ("birth", "exact", "age_band(…)"),
        ]);
        assert_eq!(
            table.figure("sex").unwrap(),
            "SELECT sex, count(DISTINCT person_id) AS persons, count(*) AS rows, \
             count(*) FILTER (WHERE sex IS NULL) AS missing\nFROM t\nGROUP BY ROLLUP (sex)"
        );
        assert_eq!(
            table.figure("points").unwrap(),
            "SELECT count(DISTINCT person_id) AS persons, count(*) AS rows, \
             count(*) FILTER (WHERE points IS NULL) AS missing\nFROM t"
        );
        for nothing in ["person_id", "birth", "absent"] {
            assert_eq!(table.figure(nothing), None, "{nothing}");
        }
    }
}
