//! The guard's commands for operators and the board: backups, reports, the checklist.

pub(crate) mod backup;
pub(crate) mod report;

use std::io::{Read as _, stdin};
use std::path::Path;

use catalog_store::{Environment, Passphrase};

use crate::Failure;

/// The environment with what opens its keys.
fn environment(env: &Path) -> Result<Environment, Failure> {
    let passphrase = Passphrase::find(&|name| std::env::var_os(name))?;
    Ok(Environment::open(env)?.unlocked_by(passphrase))
}

/// Keeps the quality report that comes on standard input.
pub(crate) fn keep_quality(env: &Path) -> Result<(), Failure> {
    let mut text = Vec::new();
    stdin().lock().read_to_end(&mut text)?;
    Ok(engine_service::keep_quality(&environment(env)?, &text)?)
}
