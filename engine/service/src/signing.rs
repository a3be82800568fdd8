//! The key that signs for the environment: checkpoints, certificates, deletion records.

use audit::NoteSigner;
pub use audit::VERIFIER;
use catalog_store::{Environment, EnvironmentError, KeyRole};

/// The signer of an environment; its public half is written beside the log where it is not there yet.
///
/// # Errors
///
/// The key cannot be opened, or its public half cannot be written.
pub fn signer(environment: &Environment) -> Result<NoteSigner, EnvironmentError> {
    let (key, folder) = (environment.key(KeyRole::Audit)?, environment.room("audit"));
    audit::log_signer(&folder, key.as_bytes())
        .map_err(|source| EnvironmentError::Io { path: folder.join(VERIFIER), source })
}
