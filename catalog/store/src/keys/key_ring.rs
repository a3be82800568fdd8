//! A key store that is in use: opens keys on demand, hashes the passphrase once, and tells who watches.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::{Zeroize as _, Zeroizing};

use super::officers::Agreed;
use super::sealing::{Opener, Sealing};
use super::secret::{KeyId, Passphrase, SecretKey, from_hex, hex};
use super::store::{KeyEntry, KeyIndex, KeyState, STORE, write_private};
use super::{KeyError, KeyRole, Module};

/// The passphrase that an environment keeps for itself until its custodian takes it away.
const KEPT: &str = "passphrase";

/// What protects the keys of a new store.
#[derive(Clone, Debug)]
pub enum Protection {
    /// A random passphrase that lies beside the keys, until somebody moves it to where it belongs.
    Kept,
    /// A passphrase.
    Passphrase(Passphrase),
    /// A hardware module, and its PIN.
    Module(Module, Passphrase),
}

/// That a key was handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// What the key is for.
    pub role: KeyRole,
    /// Its epoch.
    pub epoch: u32,
    /// Its id.
    pub id: KeyId,
}

/// Learns of every key before it is handed out; where it fails, the key stays closed.
pub type KeyWatch = dyn Fn(&KeyUse) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Send + Sync;

/// A key store that is in use.
#[derive(Clone)]
pub struct KeyRing {
    folder: PathBuf,
    passphrase: Option<Passphrase>,
    watch: Option<Arc<KeyWatch>>,
    // Hashing a passphrase is made to be slow, so it is done once.
    opener: Arc<Mutex<Option<Opened>>>,
}

/// What opens a store's keys, behind how they are kept.
type Opened = (Sealing, Arc<Opener>);

impl KeyRing {
    /// The store below `folder`; nothing is opened yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), passphrase: None, watch: None, opener: Arc::default() }
    }

    /// The store, opened by this passphrase or PIN.
    #[must_use]
    pub fn unlocked_by(self, passphrase: Option<Passphrase>) -> Self {
        Self { passphrase, opener: Arc::default(), ..self }
    }

    /// The store, whose uses are told to `watch`.
    #[must_use]
    pub fn watched(self, watch: Arc<KeyWatch>) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// Makes a store with a key for every role.
    ///
    /// # Errors
    ///
    /// It cannot be written, or the hardware module refuses.
    pub fn create(&self, demo_seed: Option<u64>, protection: &Protection) -> Result<(), KeyError> {
        let (sealing, opener) = self.prepare(demo_seed, protection)?;
        KeyIndex::create(sealing, &opener)?.write(&self.folder)
    }

    fn prepare(
        &self,
        demo_seed: Option<u64>,
        protection: &Protection,
    ) -> Result<(Sealing, Opener), KeyError> {
        if let Some(seed) = demo_seed {
            return Ok((Sealing::Demo { seed }, Opener::Demo(seed)));
        }
        match protection {
            Protection::Kept => {
                let passphrase = self.keep_passphrase()?;
                let sealing = Sealing::passphrase()?;
                let opener = sealing.opener(Some(&passphrase))?;
                Ok((sealing, opener))
            }
            Protection::Passphrase(passphrase) => {
                let sealing = Sealing::passphrase()?;
                let opener = sealing.opener(Some(passphrase))?;
                Ok((sealing, opener))
            }
            Protection::Module(module, pin) => {
                Ok((Sealing::Pkcs11(module.clone()), Opener::Module(module.prepare(pin)?)))
            }
        }
    }

    fn keep_passphrase(&self) -> Result<Passphrase, KeyError> {
        let path = self.folder.join(KEPT);
        let text = Zeroizing::new(hex(SecretKey::random()?.as_bytes()).into_bytes());
        write_private(&path, &text).map_err(|source| KeyError::Io { path, source })?;
        Ok(Passphrase::new(&text))
    }

    /// Whether the passphrase lies beside the keys that it opens, where it protects little.
    pub fn keeps_its_passphrase(&self) -> bool {
        self.folder.join(KEPT).exists()
    }

    /// The store as anybody may see it.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn index(&self) -> Result<KeyIndex, KeyError> {
        KeyIndex::read(&self.folder)
    }

    /// The present key of a role.
    ///
    /// # Errors
    ///
    /// It cannot be opened, or its use cannot be recorded.
    pub fn current(&self, role: KeyRole) -> Result<SecretKey, KeyError> {
        let index = self.index()?;
        self.hand_out(&index, index.current(role)?)
    }

    /// The key of a role with this id, present or former.
    ///
    /// # Errors
    ///
    /// It is unknown or destroyed, cannot be opened, or its use cannot be recorded.
    pub fn with_id(&self, role: KeyRole, id: &str) -> Result<SecretKey, KeyError> {
        let index = self.index()?;
        self.hand_out(&index, index.find(role, id)?)
    }

    /// The former keys of a role that are still there, the latest first.
    ///
    /// # Errors
    ///
    /// One cannot be opened, or its use cannot be recorded.
    pub fn former(&self, role: KeyRole) -> Result<Vec<(KeyId, SecretKey)>, KeyError> {
        let index = self.index()?;
        let former = index.of(role).rev().filter(|entry| entry.state == KeyState::Former);
        former.map(|entry| Ok((entry.id.clone(), self.hand_out(&index, entry)?))).collect()
    }

    /// The present intake key of a group of data holders; a first one is made where it has none.
    ///
    /// # Errors
    ///
    /// It cannot be opened or written, or its use cannot be recorded.
    pub fn of_group(&self, group: &str) -> Result<(KeyEntry, SecretKey), KeyError> {
        let mut index = self.index()?;
        let entry = match index.current_of(group) {
            Some(entry) => entry.clone(),
            None => {
                let (_, first) = index.next_of(group, &*self.opener(&index.sealing)?)?;
                index.settle(first.clone());
                index.write(&self.folder)?;
                first
            }
        };
        let key = self.hand_out(&index, &entry)?;
        Ok((entry, key))
    }

    /// Every intake key that is left, the environment's own present one first.
    ///
    /// # Errors
    ///
    /// One cannot be opened, or its use cannot be recorded.
    pub fn every_intake(&self) -> Result<Vec<(KeyId, SecretKey)>, KeyError> {
        let index = self.index()?;
        let present = index.current(KeyRole::Intake)?;
        let is_left = |entry: &&KeyEntry| {
            entry.role == KeyRole::Intake && entry.state != KeyState::Destroyed && entry.id != present.id
        };
        let all = std::iter::once(present).chain(index.keys.iter().rev().filter(is_left));
        all.map(|entry| Ok((entry.id.clone(), self.hand_out(&index, entry)?))).collect()
    }

    /// Every intake key of a group of data holders that is left.
    ///
    /// # Errors
    ///
    /// One cannot be opened, or its use cannot be recorded.
    pub fn of_groups(&self) -> Result<Vec<(KeyId, SecretKey)>, KeyError> {
        let index = self.index()?;
        let is_left = |entry: &&KeyEntry| entry.group.is_some() && entry.state != KeyState::Destroyed;
        let groups = index.keys.iter().filter(is_left);
        groups.map(|entry| Ok((entry.id.clone(), self.hand_out(&index, entry)?))).collect()
    }

    /// Puts a new intake key in the place of a group's present one; its entry.
    ///
    /// # Errors
    ///
    /// The group has none, or the store cannot be written.
    pub fn rotate_group(&self, group: &str) -> Result<KeyEntry, KeyError> {
        let mut index = self.index()?;
        if index.current_of(group).is_none() {
            return Err(KeyError::NoGroup(group.to_owned()));
        }
        let (_, next) = index.next_of(group, &*self.opener(&index.sealing)?)?;
        index.settle(next.clone());
        index.write(&self.folder)?;
        Ok(next)
    }

    /// Puts a new key in the place of a role's present one; its entry.
    ///
    /// # Errors
    ///
    /// The role's key cannot be rotated, or the store cannot be written.
    pub fn rotate(&self, role: KeyRole) -> Result<KeyEntry, KeyError> {
        let (_, next) = self.next(role)?;
        self.settle(next)
    }

    /// Makes the key that a rotation would put in the present one's place; nothing is written yet.
    ///
    /// # Errors
    ///
    /// The role's key cannot be rotated.
    pub fn next(&self, role: KeyRole) -> Result<(SecretKey, KeyEntry), KeyError> {
        let why = match role {
            KeyRole::Surrogate => Some("facilities and receipts would get other surrogates"),
            KeyRole::Content => Some("snapshots would get other ids"),
            KeyRole::Manifest => Some("permits are pinned to snapshots that it signed"),
            KeyRole::Bridge => Some("what ties the groups of data holders to each other would be lost"),
            _ => None,
        };
        if let Some(why) = why {
            return Err(KeyError::Fixed { role, why });
        }
        let index = self.index()?;
        index.next(role, &*self.opener(&index.sealing)?)
    }

    /// Makes the key of [`KeyRing::next`] the present one.
    ///
    /// # Errors
    ///
    /// Another key came in between, or the store cannot be written.
    pub fn settle(&self, next: KeyEntry) -> Result<KeyEntry, KeyError> {
        let mut index = self.index()?;
        if index.current(next.role)?.epoch + 1 != next.epoch {
            return Err(KeyError::OtherKey(next.role));
        }
        index.settle(next.clone());
        index.write(&self.folder)?;
        Ok(next)
    }

    /// Destroys a former key, of a group where one is named, which takes two officers; its id.
    ///
    /// # Errors
    ///
    /// It is unknown, in use or gone, or the store cannot be written.
    pub fn destroy(
        &self,
        (role, group): (KeyRole, Option<&str>),
        epoch: u32,
        _agreed: &Agreed,
    ) -> Result<KeyId, KeyError> {
        let mut index = self.index()?;
        let id = index.destroy(role, group, epoch)?;
        index.write(&self.folder)?;
        Ok(id)
    }

    /// Takes a role's keys from elsewhere, in the place of its own: a data holder's intake key, with the former one.
    ///
    /// # Errors
    ///
    /// The store cannot be opened or written.
    pub fn adopt(
        &self,
        role: KeyRole,
        former: Option<&SecretKey>,
        epoch: u32,
        key: &SecretKey,
    ) -> Result<(), KeyError> {
        let mut index = self.index()?;
        let opener = self.opener(&index.sealing)?;
        index.adopt(role, former, (epoch, key), &opener)?;
        index.write(&self.folder)
    }

    /// Seals the plain key files of an earlier build, and makes keys for roles that have none; the roles that got one.
    pub(crate) fn upgrade(&self, demo_seed: Option<u64>) -> Result<Vec<KeyRole>, KeyError> {
        let mut index = match self.folder.join(STORE).exists() {
            true => self.index()?,
            false => self.seal_plain(demo_seed)?,
        };
        let missing = index.complete(&*self.opener(&index.sealing)?)?;
        if !missing.is_empty() {
            index.write(&self.folder)?;
        }
        // The plain files go only once the sealed store lies whole on the disk.
        for role in KeyRole::ALL {
            let path = self.plain(role);
            if path.exists() {
                std::fs::remove_file(&path).map_err(|source| KeyError::Io { path, source })?;
            }
        }
        Ok(missing)
    }

    fn seal_plain(&self, demo_seed: Option<u64>) -> Result<KeyIndex, KeyError> {
        let protection = self.passphrase.clone().map_or(Protection::Kept, Protection::Passphrase);
        let (sealing, opener) = self.prepare(demo_seed, &protection)?;
        let mut index = KeyIndex::create(sealing, &opener)?;
        index.keys.clear();
        for role in KeyRole::ALL.into_iter().filter(|role| self.plain(*role).exists()) {
            index.add(role, 1, &read_plain(&self.plain(role))?, &opener)?;
        }
        index.write(&self.folder)?;
        Ok(index)
    }

    fn plain(&self, role: KeyRole) -> PathBuf {
        self.folder.join(format!("{}.key", role.as_str()))
    }

    fn hand_out(&self, index: &KeyIndex, entry: &KeyEntry) -> Result<SecretKey, KeyError> {
        let key = entry.open(&*self.opener(&index.sealing)?)?;
        if let Some(watch) = &self.watch {
            let used = KeyUse { role: entry.role, epoch: entry.epoch, id: entry.id.clone() };
            watch(&used).map_err(KeyError::Unrecorded)?;
        }
        Ok(key)
    }

    fn opener(&self, sealing: &Sealing) -> Result<Arc<Opener>, KeyError> {
        let mut known = self.opener.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, opener)) = known.as_ref().filter(|(of, _)| of == sealing) {
            return Ok(Arc::clone(opener));
        }
        let kept = self.folder.join(KEPT);
        let passphrase = match &self.passphrase {
            Some(passphrase) => Some(passphrase.clone()),
            None if kept.exists() => Some(Passphrase::read(&kept)?),
            None => None,
        };
        let opener = Arc::new(sealing.opener(passphrase.as_ref())?);
        *known = Some((sealing.clone(), Arc::clone(&opener)));
        Ok(opener)
    }
}

fn read_plain(path: &Path) -> Result<SecretKey, KeyError> {
    let mut text =
        std::fs::read_to_string(path).map_err(|source| KeyError::Io { path: path.to_owned(), source })?;
    let key =
        from_hex(text.trim()).and_then(|bytes| <[u8; 32]>::try_from(Zeroizing::new(bytes).as_slice()).ok());
    text.zeroize();
    key.map(SecretKey::new).ok_or_else(|| KeyError::Form(path.to_owned()))
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({})", self.folder.display())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    use super::super::secret::{Passphrase, hex};
    use super::super::store::STORE;
    use super::{KeyError, KeyRing, KeyRole, Protection};

    fn agreed() -> super::Agreed {
        super::Agreed { first: "ichiro".to_owned(), second: "jiro".to_owned(), request: String::new() }
    }

    fn phrase(text: &str) -> Passphrase {
        Passphrase::new(&text.as_bytes().to_vec().into())
    }

    fn sealed(folder: &Path) -> KeyRing {
        let protection = Protection::Passphrase(phrase("open sesame"));
        let ring = KeyRing::new(folder).unlocked_by(Some(phrase("open sesame\n")));
        ring.create(None, &protection).unwrap();
        ring
    }

    #[test]
    fn demo_keys_agree_and_random_keys_do_not() {
        let folders = [(); 4].map(|()| tempfile::tempdir().unwrap());
        let rings: Vec<KeyRing> = folders.iter().map(|folder| KeyRing::new(folder.path())).collect();
        for (ring, seed) in rings.iter().zip([Some(7), Some(7), None, None]) {
            ring.create(seed, &Protection::Kept).unwrap();
        }
        let key = |at: usize, role| *rings[at].current(role).unwrap().as_bytes();
        assert_eq!(key(0, KeyRole::Intake), key(1, KeyRole::Intake));
        assert_ne!(key(0, KeyRole::Intake), key(0, KeyRole::Linkage));
        assert_ne!(key(2, KeyRole::Intake), key(3, KeyRole::Intake));
        assert_eq!((rings[0].keeps_its_passphrase(), rings[2].keeps_its_passphrase()), (false, true));
        // A demo's first keys are those of earlier builds: its published snapshots keep their ids.
        assert_eq!(
            hex(&key(0, KeyRole::Content)),
            "a94b03ee7defd92058d6ac7507cdfcd5c4888e4956a7f719647a62ad9b41ccbd".to_owned()
        );
    }

    #[test]
    fn nothing_but_the_passphrase_opens_the_store_and_no_key_lies_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let ring = sealed(folder.path());
        let key = ring.current(KeyRole::Intake).unwrap();
        let text = std::fs::read(folder.path().join(STORE)).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains(&hex(key.as_bytes())));
        assert!(!text.windows(32).any(|window| window == key.as_bytes()));
        let locked = KeyRing::new(folder.path());
        assert!(matches!(locked.current(KeyRole::Intake), Err(KeyError::NoPassphrase)));
        let wrong = locked.unlocked_by(Some(phrase("open says me")));
        assert!(matches!(wrong.current(KeyRole::Intake), Err(KeyError::WrongPassphrase)));
    }

    #[test]
    fn a_sealed_key_opens_in_its_own_place_only() {
        let folder = tempfile::tempdir().unwrap();
        let ring = sealed(folder.path());
        let path = folder.path().join(STORE);
        let mut store: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let linkage = store["keys"][1]["sealed"].clone();
        store["keys"][0]["sealed"] = linkage;
        std::fs::write(&path, store.to_string()).unwrap();
        assert!(matches!(ring.current(KeyRole::Intake), Err(KeyError::WrongPassphrase)));
    }

    #[test]
    fn a_rotated_key_is_former_and_a_destroyed_one_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let ring = sealed(folder.path());
        let before = ring.current(KeyRole::Linkage).unwrap();
        assert!(matches!(ring.destroy((KeyRole::Linkage, None), 1, &agreed()), Err(KeyError::InUse(_))));
        let entry = ring.rotate(KeyRole::Linkage).unwrap();
        assert_eq!(entry.epoch, 2);
        assert_eq!(ring.current(KeyRole::Linkage).unwrap().id(), entry.id);
        let former = ring.former(KeyRole::Linkage).unwrap();
        assert_eq!(former[0].1.as_bytes(), before.as_bytes());
        ring.destroy((KeyRole::Linkage, None), 1, &agreed()).unwrap();
        let gone = ring.with_id(KeyRole::Linkage, before.id().as_str());
        assert!(matches!(gone, Err(KeyError::Destroyed { .. })));
        assert!(ring.former(KeyRole::Linkage).unwrap().is_empty());
        assert!(matches!(ring.rotate(KeyRole::Content), Err(KeyError::Fixed { .. })));
    }

    #[test]
    fn a_group_has_keys_of_its_own_that_rotate_and_end_apart() {
        for seed in [None, Some(7)] {
            let folder = tempfile::tempdir().unwrap();
            let ring = KeyRing::new(folder.path()).unlocked_by(Some(phrase("open sesame")));
            ring.create(seed, &Protection::Passphrase(phrase("open sesame"))).unwrap();
            let own = ring.current(KeyRole::Intake).unwrap();
            let (first, one) = ring.of_group("g1").unwrap();
            let (_, two) = ring.of_group("g2").unwrap();
            let keys = [own.as_bytes(), one.as_bytes(), two.as_bytes()];
            assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
            // A key is made once, and the environment's own stays what it was.
            assert_eq!(ring.of_group("g1").unwrap().1.as_bytes(), one.as_bytes());
            assert_eq!(ring.current(KeyRole::Intake).unwrap().as_bytes(), own.as_bytes());
            let next = ring.rotate_group("g1").unwrap();
            assert_eq!((next.epoch, next.group.as_deref()), (2, Some("g1")));
            assert_eq!(ring.of_group("g1").unwrap().0.id, next.id);
            assert_eq!(ring.of_group("g2").unwrap().1.as_bytes(), two.as_bytes());
            assert!(matches!(ring.rotate_group("g3"), Err(KeyError::NoGroup(_))));
            assert_eq!(ring.of_groups().unwrap().len(), 3);
            let every = ring.every_intake().unwrap();
            assert_eq!((every.len(), &every[0].0), (4, &own.id()));
            assert!(ring.former(KeyRole::Intake).unwrap().is_empty());
            assert_eq!(ring.with_id(KeyRole::Intake, first.id.as_str()).unwrap().as_bytes(), one.as_bytes());
            ring.destroy((KeyRole::Intake, Some("g1")), 1, &agreed()).unwrap();
            assert_eq!(ring.of_groups().unwrap().len(), 2);
            let in_use = ring.destroy((KeyRole::Intake, Some("g2")), 1, &agreed());
            assert!(matches!(in_use, Err(KeyError::InUse(_))));
        }
    }

    #[test]
    fn a_key_whose_use_cannot_be_recorded_is_not_handed_out() {
        let folder = tempfile::tempdir().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&seen);
        let ring = sealed(folder.path()).watched(Arc::new(move |used| {
            told.lock().unwrap().push(used.clone());
            if used.role == KeyRole::Intake { Err("the record is full".into()) } else { Ok(()) }
        }));
        assert!(matches!(ring.current(KeyRole::Intake), Err(KeyError::Unrecorded(_))));
        let linkage = ring.current(KeyRole::Linkage).unwrap();
        let seen = seen.lock().unwrap();
        assert_eq!((seen.len(), &seen[1].id), (2, &linkage.id()));
    }

    #[test]
    fn plain_key_files_are_sealed_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("intake.key");
        std::fs::write(&plain, "07".repeat(32)).unwrap();
        let ring = KeyRing::new(folder.path());
        let missing = ring.upgrade(None).unwrap();
        assert_eq!(missing.len(), KeyRole::ALL.len() - 1);
        assert_eq!(ring.current(KeyRole::Intake).unwrap().as_bytes(), &[7; 32]);
        assert!(!plain.exists());
        assert!(ring.upgrade(None).unwrap().is_empty());
    }
}
