//! The snapshot manifest: the immutable list of files that a permit is pinned to.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::calendar::Period;

/// A snapshot's id: a digest of its logical content, as 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotId(String);

impl SnapshotId {
    /// Writes 32 digest bytes as an id.
    pub fn from_digest(digest: &[u8; 32]) -> Self {
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Takes an id as text, or nothing where it is not 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex =
            text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        is_hex.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A signed manifest as it lies in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotManifest {
    /// The snapshot's id, which is the digest of the body's logical part.
    pub id: SnapshotId,
    /// The content.
    pub body: ManifestBody,
    /// When it was published, as RFC 3339 text; not part of the id.
    pub published: String,
    /// The snapshot published before, if any; not part of the id.
    pub parent: Option<SnapshotId>,
    /// The public key that signed, hexadecimal Ed25519.
    pub signer: String,
    /// The signature over everything above, hexadecimal Ed25519.
    pub signature: String,
}

/// A manifest's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestBody {
    /// The version of the manifest's own format.
    pub format: u32,
    /// The number of buckets that persons are spread over.
    pub buckets: u32,
    /// The service months that the data cover.
    pub period: Period,
    /// The number of linked persons.
    pub persons: u64,
    /// The versions of the rules that made the content.
    pub versions: Versions,
    /// The tables by name.
    pub tables: BTreeMap<String, TableEntry>,
}

/// The versions of the rules that made a snapshot's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// The digest of the catalogue files.
    pub catalogue: String,
    /// The normalisation profile.
    pub normalisation: String,
    /// The linkage rules.
    pub linkage: String,
}

/// One table's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    /// The digest of the table's Arrow schema and column classes.
    pub schema: String,
    /// The column that the years and months of its files are of; none where the table has no period, and in older
    /// snapshots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_column: Option<String>,
    /// The rows in all files.
    pub rows: u64,
    /// The files, in order of bucket and fiscal year.
    pub files: Vec<FileEntry>,
}

/// One Parquet file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// The path below `store/`.
    pub path: String,
    /// The bucket; none for public tables.
    pub bucket: Option<u32>,
    /// The fiscal year of the table's period column; none where the table has no period.
    pub year: Option<i32>,
    /// The first and the last month of its rows; none where the table has no period, and in older snapshots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub months: Option<Period>,
    /// The rows.
    pub rows: u64,
    /// The size in bytes.
    pub bytes: u64,
    /// The keyed digest of the canonical rows: what the snapshot's id is made of.
    pub content: String,
    /// The BLAKE3 digest of the file's bytes.
    pub blake3: String,
    /// The wrapped data keys by column path; empty while files are stored in clear.
    #[serde(default)]
    pub keys: BTreeMap<String, WrappedKey>,
}

impl TableEntry {
    /// The files that have rows of these months, as far as the manifest says: those whose keys a permit for the period
    /// opens.
    pub fn files_in(&self, period: Period) -> impl Iterator<Item = &FileEntry> {
        self.files.iter().filter(move |file| file.is_in(period))
    }

    /// Whether all rows of a file are of these months by this column, as far as the manifest says.
    pub fn is_within(&self, file: &FileEntry, column: Option<&str>, period: Period) -> bool {
        self.period_column.as_deref() == column && file.is_within(period)
    }
}

impl FileEntry {
    fn is_in(&self, period: Period) -> bool {
        let years = period.from.fiscal_year()..=period.to.fiscal_year();
        self.year.is_none_or(|year| years.contains(&year))
            && self.months.is_none_or(|months| months.overlaps(period))
    }

    /// Whether all of its rows are of these months. Rows without a month lie in files that have none.
    fn is_within(&self, period: Period) -> bool {
        self.months.is_some_and(|months| months.is_within(period))
    }
}

/// A data key, encrypted under a key of the key store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrappedKey {
    /// The id of the key that wraps.
    pub kek: String,
    /// The wrapped bytes, hexadecimal.
    pub wrapped: String,
}

#[cfg(test)]
mod tests {
    use crate::{Month, Period};

    use super::{FileEntry, TableEntry};

    fn period(from: &str, to: &str) -> Period {
        let month = |text: &str| text.parse::<Month>().unwrap();
        Period { from: month(from), to: month(to) }
    }

    fn file(year: Option<i32>, months: Option<Period>) -> FileEntry {
        FileEntry {
            path: String::new(),
            bucket: Some(0),
            year,
            months,
            rows: 1,
            bytes: 1,
            content: String::new(),
            blake3: String::new(),
            keys: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn months_are_of_the_column_that_the_manifest_names() {
        let is_within = |named: Option<&str>, months: Option<Period>, asked: Option<&str>| {
            let table = TableEntry {
                schema: String::new(),
                period_column: named.map(str::to_owned),
                rows: 1,
                files: vec![file(Some(2023), months)],
            };
            table.is_within(&table.files[0], asked, period("2023-04", "2024-03"))
        };
        let (service, months) = (Some("service_month"), Some(period("2023-04", "2023-09")));
        assert!(is_within(service, months, service));
        assert!(!is_within(service, months, Some("claim_month")), "a later catalogue asks another column");
        assert!(!is_within(service, months, None));
        assert!(!is_within(None, months, service), "an older snapshot names none");
        assert!(!is_within(None, None, None), "a table without a period has no months");
    }

    #[test]
    fn a_file_is_in_a_period_by_its_months_or_else_by_its_year() {
        let permit = period("2023-10", "2024-03");
        let early = period("2023-04", "2023-09");
        let found = [(None, None), (Some(2023), None), (Some(2024), None), (Some(2023), Some(early))]
            .map(|(year, months)| file(year, months).is_in(permit));
        assert_eq!(found, [true, true, false, false]);
        assert!(file(Some(2023), Some(early)).is_in(period("2023-09", "2023-09")));
        let is_within = |months: Option<Period>, of: Period| file(Some(2023), months).is_within(of);
        assert!(is_within(Some(early), early) && is_within(Some(early), period("2023-01", "2024-03")));
        assert!(!is_within(Some(early), period("2023-05", "2024-03")), "of its first month nothing is asked");
        assert!(!is_within(Some(early), period("2023-01", "2023-08")), "nor of its last");
        assert!(!is_within(None, period("1900-01", "2100-12")), "nobody says of which months they are");
    }
}
