//! An environment: a directory with a place for everything.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use catalog_model::{Catalogue, CatalogueError};

use crate::config::{Config, ConfigError};
use crate::keys::{self, KeyError, KeyRing, KeyRole, KeyWatch, Passphrase, Protection, SecretKey};
use crate::lease::{Holder, Lease};
use crate::meta::{Meta, MetaError};
use crate::snapshots::{self, SnapshotError, Snapshots};
use crate::staged_files::StagedFiles;

pub(crate) const CONFIG: &str = "misu.toml";
const LOCK: &str = "lock";
pub(crate) const ROOMS: [&str; 12] = [
    "audit",
    "catalog",
    "exclusions",
    "keys",
    "ledger",
    "links",
    "policies",
    "quarantine",
    "reports",
    "scratch",
    "store",
    "workspaces",
];

/// A catalogue behind the digest of its files.
type Parsed = (String, Arc<Catalogue>);

/// An open environment.
#[derive(Clone, Debug)]
pub struct Environment {
    root: PathBuf,
    config: Config,
    keys: KeyRing,
    // The catalogue that was read last, by its digest: many deliveries are taken in under one.
    parsed: Arc<Mutex<Option<Parsed>>>,
    datasets: OpenedDatasets,
    // Threads make keys of partitions one after the other.
    making: Arc<Mutex<()>>,
    lease: Lease,
}

/// The dataset's keys that were opened, by id; the present one by an empty one. They are slow to open.
pub(crate) type OpenedDatasets = Arc<Mutex<HashMap<String, Arc<SecretKey>>>>;

/// Why an environment cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// A new environment would lie on top of something.
    #[error("{0} is not empty; an environment is made in a directory of its own")]
    NotEmpty(PathBuf),
    /// The directory holds no environment.
    #[error("{0} is not an environment (it has no misu.toml); make one with `misu init`")]
    NotAnEnvironment(PathBuf),
    /// A file or directory cannot be made or read.
    #[error("cannot use {path}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Another program is changing the environment.
    #[error("another ingest, link or publish is running in {0}; wait for it to end")]
    Busy(PathBuf),
    /// Another program is changing the environment, and it is known which.
    #[error("{} is running (process {} on {}, since {}); wait for it to end", .0.what, .0.pid, .0.host, .0.since)]
    Held(Box<Holder>),
    /// A catalogue file would change one that is there.
    #[error("{0} is there and says something else; add it with --replace where it is meant to change")]
    Taken(String),
    /// A folder that is to be added holds no catalogue files.
    #[error("{0} holds no catalogue files: they lie in codes/, layouts/, schemes/ and tables/")]
    NoCatalogue(PathBuf),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key cannot be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The snapshots cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The catalogue files of the environment have errors.
    #[error("the catalogue has {} errors, the first: {}", .0.len(), .0.first().map_or_else(String::new, ToString::to_string))]
    Catalogue(Vec<CatalogueError>),
}

impl Environment {
    /// Makes an environment whose passphrase lies beside its keys until somebody moves it.
    ///
    /// # Errors
    ///
    /// The directory is not empty, or something cannot be written.
    pub fn create(root: &Path, config: Config) -> Result<Self, EnvironmentError> {
        Self::create_protected(root, config, &Protection::Kept)
    }

    /// Makes an environment in an empty or absent directory: rooms, keys, metadata database and catalogue.
    ///
    /// # Errors
    ///
    /// The directory is not empty, something cannot be written, or a hardware module refuses.
    pub fn create_protected(
        root: &Path,
        config: Config,
        protection: &Protection,
    ) -> Result<Self, EnvironmentError> {
        let is_taken = std::fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some());
        if is_taken {
            return Err(EnvironmentError::NotEmpty(root.to_owned()));
        }
        for room in ROOMS {
            make_dir(&root.join(room))?;
        }
        let opened_by = match protection {
            Protection::Kept => None,
            Protection::Passphrase(passphrase) | Protection::Module(_, passphrase) => {
                Some(passphrase.clone())
            }
        };
        let environment = Self::with_config(root, config).unlocked_by(opened_by);
        environment.keys.create(environment.config.demo_seed, protection)?;
        let signer = snapshots::public_key(&environment.key(KeyRole::Manifest)?)?;
        keys::publish_signer(&environment.room("keys"), &signer)?;
        for (path, text) in catalog_model::BUILTIN {
            let file = environment.room("catalog").join(path);
            if let Some(folder) = file.parent() {
                make_dir(folder)?;
            }
            write(&file, text)?;
        }
        environment.meta()?;
        // The configuration comes last: a directory without it is not an environment.
        write(&root.join(CONFIG), &environment.config.to_text())?;
        Ok(environment)
    }

    /// Opens the environment in `root`.
    ///
    /// # Errors
    ///
    /// There is none, or its configuration cannot be used.
    pub fn open(root: &Path) -> Result<Self, EnvironmentError> {
        let path = root.join(CONFIG);
        if !path.is_file() {
            return Err(EnvironmentError::NotAnEnvironment(root.to_owned()));
        }
        let config = Config::read(&path)?;
        // Paths into the environment go to other programs and to libraries that know no working directory.
        let root =
            root.canonicalize().map_err(|source| EnvironmentError::Io { path: root.to_owned(), source })?;
        Ok(Self::with_config(&root, config))
    }

    /// The environment, whose keys are opened by this passphrase or PIN.
    #[must_use]
    pub fn unlocked_by(self, passphrase: Option<Passphrase>) -> Self {
        Self { keys: self.keys.unlocked_by(passphrase), datasets: OpenedDatasets::default(), ..self }
    }

    /// The environment, each use of whose keys is told to `watch` before the key is handed out.
    #[must_use]
    pub fn watched(self, watch: Arc<KeyWatch>) -> Self {
        Self { keys: self.keys.watched(watch), datasets: OpenedDatasets::default(), ..self }
    }

    /// Staged files and links.
    pub fn staged_files(&self) -> StagedFiles {
        StagedFiles::of(self)
    }

    pub(crate) fn opened_datasets(&self) -> OpenedDatasets {
        Arc::clone(&self.datasets)
    }

    /// Held while a key of a partition is made or destroyed.
    pub(crate) fn making(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.making)
    }

    /// The lease that this process took, if it did.
    pub(crate) fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// The key store.
    pub const fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// The environment in `root` as `config` says it is; for the upgrade, which makes it so.
    pub(crate) fn with_config(root: &Path, config: Config) -> Self {
        let keys = KeyRing::new(&root.join("keys"));
        let (parsed, datasets) = (Arc::default(), OpenedDatasets::default());
        let (making, lease) = (Arc::default(), Lease::default());
        Self { root: root.to_owned(), config, keys, parsed, datasets, making, lease }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The directory of one room: `store`, `links`, `audit` …
    pub fn room(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The snapshots, checked against the environment's manifest key.
    ///
    /// # Errors
    ///
    /// The store or the key cannot be opened.
    pub fn snapshots(&self) -> Result<Snapshots, EnvironmentError> {
        let signer = keys::read_signer(&self.room("keys"))?;
        Ok(Snapshots::open(&self.room("store"), signer)?)
    }

    /// The metadata database.
    ///
    /// # Errors
    ///
    /// The database cannot be opened or brought to the present schema.
    pub fn meta(&self) -> Result<Meta, EnvironmentError> {
        let meta = match &self.config.database_url {
            Some(url) => Meta::connect(url)?,
            None => Meta::open(&self.root.join("meta.sqlite"))?,
        };
        Ok(Meta { lease: self.lease.token(), ..meta })
    }

    /// The present key of one role.
    ///
    /// # Errors
    ///
    /// The key is not there, cannot be opened, or its use cannot be recorded.
    pub fn key(&self, role: KeyRole) -> Result<SecretKey, EnvironmentError> {
        Ok(self.keys.current(role)?)
    }

    /// Every key of one role that is there, the present one first.
    ///
    /// # Errors
    ///
    /// A key cannot be opened, or its use cannot be recorded.
    pub fn keys_of(&self, role: KeyRole) -> Result<Vec<SecretKey>, EnvironmentError> {
        let former = self.keys.former(role)?.into_iter().map(|(_, key)| key);
        Ok(std::iter::once(self.keys.current(role)?).chain(former).collect())
    }

    /// The environment's catalogue files, as path and text.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn catalogue_files(&self) -> Result<Vec<(String, String)>, EnvironmentError> {
        read_catalogue(&self.room("catalog"))
    }

    /// Reads the environment's catalogue, with the digest of its files.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or the catalogue has errors.
    pub fn catalogue(&self) -> Result<(Arc<Catalogue>, String), EnvironmentError> {
        let files = self.catalogue_files()?;
        let mut digest = blake3::Hasher::new_derive_key("misu 2026-11 catalogue files");
        for (path, text) in &files {
            for part in [path.as_bytes(), text.as_bytes()] {
                digest.update(&(part.len() as u64).to_le_bytes());
                digest.update(part);
            }
        }
        let digest = digest.finalize().to_hex().to_string();
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, catalogue)) = parsed.as_ref().filter(|(known, _)| *known == digest) {
            return Ok((Arc::clone(catalogue), digest));
        }
        let catalogue = Catalogue::parse(files.iter().map(|(path, text)| (path.as_str(), text.as_str())))
            .map_err(EnvironmentError::Catalogue)?;
        let catalogue = Arc::new(catalogue);
        *parsed = Some((digest.clone(), Arc::clone(&catalogue)));
        Ok((catalogue, digest))
    }

    /// Takes the environment for one writer; the lock ends when the value is dropped or the process dies.
    ///
    /// # Errors
    ///
    /// Another writer has it.
    pub fn lock(&self) -> Result<Lock, EnvironmentError> {
        let path = self.root.join(LOCK);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| EnvironmentError::Io { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(EnvironmentError::Busy(self.root.clone())),
            Err(TryLockError::Error(source)) => Err(EnvironmentError::Io { path, source }),
        }
    }
}

/// Connects to the metadata database of the environment in `root`, where it is on a server, for a program that locks
/// itself in next and can open no socket then. When this returns, no thread that looked a name up is left.
///
/// # Errors
///
/// The configuration cannot be used, or the server does not answer.
pub fn connect_ahead(root: &Path) -> Result<(), EnvironmentError> {
    match Config::read_any(&root.join(CONFIG)) {
        Ok(Config { database_url: Some(url), .. }) => connect_ahead_to(&url),
        // What else is wrong is told by whoever opens the environment.
        _ => Ok(()),
    }
}

/// As [`connect_ahead`], for an environment that is about to be made.
///
/// # Errors
///
/// The server does not answer.
pub fn connect_ahead_to(url: &str) -> Result<(), EnvironmentError> {
    Ok(Meta::connect_ahead(url)?)
}

/// The TOML files below `root`, as path and text, by path.
pub(crate) fn read_catalogue(root: &Path) -> Result<Vec<(String, String)>, EnvironmentError> {
    let mut files = Vec::new();
    collect(root, root, &mut files)?;
    files.sort();
    Ok(files)
}

/// The right to change an environment, held by one program at a time.
#[derive(Debug)]
#[must_use = "the environment is free again as soon as the lock is dropped"]
pub struct Lock {
    _file: File,
}

pub(crate) fn make_dir(path: &Path) -> Result<(), EnvironmentError> {
    std::fs::create_dir_all(path).map_err(|source| EnvironmentError::Io { path: path.to_owned(), source })
}

pub(crate) fn write(path: &Path, text: &str) -> Result<(), EnvironmentError> {
    std::fs::write(path, text).map_err(|source| EnvironmentError::Io { path: path.to_owned(), source })
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) -> Result<(), EnvironmentError> {
    let io = |source| EnvironmentError::Io { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path)
                .map_err(|source| EnvironmentError::Io { path: path.clone(), source })?;
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            files.push((name, text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Config, Environment, EnvironmentError};

    #[test]
    fn a_second_writer_is_told_that_one_is_running() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(1))).unwrap();
        let held = environment.lock().unwrap();
        assert!(matches!(environment.lock(), Err(EnvironmentError::Busy(_))));
        drop(held);
        assert!(environment.lock().is_ok());
    }

    #[test]
    fn an_environment_is_not_made_on_top_of_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x"), "x").unwrap();
        let made = Environment::create(folder.path(), Config::new(4, None));
        assert!(matches!(made, Err(EnvironmentError::NotEmpty(_))));
        assert!(matches!(Environment::open(folder.path()), Err(EnvironmentError::NotAnEnvironment(_))));
    }

    #[test]
    fn the_catalogue_of_a_new_environment_is_the_shipped_one() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, None)).unwrap();
        let (catalogue, _) = environment.catalogue().unwrap();
        assert_eq!(catalogue.tables.len(), catalog_model::Catalogue::builtin().unwrap().tables.len());
    }
}
