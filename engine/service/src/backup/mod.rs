//! Backups: everything that an environment would be lost without, in one signed file, and an environment made of it.
//!
//! A backup is a zip archive: the files of the environment below `env/`, the rows of the metadata database in
//! `meta.json`, and `list.json` with the digest of each, signed by the manifest key in `list.sig`. Keys are in it as
//! they lie, sealed; the passphrase never is. Data files (snapshots, staged rows, the link table, workspaces) are large
//! and already encrypted or bound by digests: they are named by the snapshots' manifests, and included where asked.
//!
//! While it is taken, no delivery is read, nothing is released and nothing is recorded, so keys, ledger, record and
//! metadata are of one moment.

mod restore;
mod take;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use restore::{RestoreOptions, Restored, restore};
pub use take::{Taken, backup};

/// The form of the archive.
const FORMAT: u32 = 1;
/// The list of what is in a backup.
const LIST: &str = "list.json";
/// The signature over the list.
const SIGNATURE: &str = "list.sig";
/// The rows of the metadata database.
const META: &str = "meta.json";
/// Below which the environment's files lie.
const FILES: &str = "env/";
/// What the list's signature is for.
const PURPOSE: &str = "backup-list";

/// What is in a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct List {
    format: u32,
    taken: String,
    /// The environment's configuration, without where its database is.
    buckets: u32,
    demo_seed: Option<u64>,
    confinement: Option<String>,
    /// Entries of the record.
    entries: u64,
    has_data: bool,
    files: Vec<Listed>,
}

/// One file of a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Listed {
    name: String,
    bytes: u64,
    blake3: String,
}

/// Why a backup cannot be taken or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The archive is not one.
    #[error("the archive cannot be {0}")]
    Archive(&'static str, #[source] zip::result::ZipError),
    /// The list is not of the expected form.
    #[error("{0} of the backup is not of the expected form")]
    Form(&'static str),
    /// The list was not signed by the key that is in the backup, or not by the one that was expected.
    #[error("the list of files is not signed by {0}")]
    Unsigned(&'static str),
    /// A file is missing, is another one, or is not in the list.
    #[error("{0} is not what the list says of it")]
    Changed(String),
    /// A name leads out of the environment.
    #[error("the backup names a file that cannot lie in an environment")]
    Name,
    /// The new directory is not empty.
    #[error("{0} is not empty; a backup is restored to a directory of its own")]
    NotEmpty(PathBuf),
    /// The record does not verify.
    #[error("the record in the backup does not verify")]
    Record(#[from] audit::VerifyError),
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] catalog_store::EnvironmentError),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] catalog_store::MetaError),
    /// The record cannot be written.
    #[error(transparent)]
    Audit(#[from] audit::AuditError),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] crate::LedgerError),
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { doing, path, source }
}
