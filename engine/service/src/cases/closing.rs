//! Close-down: what lies in the house for a project is destroyed, and a signed record of it stays.
//!
//! The workspace goes with the keys in it, and with it the project's notebooks and the runs of its analyses, which lie
//! there under those keys; then the permit and the tokens that serve the project. Releases that went
//! out stay known to the ledger, since what was shown once is known for good; the record of the project stays in the
//! log.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use audit::{Event, Kind, SignedStatement, StatementKind};
use governance::Actor;
use serde::{Deserialize, Serialize};

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

/// What is there to be destroyed. It is written down before anything is, so that a close-down that a crash cut short
/// says in the end what there was, and not what the crash had left.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Found {
    files: u64,
    bytes: u64,
    digest: String,
    permits: u64,
    tokens: u64,
}

/// What lies in some folders.
#[derive(Default)]
struct Count {
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
    let permits = office.permits.destroy(project)?;
    // Tokens of the project ask nothing any more; a session asks by its person's permits, of which this was one.
    let tokens = office.meta.revoke_tokens_of_project(project)?;
    let begun = office.environment.room("audit").join(DELETION_RECORD).join(format!("{project}.begun"));
    let rooms = ROOMS.map(|room| office.environment.room(room).join(project));
    let failed = |source| GovernError::Io { doing: "destroy", path: begun.clone(), source };
    let found = begin(&begun, &rooms, (permits, tokens)).map_err(failed)?;
    for path in &rooms {
        erase(path).map_err(|source| GovernError::Io { doing: "destroy", path: path.clone(), source })?;
    }
    let event = Event::new(Kind::ProjectDestroyed, actor.user()).project(project);
    let event = event.with("files", found.files).with("bytes", found.bytes);
    let event = event.with("permits", found.permits).with("tokens", found.tokens);
    let entry = office.log.record(event.with("digest", found.digest.as_str()))?;
    let record = DeletionRecord {
        project,
        at: instant(office.now),
        by: actor.user(),
        note,
        workspace_files: found.files,
        workspace_bytes: found.bytes,
        workspace_digest: found.digest,
        permits_removed: found.permits,
        tokens_revoked: found.tokens,
        entry: entry.seq(),
        entry_hash: entry.hash().to_string(),
    };
    let json = serde_json::to_string(&record).map_err(|_| GovernError::Bug("a record can be written"))?;
    let signer = signing::signer(office.environment)?;
    let signed = SignedStatement::sign(StatementKind::Deletion, &json, &signer);
    let signed = signed.ok_or(GovernError::Bug("a record is one line"))?.to_string();
    let path = begun.with_extension("note");
    let failed = |source| GovernError::Io { doing: "write", path: path.clone(), source };
    write(&path, signed.as_bytes()).and_then(|()| fs::remove_file(&begun)).map_err(failed)?;
    Ok(signed)
}

/// What there is, or was when a close-down began that did not come to its end.
fn begin(path: &Path, rooms: &[PathBuf], (permits, tokens): (u64, u64)) -> io::Result<Found> {
    if let Some(found) = fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return Ok(found);
    }
    let mut count = Count::default();
    for room in rooms {
        visit(room, &mut |path, is_file| if is_file { count.take(path) } else { Ok(()) })?;
    }
    let digest = count.digest.finalize().to_hex().to_string();
    let found = Found { files: count.files, bytes: count.bytes, digest, permits, tokens };
    write(path, &serde_json::to_vec(&found)?)?;
    Ok(found)
}

/// Writes a file of the folder of deletion records to the disk.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let mut file = fs::File::create(path)?;
    file.write_all(bytes).and_then(|()| file.sync_all())
}

/// Goes through everything below a folder, in the order of the names, and to the folder last. A link is not followed.
fn visit(path: &Path, then: &mut dyn FnMut(&Path, bool) -> io::Result<()>) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if kind.is_dir() {
        let entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path()));
        let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
        entries.sort();
        for entry in entries {
            visit(&entry, then)?;
        }
    }
    then(path, kind.is_file())
}

/// Overwrites and removes every file below a folder, and the folder.
///
/// Overwriting is worth little on a disk that writes elsewhere, but keys lie here: what the disk lets us erase is
/// erased.
fn erase(path: &Path) -> io::Result<()> {
    visit(path, &mut |path, is_file| {
        if fs::symlink_metadata(path)?.is_dir() {
            return fs::remove_dir(path);
        }
        if is_file {
            let mut file = OpenOptions::new().write(true).open(path)?;
            let length = file.metadata()?.len();
            io::copy(&mut io::Read::take(io::repeat(0), length), &mut file)?;
            file.sync_all()?;
        }
        fs::remove_file(path)
    })
}

impl Count {
    fn take(&mut self, path: &Path) -> io::Result<()> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut content = blake3::Hasher::new();
        let length = io::copy(&mut fs::File::open(path)?, &mut content)?;
        self.digest.update(&(name.len() as u64).to_le_bytes());
        self.digest.update(name.as_bytes());
        self.digest.update(content.finalize().as_bytes());
        self.files += 1;
        self.bytes += length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{begin, erase};

    #[test]
    fn everything_below_a_folder_is_gone_and_a_link_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (outside, begun) = (folder.path().join("outside"), folder.path().join("deletions/one.begun"));
        std::fs::write(&outside, "stays").unwrap();
        let room = folder.path().join("ws");
        std::fs::create_dir_all(room.join("deep")).unwrap();
        std::fs::write(room.join("key"), [7; 32]).unwrap();
        std::fs::write(room.join("deep/table"), [1; 100]).unwrap();
        std::os::unix::fs::symlink(&outside, room.join("link")).unwrap();
        let rooms = [room.clone(), folder.path().join("absent")];
        let found = begin(&begun, &rooms, (1, 2)).unwrap();
        assert_eq!((found.files, found.bytes, found.permits, found.tokens), (2, 132, 1, 2));
        // A crash, after which there is less, and no permit any more.
        std::fs::remove_file(room.join("key")).unwrap();
        assert_eq!(begin(&begun, &rooms, (0, 0)).unwrap(), found);
        erase(&room).unwrap();
        assert!(!room.exists());
        assert_eq!(std::fs::read_to_string(outside).unwrap(), "stays");
        erase(&room).unwrap();
    }
}
