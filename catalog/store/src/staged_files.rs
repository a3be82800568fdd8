//! Files between ingest and publish: rows, claims, identities, links.
//!
//! Custodians' programs read them, and read them whole, so one key for a file is enough: random, wrapped under the
//! delivery's key (of links, the dataset's) at the file's head. Files of snapshots, whose columns are granted one by
//! one, have [`FileKeyring`]'s other keys. A data holder has no environment: there they lie as they are, beside the
//! delivery that they were made of.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use catalog_model::WrappedKey;
use zeroize::Zeroizing;

use crate::environment::{Environment, EnvironmentError};
use crate::file_keys::FileKeyring;
use crate::keys::{KeyError, decrypt, encrypt_behind};

/// How an encrypted file begins. Its wrapped key follows, as JSON up to the end of the line, then what is encrypted.
const MARK: &[u8] = b"misu staged file 1\n";

/// How such files are written and read.
#[derive(Clone, Debug)]
pub enum StagedFiles {
    /// As they are.
    Clear,
    /// Encrypted, in the keyring's environment.
    Encrypted(Arc<FileKeyring>),
}

impl StagedFiles {
    /// Those of an environment.
    pub fn of(environment: &Environment) -> Self {
        Self::Encrypted(Arc::new(FileKeyring::shared(environment)))
    }

    /// Writes a file. It is brought to disk by whoever commits.
    ///
    /// # Errors
    ///
    /// The dataset's key cannot be opened, or the file cannot be written.
    pub fn write(&self, path: &Path, clear: &[u8]) -> Result<(), EnvironmentError> {
        let written = match self {
            Self::Clear => std::fs::write(path, clear),
            Self::Encrypted(ring) => std::fs::write(path, encrypted(ring, path, clear)?),
        };
        written.map_err(|source| EnvironmentError::Io { path: path.to_owned(), source })
    }

    /// Reads a file, also one that an earlier version left as it is.
    ///
    /// # Errors
    ///
    /// It is not there, its key cannot be opened, or it is not what was written under this name.
    pub fn read(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, EnvironmentError> {
        let bytes =
            std::fs::read(path).map_err(|source| EnvironmentError::Io { path: path.to_owned(), source })?;
        match (self, bytes.strip_prefix(MARK)) {
            (Self::Encrypted(ring), Some(sealed)) => decrypted(ring, path, sealed),
            _ => Ok(Zeroizing::new(bytes)),
        }
    }

    /// As [`StagedFiles::read`], for readers of Parquet.
    ///
    /// # Errors
    ///
    /// As [`StagedFiles::read`].
    pub fn bytes(&self, path: &Path) -> Result<Bytes, EnvironmentError> {
        Ok(Bytes::from_owner(self.read(path)?))
    }

    /// As [`StagedFiles::bytes`], for whoever knows files but no environment.
    pub fn opener(&self) -> impl Fn(&Path) -> std::io::Result<Bytes> + Send + Sync + '_ {
        |path| self.bytes(path).map_err(std::io::Error::other)
    }

    /// Encrypts what an earlier version left as it is.
    ///
    /// # Errors
    ///
    /// As [`StagedFiles::read`] and [`StagedFiles::write`].
    pub(crate) fn encrypt_left(&self, path: &Path) -> Result<(), EnvironmentError> {
        let io = |source| EnvironmentError::Io { path: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(io)?;
        let Self::Encrypted(ring) = self else { return Ok(()) };
        if bytes.starts_with(MARK) {
            return Ok(());
        }
        replace(path, &encrypted(ring, path, &bytes)?).map_err(io)
    }

    /// Encrypts a file anew whose key a former dataset key wraps itself.
    ///
    /// # Errors
    ///
    /// As [`StagedFiles::read`] and [`StagedFiles::write`].
    pub(crate) fn renew(&self, path: &Path) -> Result<(), EnvironmentError> {
        let io = |source| EnvironmentError::Io { path: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(io)?;
        let (Self::Encrypted(ring), Some(sealed)) = (self, bytes.strip_prefix(MARK)) else { return Ok(()) };
        let (under, _) = head(sealed)?;
        if ring.is_partition(&under.kek)? || ring.is_present(&under.kek)? {
            return Ok(());
        }
        let clear = decrypted(ring, path, sealed)?;
        let anew = encrypted(ring, path, &clear)?;
        ring.still_held()?;
        replace(path, &anew).map_err(io)
    }
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("writing");
    std::fs::write(&temporary, bytes)?;
    std::fs::rename(&temporary, path)
}

fn encrypted(ring: &FileKeyring, path: &Path, clear: &[u8]) -> Result<Vec<u8>, EnvironmentError> {
    let name = name(ring, path);
    let (key, wrapped) = ring.make_one(&name)?;
    let head = serde_json::to_vec(&wrapped).unwrap_or_default();
    Ok(encrypt_behind([MARK, &head, b"\n"].concat(), &key, &content_of(&name), clear)?)
}

fn decrypted(ring: &FileKeyring, path: &Path, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, EnvironmentError> {
    let name = name(ring, path);
    let (wrapped, content) = head(sealed)?;
    let key = ring.open_one(&name, &wrapped)?;
    Ok(decrypt(&key, &content_of(&name), content).ok_or_else(damaged)?)
}

/// A file's wrapped key, and what is encrypted.
fn head(sealed: &[u8]) -> Result<(WrappedKey, &[u8]), KeyError> {
    let end = sealed.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
    let (head, rest) = sealed.split_at(end);
    let wrapped = serde_json::from_slice(head).map_err(|_| damaged())?;
    Ok((wrapped, rest.get(1..).unwrap_or_default()))
}

const fn damaged() -> KeyError {
    KeyError::Damaged("a staged file")
}

/// The place of a file in its environment, to which it is bound. A folder has another name while it is written.
fn name(ring: &FileKeyring, path: &Path) -> String {
    let below = path.strip_prefix(ring.root()).unwrap_or(path);
    let parts: Vec<_> =
        below.iter().map(|part| part.to_string_lossy().trim_end_matches(".writing").to_owned()).collect();
    parts.join("/")
}

fn content_of(name: &str) -> Vec<u8> {
    format!("misu/v1/staged-file\0{name}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{MARK, StagedFiles};
    use crate::{Agreed, Config, Environment, KeyRole};

    fn environment(folder: &std::path::Path) -> Environment {
        Environment::create(&folder.join("env"), Config::new(4, None)).unwrap()
    }

    #[test]
    fn a_file_opens_in_its_place_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let environment = environment(folder.path());
        let files = StagedFiles::of(&environment);
        let part = environment.room("store").join("staging/abc/00001");
        let writing = part.with_extension("writing");
        std::fs::create_dir_all(&writing).unwrap();
        files.write(&writing.join("rows.parquet"), b"MARKED ROWS").unwrap();
        std::fs::rename(&writing, &part).unwrap();
        let path = part.join("rows.parquet");
        assert_eq!(files.read(&path).unwrap().as_slice(), b"MARKED ROWS");
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.starts_with(MARK) && !bytes.windows(6).any(|bytes| bytes == b"MARKED"));
        // Neither in another place, nor with a changed byte, nor under a name of another environment.
        std::fs::copy(&path, part.join("others.parquet")).unwrap();
        assert!(files.read(&part.join("others.parquet")).is_err());
        for at in [MARK.len() + 3, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            std::fs::write(&path, changed).unwrap();
            assert!(files.read(&path).is_err());
        }
    }

    #[test]
    fn without_the_dataset_key_no_file_opens() {
        let folder = tempfile::tempdir().unwrap();
        let environment = environment(folder.path());
        let path = environment.room("links").join("keys.parquet");
        StagedFiles::of(&environment).write(&path, b"keys").unwrap();
        environment.keys().rotate(KeyRole::Dataset).unwrap();
        assert!(StagedFiles::of(&environment).read(&path).is_ok());
        let agreed = Agreed { first: "ichiro".to_owned(), second: "jiro".to_owned(), request: String::new() };
        environment.keys().destroy((KeyRole::Dataset, None), 1, &agreed).unwrap();
        let later = Environment::open(environment.root()).unwrap();
        assert!(StagedFiles::of(&later).read(&path).is_err());
    }

    #[test]
    fn the_staged_files_of_a_delivery_end_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let environment = environment(folder.path());
        let files = StagedFiles::of(&environment);
        let places = ["store/staging/abc/00001", "links/staging/abc.r1", "links/staging/def"];
        let paths = places.map(|place| environment.room(place).join("rows.parquet"));
        for path in &paths {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            files.write(path, b"rows").unwrap();
        }
        let gone = [("abc".to_owned(), "today".to_owned())].into();
        assert_eq!(environment.erase_staged(&gone).unwrap().len(), 1);
        assert_eq!(paths.map(|path| files.read(&path).is_ok()), [false, false, true]);
        assert!(environment.erase_staged(&gone).unwrap().is_empty());
    }

    #[test]
    fn what_an_earlier_version_left_is_read_and_an_upgrade_encrypts_it() {
        let folder = tempfile::tempdir().unwrap();
        let environment = environment(folder.path());
        let (files, path) = (StagedFiles::of(&environment), environment.room("links").join("keys.parquet"));
        std::fs::write(&path, b"PAR1 as it was").unwrap();
        assert_eq!(files.read(&path).unwrap().as_slice(), b"PAR1 as it was");
        for _ in 0..2 {
            crate::upgrade(environment.root(), None).unwrap();
        }
        assert!(std::fs::read(&path).unwrap().starts_with(MARK));
        assert_eq!(files.read(&path).unwrap().as_slice(), b"PAR1 as it was");
    }
}
