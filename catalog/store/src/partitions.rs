//! Keys of the parts by which data are erased: a dataset's fiscal year, a delivery.
//!
//! `keys/partitions.json` holds each wrapped under the dataset key; the keys of files are wrapped under these. Whoever
//! destroys one makes its files unreadable, and no others. What was erased stays in the list, so that a file that does
//! not open can say why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use catalog_model::WrappedKey;
use serde::{Deserialize, Serialize};

use crate::keys::{KeyError, KeyId, write_private};

const FILE: &str = "partitions.json";

/// What is erased at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Partition {
    /// Files of snapshots with rows of these databases in one fiscal year.
    Year {
        /// The databases; several where rows are derived from several.
        databases: BTreeSet<String>,
        /// The fiscal year; none for what has no month.
        year: Option<i32>,
    },
    /// The staged rows and identities of one delivery.
    Delivery {
        /// The delivery's id.
        id: String,
    },
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivery { id } => write!(f, "delivery {id}"),
            Self::Year { databases, year } => {
                let names: Vec<&str> = databases.iter().map(String::as_str).collect();
                let names = names.join("+");
                match year {
                    Some(year) => write!(f, "{names} of fiscal year {year}"),
                    None => write!(f, "{names} without a month"),
                }
            }
        }
    }
}

/// That a dataset, or one fiscal year of it, was erased: no snapshot gets rows of it any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// The database.
    pub database: String,
    /// The fiscal year; none for all of them and what has no month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<i32>,
    /// When, as RFC 3339 text.
    pub at: String,
    /// The officers, the one who asked first; nobody where an earlier version did not keep them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
    /// The request that they agreed on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// Why, in the custodian's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl Erasure {
    /// Whether rows of this database and fiscal year are erased.
    pub fn covers(&self, database: &str, year: Option<i32>) -> bool {
        self.database == database && (self.year.is_none() || self.year == year)
    }

    /// Whether the key of this partition goes. What was made after an earlier erasure of the same rows has none of them.
    fn ends(&self, partition: &Partition, before: &[Self]) -> bool {
        let is_gone = |database: &str, year| before.iter().any(|known| known.covers(database, year));
        match partition {
            Partition::Delivery { .. } => false,
            Partition::Year { databases, year } => {
                databases.iter().any(|database| self.covers(database, *year) && !is_gone(database, *year))
            }
        }
    }
}

/// Every partition that there ever was.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Partitions {
    #[serde(default)]
    erasures: Vec<Erasure>,
    #[serde(default)]
    keys: Vec<PartitionKey>,
}

/// The key of a partition: wrapped, or gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartitionKey {
    pub(crate) partition: Partition,
    pub(crate) id: KeyId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wrapped: Option<WrappedKey>,
    /// When it was destroyed, as RFC 3339 text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) erased: Option<String>,
}

impl PartitionKey {
    /// Why it opens nothing.
    pub(crate) fn gone(&self) -> KeyError {
        let at = self.erased.clone().unwrap_or_default();
        KeyError::Erased { what: self.partition.to_string(), at }
    }
}

/// Which file the list is: another program may have put another in its place.
pub(crate) type Stamp = (u64, u64, i64, i64);

/// What changes with the list below `folder`; nothing where there is none yet.
pub(crate) fn stamp(folder: &Path) -> Option<Stamp> {
    let file = std::fs::metadata(folder.join(FILE)).ok()?;
    Some((file.ino(), file.len(), file.mtime(), file.mtime_nsec()))
}

impl Partitions {
    /// Reads the list below `folder`; an environment that has none has no partition.
    pub(crate) fn read(folder: &Path) -> Result<Self, KeyError> {
        let path = folder.join(FILE);
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|_| KeyError::Form(path)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(KeyError::Io { path, source }),
        }
    }

    /// Writes the list below `folder`, at once and down to the disk.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), KeyError> {
        let path = folder.join(FILE);
        let text = serde_json::to_vec_pretty(self).map_err(|_| KeyError::Form(path.clone()))?;
        write_private(&path, &text).map_err(|source| KeyError::Io { path, source })
    }

    /// What was erased.
    pub(crate) fn erasures(&self) -> &[Erasure] {
        &self.erasures
    }

    /// The key of a partition that can be used.
    pub(crate) fn live(&self, partition: &Partition) -> Option<&PartitionKey> {
        self.keys.iter().find(|key| key.wrapped.is_some() && key.partition == *partition)
    }

    /// The key with this id, also one that is gone.
    pub(crate) fn find(&self, id: &str) -> Option<&PartitionKey> {
        self.keys.iter().find(|key| key.id.as_str() == id)
    }

    /// Every key, also those that are gone.
    pub(crate) fn every(&self) -> impl Iterator<Item = &PartitionKey> {
        self.keys.iter()
    }

    /// The keys that are gone.
    pub(crate) fn gone(&self) -> impl Iterator<Item = &PartitionKey> {
        self.keys.iter().filter(|key| key.wrapped.is_none())
    }

    /// The keys that can be used.
    pub(crate) fn live_keys(&mut self) -> impl Iterator<Item = &mut PartitionKey> {
        self.keys.iter_mut().filter(|key| key.wrapped.is_some())
    }

    pub(crate) fn add(&mut self, partition: Partition, id: KeyId, wrapped: WrappedKey) {
        self.keys.push(PartitionKey { partition, id, wrapped: Some(wrapped), erased: None });
    }

    /// Destroys the keys that an erasure ends; their ids. One that is covered already ends none: what lies under keys of
    /// that year by now was made without its rows.
    pub(crate) fn erase(&mut self, erasure: &Erasure) -> Vec<KeyId> {
        let before = self.erasures.clone();
        if before.iter().any(|known| known.covers(&erasure.database, erasure.year)) {
            return Vec::new();
        }
        self.erasures.push(erasure.clone());
        self.destroy(|partition| erasure.ends(partition, &before).then(|| erasure.at.clone()))
    }

    /// How many keys of years an erasure ended.
    pub(crate) fn ended(&self, erasure: &Erasure) -> usize {
        let is_of = |key: &&PartitionKey| {
            matches!(key.partition, Partition::Year { .. }) && key.erased.as_ref() == Some(&erasure.at)
        };
        self.gone().filter(is_of).count()
    }

    /// The deliveries whose staged rows can be read.
    pub(crate) fn staged(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter(|key| key.wrapped.is_some()).filter_map(|key| match &key.partition {
            Partition::Delivery { id } => Some(id.as_str()),
            Partition::Year { .. } => None,
        })
    }

    /// Destroys the keys of these deliveries, each with when it ceased to count; the keys' ids.
    pub(crate) fn erase_staged(&mut self, gone: &BTreeMap<String, String>) -> Vec<KeyId> {
        self.destroy(|partition| match partition {
            Partition::Delivery { id } => gone.get(id).cloned(),
            Partition::Year { .. } => None,
        })
    }

    /// Destroys the keys of the partitions that `ended` says a time of; their ids.
    fn destroy(&mut self, ended: impl Fn(&Partition) -> Option<String>) -> Vec<KeyId> {
        let mut ids = Vec::new();
        for key in self.live_keys() {
            let Some(at) = ended(&key.partition) else { continue };
            key.wrapped = None;
            key.erased = Some(at);
            ids.push(key.id.clone());
        }
        ids
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Erasure, Partition};

    #[test]
    fn a_year_ends_with_its_dataset_or_alone_and_with_everything_derived_from_it() {
        let erasure =
            |database: &str, year| Erasure { database: database.to_owned(), year, ..Erasure::default() };
        let of = |databases: &[&str], year| Partition::Year {
            databases: databases.iter().map(|database| (*database).to_owned()).collect::<BTreeSet<_>>(),
            year,
        };
        let year = erasure("ndb", Some(2023));
        assert!(
            year.ends(&of(&["ndb"], Some(2023)), &[]) && year.ends(&of(&["dpc", "ndb"], Some(2023)), &[])
        );
        assert!(!year.ends(&of(&["ndb"], Some(2024)), &[]) && !year.ends(&of(&["ndb"], None), &[]));
        assert!(!year.ends(&of(&["dpc"], Some(2023)), &[]));
        let whole = erasure("ndb", None);
        assert!([Some(2023), Some(2024), None].iter().all(|year| whole.ends(&of(&["ndb"], *year), &[])));
        assert!(!whole.ends(&Partition::Delivery { id: "ndb".to_owned() }, &[]));
        // What lies under a key of an erased year by now has no row of it, and stays when the rest of the dataset goes.
        let before = [year];
        assert!(!whole.ends(&of(&["dpc", "ndb"], Some(2023)), &before));
        assert!(whole.ends(&of(&["dpc", "ndb"], Some(2024)), &before));
        assert!(erasure("dpc", Some(2023)).ends(&of(&["dpc", "ndb"], Some(2023)), &before));
        assert_eq!(of(&["dpc", "ndb"], Some(2023)).to_string(), "dpc+ndb of fiscal year 2023");
    }
}
