//! Numbers that are, or were, one person's: what the release ledger must know to compare cohorts of two snapshots.
//!
//! Publishing adds to the list before its snapshot is there, and nothing is ever taken from it: what was released from a
//! snapshot that was removed is compared all the same. The list lies beside the ledger, so that a backup has both.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::environment::{Environment, EnvironmentError};
use crate::keys::write_private;

/// Pairs of numbers, four bytes each, behind the mark.
const FILE: &str = "same-persons";
/// As which earlier builds wrote them.
const FORMER: &str = "same-persons.json";
/// What stands there now: no list of pairs, so that an earlier build stops where it would take nothing for no pairs.
const MOVED: &[u8] = b"\"the pairs lie in same-persons\"\n";
const MARK: &[u8] = b"misu same persons 1\n";

/// Pairs of person numbers, each of one person; in order, each once.
pub type PersonPairs = Vec<(u32, u32)>;

/// What tells that the list was written since: whoever has read it need not read it again. Files are only ever put in
/// the place of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition([Option<(u64, u64, i64, i64)>; 2]);

/// The list of an environment.
#[derive(Clone, Debug)]
pub struct SamePersons {
    path: PathBuf,
    former: PathBuf,
}

impl SamePersons {
    /// The list of this environment.
    pub fn of(environment: &Environment) -> Self {
        let room = environment.room("ledger");
        Self { path: room.join(FILE), former: room.join(FORMER) }
    }

    /// Which edition of the list is there now.
    ///
    /// # Errors
    ///
    /// It cannot be looked at.
    pub fn edition(&self) -> Result<Edition, EnvironmentError> {
        let of = |path: &Path| match std::fs::metadata(path) {
            Ok(data) => Ok(Some((data.ino(), data.size(), data.ctime(), data.ctime_nsec()))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.io(error)),
        };
        Ok(Edition([of(&self.path)?, of(&self.former)?]))
    }

    /// The list; nothing where no person ever had two numbers.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no list of pairs.
    pub fn pairs(&self) -> Result<PersonPairs, EnvironmentError> {
        // In the order opposite to writing: whoever takes the former list in puts the other in its place first.
        let former = self.bytes(&self.former)?;
        let mut pairs = match self.bytes(&self.path)? {
            Some(bytes) => unpacked(&bytes).ok_or_else(|| self.io(ErrorKind::InvalidData.into()))?,
            None if former.as_deref() == Some(MOVED) => return Err(self.io(ErrorKind::NotFound.into())),
            None => PersonPairs::new(),
        };
        if let Some(text) = former.filter(|text| text != MOVED) {
            let former: PersonPairs = serde_json::from_slice(&text).map_err(|error| self.io(error.into()))?;
            pairs.extend(former);
            in_order(&mut pairs);
        }
        Ok(pairs)
    }

    /// Adds pairs; on disk when this returns.
    ///
    /// # Errors
    ///
    /// The list cannot be read or written.
    pub fn add(&self, pairs: impl IntoIterator<Item = (u32, u32)>) -> Result<(), EnvironmentError> {
        let mut all = self.pairs()?;
        let (before, former) = (all.len(), self.bytes(&self.former)?);
        all.extend(pairs);
        in_order(&mut all);
        let (is_none, is_moved) = (former.is_none(), former.is_some_and(|text| text == MOVED));
        if all.len() == before && (is_moved || is_none && all.is_empty()) {
            return Ok(());
        }
        write_private(&self.path, &packed(&all)).map_err(|error| self.io(error))?;
        // Until it is replaced both are read.
        match is_moved {
            true => Ok(()),
            false => write_private(&self.former, MOVED).map_err(|error| self.io(error)),
        }
    }

    fn bytes(&self, path: &Path) -> Result<Option<Vec<u8>>, EnvironmentError> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.io(error)),
        }
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

    fn io(&self, source: Error) -> EnvironmentError {
        EnvironmentError::Io { path: self.path.clone(), source }
    }
}

fn in_order(pairs: &mut PersonPairs) {
    pairs.sort_unstable();
    pairs.dedup();
}

fn packed(pairs: &[(u32, u32)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MARK.len() + 8 * pairs.len());
    bytes.extend_from_slice(MARK);
    for (one, two) in pairs {
        bytes.extend(one.to_le_bytes());
        bytes.extend(two.to_le_bytes());
    }
    bytes
}

/// What [`packed`] wrote; nothing where it did not.
fn unpacked(bytes: &[u8]) -> Option<PersonPairs> {
    let (pairs, []) = bytes.strip_prefix(MARK)?.as_chunks::<8>() else { return None };
    let number = |half: Option<&[u8; 4]>| half.map_or(0, |half| u32::from_le_bytes(*half));
    Some(pairs.iter().map(|pair| (number(pair.first_chunk()), number(pair.last_chunk()))).collect())
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
        let before = same.edition().unwrap();
        same.add([]).unwrap();
        assert!(same.pairs().unwrap().is_empty() && same.edition().unwrap() == before);
        same.add([(5, 3)]).unwrap();
        let former = environment.room("ledger").join("same-persons.json");
        assert!(former.exists(), "nobody takes what lies beside it for nothing");
        let first = same.edition().unwrap();
        same.add([(9, 3), (5, 3)]).unwrap();
        assert!(first != before && same.edition().unwrap() != first);
        let links = environment.room("links");
        std::fs::write(links.join("aliases-0a.json"), r#"{"8":2,"5":3}"#).unwrap();
        same.add_left(&links).unwrap();
        assert_eq!(same.pairs().unwrap(), [(5, 3), (8, 2), (9, 3)]);
        let list = environment.room("ledger").join("same-persons");
        assert_eq!(std::fs::metadata(&list).unwrap().len(), 20 + 3 * 8);
        // What an earlier build wrote counts from the first, and is taken in with the next pairs, or by an upgrade.
        std::fs::write(&former, "[[7,6],[5,3]]").unwrap();
        assert_eq!(same.pairs().unwrap(), [(5, 3), (7, 6), (8, 2), (9, 3)]);
        same.add_left(&links).unwrap();
        // An earlier build cannot read it, and does not take it for a list without pairs.
        let text = std::fs::read(&former).unwrap();
        assert!(serde_json::from_slice::<PersonPairs>(&text).is_err());
        assert_eq!(same.pairs().unwrap(), [(5, 3), (7, 6), (8, 2), (9, 3)]);
        for damaged in [b"[]".as_slice(), b"misu same persons 1\n1234567"] {
            std::fs::write(&list, damaged).unwrap();
            assert!(same.pairs().is_err() && same.add([(1, 0)]).is_err());
        }
        std::fs::remove_file(&list).unwrap();
        assert!(same.pairs().is_err(), "there was a list");
    }
    #[test]
    fn a_reader_beside_a_writer_misses_no_pair() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(1))).unwrap();
        let same = SamePersons::of(&environment);
        let room = environment.room("ledger");
        for _ in 0..50 {
            let _ = std::fs::remove_file(room.join("same-persons"));
            std::fs::write(room.join("same-persons.json"), "[[7,6]]").unwrap();
            std::thread::scope(|scope| {
                let writer = scope.spawn(|| same.add([]).unwrap());
                while !writer.is_finished() {
                    assert_eq!(same.pairs().unwrap(), [(7, 6)]);
                }
            });
        }
    }
}
