//! Brings an environment of an earlier layout version to the present one.
//!
//! Format 4 has no step: keys of partitions are made as they are needed, and the next publish writes files of earlier
//! versions again under one. The number keeps programs away that would not know what was erased.
//!
//! Every step can be done twice, and `misu.toml` gets its new version last: an upgrade that was killed is run again.
//! Snapshots are never rewritten, since permits are pinned to them; their form carries a version of its own.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::PoisonError;

use catalog_model::FileEntry;

use crate::config::{Config, ConfigError, FORMAT};
use crate::environment::{CONFIG, Environment, EnvironmentError, ROOMS, make_dir};
use crate::file_keys::FileKeyring;
use crate::keys::{KeyId, Passphrase};
use crate::same_persons::SamePersons;
use crate::staged_files::StagedFiles;

/// The keys of those who opted out, among the links.
const OPTED_OUT: &str = "optout.json";

/// What an upgrade did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upgraded {
    /// The version found.
    pub from: u32,
    /// The version now; the same where there was nothing to do.
    pub to: u32,
}

/// Upgrades the environment in `root`. Keys that lay in clear are sealed under the passphrase, or, where there is
/// none, under a random one that lies beside them.
///
/// # Errors
///
/// There is none, another program writes in it, it was made by a later build, or something cannot be written.
pub fn upgrade(root: &Path, passphrase: Option<Passphrase>) -> Result<Upgraded, EnvironmentError> {
    let path = root.join(CONFIG);
    if !path.is_file() {
        return Err(EnvironmentError::NotAnEnvironment(root.to_owned()));
    }
    let config = Config::read_any(&path)?;
    let from = config.format;
    if from > FORMAT {
        return Err(ConfigError::New { path, found: from }.into());
    }
    let environment =
        Environment::with_config(root, Config { format: FORMAT, ..config }).unlocked_by(passphrase);
    let _lock = environment.lock()?;
    for room in ROOMS {
        make_dir(&root.join(room))?;
    }
    environment.keys().upgrade(config.demo_seed)?;
    environment.meta()?.upgrade()?;
    each_staged(&environment, &|files, path| files.encrypt_left(path))?;
    SamePersons::of(&environment).add_left(&environment.room("links"))?;
    // The snapshots must be readable by this build before the environment says that it is of this build's version.
    environment.snapshots()?.all()?;
    if from < FORMAT {
        settle(&path, &environment.config().to_text())
            .map_err(|source| EnvironmentError::Io { path: path.clone(), source })?;
    }
    Ok(Upgraded { from, to: FORMAT })
}

/// Wraps whatever the dataset key wraps under its present epoch: keys of years and of deliveries, links. What lies there
/// already stays as it is, so that a rotation which was killed is ended by calling this again. Files of snapshots of an
/// earlier version, which have no key of their year, stay under the former ([`files_under`]).
///
/// # Errors
///
/// A key cannot be opened, or something cannot be written.
pub fn rewrap(environment: &Environment) -> Result<(), EnvironmentError> {
    // The key that was opened as the present one may be a former one since.
    environment.opened_datasets().lock().unwrap_or_else(PoisonError::into_inner).remove("");
    FileKeyring::new(environment).rewrap()?;
    each_staged(environment, &|files, path| files.renew(path))
}

/// How many files of snapshots lie under this dataset key itself. They end with it.
///
/// # Errors
///
/// The snapshots cannot be read.
pub fn files_under(environment: &Environment, dataset: &KeyId) -> Result<u64, EnvironmentError> {
    let mut found = BTreeSet::new();
    for (_, manifest) in environment.snapshots()?.all()? {
        let files = manifest.body.tables.into_values().flat_map(|table| table.files);
        let is_under = |file: &FileEntry| file.keys.values().any(|key| key.kek == dataset.as_str());
        found.extend(files.filter(is_under).map(|file| file.path));
    }
    Ok(found.len() as u64)
}

type Step<'s> = dyn Fn(&StagedFiles, &Path) -> Result<(), EnvironmentError> + 's;

/// Goes through the staged files and links.
fn each_staged(environment: &Environment, step: &Step<'_>) -> Result<(), EnvironmentError> {
    let files = environment.staged_files();
    ["store/staging", "links"].iter().try_for_each(|room| each_below(&environment.room(room), &files, step))
}

fn each_below(folder: &Path, files: &StagedFiles, step: &Step<'_>) -> Result<(), EnvironmentError> {
    let io = |source| EnvironmentError::Io { path: folder.to_owned(), source };
    if !folder.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() {
            each_below(&path, files, step)?;
        } else if path.extension().is_some_and(|extension| extension == "parquet")
            || path.file_name().is_some_and(|name| name == OPTED_OUT)
        {
            step(files, &path)?;
        }
    }
    Ok(())
}

fn settle(path: &Path, text: &str) -> std::io::Result<()> {
    let temporary = path.with_extension("writing");
    let mut file = File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}
