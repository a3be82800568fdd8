//! Signs texts of the house (a backup's list, a report's figures) with the environment's manifest key.
//!
//! What a text is for stands before it, so that a signature under one kind of text never holds for another. Snapshots
//! are signed in `snapshots.rs` under words of their own.

use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};

use crate::environment::{Environment, EnvironmentError};
use crate::keys::{KeyRole, from_hex, hex, read_signer};
use crate::snapshots::SnapshotError;

/// The signature in hexadecimal digits of `text`, which is for `purpose`, by the environment's manifest key.
///
/// # Errors
///
/// The key is not there or cannot be opened.
pub fn sign(environment: &Environment, purpose: &str, text: &[u8]) -> Result<String, EnvironmentError> {
    let key = environment.key(KeyRole::Manifest)?;
    let pair = Ed25519KeyPair::from_seed_unchecked(key.as_bytes()).map_err(|_| SnapshotError::Key)?;
    Ok(hex(pair.sign(&bytes(purpose, text)).as_ref()))
}

/// Whether the holder of this public key signed `text` for `purpose`.
pub fn is_signed(signer: &[u8; 32], purpose: &str, text: &[u8], signature: &str) -> bool {
    let signature = from_hex(signature.trim()).unwrap_or_default();
    UnparsedPublicKey::new(&ED25519, signer).verify(&bytes(purpose, text), &signature).is_ok()
}

impl Environment {
    /// The public half of the manifest key, by which snapshots and signed texts are checked.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn signer(&self) -> Result<[u8; 32], EnvironmentError> {
        Ok(read_signer(&self.room("keys"))?)
    }
}

fn bytes(purpose: &str, text: &[u8]) -> Vec<u8> {
    [b"misu/v1/", purpose.as_bytes(), b"\0", text].concat()
}

#[cfg(test)]
mod tests {
    use super::{is_signed, sign};
    use crate::{Config, Environment};

    #[test]
    fn a_signature_holds_for_one_text_and_one_purpose() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(1))).unwrap();
        let (signer, signature) =
            (environment.signer().unwrap(), sign(&environment, "backup", b"text").unwrap());
        assert!(is_signed(&signer, "backup", b"text", &signature));
        assert!(!is_signed(&signer, "backup", b"texts", &signature));
        assert!(!is_signed(&signer, "report", b"text", &signature));
        assert!(!is_signed(&[7; 32], "backup", b"text", &signature));
    }
}
