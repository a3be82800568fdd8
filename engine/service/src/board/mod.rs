//! The guard's commands for operators and the board: backups, reports, the checklist.

pub(crate) mod backup;
pub(crate) mod report;

use std::path::Path;

use catalog_store::{Environment, Passphrase};

use crate::Failure;

/// The environment with what opens its keys.
fn environment(env: &Path) -> Result<Environment, Failure> {
    let passphrase = Passphrase::find(&|name| std::env::var_os(name))?;
    Ok(Environment::open(env)?.unlocked_by(passphrase))
}
