//! The keys of a snapshot's files: one for the footer and one for each column, random for each file, wrapped under the
//! dataset's key and kept in the signed manifest.
//!
//! Who may read which column is therefore a matter of who is given which key. Files themselves are written and read
//! elsewhere; no Parquet here.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use catalog_model::{ColumnKeys, FileEntry, WrappedKey};

use crate::environment::{Environment, EnvironmentError, OpenedDatasets};
use crate::keys::{KeyError, KeyRole, SecretKey, decrypt, encrypt, from_hex, hex};

/// The footer's place among a file's wrapped keys; no column has an empty name.
const FOOTER: &str = "";

/// The keys of one file, unwrapped.
#[derive(Debug)]
pub struct FileKeys {
    /// What every encrypted piece of the file is bound to: the dataset key's id, then the file's own.
    pub bound_to: Vec<u8>,
    /// The footer's key.
    pub footer: SecretKey,
    /// The columns' keys.
    pub columns: BTreeMap<String, SecretKey>,
}

impl FileKeys {
    /// As readers and writers take them.
    pub fn by_column(&self) -> ColumnKeys<'_> {
        let columns = self.columns.iter();
        let columns = columns.map(|(column, key)| (column.as_str(), key.as_bytes().as_slice())).collect();
        ColumnKeys { bound_to: &self.bound_to, footer: self.footer.as_bytes(), columns }
    }
}

/// Wraps and unwraps keys of files. It keeps the dataset's keys, which are slow to open.
pub struct FileKeyring {
    environment: Environment,
    opened: OpenedDatasets,
}

impl fmt::Debug for FileKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKeyring(..)")
    }
}

impl FileKeyring {
    /// The keyring of an environment.
    pub fn new(environment: &Environment) -> Self {
        Self { environment: environment.clone(), opened: OpenedDatasets::default() }
    }

    /// A keyring that shares the opened keys with the environment's others of this sort.
    pub(crate) fn shared(environment: &Environment) -> Self {
        Self { environment: environment.clone(), opened: environment.opened_datasets() }
    }

    /// Makes keys for a new file: its random id, which becomes a part of its name, the keys, and the keys wrapped.
    ///
    /// # Errors
    ///
    /// The dataset's key cannot be opened, or the operating system gave no random bytes.
    pub fn make<'c>(
        &self,
        columns: impl IntoIterator<Item = &'c str>,
    ) -> Result<(String, FileKeys, BTreeMap<String, WrappedKey>), EnvironmentError> {
        make_under(&*self.dataset(None)?, columns)
    }

    /// Unwraps the footer's key of a file and those of the columns that `may_read` names; none where the file was
    /// written in clear.
    ///
    /// # Errors
    ///
    /// The dataset's key is gone, or a wrapped key belongs to another file or column.
    pub fn open(
        &self,
        file: &FileEntry,
        may_read: &dyn Fn(&str) -> bool,
    ) -> Result<Option<FileKeys>, EnvironmentError> {
        open_under(file, may_read, &|id| self.dataset(Some(id)))
    }

    /// The environment's directory.
    pub(crate) fn root(&self) -> &Path {
        self.environment.root()
    }

    /// Makes the key of a file that has one for all of it, bound to its name; the key, and the key wrapped.
    pub(crate) fn make_one(&self, name: &str) -> Result<(SecretKey, WrappedKey), EnvironmentError> {
        let (kek, key) = (self.dataset(None)?, SecretKey::random()?);
        let wrapped = wrap(&kek, name, FOOTER, &key)?;
        Ok((key, wrapped))
    }

    /// Unwraps such a key.
    pub(crate) fn open_one(&self, name: &str, wrapped: &WrappedKey) -> Result<SecretKey, EnvironmentError> {
        unwrap(name, FOOTER, wrapped, &|id| self.dataset(Some(id)))
    }

    /// The dataset's key with this id; the current one where none is named.
    fn dataset(&self, id: Option<&str>) -> Result<Arc<SecretKey>, EnvironmentError> {
        let name = id.unwrap_or_default();
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = opened.get(name) {
            return Ok(Arc::clone(known));
        }
        let ring = self.environment.keys();
        let key = match id {
            Some(id) => ring.with_id(KeyRole::Dataset, id)?,
            None => ring.current(KeyRole::Dataset)?,
        };
        let key = Arc::new(key);
        opened.insert(name.to_owned(), Arc::clone(&key));
        Ok(key)
    }
}

/// Makes keys for a new file, wrapped under `kek`: the file's random id, the keys, and the keys wrapped.
pub(crate) fn make_under<'c>(
    kek: &SecretKey,
    columns: impl IntoIterator<Item = &'c str>,
) -> Result<(String, FileKeys, BTreeMap<String, WrappedKey>), EnvironmentError> {
    let id = hex(SecretKey::random()?.as_bytes().get(..16).unwrap_or_default());
    let mut keys = FileKeys {
        bound_to: bound_to(kek.id().as_str(), &id),
        footer: SecretKey::random()?,
        columns: BTreeMap::new(),
    };
    for column in columns {
        keys.columns.insert(column.to_owned(), SecretKey::random()?);
    }
    let mut wrapped = BTreeMap::from([(FOOTER.to_owned(), wrap(kek, &id, FOOTER, &keys.footer)?)]);
    for (column, key) in &keys.columns {
        wrapped.insert(column.clone(), wrap(kek, &id, column, key)?);
    }
    Ok((id, keys, wrapped))
}

fn wrap(kek: &SecretKey, id: &str, place: &str, key: &SecretKey) -> Result<WrappedKey, KeyError> {
    let wrapped = hex(&encrypt(kek, &purpose(id, place), key.as_bytes())?);
    Ok(WrappedKey { kek: kek.id().as_str().to_owned(), wrapped })
}

/// The key under which keys of files are wrapped, by its id.
pub(crate) type Kek<'k> = dyn Fn(&str) -> Result<Arc<SecretKey>, EnvironmentError> + 'k;

/// Unwraps the footer's key of a file and those of the columns that `may_read` names; none where it lies in clear.
pub(crate) fn open_under(
    file: &FileEntry,
    may_read: &dyn Fn(&str) -> bool,
    kek: &Kek<'_>,
) -> Result<Option<FileKeys>, EnvironmentError> {
    let Some(footer) = file.keys.get(FOOTER) else { return Ok(None) };
    let id = file_id(&file.path);
    let mut keys = FileKeys {
        bound_to: bound_to(&footer.kek, id),
        footer: unwrap(id, FOOTER, footer, kek)?,
        columns: BTreeMap::new(),
    };
    for (column, wrapped) in &file.keys {
        if column != FOOTER && may_read(column) {
            keys.columns.insert(column.clone(), unwrap(id, column, wrapped, kek)?);
        }
    }
    Ok(Some(keys))
}

fn unwrap(id: &str, place: &str, wrapped: &WrappedKey, kek: &Kek<'_>) -> Result<SecretKey, EnvironmentError> {
    let sealed = from_hex(&wrapped.wrapped).unwrap_or_default();
    let key = decrypt(&*kek(&wrapped.kek)?, &purpose(id, place), &sealed);
    let key = key.and_then(|key| <[u8; 32]>::try_from(key.as_slice()).ok());
    Ok(SecretKey::new(key.ok_or(KeyError::Damaged("a file's wrapped key"))?))
}

/// The id of a file, which ends its name: `…/<content>-<id>.parquet`.
fn file_id(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or_default();
    let stem = name.strip_suffix(".parquet").unwrap_or(name);
    stem.rsplit('-').next().unwrap_or_default()
}

fn bound_to(dataset: &str, id: &str) -> Vec<u8> {
    [dataset.as_bytes(), id.as_bytes()].concat()
}

/// What a wrapped key is bound to, so that none can be put in another's place.
fn purpose(id: &str, place: &str) -> Vec<u8> {
    format!("misu/v1/file-key\0{id}\0{place}").into_bytes()
}

#[cfg(test)]
mod tests {
    use catalog_model::FileEntry;

    use super::FileKeyring;
    use crate::{Agreed, Config, Environment, KeyRole};

    fn entry(id: &str, keys: std::collections::BTreeMap<String, catalog_model::WrappedKey>) -> FileEntry {
        FileEntry {
            path: format!("data/person/abc-{id}.parquet"),
            bucket: Some(0),
            year: None,
            months: None,
            rows: 1,
            bytes: 1,
            content: "abc".to_owned(),
            blake3: String::new(),
            keys,
        }
    }

    #[test]
    fn only_named_columns_are_unwrapped_and_no_key_fits_another_place() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(1))).unwrap();
        let ring = FileKeyring::new(&environment);
        let (id, keys, wrapped) = ring.make(["sex", "birth_date"]).unwrap();
        let file = entry(&id, wrapped);
        let opened = ring.open(&file, &|column| column == "sex").unwrap().unwrap();
        assert_eq!(opened.columns.keys().collect::<Vec<_>>(), ["sex"]);
        assert_eq!(opened.columns["sex"].as_bytes(), keys.columns["sex"].as_bytes());
        assert_eq!((opened.footer.as_bytes(), &opened.bound_to), (keys.footer.as_bytes(), &keys.bound_to));
        let mut swapped = file.clone();
        let other = swapped.keys["birth_date"].clone();
        swapped.keys.insert("sex".to_owned(), other);
        assert!(ring.open(&swapped, &|_| true).is_err());
        let mut moved = file.clone();
        moved.path = "data/person/abc-00000000000000000000000000000000.parquet".to_owned();
        assert!(ring.open(&moved, &|_| true).is_err());
    }

    #[test]
    fn without_the_dataset_key_no_file_opens() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, None)).unwrap();
        let (id, _, wrapped) = FileKeyring::new(&environment).make(["sex"]).unwrap();
        let file = entry(&id, wrapped);
        assert!(FileKeyring::new(&environment).open(&file, &|_| true).is_ok());
        environment.keys().rotate(KeyRole::Dataset).unwrap();
        assert!(FileKeyring::new(&environment).open(&file, &|_| true).is_ok());
        let agreed = Agreed { first: "ichiro".to_owned(), second: "jiro".to_owned(), request: String::new() };
        environment.keys().destroy(KeyRole::Dataset, 1, &agreed).unwrap();
        assert!(FileKeyring::new(&environment).open(&file, &|_| true).is_err());
    }
}
