//! Numbers that are, or were, one person's: what the release ledger must know to compare cohorts of two snapshots.
//!
//! Publishing adds to the list before its snapshot is there, and nothing is ever taken from it: what was released from a
//! snapshot that was removed is compared all the same. The list lies beside the ledger, so that a backup has both.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::environment::{Environment, EnvironmentError};
use crate::keys::write_private;

const FILE: &str = "same-persons.json";

/// Pairs of person numbers, each of one person.
pub type PersonPairs = BTreeSet<(u32, u32)>;

/// The list of an environment.
#[derive(Clone, Debug)]
pub struct SamePersons {
    path: PathBuf,
}

impl SamePersons {
    /// The list of this environment.
    pub fn of(environment: &Environment) -> Self {
        Self { path: environment.room("ledger").join(FILE) }
    }

    /// The list as it is written; nothing where no person ever had two numbers.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn bytes(&self) -> Result<Vec<u8>, EnvironmentError> {
        match std::fs::read(&self.path) {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(self.io(error)),
        }
    }

    /// What the bytes of the list say.
    ///
    /// # Errors
    ///
    /// They are no list of pairs.
    pub fn parse(&self, bytes: &[u8]) -> Result<PersonPairs, EnvironmentError> {
        if bytes.is_empty() {
            return Ok(PersonPairs::new());
        }
        serde_json::from_slice(bytes).map_err(|error| self.io(error.into()))
    }

    /// Adds pairs; on disk when this returns.
    ///
    /// # Errors
    ///
    /// The list cannot be read or written.
    pub fn add(&self, pairs: impl IntoIterator<Item = (u32, u32)>) -> Result<(), EnvironmentError> {
        let mut all = self.parse(&self.bytes()?)?;
        let before = all.len();
        all.extend(pairs);
        if all.len() == before {
            return Ok(());
        }
        let text = serde_json::to_vec(&all).map_err(|error| self.io(error.into()))?;
        write_private(&self.path, &text).map_err(|error| self.io(error))
    }

    /// Adds what earlier builds left beside the link table, a file for each snapshot: numbers that another took over.
    pub(crate) fn add_left(&self, links: &Path) -> Result<(), EnvironmentError> {
        let io = |source| EnvironmentError::Io { path: links.to_owned(), source };
        let mut pairs = PersonPairs::new();
        for entry in std::fs::read_dir(links).map_err(io)? {
            let path = entry.map_err(io)?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with("aliases-") && name.ends_with(".json") {
                let text = std::fs::read(&path).map_err(io)?;
                let left: BTreeMap<u32, u32> =
                    serde_json::from_slice(&text).map_err(|error| io(error.into()))?;
                pairs.extend(left);
            }
        }
        self.add(pairs)
    }

    fn io(&self, source: std::io::Error) -> EnvironmentError {
        EnvironmentError::Io { path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::{PersonPairs, SamePersons};
    use crate::config::Config;
    use crate::environment::Environment;

    #[test]
    fn pairs_are_added_and_never_lost_and_what_earlier_builds_left_is_taken_in() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(1))).unwrap();
        let same = SamePersons::of(&environment);
        let read = || same.parse(&same.bytes().unwrap()).unwrap();
        same.add([]).unwrap();
        assert!(same.bytes().unwrap().is_empty());
        same.add([(5, 3)]).unwrap();
        same.add([(9, 3), (5, 3)]).unwrap();
        std::fs::write(environment.room("links").join("aliases-0a.json"), r#"{"8":2,"5":3}"#).unwrap();
        same.add_left(&environment.room("links")).unwrap();
        assert_eq!(read(), PersonPairs::from([(5, 3), (8, 2), (9, 3)]));
        std::fs::write(environment.room("ledger").join("same-persons.json"), "{}").unwrap();
        assert!(same.parse(&same.bytes().unwrap()).is_err());
    }
}
