//! Snapshots: signed manifests, each created once, numbered, never changed.
//!
//! `snapshots/00000001.json` and so on below the store. Publishing puts the next number with create-if-absent: of two
//! writers one wins, and a reader sees the whole snapshot or none. A manifest's id is recomputed and its signature
//! checked at every load.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use catalog_model::{ManifestBody, SnapshotId, SnapshotManifest};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::blocking::wait;
use crate::keys::SecretKey;

/// The snapshots of an environment.
#[derive(Clone, Debug)]
pub struct Snapshots {
    store: Arc<dyn ObjectStore>,
    root: PathBuf,
    signer: [u8; 32],
}

/// File number, length and time of change.
type Stamp = (u64, u64, i64, i64);

/// A manifest with its number, its file's stamp, and the newest number when it was looked for.
#[derive(Debug)]
struct Known {
    number: u64,
    stamp: Stamp,
    newest: u64,
    manifest: Arc<SnapshotManifest>,
}

impl Known {
    // Content that is published again has the same id under a newer number, in other files.
    fn holds(&self, snapshots: &Snapshots, newest: u64) -> bool {
        self.newest == newest && snapshots.stamp(self.number) == Some(self.stamp)
    }
}

/// Manifests that were read and checked: a large one takes longer to read than a question to judge. They are used while
/// their file is the one that was read.
#[derive(Debug, Default)]
pub struct KnownManifests(Mutex<BTreeMap<SnapshotId, Known>>);

impl KnownManifests {
    /// As [`Snapshots::find`].
    ///
    /// # Errors
    ///
    /// As [`Snapshots::find`].
    pub fn find(
        &self,
        snapshots: &Snapshots,
        id: &SnapshotId,
    ) -> Result<Arc<SnapshotManifest>, SnapshotError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = snapshots.numbers()?.last().copied().unwrap_or_default();
        if let Some(found) = known.get(id).filter(|found| found.holds(snapshots, newest)) {
            return Ok(Arc::clone(&found.manifest));
        }
        known.retain(|_, found| found.holds(snapshots, newest));
        let (number, manifest) = snapshots.found(id)?;
        let manifest = Arc::new(manifest);
        if let Some(stamp) = snapshots.stamp(number) {
            let manifest = Arc::clone(&manifest);
            known.insert(id.clone(), Known { number, stamp, newest, manifest });
        }
        Ok(manifest)
    }
}

/// Why a snapshot cannot be published or read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The store cannot be opened.
    #[error("cannot open the store {path}")]
    Open {
        /// The store's directory.
        path: PathBuf,
        /// What the store said.
        source: object_store::Error,
    },
    /// The store cannot be read or written.
    #[error("cannot {action} {object}")]
    Store {
        /// What was tried.
        action: &'static str,
        /// The object.
        object: String,
        /// What the store said.
        source: object_store::Error,
    },
    /// A manifest cannot be brought to disk.
    #[error("cannot flush {path}")]
    Flush {
        /// The manifest.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Another program published first.
    #[error("another program published snapshot number {0} meanwhile; publish again")]
    Raced(u64),
    /// A manifest is not of the expected form.
    #[error("{object} is not a snapshot manifest")]
    Form {
        /// The object.
        object: String,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A manifest's id is not the digest of its content.
    #[error("{0} was changed: its id is not the digest of its content")]
    WrongId(String),
    /// A manifest's signature does not hold.
    #[error("{0} was changed or signed by another key: its signature does not hold")]
    WrongSignature(String),
    /// No snapshot has this id.
    #[error("there is no snapshot {0}")]
    Unknown(String),
    /// The latest snapshot is not removed.
    #[error("snapshot number {0} is the latest and stays")]
    Latest(u64),
    /// The signing key cannot be used.
    #[error("the manifest key cannot sign")]
    Key,
    /// The operating system gave no runtime.
    #[error("the operating system gave no event loop")]
    Runtime,
}

const FOLDER: &str = "snapshots";

impl Snapshots {
    /// Opens the store in a local directory.
    pub(crate) fn open(root: &Path, signer: [u8; 32]) -> Result<Self, SnapshotError> {
        let store = LocalFileSystem::new_with_prefix(root)
            .map_err(|source| SnapshotError::Open { path: root.to_owned(), source })?;
        Ok(Self { store: Arc::new(store), root: root.to_owned(), signer })
    }

    /// The snapshots' numbers and manifests, oldest first.
    ///
    /// # Errors
    ///
    /// The store cannot be read, or a manifest was changed.
    pub fn all(&self) -> Result<Vec<(u64, SnapshotManifest)>, SnapshotError> {
        self.numbers()?.into_iter().map(|number| Ok((number, self.load(number)?))).collect()
    }

    /// The latest snapshot, if any.
    ///
    /// # Errors
    ///
    /// As [`Snapshots::all`].
    pub fn head(&self) -> Result<Option<(u64, SnapshotManifest)>, SnapshotError> {
        match self.numbers()?.last() {
            None => Ok(None),
            Some(number) => Ok(Some((*number, self.load(*number)?))),
        }
    }

    /// The snapshot with this id.
    ///
    /// # Errors
    ///
    /// There is none, or as [`Snapshots::all`].
    pub fn find(&self, id: &SnapshotId) -> Result<SnapshotManifest, SnapshotError> {
        self.found(id).map(|(_, manifest)| manifest)
    }

    fn found(&self, id: &SnapshotId) -> Result<(u64, SnapshotManifest), SnapshotError> {
        for number in self.numbers()?.into_iter().rev() {
            let manifest = self.load(number)?;
            if manifest.id == *id {
                return Ok((number, manifest));
            }
        }
        Err(SnapshotError::Unknown(id.to_string()))
    }

    /// What of a manifest's file changes with it; nothing where it is not there.
    fn stamp(&self, number: u64) -> Option<Stamp> {
        let file = std::fs::metadata(self.root.join(object(number).as_ref())).ok()?;
        Some((file.ino(), file.len(), file.mtime(), file.mtime_nsec()))
    }

    /// The id that a snapshot with this content has.
    pub fn id_of(&self, body: &ManifestBody) -> SnapshotId {
        id_of(body)
    }

    /// Signs `body` and commits it as the next snapshot. Where the head has the same id nothing is written.
    ///
    /// # Errors
    ///
    /// The store cannot be written, or another program published first.
    pub fn commit(
        &self,
        body: ManifestBody,
        published: &str,
        key: &SecretKey,
    ) -> Result<SnapshotManifest, SnapshotError> {
        self.commit_over(body, published, key, &|_| true)
    }

    /// As [`Snapshots::commit`], where the head may have the same id and no longer `stands`, because files of it open no
    /// more: then the same content gets another number.
    ///
    /// # Errors
    ///
    /// As [`Snapshots::commit`].
    pub fn commit_over(
        &self,
        body: ManifestBody,
        published: &str,
        key: &SecretKey,
        stands: &dyn Fn(&SnapshotManifest) -> bool,
    ) -> Result<SnapshotManifest, SnapshotError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(key.as_bytes()).map_err(|_| SnapshotError::Key)?;
        let parent = self.head()?;
        let id = id_of(&body);
        if let Some((_, head)) = &parent
            && head.id == id
            && stands(head)
        {
            return Ok(head.clone());
        }
        let number = parent.as_ref().map_or(1, |(number, _)| number + 1);
        let mut manifest = SnapshotManifest {
            id,
            body,
            published: published.to_owned(),
            parent: parent.map(|(_, manifest)| manifest.id),
            signer: hex(pair.public_key().as_ref()),
            signature: String::new(),
        };
        manifest.signature = hex(pair.sign(&signed_bytes(&manifest)).as_ref());
        self.put(number, &manifest)?;
        Ok(manifest)
    }

    fn put(&self, number: u64, manifest: &SnapshotManifest) -> Result<(), SnapshotError> {
        let object = object(number);
        let bytes = serde_json::to_vec_pretty(manifest)
            .map_err(|source| SnapshotError::Form { object: object.to_string(), source })?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match wait(self.store.put_opts(&object, bytes.into(), options)).ok_or(SnapshotError::Runtime)? {
            Ok(_) => self.flush(&object),
            Err(object_store::Error::AlreadyExists { .. }) => Err(SnapshotError::Raced(number)),
            Err(source) => Err(SnapshotError::Store { action: "write", object: object.to_string(), source }),
        }
    }

    // The local store does not bring an object to disk by itself, and a snapshot that is told must outlive a crash.
    fn flush(&self, object: &ObjectPath) -> Result<(), SnapshotError> {
        let path = self.root.join(object.to_string());
        let synced = |path: &Path| std::fs::File::open(path)?.sync_all();
        let folder = path.parent().unwrap_or(&self.root);
        synced(&path)
            .and_then(|()| synced(folder))
            .map_err(|source| SnapshotError::Flush { path: path.clone(), source })
    }

    /// Removes the manifest of a snapshot, whose files go when no other manifest names them. The latest stays: numbers
    /// count on from it, and a number is never given twice.
    ///
    /// # Errors
    ///
    /// The snapshot is the latest, or the store cannot be written.
    pub fn remove(&self, number: u64) -> Result<(), SnapshotError> {
        if self.numbers()?.last() == Some(&number) {
            return Err(SnapshotError::Latest(number));
        }
        let object = object(number);
        wait(self.store.delete(&object))
            .ok_or(SnapshotError::Runtime)?
            .map_err(|source| SnapshotError::Store { action: "remove", object: object.to_string(), source })
    }

    /// The numbers of the snapshots that are there, in order; there are gaps where some were removed.
    fn numbers(&self) -> Result<Vec<u64>, SnapshotError> {
        let prefix = ObjectPath::from(FOLDER);
        let listed = wait(self.store.list_with_delimiter(Some(&prefix)))
            .ok_or(SnapshotError::Runtime)?
            .map_err(|source| SnapshotError::Store { action: "list", object: FOLDER.to_owned(), source })?;
        let names = listed.objects.iter().filter_map(|meta| meta.location.filename()?.strip_suffix(".json"));
        let mut numbers: Vec<u64> = names.filter_map(|name| name.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn load(&self, number: u64) -> Result<SnapshotManifest, SnapshotError> {
        let object = object(number);
        let read = |source| SnapshotError::Store { action: "read", object: object.to_string(), source };
        let bytes = wait(async { self.store.get(&object).await?.bytes().await })
            .ok_or(SnapshotError::Runtime)?
            .map_err(read)?;
        let manifest: SnapshotManifest = serde_json::from_slice(&bytes)
            .map_err(|source| SnapshotError::Form { object: object.to_string(), source })?;
        if manifest.id != id_of(&manifest.body) {
            return Err(SnapshotError::WrongId(object.to_string()));
        }
        let signature = from_hex(&manifest.signature).unwrap_or_default();
        let is_ours = manifest.signer == hex(&self.signer);
        if !is_ours
            || UnparsedPublicKey::new(&ED25519, &self.signer)
                .verify(&signed_bytes(&manifest), &signature)
                .is_err()
        {
            return Err(SnapshotError::WrongSignature(object.to_string()));
        }
        Ok(manifest)
    }
}

/// The public key that belongs to the manifest key.
///
/// # Errors
///
/// The key cannot sign.
pub(crate) fn public_key(key: &SecretKey) -> Result<Vec<u8>, SnapshotError> {
    let pair = Ed25519KeyPair::from_seed_unchecked(key.as_bytes()).map_err(|_| SnapshotError::Key)?;
    Ok(pair.public_key().as_ref().to_vec())
}

fn object(number: u64) -> ObjectPath {
    ObjectPath::from(format!("{FOLDER}/{number:08}.json"))
}

/// The digest of what the snapshot says, without where and in which bytes it lies.
fn id_of(body: &ManifestBody) -> SnapshotId {
    let mut logical = body.clone();
    for table in logical.tables.values_mut() {
        for file in &mut table.files {
            file.path.clear();
            file.blake3.clear();
            file.bytes = 0;
            file.keys.clear();
        }
    }
    let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 snapshot id");
    hasher.update(&canonical(&logical));
    SnapshotId::from_digest(hasher.finalize().as_bytes())
}

fn signed_bytes(manifest: &SnapshotManifest) -> Vec<u8> {
    let unsigned = SnapshotManifest { signature: String::new(), ..manifest.clone() };
    let mut bytes = b"misu/v1/snapshot-manifest\0".to_vec();
    bytes.extend(canonical(&unsigned));
    bytes
}

// Field order is the structs' own and maps are sorted, so equal values give equal bytes.
fn canonical<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use catalog_model::{FileEntry, ManifestBody, Period, TableEntry, Versions};

    use super::{KnownManifests, SnapshotError, Snapshots, id_of};
    use crate::keys::SecretKey;
    use crate::{Config, Environment, KeyRole};

    fn body(content: &str, path: &str) -> ManifestBody {
        let file = FileEntry {
            path: path.to_owned(),
            bucket: Some(0),
            year: Some(2023),
            months: None,
            rows: 3,
            bytes: 100,
            content: content.to_owned(),
            blake3: "00".to_owned(),
            keys: BTreeMap::new(),
        };
        let table = TableEntry { schema: "s".to_owned(), period_column: None, rows: 3, files: vec![file] };
        let text = |text: &str| text.to_owned();
        ManifestBody {
            format: 1,
            buckets: 4,
            period: Period { from: "2023-04".parse().unwrap(), to: "2023-05".parse().unwrap() },
            persons: 3,
            versions: Versions { catalogue: text("c"), normalisation: text("n"), linkage: text("l") },
            tables: BTreeMap::from([(text("person"), table)]),
        }
    }

    /// An environment in a folder of its own, its snapshots, and what signs them.
    fn opened() -> (tempfile::TempDir, Environment, Snapshots, SecretKey) {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(1))).unwrap();
        let (snapshots, key) =
            (environment.snapshots().unwrap(), environment.key(KeyRole::Manifest).unwrap());
        (folder, environment, snapshots, key)
    }

    #[test]
    fn the_id_tells_content_and_not_place() {
        assert_eq!(id_of(&body("a", "here")), id_of(&body("a", "there")));
        assert_ne!(id_of(&body("a", "here")), id_of(&body("b", "here")));
    }

    #[test]
    fn committing_the_same_content_twice_changes_nothing() {
        let (_folder, _environment, snapshots, key) = opened();
        let first = snapshots.commit(body("a", "x"), "2026-11-20T00:00:00Z", &key).unwrap();
        let again = snapshots.commit(body("a", "y"), "2026-11-21T00:00:00Z", &key).unwrap();
        let other = snapshots.commit(body("b", "y"), "2026-11-21T00:00:00Z", &key).unwrap();
        assert_eq!((first.id.clone(), &first.published), (again.id, &again.published));
        assert_eq!(other.parent, Some(first.id));
        assert_eq!(snapshots.all().unwrap().len(), 2);
    }

    #[test]
    fn content_whose_files_open_no_more_is_published_again_and_found_there() {
        let (_folder, _environment, snapshots, key) = opened();
        let id = snapshots.commit(body("a", "x"), "2026-11-20T00:00:00Z", &key).unwrap().id;
        let known = KnownManifests::default();
        let path =
            |manifest: &catalog_model::SnapshotManifest| manifest.body.tables["person"].files[0].path.clone();
        assert_eq!(path(&known.find(&snapshots, &id).unwrap()), "x");
        let again = snapshots.commit_over(body("a", "y"), "2026-11-21T00:00:00Z", &key, &|_| false).unwrap();
        assert_eq!((&again.id, snapshots.all().unwrap().len()), (&id, 2));
        assert_eq!(path(&known.find(&snapshots, &id).unwrap()), "y");
        assert_eq!(path(&snapshots.find(&id).unwrap()), "y");
    }

    #[test]
    fn files_that_end_with_a_dataset_key_are_counted() {
        let (_folder, environment, snapshots, key) = opened();
        let dataset = environment.key(KeyRole::Dataset).unwrap();
        let mut body = body("a", "x");
        body.tables.get_mut("person").unwrap().files[0].keys =
            crate::file_keys::make_under(&dataset, ["sex"]).unwrap().2;
        snapshots.commit(body, "2026-11-20T00:00:00Z", &key).unwrap();
        let under = |id: &crate::KeyId| crate::files_under(&environment, id).unwrap();
        assert_eq!((under(&dataset.id()), under(&key.id())), (1, 0));
    }

    #[test]
    fn a_removed_number_is_not_given_again() {
        let (_folder, _environment, snapshots, key) = opened();
        snapshots.commit(body("a", "x"), "2026-11-20T00:00:00Z", &key).unwrap();
        let second = snapshots.commit(body("b", "x"), "2026-11-21T00:00:00Z", &key).unwrap();
        assert!(matches!(snapshots.remove(2), Err(SnapshotError::Latest(2))));
        snapshots.remove(1).unwrap();
        assert_eq!(snapshots.head().unwrap().unwrap().1.id, second.id);
        let third = snapshots.commit(body("a", "x"), "2026-11-22T00:00:00Z", &key).unwrap();
        let numbers: Vec<u64> = snapshots.all().unwrap().into_iter().map(|(number, _)| number).collect();
        assert_eq!((numbers, third.parent), (vec![2, 3], Some(second.id)));
    }

    #[test]
    fn a_known_manifest_is_read_again_when_its_file_is_another() {
        let (_folder, environment, snapshots, key) = opened();
        let id = snapshots.commit(body("a", "x"), "2026-11-20T00:00:00Z", &key).unwrap().id;
        let known = KnownManifests::default();
        let find = || known.find(&snapshots, &id);
        assert!(std::sync::Arc::ptr_eq(&find().unwrap(), &find().unwrap()));
        let file = environment.room("store").join("snapshots/00000001.json");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text} x")).unwrap();
        assert!(matches!(find(), Err(SnapshotError::Form { .. })));
        std::fs::write(&file, &text).unwrap();
        assert_eq!(find().unwrap().id, id);
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(find(), Err(SnapshotError::Unknown(_))));
    }

    #[test]
    fn a_changed_manifest_is_refused() {
        let (_folder, environment, snapshots, key) = opened();
        let published = snapshots.commit(body("a", "x"), "2026-11-20T00:00:00Z", &key).unwrap();
        let file = environment.room("store").join("snapshots/00000001.json");
        let text = std::fs::read_to_string(&file).unwrap();
        let change = |from: &str, to: &str| {
            std::fs::write(&file, text.replace(from, to)).unwrap();
            snapshots.find(&published.id)
        };
        assert!(matches!(change("\"rows\": 3", "\"rows\": 4"), Err(SnapshotError::WrongId(_))));
        assert!(matches!(
            change("\"path\": \"x\"", "\"path\": \"z\""),
            Err(SnapshotError::WrongSignature(_))
        ));
        assert!(matches!(change("2026-11-20", "2026-11-19"), Err(SnapshotError::WrongSignature(_))));
    }
}
