//! Where runs lie: one JSON file each below `analyses/<project>/`, and a lock beside it while a process works on it.
//!
//! Texts stay inside the environment, as those of notebooks do: literals of a question can point at people. What was
//! asked stands in the audit log.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use catalog_store::Environment;
use engine_protocol::{AnalysisRun, AnalysisState};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

/// The folder in the environment.
const FOLDER: &str = "analyses";

/// A run as it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    pub(super) project: String,
    /// The file as it was submitted.
    pub(super) text: String,
    pub(super) run: AnalysisRun,
}

/// The runs of an environment.
#[derive(Debug)]
pub(super) struct Shelf(PathBuf);

/// That this process works on a run; it ends with this value, and with the process however that ends.
#[derive(Debug)]
pub(super) struct Hold(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl Shelf {
    pub(super) fn of(environment: &Environment) -> Self {
        Self(environment.room(FOLDER))
    }

    /// The run with this id; nothing where there is none.
    pub(super) fn read(&self, project: &str, id: &str) -> Option<Stored> {
        let path = self.path(project, id)?;
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Writes a run; it is on disk when this returns.
    pub(super) fn write(&self, stored: &Stored) -> std::io::Result<()> {
        let Some(path) = self.path(&stored.project, &stored.run.id) else {
            return Err(std::io::ErrorKind::InvalidInput.into());
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let temporary = path.with_extension("writing");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(&serde_json::to_vec(stored)?)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)
    }

    /// The runs of a project.
    pub(super) fn of_project(&self, project: &str) -> Vec<Stored> {
        let folder = if is_word(project) { self.0.join(project) } else { return Vec::new() };
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let names = files.filter_map(|file| file.file_name().into_string().ok());
        names.filter_map(|name| self.read(project, name.strip_suffix(".json")?)).collect()
    }

    /// Every run that has not ended.
    pub(super) fn unended(&self) -> Vec<Stored> {
        let folders = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let projects = folders.filter_map(|folder| folder.file_name().into_string().ok());
        let mut runs: Vec<Stored> = projects.flat_map(|project| self.of_project(&project)).collect();
        runs.retain(|stored| matches!(stored.run.state, AnalysisState::Queued | AnalysisState::Running));
        runs.sort_by(|one, other| one.run.at.cmp(&other.run.at));
        runs
    }

    /// Takes a run away.
    pub(super) fn remove(&self, stored: &Stored) -> std::io::Result<()> {
        match self.path(&stored.project, &stored.run.id) {
            Some(path) => {
                let _ = std::fs::remove_file(path.with_extension("lock"));
                std::fs::remove_file(path)
            }
            None => Ok(()),
        }
    }

    /// Begins to work on a run; nothing where another process does.
    pub(super) fn hold(&self, project: &str, id: &str) -> std::io::Result<Option<Hold>> {
        let Some(path) = self.path(project, id) else { return Ok(None) };
        let path = path.with_extension("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Hold(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn path(&self, project: &str, id: &str) -> Option<PathBuf> {
        (is_word(project) && is_word(id)).then(|| Path::new(&self.0).join(project).join(format!("{id}.json")))
    }
}

/// A name that can stand in a path and means nothing there.
fn is_word(id: &str) -> bool {
    let is_plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '_');
    (1..=64).contains(&id.len()) && id.chars().all(is_plain)
}
