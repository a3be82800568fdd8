//! The keys of a snapshot's files: one for the footer and one for each column, random for each file, wrapped under the
//! key of their partition (which the dataset's key wraps) and kept in the signed manifest.
//!
//! Who may read which column is therefore a matter of who is given which key. Files themselves are written and read
//! elsewhere; no Parquet here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catalog_model::{ColumnKeys, FileEntry, SnapshotManifest, WrappedKey};

use crate::environment::{Environment, EnvironmentError, OpenedDatasets};
use crate::keys::{Agreed, KeyError, KeyId, KeyRole, SecretKey, decrypt, encrypt, from_hex, hex};
use crate::partitions::{self, Erasure, Partition, PartitionKey, Partitions, Stamp};

/// The footer's place among a file's wrapped keys; no column has an empty name.
const FOOTER: &str = "";
/// The place of a partition's own key.
const PARTITION: &str = "partition";

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
    partitions: Mutex<Known>,
}

/// The partitions as they were read last, and the keys of them that were opened.
#[derive(Default)]
struct Known {
    stamp: Option<Stamp>,
    list: Partitions,
    opened: HashMap<String, Arc<SecretKey>>,
}

impl fmt::Debug for FileKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKeyring(..)")
    }
}

impl FileKeyring {
    /// The keyring of an environment.
    pub fn new(environment: &Environment) -> Self {
        Self::of(environment, OpenedDatasets::default())
    }

    /// A keyring that shares the opened keys with the environment's others of this sort.
    pub(crate) fn shared(environment: &Environment) -> Self {
        Self::of(environment, environment.opened_datasets())
    }

    fn of(environment: &Environment, opened: OpenedDatasets) -> Self {
        Self { environment: environment.clone(), opened, partitions: Mutex::default() }
    }

    /// Makes keys for a new file of a partition: its random id, which becomes a part of its name, the keys, and the keys
    /// wrapped.
    ///
    /// # Errors
    ///
    /// The dataset's key cannot be opened, or the operating system gave no random bytes.
    pub fn make<'c>(
        &self,
        partition: &Partition,
        columns: impl IntoIterator<Item = &'c str>,
    ) -> Result<(String, FileKeys, BTreeMap<String, WrappedKey>), EnvironmentError> {
        make_under(&*self.current(partition)?, columns)
    }

    /// Unwraps the footer's key of a file and those of the columns that `may_read` names; none where the file was
    /// written in clear.
    ///
    /// # Errors
    ///
    /// The data were erased, the dataset's key is gone, or a wrapped key belongs to another file or column.
    pub fn open(
        &self,
        file: &FileEntry,
        may_read: &dyn Fn(&str) -> bool,
    ) -> Result<Option<FileKeys>, EnvironmentError> {
        open_under(file, may_read, &|id| self.kek(id))
    }

    /// The partitions of those of these files that cannot be read any more, each with when it was erased.
    ///
    /// # Errors
    ///
    /// The list of partitions cannot be read.
    pub fn erased<'f>(
        &self,
        files: impl IntoIterator<Item = &'f FileEntry>,
    ) -> Result<BTreeMap<Partition, String>, EnvironmentError> {
        let known = self.known()?;
        let gone: HashMap<&str, &PartitionKey> =
            known.list.gone().map(|key| (key.id.as_str(), key)).collect();
        if gone.is_empty() {
            return Ok(BTreeMap::new());
        }
        let found =
            files.into_iter().filter_map(|file| gone.get(file.keys.get(FOOTER)?.kek.as_str()).copied());
        Ok(found.map(|key| (key.partition.clone(), key.erased.clone().unwrap_or_default())).collect())
    }

    /// What became of the keys of partitions, for whoever asks of many files.
    ///
    /// # Errors
    ///
    /// The list of partitions cannot be read.
    pub fn states(&self) -> Result<FileStates, EnvironmentError> {
        let known = self.known()?;
        let state = |key: &PartitionKey| match key.wrapped {
            Some(_) => FileState::Kept,
            None => FileState::Erased,
        };
        let states = known.list.every().map(|key| (key.id.as_str().to_owned(), state(key))).collect();
        Ok(FileStates(states))
    }

    /// Whether this is the id of a partition's key.
    pub(crate) fn is_partition(&self, kek: &str) -> Result<bool, EnvironmentError> {
        Ok(self.known()?.list.find(kek).is_some())
    }

    /// Wraps the keys of all partitions under the dataset's present key, so that a former one opens none of them.
    ///
    /// # Errors
    ///
    /// A key cannot be opened, or the list cannot be written.
    pub(crate) fn rewrap(&self) -> Result<(), EnvironmentError> {
        let making = self.environment.making();
        let _one = making.lock().unwrap_or_else(PoisonError::into_inner);
        let (folder, kek) = (self.environment.room("keys"), self.dataset(None)?);
        let mut list = Partitions::read(&folder)?;
        let mut renewed = 0_usize;
        let is_former =
            |entry: &PartitionKey| entry.wrapped.as_ref().is_some_and(|key| key.kek != kek.id().as_str());
        for entry in list.live_keys().filter(|entry| is_former(entry)) {
            let key = self.open_partition(entry)?;
            entry.wrapped = Some(wrap(&kek, &entry.partition.to_string(), PARTITION, &key)?);
            renewed += 1;
        }
        if renewed == 0 {
            return Ok(());
        }
        self.still_held()?;
        Ok(list.write(&folder)?)
    }

    /// As [`Environment::still_held`].
    pub(crate) fn still_held(&self) -> Result<(), EnvironmentError> {
        self.environment.still_held()
    }

    /// Whether this is the id of the dataset's present key.
    pub(crate) fn is_present(&self, kek: &str) -> Result<bool, EnvironmentError> {
        Ok(self.dataset(None)?.id().as_str() == kek)
    }

    /// The environment's directory.
    pub(crate) fn root(&self) -> &Path {
        self.environment.root()
    }

    /// Makes the key of a file that has one for all of it, bound to its name; the key, and the key wrapped.
    pub(crate) fn make_one(&self, name: &str) -> Result<(SecretKey, WrappedKey), EnvironmentError> {
        let kek = match delivery_of(name) {
            Some(id) => self.current(&Partition::Delivery { id: id.to_owned() })?,
            None => self.dataset(None)?,
        };
        let key = SecretKey::random()?;
        let wrapped = wrap(&kek, name, FOOTER, &key)?;
        Ok((key, wrapped))
    }

    /// Unwraps such a key.
    pub(crate) fn open_one(&self, name: &str, wrapped: &WrappedKey) -> Result<SecretKey, EnvironmentError> {
        unwrap(name, FOOTER, wrapped, &|id| self.kek(id))
    }

    /// The key with this id: a partition's, or the dataset's where it wraps keys of files itself.
    fn kek(&self, id: &str) -> Result<Arc<SecretKey>, EnvironmentError> {
        let mut known = self.known()?;
        if let Some(key) = known.opened.get(id) {
            return Ok(Arc::clone(key));
        }
        let Some(key) = known.list.find(id).map(|entry| self.open_partition(entry)) else {
            drop(known);
            return self.dataset(Some(id));
        };
        let key = Arc::new(key?);
        known.opened.insert(id.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    /// The present key of a partition; a new one where it has none.
    fn current(&self, partition: &Partition) -> Result<Arc<SecretKey>, EnvironmentError> {
        // INVARIANT: a key that wraps is never lost from the list: whoever makes one holds the environment still, and
        // its threads make them one after the other.
        let making = self.environment.making();
        let _one = making.lock().unwrap_or_else(PoisonError::into_inner);
        let live = self.known()?.list.live(partition).map(|entry| entry.id.clone());
        if let Some(id) = live {
            return self.kek(id.as_str());
        }
        self.environment.still_held()?;
        let (folder, key) = (self.environment.room("keys"), SecretKey::random()?);
        let wrapped = wrap(&*self.dataset(None)?, &partition.to_string(), PARTITION, &key)?;
        let mut list = Partitions::read(&folder)?;
        list.add(partition.clone(), key.id(), wrapped);
        list.write(&folder)?;
        self.kek(key.id().as_str())
    }

    fn open_partition(&self, entry: &PartitionKey) -> Result<SecretKey, EnvironmentError> {
        let wrapped = entry.wrapped.as_ref().ok_or_else(|| entry.gone())?;
        unwrap(&entry.partition.to_string(), PARTITION, wrapped, &|id| self.dataset(Some(id)))
    }

    /// The partitions as they lie on the disk now: another program may have erased one since.
    fn known(&self) -> Result<MutexGuard<'_, Known>, EnvironmentError> {
        let mut known = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = self.environment.room("keys");
        let stamp = partitions::stamp(&folder);
        if known.stamp != stamp {
            *known = Known { stamp, list: Partitions::read(&folder)?, opened: HashMap::new() };
        }
        Ok(known)
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

/// What one erasure can do to a file, or has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It lies under the key of its partition and ends with it.
    Kept,
    /// The key of its partition is gone.
    Erased,
    /// An earlier version wrote it, in clear or under the dataset key itself: no erasure reaches it.
    Earlier,
}

/// What became of the keys of partitions, as the list had it at one time.
#[derive(Clone, Debug)]
pub struct FileStates(HashMap<String, FileState>);

impl FileStates {
    /// The state of a file.
    pub fn of(&self, file: &FileEntry) -> FileState {
        let footer = file.keys.get(FOOTER).and_then(|footer| self.0.get(&footer.kek));
        footer.copied().unwrap_or(FileState::Earlier)
    }

    /// Whether every file of a snapshot can be read and would end with an erasure.
    pub fn all_kept(&self, snapshot: &SnapshotManifest) -> bool {
        let mut files = snapshot.body.tables.values().flat_map(|table| &table.files);
        files.all(|file| self.of(file) == FileState::Kept)
    }
}

/// The delivery of which a staged file is, by its place in the environment.
fn delivery_of(name: &str) -> Option<&str> {
    let below = name.strip_prefix("store/staging/").or_else(|| name.strip_prefix("links/staging/"))?;
    let (reading, _) = below.split_once('/')?;
    // Every reading of a delivery has the delivery's key.
    reading.split('.').next()
}

impl Environment {
    /// The datasets and fiscal years that were erased.
    ///
    /// # Errors
    ///
    /// The list of partitions cannot be read.
    pub fn erasures(&self) -> Result<Vec<Erasure>, EnvironmentError> {
        Ok(Partitions::read(&self.room("keys"))?.erasures().to_vec())
    }

    /// How many keys an erasure ended.
    ///
    /// # Errors
    ///
    /// The list of partitions cannot be read.
    pub fn keys_ended(&self, erasure: &Erasure) -> Result<u64, EnvironmentError> {
        Ok(Partitions::read(&self.room("keys"))?.ended(erasure) as u64)
    }

    /// The ids of deliveries whose staged rows have a key, those of an unfinished ingest as well.
    ///
    /// # Errors
    ///
    /// The list of partitions cannot be read.
    pub fn staged_deliveries(&self) -> Result<BTreeSet<String>, EnvironmentError> {
        Ok(Partitions::read(&self.room("keys"))?.staged().map(str::to_owned).collect())
    }

    /// Destroys the keys of a dataset, or of one fiscal year of it, which takes two officers; the ids of the keys. Of what
    /// an earlier erasure covers it destroys none.
    ///
    /// # Errors
    ///
    /// The list of partitions cannot be read or written.
    pub fn erase(&self, erasure: &Erasure, _agreed: &Agreed) -> Result<Vec<KeyId>, EnvironmentError> {
        self.destroying(|list| list.erase(erasure))
    }

    /// Destroys the keys of the staged rows and identities of deliveries that no longer count: their ids, each with when
    /// it ceased to. The ids of the keys.
    ///
    /// # Errors
    ///
    /// The list of partitions cannot be read or written.
    pub fn erase_staged(&self, gone: &BTreeMap<String, String>) -> Result<Vec<KeyId>, EnvironmentError> {
        self.destroying(|list| list.erase_staged(gone))
    }

    fn destroying(
        &self,
        destroy: impl FnOnce(&mut Partitions) -> Vec<KeyId>,
    ) -> Result<Vec<KeyId>, EnvironmentError> {
        let making = self.making();
        let _one = making.lock().unwrap_or_else(PoisonError::into_inner);
        self.still_held()?;
        let folder = self.room("keys");
        let mut list = Partitions::read(&folder)?;
        let erasures = list.erasures().len();
        let ids = destroy(&mut list);
        if !ids.is_empty() || list.erasures().len() > erasures {
            list.write(&folder)?;
        }
        Ok(ids)
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

    use super::{FileKeyring, FileState};
    use crate::{Agreed, Config, Environment, EnvironmentError, Erasure, KeyError, KeyRole, Partition};

    fn year(database: &str, year: i32) -> Partition {
        Partition::Year { databases: [database.to_owned()].into(), year: Some(year) }
    }

    fn agreed() -> Agreed {
        Agreed { first: "ichiro".to_owned(), second: "jiro".to_owned(), request: String::new() }
    }

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
        let (id, keys, wrapped) = ring.make(&year("ndb", 2023), ["sex", "birth_date"]).unwrap();
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
        let (id, _, wrapped) = FileKeyring::new(&environment).make(&year("ndb", 2023), ["sex"]).unwrap();
        let file = entry(&id, wrapped);
        assert!(FileKeyring::new(&environment).open(&file, &|_| true).is_ok());
        environment.keys().rotate(KeyRole::Dataset).unwrap();
        assert!(FileKeyring::new(&environment).open(&file, &|_| true).is_ok());
        environment.keys().destroy((KeyRole::Dataset, None), 1, &agreed()).unwrap();
        assert!(FileKeyring::new(&environment).open(&file, &|_| true).is_err());
    }

    #[test]
    fn an_erased_year_is_unreadable_at_once_and_no_other_is() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, None)).unwrap();
        let ring = FileKeyring::new(&environment);
        let file = |partition: &Partition| {
            let (id, _, wrapped) = ring.make(partition, ["sex"]).unwrap();
            entry(&id, wrapped)
        };
        let (gone, kept) = (file(&year("ndb", 2023)), file(&year("ndb", 2024)));
        assert!(ring.open(&gone, &|_| true).is_ok() && ring.open(&kept, &|_| true).is_ok());
        let (database, at) = ("ndb".to_owned(), "today".to_owned());
        let erasure = Erasure { database, year: Some(2023), at, ..Erasure::default() };
        // The keyring is another program's as well: it has the key opened.
        let other = Environment::open(environment.root()).unwrap();
        assert_eq!(other.erase(&erasure, &agreed()).unwrap().len(), 1);
        let error = ring.open(&gone, &|_| true).unwrap_err();
        assert!(matches!(error, EnvironmentError::Key(KeyError::Erased { .. })), "{error}");
        assert!(ring.open(&kept, &|_| true).is_ok());
        assert!(ring.erased([&kept]).unwrap().is_empty());
        assert_eq!(ring.erased([&kept, &gone]).unwrap(), [(year("ndb", 2023), "today".to_owned())].into());
        // What is derived from what is left gets a new key; the old files stay closed.
        assert!(ring.open(&file(&year("ndb", 2023)), &|_| true).is_ok());
        assert!(ring.open(&gone, &|_| true).is_err());
        // The same erasure again is done already, and what was made since stays open.
        let again = file(&year("ndb", 2023));
        assert!(other.erase(&erasure, &agreed()).unwrap().is_empty() && other.erasures().unwrap().len() == 1);
        assert!(ring.open(&again, &|_| true).is_ok());
        let states = ring.states().unwrap();
        let earlier = entry("0", std::collections::BTreeMap::new());
        assert_eq!(
            [&gone, &again, &earlier].map(|file| states.of(file)),
            [FileState::Erased, FileState::Kept, FileState::Earlier]
        );
    }

    #[test]
    fn keys_of_years_move_to_the_present_dataset_key() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, None)).unwrap();
        let (id, _, wrapped) = FileKeyring::new(&environment).make(&year("ndb", 2023), ["sex"]).unwrap();
        let file = entry(&id, wrapped);
        let link = environment.room("links").join("keys.parquet");
        environment.staged_files().write(&link, b"keys").unwrap();
        // Two rotations, the first of which was killed before it wrapped anything anew.
        for _ in 0..2 {
            environment.keys().rotate(KeyRole::Dataset).unwrap();
        }
        crate::rewrap(&environment).unwrap();
        let (list, kept) = (environment.room("keys").join("partitions.json"), std::fs::read(&link).unwrap());
        let wrapped = std::fs::read(&list).unwrap();
        crate::rewrap(&environment).unwrap();
        assert_eq!((std::fs::read(&list).unwrap(), std::fs::read(&link).unwrap()), (wrapped, kept));
        for epoch in [1, 2] {
            environment.keys().destroy((KeyRole::Dataset, None), epoch, &agreed()).unwrap();
        }
        let later = Environment::open(environment.root()).unwrap();
        assert!(FileKeyring::new(&later).open(&file, &|_| true).is_ok());
        assert_eq!(later.staged_files().read(&link).unwrap().as_slice(), b"keys");
    }
}
