//! The index of keys: `keys/store.json` says for each role which epochs there were, under which ids, and holds each
//! key sealed. Without the passphrase, the module or the seed it opens nothing.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::sealing::{Opener, Place, Sealing};
use super::secret::{KeyId, SecretKey};
use super::{KeyError, KeyRole};

pub(crate) const STORE: &str = "store.json";
const VERSION: u32 = 1;

/// The keys of an environment, as anybody may see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyIndex {
    version: u32,
    /// How the keys are kept.
    pub sealing: Sealing,
    /// Every key that there ever was, the older first.
    pub keys: Vec<KeyEntry>,
}

/// One key of one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// What it is for.
    pub role: KeyRole,
    /// The group of data holders whose intake key it is; none of the environment's own keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its epoch, counted from 1.
    pub epoch: u32,
    /// Its id, which is stored beside what was made with it.
    pub id: KeyId,
    /// Whether it is in use.
    pub state: KeyState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

/// Whether a key is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// What is made now is made with it.
    Current,
    /// It was rotated away; what was made with it can still be read.
    Former,
    /// It is gone for good.
    Destroyed,
}

impl KeyState {
    /// The state's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Former => "former",
            Self::Destroyed => "destroyed",
        }
    }
}

impl KeyEntry {
    fn new(place: Place<'_>, key: &SecretKey, opener: &Opener) -> Result<Self, KeyError> {
        let id = key.id();
        let sealed = opener.seal(key, &bound_name(place, &id))?;
        let Place { role, group, epoch } = place;
        Ok(Self { role, group: group.map(str::to_owned), epoch, id, state: KeyState::Current, sealed })
    }

    /// Its role as people read it, with the group of data holders whose key it is.
    pub fn name(&self) -> String {
        let group = self.group.as_ref().map(|group| format!("/{group}")).unwrap_or_default();
        format!("{}{group}", self.role.as_str())
    }

    fn place(&self) -> Place<'_> {
        Place { role: self.role, group: self.group.as_deref(), epoch: self.epoch }
    }

    /// Opens the key.
    pub(crate) fn open(&self, opener: &Opener) -> Result<SecretKey, KeyError> {
        if self.state == KeyState::Destroyed {
            return Err(KeyError::Destroyed { role: self.role, epoch: self.epoch });
        }
        let name = bound_name(self.place(), &self.id);
        let key = opener.open(self.place(), &name, self.sealed.as_deref())?;
        // A demo whose seed was edited would otherwise go on under other keys.
        if key.id() == self.id { Ok(key) } else { Err(KeyError::OtherKey(self.role)) }
    }
}

// A group's name holds no path sign.
fn bound_name(Place { role, group, epoch }: Place<'_>, id: &KeyId) -> String {
    let of = group.map(|group| format!("/of/{group}")).unwrap_or_default();
    format!("misu/key/v1/{}{of}/{epoch}/{id}", role.as_str())
}

impl KeyIndex {
    /// A store with a first key for every role.
    pub(crate) fn create(sealing: Sealing, opener: &Opener) -> Result<Self, KeyError> {
        let mut index = Self { version: VERSION, sealing, keys: Vec::new() };
        index.complete(opener)?;
        Ok(index)
    }

    /// Makes a first key for every role that has none; the roles that got one.
    pub(crate) fn complete(&mut self, opener: &Opener) -> Result<Vec<KeyRole>, KeyError> {
        let missing: Vec<KeyRole> =
            KeyRole::ALL.into_iter().filter(|role| self.of(*role).next().is_none()).collect();
        for role in &missing {
            let key = opener.new_key(Place { role: *role, group: None, epoch: 1 })?;
            self.add(*role, 1, &key, opener)?;
        }
        Ok(missing)
    }

    /// Takes a key as the role's present one.
    pub(crate) fn add(
        &mut self,
        role: KeyRole,
        epoch: u32,
        key: &SecretKey,
        opener: &Opener,
    ) -> Result<(), KeyError> {
        self.keys.push(KeyEntry::new(Place { role, group: None, epoch }, key, opener)?);
        Ok(())
    }

    /// Reads the store below `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Self, KeyError> {
        let path = folder.join(STORE);
        let text = std::fs::read(&path).map_err(|source| KeyError::Io { path: path.clone(), source })?;
        let index: Self = serde_json::from_slice(&text).map_err(|_| KeyError::Form(path.clone()))?;
        if index.version == VERSION { Ok(index) } else { Err(KeyError::Form(path)) }
    }

    /// Writes the store below `folder`, at once.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), KeyError> {
        let path = folder.join(STORE);
        let text = serde_json::to_vec_pretty(self).map_err(|_| KeyError::Form(path.clone()))?;
        write_private(&path, &text).map_err(|source| KeyError::Io { path, source })
    }

    /// The environment's own keys of a role, the older first.
    pub fn of(&self, role: KeyRole) -> impl DoubleEndedIterator<Item = &KeyEntry> {
        self.keys.iter().filter(move |entry| entry.role == role && entry.group.is_none())
    }

    /// The intake keys of a group of data holders, the older first.
    pub fn of_group(&self, group: &str) -> impl DoubleEndedIterator<Item = &KeyEntry> {
        self.keys.iter().filter(move |entry| entry.group.as_deref() == Some(group))
    }

    /// The groups of data holders that have an intake key.
    pub fn groups(&self) -> BTreeSet<&str> {
        self.keys.iter().filter_map(|entry| entry.group.as_deref()).collect()
    }

    /// The present intake key of a group; none where it has none yet.
    pub fn current_of(&self, group: &str) -> Option<&KeyEntry> {
        self.of_group(group).rfind(|entry| entry.state == KeyState::Current)
    }

    /// The intake keys that identities are keyed under from now on, the environment's own first.
    ///
    /// # Errors
    ///
    /// The environment has none of its own.
    pub fn intakes(&self) -> Result<Vec<&KeyEntry>, KeyError> {
        let own = self.current(KeyRole::Intake)?;
        let groups = self.groups().into_iter().filter_map(|group| self.current_of(group));
        Ok(std::iter::once(own).chain(groups).collect())
    }

    /// The role's present key.
    ///
    /// # Errors
    ///
    /// It has none: the environment is of an earlier build.
    pub fn current(&self, role: KeyRole) -> Result<&KeyEntry, KeyError> {
        self.of(role).rfind(|entry| entry.state == KeyState::Current).ok_or(KeyError::NoKey(role))
    }

    /// The role's key with this id, also a group's.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn find(&self, role: KeyRole, id: &str) -> Result<&KeyEntry, KeyError> {
        let found = self.keys.iter().find(|entry| entry.role == role && entry.id.as_str() == id);
        found.ok_or_else(|| KeyError::Unknown { role, id: id.to_owned() })
    }

    /// The key that comes after the role's present one.
    pub(crate) fn next(&self, role: KeyRole, opener: &Opener) -> Result<(SecretKey, KeyEntry), KeyError> {
        let place = Place { role, group: None, epoch: self.current(role)?.epoch + 1 };
        Self::made(place, opener)
    }

    /// The intake key that comes after a group's present one, or its first.
    pub(crate) fn next_of(&self, group: &str, opener: &Opener) -> Result<(SecretKey, KeyEntry), KeyError> {
        let epoch = self.of_group(group).map(|entry| entry.epoch).max().unwrap_or(0) + 1;
        Self::made(Place { role: KeyRole::Intake, group: Some(group), epoch }, opener)
    }

    fn made(place: Place<'_>, opener: &Opener) -> Result<(SecretKey, KeyEntry), KeyError> {
        let key = opener.new_key(place)?;
        let entry = KeyEntry::new(place, &key, opener)?;
        Ok((key, entry))
    }

    /// Puts a new key in the place of the present one of its role and group, which becomes a former one.
    pub(crate) fn settle(&mut self, next: KeyEntry) {
        let is_before = |entry: &&mut KeyEntry| entry.role == next.role && entry.group == next.group;
        for former in self.keys.iter_mut().filter(is_before) {
            if former.state == KeyState::Current {
                former.state = KeyState::Former;
            }
        }
        self.keys.push(next);
    }

    /// Puts keys from elsewhere in the place of the role's own.
    pub(crate) fn adopt(
        &mut self,
        role: KeyRole,
        former: Option<&SecretKey>,
        (epoch, key): (u32, &SecretKey),
        opener: &Opener,
    ) -> Result<(), KeyError> {
        self.keys.retain(|entry| entry.role != role);
        if let Some(former) = former {
            let place = Place { role, group: None, epoch: epoch.saturating_sub(1) };
            let entry = KeyEntry::new(place, former, opener)?;
            self.keys.push(KeyEntry { state: KeyState::Former, ..entry });
        }
        self.add(role, epoch, key, opener)
    }

    /// Forgets a former key for good.
    pub(crate) fn destroy(
        &mut self,
        role: KeyRole,
        group: Option<&str>,
        epoch: u32,
    ) -> Result<KeyId, KeyError> {
        let is_meant = |entry: &&mut KeyEntry| {
            entry.role == role && entry.group.as_deref() == group && entry.epoch == epoch
        };
        let found = self.keys.iter_mut().find(is_meant);
        let entry = found.ok_or_else(|| KeyError::Unknown { role, id: format!("epoch {epoch}") })?;
        match entry.state {
            KeyState::Current => Err(KeyError::InUse(role)),
            KeyState::Destroyed => Err(KeyError::Destroyed { role, epoch }),
            KeyState::Former => {
                entry.state = KeyState::Destroyed;
                entry.sealed = None;
                Ok(entry.id.clone())
            }
        }
    }
}

/// Writes a file that only its owner reads, at once and down to the disk.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let temporary = path.with_extension("writing");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
}
