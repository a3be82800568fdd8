//! The certificate of a release: what the reader may know, and what the board keeps sealed.
//!
//! Both copies stand under one signature: the reader's copy is signed and holds the digest of the board's. The order
//! of the members is the order in their JSON, so that the same certificate has the same bytes; `audit/FORMAT.md`
//! says what each member means.

use serde::{Deserialize, Serialize};

use crate::client::{CellValue, ReleasedTable, TableColumnKind};

/// The version of the form that says so much: the first one says nothing of who was left out, the second nothing of lists.
pub const fn certificate_version(exclusion: Option<&str>, lists: &[String]) -> Option<u32> {
    match (exclusion, lists) {
        (None, []) => Some(1),
        (Some(_), []) => Some(2),
        (Some(_), [_, ..]) => Some(3),
        (None, [_, ..]) => None,
    }
}

/// The reader's copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The version of the form.
    pub version: u32,
    /// When it was signed, as RFC 3339 text.
    pub at: String,
    /// The program and its version.
    pub program: String,
    /// The project.
    pub project: String,
    /// The query that made the table.
    pub query: String,
    /// SHA-256 of the text of the question that the release was made for.
    pub question: String,
    /// The digest of the vetted plan.
    pub plan: String,
    /// The project's lists of codes that the question names, each with the version that was meant: `diabetes@2`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<String>,
    /// The snapshot.
    pub snapshot: String,
    /// Under which state of who opted out it was made, as a keyed digest: two answers on one snapshot with the same one
    /// leave out the same persons. None in the first version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclusion: Option<String>,
    /// The names of the rule packs.
    pub rules: String,
    /// The digest of the rule packs: of one pack that of its text, of several that of a line for each, its name and the
    /// digest of its text (BLAKE3).
    pub rules_digest: String,
    /// Persons who stand behind every value that is shown, at least.
    pub threshold: u32,
    /// What a reader can derive of a hidden count from the table and its margins is an interval whose ends are at least so
    /// far apart. It is found by asking the finished table, up to the rule's own, which is 1 to one less than the
    /// threshold; 0 says nothing.
    pub hidden_interval: u32,
    /// A value may be that of a group that differs from the one asked for by fewer persons than this: it is the one that
    /// was released for that group before.
    pub may_differ_by_fewer_than: u32,
    /// Values of the table, group keys apart.
    pub values: u64,
    /// How many of them are hidden, whatever the rule.
    pub hidden: u64,
    /// Releases in the ledger before this one.
    pub ledger_entries: u64,
    /// The digest of the ledger's last entry then.
    pub ledger_head: String,
    /// The entry of the record that closes the query.
    pub entry: u64,
    /// The hash of that entry as a leaf of the record's tree.
    pub entry_leaf: String,
    /// SHA-256 of the table as JSON without a space and without the certificate.
    pub table: String,
    /// SHA-256 of the board's copy.
    pub board: String,
}

/// The board's copy, sealed beside the release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardCertificate {
    /// The query that made the table.
    pub query: String,
    /// Keeps anybody from guessing the figures behind the digest.
    pub salt: String,
    /// How many values each rule hides by itself; `margins` for the sake of others.
    pub trace: Vec<(String, u64)>,
    /// What stands behind each value.
    pub cells: Vec<crate::EvidenceLine>,
    /// Whether there are more values than lines.
    pub is_cut: bool,
    /// Who was left out; none in the first version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// What the audit beside earlier releases did not take in; none in copies from before it was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beyond: Option<Beyond>,
}

/// Cohorts that an audit of a table beside earlier releases left out, because it takes in only so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beyond {
    /// Of the same rows, the table's own among them: of these it was not asked what they tell nearly, by intervals.
    pub nearly: u64,
    /// Of the same family: of these it was not asked either what follows exactly, they were compared in pairs.
    pub exactly: u64,
}

impl Beyond {
    /// Whether the audit took in the whole family.
    pub const fn is_nothing(self) -> bool {
        self.nearly == 0 && self.exactly == 0
    }

    /// What either of two looks left out.
    #[must_use]
    pub fn or_more(self, other: Self) -> Self {
        Self { nearly: self.nearly.max(other.nearly), exactly: self.exactly.max(other.exactly) }
    }
}

/// Who was left out of an answer, as far as anybody is told: never who, and no small number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The exclusion as the record of the query names it; empty where no list was taken in yet.
    pub exclusion: String,
    /// How many opted out, as a class.
    pub persons: String,
}

impl ReleasedTable {
    /// The bytes that a certificate is about: the table as JSON without a space and without the certificate.
    ///
    /// # Errors
    ///
    /// The text cannot be made.
    pub fn certified(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self.certificate {
            None => serde_json::to_vec(self),
            Some(_) => serde_json::to_vec(&Self { certificate: None, ..self.clone() }),
        }
    }

    /// How many values it has, group keys apart, and how many of them are hidden.
    pub fn values(&self) -> (u64, u64) {
        let is_key =
            |at: usize| self.columns.get(at).is_some_and(|column| column.kind == TableColumnKind::Key);
        let of_row = |row: &'_ Vec<CellValue>| {
            let values = row.iter().enumerate().filter(|(at, _)| !is_key(*at));
            values.fold((0, 0), |(all, hidden), (_, value)| {
                (all + 1, hidden + u64::from(*value == CellValue::Suppressed))
            })
        };
        self.rows.iter().map(of_row).fold((0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1))
    }
}
