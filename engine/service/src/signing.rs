//! The key that signs for the environment: checkpoints, certificates, deletion records.

use std::path::PathBuf;

use audit::{NoteSigner, SignerKind};
use catalog_store::{Environment, EnvironmentError, KeyRole};

/// The log's name in its notes; which log of this name it is, its key says.
const ORIGIN: &str = "misu/record";

/// The file in the room `audit` that holds the public half, for whoever verifies.
pub const VERIFIER: &str = "checkpoint.key";

/// The signer of an environment; its public half is written beside the log where it is not there yet.
///
/// # Errors
///
/// The key cannot be opened, or its public half cannot be written.
pub fn signer(environment: &Environment) -> Result<NoteSigner, EnvironmentError> {
    let key = environment.key(KeyRole::Audit)?;
    let path: PathBuf = environment.room("audit").join(VERIFIER);
    let io = |source| EnvironmentError::Io { path: path.clone(), source };
    let signer = NoteSigner::new(ORIGIN, SignerKind::Log, key.as_bytes());
    let signer = signer.ok_or_else(|| io(std::io::Error::other("no signer can be made of the key")))?;
    let line = format!("{}\n", signer.verifier());
    if std::fs::read_to_string(&path).ok().as_deref() != Some(line.as_str()) {
        std::fs::write(&path, line).map_err(io)?;
    }
    Ok(signer)
}
