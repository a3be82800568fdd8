//! How keys lie on disk: derived from a demo's seed, sealed under a passphrase, or wrapped by a hardware module.
//!
//! A passphrase becomes a key by argon2id (RFC 9106), which AES-256-GCM uses; each sealed key is bound to its role,
//! epoch and id, so that none can be put in another's place.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::pkcs11::Module;
use super::secret::{Passphrase, SecretKey, from_hex, hex};
use super::{KeyError, KeyRole};

/// How a store's keys are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Sealing {
    /// Derived from the seed of a demo; nothing is protected.
    Demo {
        /// The seed.
        seed: u64,
    },
    /// Under a passphrase.
    Passphrase {
        /// The salt of the passphrase's hash, in hexadecimal digits.
        salt: String,
        /// Memory that the hash takes, in KiB.
        memory: u32,
        /// Passes over the memory.
        passes: u32,
    },
    /// Under a key that never leaves a hardware module.
    Pkcs11(Module),
}

// RFC 9106 recommends 64 MiB and three passes where memory is not plenty.
const MEMORY: u32 = 64 * 1024;
const PASSES: u32 = 3;

impl Sealing {
    /// Sealing under a passphrase, with a new salt.
    pub(crate) fn passphrase() -> Result<Self, KeyError> {
        let mut salt = [0; 16];
        SystemRandom::new().fill(&mut salt).map_err(|_| KeyError::Random)?;
        Ok(Self::Passphrase { salt: hex(&salt), memory: MEMORY, passes: PASSES })
    }

    /// Makes what opens and closes keys; `passphrase` is the module's PIN where there is one.
    pub(crate) fn opener(&self, passphrase: Option<&Passphrase>) -> Result<Opener, KeyError> {
        match self {
            Self::Demo { seed } => Ok(Opener::Demo(*seed)),
            Self::Passphrase { salt, memory, passes } => {
                let passphrase = passphrase.ok_or(KeyError::NoPassphrase)?;
                let salt = from_hex(salt).ok_or(KeyError::Damaged("the salt"))?;
                let params = argon2::Params::new(*memory, *passes, 1, Some(32))
                    .map_err(|_| KeyError::Damaged("the parameters of the passphrase's hash"))?;
                let hash = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
                let mut key = Zeroizing::new([0; 32]);
                hash.hash_password_into(passphrase.as_bytes(), &salt, key.as_mut())
                    .map_err(|_| KeyError::Damaged("the parameters of the passphrase's hash"))?;
                Ok(Opener::Sealed(SecretKey::new(*key)))
            }
            Self::Pkcs11(module) => {
                let pin = passphrase.ok_or(KeyError::NoPassphrase)?;
                Ok(Opener::Module(module.open(pin)?))
            }
        }
    }
}

/// Which key is meant: one of a role, or of a group of holders, in an epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'p> {
    pub(crate) role: KeyRole,
    pub(crate) group: Option<&'p str>,
    pub(crate) epoch: u32,
}

/// What opens and closes keys.
#[derive(Debug)]
pub(crate) enum Opener {
    Demo(u64),
    Sealed(SecretKey),
    Module(super::pkcs11::Session),
}

impl Opener {
    /// A new key for a place: random, or in a demo what the seed says.
    pub(crate) fn new_key(&self, place: Place<'_>) -> Result<SecretKey, KeyError> {
        match self {
            Self::Demo(seed) => Ok(demo_key(*seed, place)),
            Self::Sealed(_) | Self::Module(_) => SecretKey::random(),
        }
    }

    /// Seals a key, bound to its name; nothing where it is derived.
    pub(crate) fn seal(&self, key: &SecretKey, name: &str) -> Result<Option<String>, KeyError> {
        match self {
            Self::Demo(_) => Ok(None),
            Self::Sealed(under) => {
                encrypt(under, name.as_bytes(), key.as_bytes()).map(|bytes| Some(hex(&bytes)))
            }
            Self::Module(session) => {
                session.seal(name.as_bytes(), key.as_bytes()).map(|bytes| Some(hex(&bytes)))
            }
        }
    }

    /// Opens a key that was sealed under this name.
    pub(crate) fn open(
        &self,
        place: Place<'_>,
        name: &str,
        sealed: Option<&str>,
    ) -> Result<SecretKey, KeyError> {
        let bytes = || sealed.and_then(from_hex).ok_or(KeyError::Damaged("a sealed key"));
        let opened = match self {
            Self::Demo(seed) => return Ok(demo_key(*seed, place)),
            Self::Sealed(under) => {
                decrypt(under, name.as_bytes(), &bytes()?).ok_or(KeyError::WrongPassphrase)?
            }
            Self::Module(session) => session.open(name.as_bytes(), &bytes()?)?,
        };
        let key = <[u8; 32]>::try_from(opened.as_slice()).map_err(|_| KeyError::Damaged("a sealed key"))?;
        Ok(SecretKey::new(*Zeroizing::new(key)))
    }
}

fn demo_key(seed: u64, Place { role, group, epoch }: Place<'_>) -> SecretKey {
    let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 key of a demo environment");
    hasher.update(&seed.to_le_bytes()).update(role.as_str().as_bytes());
    if let Some(group) = group {
        hasher.update(b"/").update(group.as_bytes()).update(b"/");
    }
    if epoch > 1 {
        hasher.update(&epoch.to_le_bytes());
    }
    SecretKey::new(*hasher.finalize().as_bytes())
}

/// Encrypts under AES-256-GCM with a random nonce, which stands before the ciphertext.
///
/// # Errors
///
/// The operating system gave no random bytes.
pub fn encrypt(key: &SecretKey, bound_to: &[u8], clear: &[u8]) -> Result<Vec<u8>, KeyError> {
    encrypt_behind(Vec::new(), key, bound_to, clear)
}

/// As [`encrypt`], behind what stands in `bytes` already.
///
/// # Errors
///
/// As [`encrypt`].
pub(crate) fn encrypt_behind(
    mut bytes: Vec<u8>,
    key: &SecretKey,
    bound_to: &[u8],
    clear: &[u8],
) -> Result<Vec<u8>, KeyError> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).map_err(|_| KeyError::Random)?;
    let cipher = UnboundKey::new(&AES_256_GCM, key.as_bytes()).map_err(|_| KeyError::Random)?;
    // Room for all of it is made before, so that nothing in clear is left behind where it grew.
    bytes.reserve_exact(NONCE_LEN + clear.len() + AES_256_GCM.tag_len());
    bytes.extend_from_slice(&nonce);
    let begin = bytes.len();
    bytes.extend_from_slice(clear);
    let content = bytes.get_mut(begin..).unwrap_or_default();
    let sealed = LessSafeKey::new(cipher).seal_in_place_separate_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(bound_to),
        content,
    );
    let Ok(tag) = sealed else {
        content.zeroize();
        return Err(KeyError::Random);
    };
    bytes.extend_from_slice(tag.as_ref());
    Ok(bytes)
}

/// Decrypts what [`encrypt`] made under the same key and bound to the same bytes.
pub fn decrypt(key: &SecretKey, bound_to: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, content) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let cipher = UnboundKey::new(&AES_256_GCM, key.as_bytes()).ok()?;
    let mut content = Zeroizing::new(content.to_vec());
    let length = LessSafeKey::new(cipher).open_in_place(nonce, Aad::from(bound_to), &mut content).ok()?.len();
    content.truncate(length);
    Some(content)
}
