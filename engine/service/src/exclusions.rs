//! The persons who opted out, as the last `misu optout` or publish resolved them for each snapshot.

use std::path::Path;

use catalog_model::SnapshotId;
use serde::Deserialize;

/// Who is left out of every query on one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exclusion {
    /// The id of the list, which each release names; empty where nobody opted out.
    pub(crate) exclusion: String,
    /// Person numbers.
    pub(crate) persons: Vec<u32>,
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
    Ok(serde_json::from_slice(&text)?)
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
        assert_eq!(read(room.path(), &snapshot).unwrap().persons, [3, 5]);
        std::fs::write(&file, "{\"exclusion\":\"ab\"").unwrap();
        assert!(read(room.path(), &snapshot).is_err());
    }
}
