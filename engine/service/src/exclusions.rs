//! The persons who opted out, as the last `misu optout` or publish resolved them for each snapshot.

use std::path::Path;

use catalog_model::SnapshotId;
use engine_protocol::LeftOut;
use serde::Deserialize;

/// Who is left out of every query on one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exclusion {
    /// The id of the list, which each release names; empty where nobody opted out.
    pub(crate) exclusion: String,
    /// Person numbers. What is made of an exclusion may leave out others besides.
    pub(crate) persons: Vec<u32>,
    /// How many of them opted out.
    #[serde(skip)]
    pub(crate) opted_out: usize,
}

impl Exclusion {
    /// What a release says of it: its name, and a class in place of a number that may be small.
    pub(crate) fn left_out(&self) -> LeftOut {
        let persons = audit::class(self.opted_out as u64).to_owned();
        LeftOut { exclusion: self.exclusion.clone(), persons }
    }
}

/// Reads the exclusion of a snapshot from the room `exclusions`.
///
/// A list that is there and cannot be read is an error: answering without it would count who opted out.
pub(crate) fn read(room: &Path, snapshot: &SnapshotId) -> std::io::Result<Exclusion> {
    // The first list marks the room; from then on every snapshot has its own, or no answer.
    if !room.join("list.json").exists() {
        return Ok(Exclusion::default());
    }
    let text = std::fs::read(room.join(format!("{snapshot}.json")))?;
    let read: Exclusion = serde_json::from_slice(&text)?;
    Ok(Exclusion { opted_out: read.persons.len(), ..read })
}

#[cfg(test)]
mod tests {
    use catalog_model::SnapshotId;

    use super::{Exclusion, read};

    #[test]
    fn a_list_that_cannot_be_read_is_not_an_empty_one() {
        let room = tempfile::tempdir().unwrap();
        let snapshot = SnapshotId::from_digest(&[7; 32]);
        assert_eq!(read(room.path(), &snapshot).unwrap(), Exclusion::default());
        std::fs::write(room.path().join("list.json"), "{}").unwrap();
        assert!(read(room.path(), &snapshot).is_err());
        let file = room.path().join(format!("{snapshot}.json"));
        std::fs::write(&file, "{\"exclusion\":\"ab\",\"persons\":[3,5]}").unwrap();
        let two = read(room.path(), &snapshot).unwrap();
        assert_eq!(two.persons, [3, 5]);
        // Two are told as none are, and more persons that are left out for another reason change nothing.
        let others = Exclusion { persons: (0..50).collect(), ..two.clone() };
        assert_eq!(two.left_out().persons, Exclusion::default().left_out().persons);
        assert_eq!(others.left_out(), two.left_out());
        let ten = format!("{{\"exclusion\":\"cd\",\"persons\":{:?}}}", (0..10).collect::<Vec<u32>>());
        std::fs::write(&file, ten).unwrap();
        assert_eq!(read(room.path(), &snapshot).unwrap().left_out().persons, "10 to 99");
        std::fs::write(&file, "{\"exclusion\":\"ab\"").unwrap();
        assert!(read(room.path(), &snapshot).is_err());
    }
}
