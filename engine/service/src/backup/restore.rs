//! Makes an environment of a backup: every file against the signed list, the record against itself, the ledger against
//! the record.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use audit::{Event, Kind, Log};
use catalog_store::{Config, Environment, MetaDump, Passphrase, hex, is_signed};
use time::OffsetDateTime;
use zip::ZipArchive;

use super::{BackupError, FILES, FORMAT, LIST, List, Listed, META, PURPOSE, SIGNATURE, io};
use crate::ledger_file::{self, LedgerFile};

/// How a backup is restored.
#[derive(Debug, Default)]
pub struct RestoreOptions {
    /// The new environment's metadata database on a server; a file where it is left out.
    pub database_url: Option<String>,
    /// A copy of the `store` folder, from which the snapshots' files are taken.
    pub store: Option<PathBuf>,
    /// The public key that must have signed the backup, in hexadecimal digits.
    pub signer: Option<String>,
    /// What opens the keys.
    pub passphrase: Option<Passphrase>,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was taken, as RFC 3339 text.
    pub taken: String,
    /// Files that were unpacked.
    pub files: usize,
    /// Rows of the metadata database.
    pub rows: usize,
    /// Entries of the record, which verified.
    pub entries: u64,
    /// The public key that signed the backup.
    pub signer: String,
    /// Files that snapshots name and that are not there: queries need them.
    pub missing: usize,
    /// Whether the ledger was opened and is as long as the record says; not where no passphrase opens it yet.
    pub ledger_holds: Option<bool>,
}

/// Restores the backup in `file` to the new directory `root`.
///
/// # Errors
///
/// The backup is not what was signed, its record does not verify, or something cannot be written. Then the directory
/// holds files but is no environment.
pub fn restore(
    file: &Path,
    root: &Path,
    clock: fn() -> OffsetDateTime,
    options: RestoreOptions,
) -> Result<Restored, BackupError> {
    if std::fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(BackupError::NotEmpty(root.to_owned()));
    }
    let opened = File::open(file).map_err(io("open", file))?;
    let mut archive = ZipArchive::new(BufReader::new(opened)).map_err(|e| BackupError::Archive("read", e))?;
    let bytes = whole(&mut archive, LIST)?;
    let list: List = serde_json::from_slice(&bytes).map_err(|_| BackupError::Form(LIST))?;
    if list.format != FORMAT {
        return Err(BackupError::Form(LIST));
    }
    let signer = signer(&mut archive, &bytes, options.signer.as_deref())?;
    let rows = unpack(&mut archive, &list, root)?;
    let verified = audit::verify_file(&root.join("audit").join(audit::LOG_FILE))?;
    if verified.entries != list.entries {
        return Err(BackupError::Changed(format!("{FILES}audit/{}", audit::LOG_FILE)));
    }
    let config = Config {
        database_url: options.database_url,
        confinement: list.confinement.clone(),
        ..Config::new(list.buckets, list.demo_seed)
    };
    let environment = Environment::restored(root, config, &rows)?.unlocked_by(options.passphrase);
    if let Some(store) = &options.store {
        copy_data(&environment, store)?;
    }
    let log = Log::open(&environment.room("audit"), clock)?;
    log.record(Event::new(Kind::EnvironmentRestored, "misu-guard").with("taken", list.taken.as_str()))?;
    Ok(Restored {
        files: list.files.len(),
        rows: rows.rows(),
        entries: verified.entries,
        signer: hex(&signer),
        missing: missing(&environment)?.len(),
        ledger_holds: ledger_holds(&environment, log.path())?,
        taken: list.taken,
    })
}

type Archive = ZipArchive<BufReader<File>>;

/// The key that signed the list: the one in the backup, which must be the expected one where there is one.
fn signer(archive: &mut Archive, list: &[u8], expected: Option<&str>) -> Result<[u8; 32], BackupError> {
    let signature = String::from_utf8_lossy(&whole(archive, SIGNATURE)?).into_owned();
    let key = whole(archive, &format!("{FILES}keys/manifest.pub"))?;
    let key = String::from_utf8_lossy(&key).trim().to_owned();
    if expected.is_some_and(|expected| !expected.trim().eq_ignore_ascii_case(&key)) {
        return Err(BackupError::Unsigned("the key that was expected"));
    }
    let key = catalog_store::from_hex(&key).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let key = key.ok_or(BackupError::Form("the manifest key"))?;
    if is_signed(&key, PURPOSE, list, &signature) {
        Ok(key)
    } else {
        Err(BackupError::Unsigned("the environment's manifest key"))
    }
}

/// Unpacks every listed file, and nothing else; gives the rows of the metadata database.
fn unpack(archive: &mut Archive, list: &List, root: &Path) -> Result<MetaDump, BackupError> {
    let named: BTreeSet<&str> =
        list.files.iter().map(|listed| listed.name.as_str()).chain([LIST, SIGNATURE]).collect();
    for name in archive.file_names() {
        let name = name.map_err(|error| BackupError::Archive("read", error))?;
        if !named.contains(name.as_ref()) {
            return Err(BackupError::Changed(name.into_owned()));
        }
    }
    let mut rows = None;
    for listed in &list.files {
        if listed.name == META {
            let bytes = whole(archive, META)?;
            if blake3::hash(&bytes).to_hex().as_str() != listed.blake3 {
                return Err(BackupError::Changed(META.to_owned()));
            }
            rows = serde_json::from_slice(&bytes).ok();
            continue;
        }
        unpack_file(archive, listed, root)?;
    }
    rows.ok_or(BackupError::Form(META))
}

fn unpack_file(archive: &mut Archive, listed: &Listed, root: &Path) -> Result<(), BackupError> {
    let path = Path::new(listed.name.strip_prefix(FILES).ok_or(BackupError::Name)?);
    // A name that leads out of the folder would be somebody else's file.
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(BackupError::Name);
    }
    let path = root.join(path);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io("make", folder))?;
    }
    let from = archive.by_name(&listed.name).map_err(|error| BackupError::Archive("read", error))?;
    // No more than the list says is unpacked, whatever the archive would give.
    let mut from = from.take(listed.bytes.saturating_add(1));
    let to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut to = to.map_err(io("make", &path))?;
    let (mut hasher, mut block) = (blake3::Hasher::new(), vec![0; 1 << 16]);
    loop {
        let count = from.read(&mut block).map_err(io("unpack", &path))?;
        let read = block.get(..count).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        hasher.update(read);
        to.write_all(read).map_err(io("write", &path))?;
    }
    to.sync_all().map_err(io("write", &path))?;
    if hasher.finalize().to_hex().as_str() == listed.blake3 {
        Ok(())
    } else {
        Err(BackupError::Changed(listed.name.clone()))
    }
}

/// A small member of the archive.
fn whole(archive: &mut Archive, name: &str) -> Result<Vec<u8>, BackupError> {
    let mut bytes = Vec::new();
    let member = archive.by_name(name).map_err(|error| BackupError::Archive("read", error))?;
    member.take(1 << 32).read_to_end(&mut bytes).map_err(io("read", Path::new(name)))?;
    Ok(bytes)
}

/// The files that the snapshots name and that are not there.
fn missing(environment: &Environment) -> Result<Vec<(PathBuf, String)>, BackupError> {
    let store = environment.room("store");
    let snapshots = environment.snapshots()?.all().map_err(catalog_store::EnvironmentError::from)?;
    let tables = snapshots.into_iter().flat_map(|(_, manifest)| manifest.body.tables.into_values());
    let named: BTreeSet<(PathBuf, String)> = tables
        .flat_map(|table| table.files)
        .map(|file| (PathBuf::from(file.path), file.blake3))
        .filter(|(path, _)| !store.join(path).is_file())
        .collect();
    Ok(named.into_iter().collect())
}

/// Copies the files that the snapshots name, each against its digest, from a copy of the store.
fn copy_data(environment: &Environment, store: &Path) -> Result<(), BackupError> {
    for (path, blake3) in missing(environment)? {
        let bytes = std::fs::read(store.join(&path)).map_err(io("read", &store.join(&path)))?;
        if blake3::hash(&bytes).to_hex().as_str() != blake3 {
            return Err(BackupError::Changed(path.display().to_string()));
        }
        let to = environment.room("store").join(&path);
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(io("make", folder))?;
        }
        std::fs::write(&to, bytes).map_err(io("write", &to))?;
    }
    Ok(())
}

fn ledger_holds(environment: &Environment, log: &Path) -> Result<Option<bool>, BackupError> {
    if environment.key(catalog_store::KeyRole::Ledger).is_err() {
        return Ok(None);
    }
    let noted = ledger_file::noted(log)?;
    Ok(Some(LedgerFile::new(environment).hold(environment, &noted).is_ok()))
}
