//! The quality report: what became of every delivered line, and how well identities are covered and linked.
//!
//! The data types stand here, apart from the code that reads identities, so that any program can read a report that
//! `misu-ingest` wrote. [`text`] is for a terminal, [`page`] a page that needs nothing else.

mod chart;
mod page;
pub mod profile;
mod rows;
mod summary;
mod text;
mod trend;
mod truth;
mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use page::{PageError, page};
pub use text::text;
pub use truth::{MethodQuality, TruthQuality};
pub(crate) use words::{conflict, database, rule};

/// The quality of what lies in an environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// The snapshot that the report is about.
    pub snapshot: Option<String>,
    /// Linked persons in the snapshot.
    pub persons: u64,
    /// Rows by table.
    pub tables: BTreeMap<String, u64>,
    /// All deliveries together.
    pub total: LineAccount,
    /// Each delivery.
    pub deliveries: Vec<DeliveryQuality>,
    /// What linking found.
    pub linkage: LinkageQuality,
    /// How well the linkage agrees with the truth, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truth: Option<TruthQuality>,
    /// What the staged rows are like, where they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<profile::Profile>,
}

/// One delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryQuality {
    /// The holder's name for it.
    pub name: String,
    /// The database.
    pub database: String,
    /// The month it is for.
    pub month: String,
    /// The sum over its files.
    pub total: LineAccount,
    /// Each file.
    pub files: Vec<FileQuality>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileQuality {
    /// The path below the delivery.
    pub path: String,
    /// The layout.
    pub family: String,
    /// What became of its lines.
    #[serde(flatten)]
    pub account: LineAccount,
}

/// What became of lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineAccount {
    /// Lines read.
    pub read: u64,
    /// Lines stored.
    pub stored: u64,
    /// Lines dropped by class, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Lines in quarantine, by kind.
    pub quarantined: BTreeMap<String, u64>,
    /// Whether read = stored + dropped + quarantined.
    pub closes: bool,
}

/// What linking found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkageQuality {
    /// The name of the result, made from its inputs.
    pub run: String,
    /// Identities, as distinct key sets per part of a delivery.
    pub mentions: u64,
    /// Clusters, which are the persons of the next publish.
    pub persons: u64,
    /// What each scheme contributed.
    pub schemes: Vec<SchemeQuality>,
    /// Distinct key sets over all parts.
    #[serde(default)]
    pub profiles: u64,
    /// What each rule contributed, in the order in which they are tried.
    #[serde(default)]
    pub rules: Vec<RuleQuality>,
    /// Keys whose holders stay apart, by kind.
    #[serde(default)]
    pub conflicts: BTreeMap<String, u64>,
    /// Persons by the number of their key sets.
    #[serde(default)]
    pub sizes: BTreeMap<u32, u64>,
    /// What the figures above let one expect of errors.
    #[serde(default)]
    pub estimate: LinkageEstimate,
}

/// What one rule contributed to linking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleQuality {
    /// The rule.
    pub rule: String,
    /// Joins of groups that were apart until then.
    pub joins: u64,
    /// Persons in whose making it had a part.
    pub persons: u64,
}

/// What is known of errors without the truth: upper ends, not findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkageEstimate {
    /// Persons who may be two: joined on one card in sequence, or on a given name with a place.
    pub perhaps_merged: u64,
    /// Persons who may be a part of one: they hold a key that others hold, too, and stay apart from them.
    pub perhaps_split: u64,
}

/// What one identity scheme contributed to linking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemeQuality {
    /// The scheme.
    pub scheme: String,
    /// Identities that carry a key of it.
    pub mentions: u64,
    /// Distinct keys.
    pub keys: u64,
    /// Keys that several persons have.
    #[serde(default)]
    pub shared: u64,
    /// Persons who have a key of it.
    #[serde(default)]
    pub persons: u64,
    /// Persons who have several.
    #[serde(default)]
    pub several: u64,
}

#[cfg(test)]
mod tests {
    use super::{
        DeliveryQuality, FileQuality, LineAccount, LinkageEstimate, LinkageQuality, Quality, RuleQuality,
        SchemeQuality,
    };

    pub(super) fn account(stored: u64, dropped: u64, quarantined: &[(&str, u64)]) -> LineAccount {
        let dropped = [("header: its fields go into the rows of every receipt".to_owned(), dropped)];
        let quarantined: Vec<(String, u64)> =
            quarantined.iter().map(|(kind, lines)| ((*kind).to_owned(), *lines)).collect();
        let held: u64 = quarantined.iter().map(|(_, lines)| lines).sum();
        LineAccount {
            read: stored + dropped[0].1 + held,
            stored,
            dropped: dropped.into(),
            quarantined: quarantined.into_iter().collect(),
            closes: true,
        }
    }

    fn delivery(database: &str, month: &str, account: LineAccount) -> DeliveryQuality {
        let file =
            FileQuality { path: "a.csv".to_owned(), family: database.to_owned(), account: account.clone() };
        DeliveryQuality {
            name: format!("{database}-{month}"),
            database: database.to_owned(),
            month: month.to_owned(),
            total: account,
            files: vec![file],
        }
    }

    pub(super) fn sample() -> Quality {
        let scheme = |scheme: &str, mentions, keys, several| SchemeQuality {
            scheme: scheme.to_owned(),
            mentions,
            keys,
            shared: 2,
            persons: keys - several,
            several,
        };
        Quality {
            snapshot: Some("5a5a5a5a".to_owned()),
            persons: 1_234,
            tables: [("ndb_receipt".to_owned(), 98_765), ("person".to_owned(), 1_234)].into(),
            total: account(1_210_000, 4_100, &[("columns", 7), ("duplicate", 50)]),
            deliveries: vec![
                delivery("ndb", "2024-04", account(700_000, 2_000, &[("columns", 7), ("duplicate", 50)])),
                delivery("ndb", "2024-05", account(500_000, 2_000, &[])),
                delivery("care", "2024-04", account(10_000, 100, &[])),
            ],
            linkage: LinkageQuality {
                run: "ab12".to_owned(),
                mentions: 20_000,
                persons: 1_234,
                schemes: vec![scheme("id1", 18_000, 1_300, 900), scheme("care", 200, 180, 20)],
                profiles: 2_500,
                rules: vec![RuleQuality { rule: "name-and-card".to_owned(), joins: 1_100, persons: 800 }],
                conflicts: [("twins".to_owned(), 3)].into(),
                sizes: [(1, 400), (3, 600), (9, 234)].into(),
                estimate: LinkageEstimate { perhaps_merged: 17, perhaps_split: 6 },
            },
            truth: None,
            profile: None,
        }
    }

    #[test]
    fn a_report_reads_back_from_json() {
        let text = serde_json::to_string(&sample()).unwrap();
        assert_eq!(serde_json::from_str::<Quality>(&text).unwrap(), sample());
    }
}
