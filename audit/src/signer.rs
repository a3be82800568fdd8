//! The key that signs for a log, and the file beside it with the key's public half.

use std::io;
use std::path::Path;

use crate::note::{NoteSigner, SignerKind};

/// The log's name in its notes; which log of this name it is, its key says.
const ORIGIN: &str = "misu/record";

/// The file beside the log that holds the public half, for whoever verifies.
pub const VERIFIER: &str = "checkpoint.key";

/// The signer of the log in `folder`; its public half is written there where it is not yet.
///
/// # Errors
///
/// No signer can be made of the key, or its public half cannot be written.
pub fn log_signer(folder: &Path, key: &[u8; 32]) -> io::Result<NoteSigner> {
    let signer = NoteSigner::new(ORIGIN, SignerKind::Log, key);
    let signer = signer.ok_or_else(|| io::Error::other("no signer can be made of the key"))?;
    let (path, line) = (folder.join(VERIFIER), format!("{}\n", signer.verifier()));
    if std::fs::read_to_string(&path).ok().as_deref() != Some(line.as_str()) {
        std::fs::write(&path, line)?;
    }
    Ok(signer)
}
