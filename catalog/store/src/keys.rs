//! The environment's keys: one for each role, never one for two.
//!
//! A key is 32 bytes in a file that only its owner reads. In a demo environment every key is derived from the seed,
//! so that two demos agree byte for byte; such keys protect nothing, and the configuration says so.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::{Zeroize, ZeroizeOnDrop};

const SIGNER: &str = "manifest.pub";

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyRole {
    /// Turns identities into intake keys, at ingest.
    Intake,
    /// Turns intake keys into linkage keys, when persons are linked.
    Linkage,
    /// Turns facility codes and record numbers into surrogates.
    Surrogate,
    /// Digests canonical rows, so that a snapshot id tells nothing of its content.
    Content,
    /// Signs snapshot manifests.
    Manifest,
}

impl KeyRole {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Intake, Self::Linkage, Self::Surrogate, Self::Content, Self::Manifest];

    /// The role's name, which is its file's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Linkage => "linkage",
            Self::Surrogate => "surrogate",
            Self::Content => "content",
            Self::Manifest => "manifest",
        }
    }
}

/// A 32-byte key, erased on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// The key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// Why a key cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key's file cannot be written or read.
    #[error("cannot use the key file {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file does not hold a key.
    #[error("{0} does not hold a key of 64 hexadecimal digits")]
    Form(PathBuf),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
}

/// Makes a key for every role below `folder`.
pub(crate) fn create(folder: &Path, demo_seed: Option<u64>) -> Result<(), KeyError> {
    for role in KeyRole::ALL {
        let mut key = [0; 32];
        match demo_seed {
            Some(seed) => {
                let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 key of a demo environment");
                hasher.update(&seed.to_le_bytes()).update(role.as_str().as_bytes());
                key = *hasher.finalize().as_bytes();
            }
            None => SystemRandom::new().fill(&mut key).map_err(|_| KeyError::Random)?,
        }
        let mut text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        key.zeroize();
        let path = file(folder, role);
        let written = write_private(&path, text.as_bytes());
        text.zeroize();
        written.map_err(|source| KeyError::Io { path, source })?;
    }
    Ok(())
}

/// Writes the public half of the manifest key, which whoever reads snapshots needs.
pub(crate) fn publish_signer(folder: &Path, public: &[u8]) -> Result<(), KeyError> {
    let path = folder.join(SIGNER);
    let text: String = public.iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(&path, text).map_err(|source| KeyError::Io { path, source })
}

/// Reads the public half of the manifest key.
pub(crate) fn read_signer(folder: &Path) -> Result<[u8; 32], KeyError> {
    let path = folder.join(SIGNER);
    let text =
        std::fs::read_to_string(&path).map_err(|source| KeyError::Io { path: path.clone(), source })?;
    from_hex(text.trim()).ok_or(KeyError::Form(path))
}

/// Reads the key of one role below `folder`.
pub(crate) fn read(folder: &Path, role: KeyRole) -> Result<SecretKey, KeyError> {
    let path = file(folder, role);
    let mut text =
        std::fs::read_to_string(&path).map_err(|source| KeyError::Io { path: path.clone(), source })?;
    let key = from_hex(text.trim());
    text.zeroize();
    key.map(SecretKey).ok_or(KeyError::Form(path))
}

fn file(folder: &Path, role: KeyRole) -> PathBuf {
    folder.join(format!("{}.key", role.as_str()))
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::{KeyRole, create, read};

    #[test]
    fn demo_keys_agree_and_random_keys_do_not() {
        let [one, two, three, four] = [(); 4].map(|()| tempfile::tempdir().unwrap());
        for (folder, seed) in [(&one, Some(7)), (&two, Some(7)), (&three, None), (&four, None)] {
            create(folder.path(), seed).unwrap();
        }
        let key = |folder: &tempfile::TempDir, role| *read(folder.path(), role).unwrap().as_bytes();
        assert_eq!(key(&one, KeyRole::Intake), key(&two, KeyRole::Intake));
        assert_ne!(key(&one, KeyRole::Intake), key(&one, KeyRole::Linkage));
        assert_ne!(key(&three, KeyRole::Intake), key(&four, KeyRole::Intake));
    }
}
