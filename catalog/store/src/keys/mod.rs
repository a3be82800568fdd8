//! The environment's keys: one for each role, never one for two; each with an epoch and an id.
//!
//! Keys lie sealed in `keys/store.json`. What opens them is a passphrase, a hardware module's PIN, or, in a demo
//! environment, the seed from which every key is derived; such keys protect nothing, and the configuration says so.
//! Whoever unwraps a key tells [`KeyWatch`], which the programs use to record it.

mod key_ring;
mod officers;
mod pkcs11;
mod project;
mod role;
mod sealing;
mod secret;
mod store;

use std::path::{Path, PathBuf};

pub use key_ring::{KeyRing, KeyUse, KeyWatch, Protection};
pub use officers::{Agreed, Asked, Asking, OfficerError, Officers, Present};
pub use pkcs11::Module;
pub use project::{ProjectPseudonyms, Provision};
pub use role::KeyRole;
pub(crate) use sealing::encrypt_behind;
pub use sealing::{Sealing, decrypt, encrypt};
pub use secret::{KeyId, Passphrase, SecretKey, from_hex, hex};
pub(crate) use store::write_private;
pub use store::{KeyEntry, KeyIndex, KeyState};

const SIGNER: &str = "manifest.pub";

/// Why a key cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file of the store cannot be written or read.
    #[error("cannot use the key file {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not of the expected form.
    #[error("{0} is not of the expected form; restore it from a backup")]
    Form(PathBuf),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// Nothing opens the store.
    #[error(
        "the keys are sealed: name the file with the passphrase or PIN in MISU_PASSPHRASE_FILE, or give it in MISU_PASSPHRASE"
    )]
    NoPassphrase,
    /// The passphrase is another one, or the store was changed.
    #[error("the passphrase or PIN does not open the keys")]
    WrongPassphrase,
    /// A part of the store cannot be what it should be.
    #[error("{0} in the key store is damaged; restore keys/ from a backup")]
    Damaged(&'static str),
    /// A role has no key.
    #[error("there is no {} key; run `misu upgrade`", .0.as_str())]
    NoKey(KeyRole),
    /// A group has no key.
    #[error("no data holder was registered in a group {0}")]
    NoGroup(String),
    /// A key is unknown.
    #[error("there is no {} key {id}", role.as_str())]
    Unknown {
        /// The role.
        role: KeyRole,
        /// Its id or epoch.
        id: String,
    },
    /// The key that came out is not the one that went in.
    #[error("the {} key is not the one that the store names", .0.as_str())]
    OtherKey(KeyRole),
    /// A key was destroyed.
    #[error("the {} key of epoch {epoch} was destroyed", role.as_str())]
    Destroyed {
        /// The role.
        role: KeyRole,
        /// Its epoch.
        epoch: u32,
    },
    /// The key of what was erased is gone.
    #[error("the data of {what} were erased at {at}")]
    Erased {
        /// Of which datasets and year, or of which delivery.
        what: String,
        /// When, as RFC 3339 text.
        at: String,
    },
    /// A present key cannot be destroyed.
    #[error("the {} key is in use; rotate it first", .0.as_str())]
    InUse(KeyRole),
    /// A role whose key is bound to what lies in the environment.
    #[error("the {} key cannot be rotated: {why}", role.as_str())]
    Fixed {
        /// The role.
        role: KeyRole,
        /// What hangs on it.
        why: &'static str,
    },
    /// The hardware module refused.
    #[error("the hardware module refused")]
    Module(#[from] cryptoki::error::Error),
    /// There is no token of this label.
    #[error("the hardware module has no token {0}")]
    NoToken(String),
    /// The token has no wrapping key of this label.
    #[error("the token has no key {0} that stays inside")]
    NoModuleKey(String),
    /// The use of the key could not be recorded, so it is not handed out.
    #[error("the use of a key cannot be recorded, so it is not handed out")]
    Unrecorded(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Writes the public half of the manifest key, which whoever reads snapshots needs.
pub(crate) fn publish_signer(folder: &Path, public: &[u8]) -> Result<(), KeyError> {
    let path = folder.join(SIGNER);
    std::fs::write(&path, hex(public)).map_err(|source| KeyError::Io { path, source })
}

/// Reads the public half of the manifest key.
pub(crate) fn read_signer(folder: &Path) -> Result<[u8; 32], KeyError> {
    let path = folder.join(SIGNER);
    let text =
        std::fs::read_to_string(&path).map_err(|source| KeyError::Io { path: path.clone(), source })?;
    let bytes = from_hex(text.trim()).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.ok_or(KeyError::Form(path))
}
