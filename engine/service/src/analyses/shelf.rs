//! Where runs lie: one paper each of its project, under the project's key, and a lock while a process works on it.
//!
//! A run has the text that was submitted, and literals of a question can point at people: it is destroyed with the
//! project's key. What was asked stands in the audit log.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use catalog_store::{EnvironmentError, Papers, Workspaces};
use engine_protocol::{AnalysisRun, AnalysisState};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::guard::GuardError;

/// The kind of paper.
pub(crate) const KIND: &str = "analyses";
/// The file that is locked for as long as it takes to take a run or to look whether somebody has it.
const GATE: &str = "gate";

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
pub(super) struct Shelf<'w>(Papers<'w>);

/// That this process works on a run; it ends with this value, and with the process however that ends.
#[derive(Debug)]
pub(super) struct Hold(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl<'w> Shelf<'w> {
    pub(super) const fn of(workspaces: &'w Workspaces) -> Self {
        Self(Papers::new(workspaces, KIND))
    }

    /// The run with this id; nothing where there is none that can be read.
    pub(super) fn read(&self, project: &str, id: &str) -> Option<Stored> {
        if !is_word(project) || !is_word(id) {
            return None;
        }
        serde_json::from_slice(&self.0.read(project, id).ok()??).ok()
    }

    /// Puts a run on the shelf; it is on disk when this returns.
    pub(super) fn add(&self, stored: &Stored) -> Result<(), GuardError> {
        let clear = serde_json::to_vec(stored).map_err(|_| GuardError::Bug("a run can be written"))?;
        Ok(self.0.write(&stored.project, &stored.run.id, &clear)?)
    }

    /// Writes a run that lies here as it is now. One that is gone, as after a close-down, stays gone.
    pub(super) fn write(&self, stored: &Stored) -> Result<(), GuardError> {
        match self.read(&stored.project, &stored.run.id) {
            Some(_) => self.add(stored),
            None => Ok(()),
        }
    }

    /// The runs of a project.
    pub(super) fn of_project(&self, project: &str) -> Vec<Stored> {
        self.0.names(project).iter().filter_map(|id| self.read(project, id)).collect()
    }

    /// Every run that has not ended.
    pub(super) fn unended(&self) -> Vec<Stored> {
        let projects = self.0.projects();
        let mut runs: Vec<Stored> = projects.iter().flat_map(|project| self.of_project(project)).collect();
        runs.retain(|stored| matches!(stored.run.state, AnalysisState::Queued | AnalysisState::Running));
        runs.sort_by(|one, other| one.run.at.cmp(&other.run.at));
        runs
    }

    /// Takes a run away.
    pub(super) fn remove(&self, stored: &Stored) -> Result<(), EnvironmentError> {
        if let Ok(path) = self.file(&stored.project, &format!("{}.lock", stored.run.id)) {
            let _ = std::fs::remove_file(path);
        }
        self.0.remove(&stored.project, &stored.run.id)
    }

    /// Begins to work on a run; nothing where another process does.
    pub(super) fn hold(&self, project: &str, id: &str) -> std::io::Result<Option<Hold>> {
        let _gate = self.gate(project)?;
        self.locked(project, id)
    }

    /// Whether some process works on a run.
    pub(super) fn is_held(&self, project: &str, id: &str) -> std::io::Result<bool> {
        // The lock that is taken to find out ends before the gate opens, so that nobody takes it for a worker's.
        let gate = self.gate(project)?;
        let is_held = self.locked(project, id)?.is_none();
        drop(gate);
        Ok(is_held)
    }

    fn locked(&self, project: &str, id: &str) -> std::io::Result<Option<Hold>> {
        let file = open(self.file(project, &format!("{id}.lock"))?)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Hold(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until nobody else is looking.
    fn gate(&self, project: &str) -> std::io::Result<File> {
        let file = open(self.file(project, GATE)?)?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    }

    fn file(&self, project: &str, name: &str) -> std::io::Result<PathBuf> {
        let folder = self.0.folder(project);
        folder.map(|folder| folder.join(name)).map_err(|_| std::io::ErrorKind::InvalidInput.into())
    }
}

fn open(path: PathBuf) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// A name that can stand in a path and means nothing there.
fn is_word(id: &str) -> bool {
    let is_plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '_');
    (1..=64).contains(&id.len()) && id.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use catalog_store::{Config, Environment, Workspaces};
    use engine_protocol::{AnalysisRun, AnalysisState};

    use super::{Shelf, Stored};

    fn stored(id: &str) -> Stored {
        let run = AnalysisRun {
            id: id.to_owned(),
            name: "n".to_owned(),
            by: "u".to_owned(),
            at: "2026-11-21T00:00:00Z".to_owned(),
            digest: String::new(),
            state: AnalysisState::Queued,
            steps: Vec::new(),
        };
        Stored { project: "p".to_owned(), text: "WHERE birth_date = '1950-01-02'".to_owned(), run }
    }

    #[test]
    fn a_run_lies_sealed_is_held_by_one_and_does_not_come_back_after_a_close_down() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(5))).unwrap();
        let workspaces = Workspaces::new(&environment);
        let shelf = Shelf::of(&workspaces);
        shelf.add(&stored("r")).unwrap();
        assert_eq!(shelf.unended(), [stored("r")]);
        let file = environment.room("workspaces").join("p/analyses/r.sealed");
        assert!(!std::fs::read(&file).unwrap().windows(9).any(|bytes| bytes == b"1950-01-0"));

        let hold = shelf.hold("p", "r").unwrap().unwrap();
        assert!(shelf.is_held("p", "r").unwrap() && shelf.hold("p", "r").unwrap().is_none());
        // Whoever looks never keeps a worker from beginning.
        drop(hold);
        for _ in 0..50 {
            std::thread::scope(|scope| {
                let look = scope.spawn(|| shelf.is_held("p", "r").unwrap());
                let hold = shelf.hold("p", "r").unwrap();
                assert!(hold.is_some());
                look.join().unwrap();
            });
        }

        workspaces.destroy("p").unwrap();
        shelf.write(&stored("r")).unwrap();
        assert!(!file.exists() && shelf.unended().is_empty());
    }
}
