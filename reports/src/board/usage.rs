//! Granted beside touched columns: what a project asked for, and what its queries read.

use serde::{Deserialize, Serialize};

use super::document::{Document, Part, figure};
use crate::Language;
use crate::number::{count, share};

/// Granted and touched columns of projects in a period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The first day.
    pub from: String,
    /// The last day.
    pub to: String,
    /// Each project.
    pub projects: Vec<ProjectUsage>,
}

/// One project's columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectUsage {
    /// The project.
    pub project: String,
    /// Its queries that ran.
    pub queries: u64,
    /// Granted tables with their columns.
    pub tables: Vec<TableUsage>,
}

/// One table of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableUsage {
    /// The table.
    pub table: String,
    /// Granted columns, each with the number of queries that read it.
    pub columns: Vec<(String, u64)>,
}

impl TableUsage {
    fn touched(&self) -> u64 {
        self.columns.iter().filter(|(_, queries)| *queries > 0).count() as u64
    }

    fn unused(&self) -> Vec<&str> {
        self.columns.iter().filter(|(_, queries)| *queries == 0).map(|(name, _)| name.as_str()).collect()
    }
}

impl ProjectUsage {
    /// How many columns are granted, and how many of them a query read.
    pub fn sums(&self) -> (u64, u64) {
        let granted = self.tables.iter().map(|table| table.columns.len() as u64).sum();
        (granted, self.tables.iter().map(TableUsage::touched).sum())
    }

    pub(super) fn parts(&self, language: Language) -> Vec<Part> {
        let w = |ja, en| language.pick(ja, en);
        let (granted, touched) = self.sums();
        let row = |table: &TableUsage| {
            let unused = table.unused();
            vec![
                table.table.clone(),
                count(table.columns.len() as u64),
                count(table.touched()),
                share(table.touched(), table.columns.len() as u64),
                if table.touched() == 0 {
                    w("（表全体）", "(the whole table)").to_owned()
                } else {
                    unused.join(", ")
                },
            ]
        };
        vec![
            Part::Figures(vec![
                figure(w("許可された列", "Columns granted"), count(granted)),
                figure(w("照会が読んだ列", "Columns read"), count(touched)),
                figure(w("使われた割合", "Share used"), share(touched, granted)),
                figure(w("実行された照会", "Queries that ran"), count(self.queries)),
            ]),
            Part::table(
                &format!("{} {}", w("列", "columns"), self.project),
                &[
                    w("表", "table"),
                    w("許可#", "granted#"),
                    w("使用#", "read#"),
                    w("割合#", "share#"),
                    w("一度も読まれていない列*", "columns never read*"),
                ],
                self.tables.iter().map(row).collect(),
            ),
        ]
    }
}

impl Usage {
    /// The report in words.
    pub fn document(&self, language: Language) -> Document {
        let w = |ja, en| language.pick(ja, en);
        let subtitle = format!("{} {} {}", self.from, w("〜", "to"), self.to);
        let mut document = Document::new(
            language,
            w("許可された列と使われた列", "Columns granted and columns read"),
            subtitle,
        );
        document.footer = w("misu 利用状況", "misu usage").to_owned();
        let text = w(
            "必要最小限の原則から、読まれていない列は更新の際に申出から除くことを検討する。",
            "By the principle of least data, columns that were never read are candidates for removal at renewal.",
        );
        document.section(w("読み方", "How to read this"), vec![Part::text(text)]);
        for project in &self.projects {
            let heading = format!("{} {}", w("課題", "Project"), project.project);
            document.section(&heading, project.parts(language));
        }
        document
    }
}

#[cfg(test)]
mod tests {
    use super::{ProjectUsage, TableUsage, Usage};
    use crate::Language;

    #[test]
    fn unused_columns_are_named_and_an_unused_table_is_told_as_one() {
        let table = |table: &str, columns: &[(&str, u64)]| TableUsage {
            table: table.to_owned(),
            columns: columns.iter().map(|(name, queries)| ((*name).to_owned(), *queries)).collect(),
        };
        let project = ProjectUsage {
            project: "p".to_owned(),
            queries: 2,
            tables: vec![table("person", &[("sex", 2), ("birth_month", 0)]), table("drug", &[("atc", 0)])],
        };
        assert_eq!(project.sums(), (3, 1));
        let usage = Usage { projects: vec![project], ..Usage::default() };
        let json = usage.document(Language::English).to_json();
        assert!(json.contains("birth_month") && json.contains("(the whole table)"), "{json}");
        assert!(!json.contains("atc"), "{json}");
    }
}
