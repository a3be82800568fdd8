//! Makes an environment of files that were unpacked from a backup, and of the rows that were in it.

use std::path::Path;

use crate::config::Config;
use crate::dump::MetaDump;
use crate::environment::{CONFIG, Environment, EnvironmentError, ROOMS, make_dir, write};

impl Environment {
    /// Takes the rows into a new metadata database and makes the directory an environment: its configuration is
    /// written last. Keys, snapshots and the record lie in it already.
    ///
    /// # Errors
    ///
    /// The directory is an environment already, the database has rows, or something cannot be written.
    pub fn restored(root: &Path, config: Config, rows: &MetaDump) -> Result<Self, EnvironmentError> {
        if root.join(CONFIG).exists() {
            return Err(EnvironmentError::NotEmpty(root.to_owned()));
        }
        for room in ROOMS {
            make_dir(&root.join(room))?;
        }
        let environment = Self::with_config(root, config);
        environment.meta()?.load(rows)?;
        write(&root.join(CONFIG), &environment.config().to_text())?;
        Self::open(root)
    }
}
