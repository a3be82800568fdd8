//! A data holder: its card, which it shows to the environment, and the bundle that it gets back.
//!
//! A holder's folder has a key store of its own: a key that signs sealed deliveries, a key to which the bundle is
//! sealed, and, once the bundle was accepted, the group's intake key and the surrogate key.
//! Whoever holds an intake key can test guesses of names and numbers against what it made.

use std::path::{Path, PathBuf};

use catalog_model::Catalogue;
use catalog_store::{
    Environment, EnvironmentError, KeyError, KeyId, KeyRing, KeyRole, Passphrase, Protection, SecretKey,
    from_hex, hex,
};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::envelope::{EnvelopeError, open_to, public_half, seal_to};
use crate::pipeline::store::{read_json, write_whole};

const CARD: &str = "card.json";
const BUNDLE: &str = "bundle.json";
const FOLDER: &str = "holders";
const PURPOSE: &str = "misu/holder-bundle/v1";

/// What a holder shows: who it is, how it signs, and to which key it may be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HolderCard {
    /// Its name, as in its deliveries.
    pub name: String,
    /// Its public signing key (Ed25519).
    pub signer: String,
    /// Its public key for what is sealed to it (X25519).
    pub key: String,
}

/// A holder as the environment knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registered {
    /// What it showed.
    pub card: HolderCard,
    /// The group of holders that share an intake key.
    pub group: String,
    /// The intake key that it got.
    pub intake: KeyId,
    /// The intake key that it had before, of this group or another, or the environment's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<KeyId>,
}

/// What the environment gives a holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The holder that it is for.
    pub holder: String,
    /// Its group.
    pub group: String,
    /// The environment's public key for sealed deliveries.
    pub environment: String,
    /// The id of that key.
    pub environment_key: KeyId,
    /// The catalogue files, as path and text.
    pub catalogue: Vec<(String, String)>,
    /// The group's keys, sealed to the holder.
    keys: String,
}

/// The keys in a bundle.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HandedKeys {
    epoch: u32,
    intake: String,
    former: Option<String>,
    surrogate: String,
}

// The digits are the keys themselves.
impl Drop for HandedKeys {
    fn drop(&mut self) {
        for digits in [&mut self.intake, &mut self.surrogate].into_iter().chain(&mut self.former) {
            digits.zeroize();
        }
    }
}

/// Why a holder's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HolderError {
    /// The folder holds something already.
    #[error("{0} is not empty; a holder's folder is made in a directory of its own")]
    NotEmpty(PathBuf),
    /// The folder is not a holder's.
    #[error(
        "{0} is not a holder's folder, or no bundle was accepted in it yet; `misu holder init`, then `misu holder accept`"
    )]
    NotAHolder(PathBuf),
    /// The bundle is another holder's.
    #[error("the bundle is for {0}")]
    Other(String),
    /// A holder of this name is known under another signing key.
    #[error("a holder named {0} is registered with another signing key")]
    Taken(String),
    /// A name that cannot be a file's.
    #[error("a holder's name has letters and no path signs")]
    Name,
    /// A file is not of the expected form.
    #[error("{0} is not of the expected form")]
    Form(PathBuf),
    /// A file cannot be used.
    #[error("cannot use {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// Something cannot be sealed or opened.
    #[error("the bundle's keys cannot be sealed or opened")]
    Envelope(#[from] EnvelopeError),
    /// The bundle's catalogue has errors.
    #[error("the bundle's catalogue has {0} errors")]
    Catalogue(usize),
}

/// A data holder's folder.
#[derive(Debug)]
pub struct Holder {
    folder: PathBuf,
    pub(super) card: HolderCard,
    pub(super) keys: KeyRing,
}

impl Holder {
    /// Makes a holder's folder; its card is what the environment's custodian needs.
    ///
    /// # Errors
    ///
    /// The folder is not empty, or something cannot be written.
    pub fn create(folder: &Path, name: &str, passphrase: Option<Passphrase>) -> Result<Self, HolderError> {
        if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(HolderError::NotEmpty(folder.to_owned()));
        }
        std::fs::create_dir_all(folder)
            .map_err(|source| HolderError::Io { path: folder.to_owned(), source })?;
        let protection = passphrase.clone().map_or(Protection::Kept, Protection::Passphrase);
        let keys = KeyRing::new(folder).unlocked_by(passphrase);
        keys.create(None, &protection)?;
        let card = HolderCard {
            name: name.to_owned(),
            signer: hex(signer(&keys.current(KeyRole::Manifest)?)?.public_key().as_ref()),
            key: public_half(&keys.current(KeyRole::Delivery)?),
        };
        write(&folder.join(CARD), &card)?;
        Ok(Self { folder: folder.to_owned(), card, keys })
    }

    /// Opens a holder's folder.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn open(folder: &Path, passphrase: Option<Passphrase>) -> Result<Self, HolderError> {
        let card = read_json(&folder.join(CARD)).map_err(|_| HolderError::NotAHolder(folder.to_owned()))?;
        Ok(Self { folder: folder.to_owned(), card, keys: KeyRing::new(folder).unlocked_by(passphrase) })
    }

    /// What the holder shows.
    pub const fn card(&self) -> &HolderCard {
        &self.card
    }

    /// Takes the environment's bundle: from now on deliveries are sealed to it.
    ///
    /// # Errors
    ///
    /// The bundle is another holder's, was changed, or its catalogue has errors.
    pub fn accept(&self, bundle: &Path) -> Result<(), HolderError> {
        let read: Bundle = read_json(bundle).map_err(|_| HolderError::Form(bundle.to_owned()))?;
        if read.holder != self.card.name {
            return Err(HolderError::Other(read.holder));
        }
        let bound = bound_to(&read);
        let key = self.keys.current(KeyRole::Delivery)?;
        let opened = open_to(&key, PURPOSE, &bound, &read.keys)?;
        let form = || HolderError::Form(bundle.to_owned());
        let handed: HandedKeys = serde_json::from_slice(&opened).map_err(|_| form())?;
        read.catalogue()?;
        let intake = secret(&handed.intake).ok_or_else(form)?;
        let former = match &handed.former {
            Some(former) => Some(secret(former).ok_or_else(form)?),
            None => None,
        };
        self.keys.adopt(KeyRole::Intake, former.as_ref(), handed.epoch, &intake)?;
        self.keys.adopt(KeyRole::Surrogate, None, 1, &secret(&handed.surrogate).ok_or_else(form)?)?;
        write(&self.folder.join(BUNDLE), &read)
    }

    /// The bundle that was accepted.
    pub(super) fn bundle(&self) -> Result<Bundle, HolderError> {
        read_json(&self.folder.join(BUNDLE)).map_err(|_| HolderError::NotAHolder(self.folder.clone()))
    }

    /// A folder for what is made on the way.
    pub(super) fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }

    /// The pair that signs sealed deliveries.
    pub(super) fn signer(&self) -> Result<Ed25519KeyPair, HolderError> {
        Ok(signer(&self.keys.current(KeyRole::Manifest)?)?)
    }
}

impl Bundle {
    /// The catalogue by which the holder reads its files.
    pub(super) fn catalogue(&self) -> Result<Catalogue, HolderError> {
        Catalogue::parse(self.catalogue.iter().map(|(path, text)| (path.as_str(), text.as_str())))
            .map_err(|errors| HolderError::Catalogue(errors.len()))
    }
}

/// Registers a holder and makes its bundle, with the intake key of its group; a first one is made where it has none.
///
/// # Errors
///
/// Another holder has its name, or a key cannot be opened.
pub fn register(environment: &Environment, card: &HolderCard, group: &str) -> Result<Bundle, HolderError> {
    let is_plain =
        |name: &str| !name.is_empty() && !name.contains(['/', '\\', '\0']) && !name.starts_with('.');
    if !is_plain(&card.name) || !is_plain(group) {
        return Err(HolderError::Name);
    }
    let before = known(environment, &card.name);
    if before.as_ref().is_some_and(|known| known.card.signer != card.signer) {
        return Err(HolderError::Taken(card.name.clone()));
    }
    let keys = environment.keys();
    let (present, intake) = keys.of_group(group)?;
    let former = before.and_then(|before| former_of(before, &present.id));
    let handed = HandedKeys {
        epoch: present.epoch,
        intake: hex(intake.as_bytes()),
        former: opened(keys, former.as_ref())?.map(|key| hex(key.as_bytes())),
        surrogate: hex(keys.current(KeyRole::Surrogate)?.as_bytes()),
    };
    let private = keys.current(KeyRole::Delivery)?;
    let mut bundle = Bundle {
        holder: card.name.clone(),
        group: group.to_owned(),
        environment: public_half(&private),
        environment_key: private.id(),
        catalogue: environment.catalogue_files()?,
        keys: String::new(),
    };
    let clear = serde_json::to_vec(&handed).map_err(|_| HolderError::Form(PathBuf::from("the bundle")))?;
    bundle.keys = seal_to(&card.key, PURPOSE, &bound_to(&bundle), &Zeroizing::new(clear))?;
    let registered = Registered { card: card.clone(), group: group.to_owned(), intake: present.id, former };
    write(&file(environment, &card.name), &registered)?;
    Ok(bundle)
}

/// The key that a holder had before the one that it gets now: with both it can seal an overlap delivery.
fn former_of(before: Registered, present: &KeyId) -> Option<KeyId> {
    if before.intake == *present { before.former } else { Some(before.intake) }
}

/// The former key, where it was not destroyed since.
fn opened(keys: &KeyRing, former: Option<&KeyId>) -> Result<Option<SecretKey>, KeyError> {
    match former.map(|id| keys.with_id(KeyRole::Intake, id.as_str())) {
        None | Some(Err(KeyError::Destroyed { .. } | KeyError::Unknown { .. })) => Ok(None),
        Some(opened) => opened.map(Some),
    }
}

/// Every registered holder.
pub(crate) fn registered(environment: &Environment) -> Vec<Registered> {
    let folder = environment.room("keys").join(FOLDER);
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| read_json(&entry.ok()?.path()).ok()).collect()
}

/// The holder of this name, as it was registered.
pub(super) fn known(environment: &Environment, name: &str) -> Option<Registered> {
    // A name comes from a header that nobody has checked yet.
    if name.contains(['/', '\\', '\0']) || name.starts_with('.') {
        return None;
    }
    read_json(&file(environment, name)).ok()
}

fn file(environment: &Environment, name: &str) -> PathBuf {
    environment.room("keys").join(FOLDER).join(format!("{name}.json"))
}

/// What the bundle's keys are bound to: everything else in it.
fn bound_to(bundle: &Bundle) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 holder bundle");
    let parts = [&bundle.holder, &bundle.group, &bundle.environment];
    for part in parts.into_iter().chain(bundle.catalogue.iter().flat_map(|(path, text)| [path, text])) {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hasher.finalize().as_bytes().to_vec()
}

fn signer(key: &SecretKey) -> Result<Ed25519KeyPair, KeyError> {
    Ed25519KeyPair::from_seed_unchecked(key.as_bytes()).map_err(|_| KeyError::Damaged("a signing key"))
}

fn secret(digits: &str) -> Option<SecretKey> {
    let bytes = Zeroizing::new(from_hex(digits)?);
    Some(SecretKey::new(*Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).ok()?)))
}

fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), HolderError> {
    let text = serde_json::to_vec_pretty(value).map_err(|_| HolderError::Form(path.to_owned()))?;
    write_whole(path, &text).map_err(|source| HolderError::Io { path: path.to_owned(), source })
}
