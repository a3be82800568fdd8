//! Secret bytes that are erased when they are dropped, and the id by which a key is known.

use std::fmt;

use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::KeyError;

/// A 32-byte key, erased on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// Takes these bytes as a key.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A new key of random bytes.
    ///
    /// # Errors
    ///
    /// The operating system gave none.
    pub fn random() -> Result<Self, KeyError> {
        let mut key = Self([0; 32]);
        SystemRandom::new().fill(&mut key.0).map_err(|_| KeyError::Random)?;
        Ok(key)
    }

    /// The key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The id by which the key is known; it tells nothing of the key.
    pub fn id(&self) -> KeyId {
        let digest = blake3::derive_key("misu 2026-11 key id", &self.0);
        KeyId(hex(digest.get(..8).unwrap_or_default()))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// The id of a key: 16 hexadecimal digits that are stored beside what was made with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl KeyId {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What opens a key store: a passphrase, or the PIN of a hardware module. Erased on drop.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Passphrase(Vec<u8>);

impl Passphrase {
    /// Takes a passphrase; line ends at its end do not count, since editors add them.
    pub fn new(text: &Zeroizing<Vec<u8>>) -> Self {
        let end = text.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
        Self(text.get(..end).unwrap_or_default().to_vec())
    }

    /// Finds the passphrase that a program was started with: in the file that `MISU_PASSPHRASE_FILE` names, or in
    /// `MISU_PASSPHRASE`. `variable` looks a variable of the program's environment up.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn find(variable: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Result<Option<Self>, KeyError> {
        if let Some(path) = variable("MISU_PASSPHRASE_FILE") {
            return Self::read(std::path::Path::new(&path)).map(Some);
        }
        let text = variable("MISU_PASSPHRASE").map(|text| Zeroizing::new(text.into_encoded_bytes()));
        Ok(text.map(|text| Self::new(&text)))
    }

    /// Reads the passphrase from a file.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn read(path: &std::path::Path) -> Result<Self, KeyError> {
        let text = std::fs::read(path).map_err(|source| KeyError::Io { path: path.to_owned(), source })?;
        Ok(Self::new(&Zeroizing::new(text)))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that an even number of hexadecimal digits stand for.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks_exact(2).map(byte).collect()
}
