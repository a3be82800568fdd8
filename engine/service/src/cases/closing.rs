//! Close-down: what lies in the house for a project is destroyed, and a signed record of it stays.
//!
//! The workspace goes with the keys in it, and with it the project's notebooks and the runs of its analyses, which lie
//! there under those keys; then the permit and the tokens that serve the project. Releases that went
//! out stay known to the ledger, since what was shown once is known for good; the record of the project stays in the
//! log.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use audit::{Event, Kind, SignedStatement, StatementKind};
use governance::Actor;
use serde::Serialize;

use super::stored::instant;
use super::{GovernError, Office};
use crate::signing;

/// The folder of deletion records in the room `audit`.
pub const DELETION_RECORD: &str = "deletions";

/// Where a project's own things lie: the workspace, and what an earlier version kept outside of it.
const ROOMS: [&str; 3] = ["workspaces", "analyses", "notebooks"];

/// What a deletion record says. The order of its members is the order in its JSON.
#[derive(Debug, Serialize)]
struct DeletionRecord<'a> {
    project: &'a str,
    at: String,
    by: &'a str,
    note: &'a str,
    workspace_files: u64,
    workspace_bytes: u64,
    /// Digest of the names and contents (as they lay, encrypted) of what was destroyed.
    workspace_digest: String,
    permits_removed: u64,
    tokens_revoked: u64,
    /// The entry of the record that says it, and its hash.
    entry: u64,
    entry_hash: String,
}

/// What was found and destroyed.
#[derive(Default)]
struct Destroyed {
    files: u64,
    bytes: u64,
    digest: blake3::Hasher,
}

/// Destroys what lies in the house for a project; the signed record of it.
pub(super) fn destroy(
    office: &Office<'_>,
    actor: &Actor,
    project: &str,
    note: &str,
) -> Result<String, GovernError> {
    let mut destroyed = Destroyed::default();
    for room in ROOMS {
        let path = office.environment.room(room).join(project);
        let failed = |source| GovernError::Io { doing: "destroy", path: path.clone(), source };
        erase(&path, &mut destroyed).map_err(failed)?;
    }
    let permits = office.permits.destroy(project)?;
    // Tokens of the project ask nothing any more; a session asks by its person's permits, of which this was one.
    let tokens = office.meta.revoke_tokens_of_project(project)?;
    let digest = destroyed.digest.finalize().to_hex().to_string();
    let event = Event::new(Kind::ProjectDestroyed, actor.user()).project(project);
    let event = event.with("files", destroyed.files).with("bytes", destroyed.bytes);
    let entry = office
        .log
        .record(event.with("permits", permits).with("tokens", tokens).with("digest", digest.as_str()))?;
    let record = DeletionRecord {
        project,
        at: instant(office.now),
        by: actor.user(),
        note,
        workspace_files: destroyed.files,
        workspace_bytes: destroyed.bytes,
        workspace_digest: digest,
        permits_removed: permits,
        tokens_revoked: tokens,
        entry: entry.seq(),
        entry_hash: entry.hash().to_string(),
    };
    let json = serde_json::to_string(&record).map_err(|_| GovernError::Bug("a record can be written"))?;
    let signer = signing::signer(office.environment)?;
    let signed = SignedStatement::sign(StatementKind::Deletion, &json, &signer);
    let signed = signed.ok_or(GovernError::Bug("a record is one line"))?.to_string();
    keep(office, project, &signed)?;
    Ok(signed)
}

fn keep(office: &Office<'_>, project: &str, signed: &str) -> Result<(), GovernError> {
    let folder = office.environment.room("audit").join(DELETION_RECORD);
    let path = folder.join(format!("{project}.note"));
    let failed = |source| GovernError::Io { doing: "write", path: path.clone(), source };
    fs::create_dir_all(&folder).map_err(failed)?;
    let mut file = fs::File::create(&path).map_err(failed)?;
    file.write_all(signed.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

/// Overwrites and removes every file below a folder, in the order of their names, and the folder.
///
/// Overwriting is worth little on a disk that writes elsewhere, but keys lie here: what the disk lets us erase is
/// erased.
fn erase(path: &Path, destroyed: &mut Destroyed) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !kind.is_dir() {
        return erase_file(path, kind.is_file(), destroyed);
    }
    let mut entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    for entry in entries {
        erase(&entry, destroyed)?;
    }
    fs::remove_dir(path)
}

fn erase_file(path: &Path, is_file: bool, destroyed: &mut Destroyed) -> io::Result<()> {
    if is_file {
        let length = destroyed.take(path)?;
        let mut file = OpenOptions::new().write(true).open(path)?;
        io::copy(&mut io::Read::take(io::repeat(0), length), &mut file)?;
        file.sync_all()?;
    }
    // A link is removed, not followed.
    fs::remove_file(path)
}

impl Destroyed {
    fn take(&mut self, path: &Path) -> io::Result<u64> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut content = blake3::Hasher::new();
        let length = io::copy(&mut fs::File::open(path)?, &mut content)?;
        self.digest.update(&(name.len() as u64).to_le_bytes());
        self.digest.update(name.as_bytes());
        self.digest.update(content.finalize().as_bytes());
        self.files += 1;
        self.bytes += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::{Destroyed, erase};

    #[test]
    fn everything_below_a_folder_is_gone_and_counted_and_a_link_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        std::fs::write(&outside, "stays").unwrap();
        let room = folder.path().join("ws");
        std::fs::create_dir_all(room.join("deep")).unwrap();
        std::fs::write(room.join("key"), [7; 32]).unwrap();
        std::fs::write(room.join("deep/table"), [1; 100]).unwrap();
        std::os::unix::fs::symlink(&outside, room.join("link")).unwrap();
        let mut destroyed = Destroyed::default();
        erase(&room, &mut destroyed).unwrap();
        assert!(!room.exists());
        assert_eq!((destroyed.files, destroyed.bytes), (2, 132));
        assert_eq!(std::fs::read_to_string(outside).unwrap(), "stays");
        erase(&room, &mut destroyed).unwrap();
    }
}
