//! A project's papers: texts of one kind (its notebooks, the runs of its analyses) under the project's own key.
//!
//! `workspaces/PROJECT/KIND/NAME.sealed`, each bound to its place. They lie with what the project keeps inside, so that
//! they are destroyed with its key at close-down, and a backup holds them only where it holds rows.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::environment::{EnvironmentError, make_dir};
use crate::keys::{KeyError, decrypt, encrypt};
use crate::workspaces::Workspaces;

const ENDING: &str = "sealed";
const DAMAGED: KeyError = KeyError::Damaged("a project's paper");

/// The papers of one kind, of every project.
#[derive(Debug)]
pub struct Papers<'w> {
    workspaces: &'w Workspaces,
    kind: &'static str,
}

impl<'w> Papers<'w> {
    /// The papers of a kind.
    pub const fn new(workspaces: &'w Workspaces, kind: &'static str) -> Self {
        Self { workspaces, kind }
    }

    /// The text of a paper; nothing where there is none.
    ///
    /// # Errors
    ///
    /// The name is none, it cannot be read, or it was not written here under the project's key.
    pub fn read(&self, project: &str, name: &str) -> Result<Option<Vec<u8>>, EnvironmentError> {
        let path = self.path(project, name)?;
        let sealed = match std::fs::read(&path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(EnvironmentError::Io { path, source }),
        };
        // A paper without its project's key is one whose key was destroyed: it gets no other.
        if !self.workspaces.is_keyed(project)? {
            return Err(DAMAGED.into());
        }
        let key = self.workspaces.key(project)?;
        let clear = decrypt(&key, &self.bound_to(project, name), &sealed).ok_or(DAMAGED)?;
        Ok(Some(clear.to_vec()))
    }

    /// Writes a paper; it is on disk when this returns.
    ///
    /// # Errors
    ///
    /// The name is none, the project's key is gone, or the disk says no.
    pub fn write(&self, project: &str, name: &str, clear: &[u8]) -> Result<(), EnvironmentError> {
        let path = self.path(project, name)?;
        make_dir(&self.folder(project)?)?;
        let key = self.workspaces.key(project)?;
        let sealed = encrypt(&key, &self.bound_to(project, name), clear)?;
        let temporary = path.with_extension("writing");
        let file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary);
        let written = file.and_then(|mut file| {
            file.write_all(&sealed)?;
            file.sync_all()?;
            std::fs::rename(&temporary, &path)
        });
        written.map_err(|source| EnvironmentError::Io { path, source })
    }

    /// Removes a paper; one that is not there is none.
    ///
    /// # Errors
    ///
    /// The name is none, or the disk says no.
    pub fn remove(&self, project: &str, name: &str) -> Result<(), EnvironmentError> {
        let path = self.path(project, name)?;
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(EnvironmentError::Io { path, source })
            }
            _ => Ok(()),
        }
    }

    /// The names of a project's papers.
    pub fn names(&self, project: &str) -> Vec<String> {
        let Ok(folder) = self.folder(project) else { return Vec::new() };
        let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let sealed = paths.filter(|path| path.extension().is_some_and(|ending| ending == ENDING));
        let mut names: Vec<String> =
            sealed.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
        names.sort_unstable();
        names
    }

    /// The projects that have a workspace.
    pub fn projects(&self) -> Vec<String> {
        self.workspaces.projects()
    }

    /// Where a project's papers of this kind lie.
    ///
    /// # Errors
    ///
    /// The project's name is none.
    pub fn folder(&self, project: &str) -> Result<PathBuf, EnvironmentError> {
        Ok(self.workspaces.folder(project)?.join(self.kind))
    }

    /// The file of a paper; no name leads anywhere else.
    fn path(&self, project: &str, name: &str) -> Result<PathBuf, EnvironmentError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(DAMAGED.into());
        }
        Ok(Path::new(&self.folder(project)?).join(format!("{name}.{ENDING}")))
    }

    fn bound_to(&self, project: &str, name: &str) -> Vec<u8> {
        format!("misu/v1/paper\0{project}\0{}\0{name}", self.kind).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::Papers;
    use crate::{Config, Environment, Workspaces};

    #[test]
    fn a_paper_is_read_in_its_place_and_lies_in_no_clear_byte() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, None)).unwrap();
        let workspaces = Workspaces::new(&environment);
        let papers = Papers::new(&workspaces, "notebooks");
        assert_eq!((papers.read("one", "n").unwrap(), papers.names("one")), (None, Vec::new()));
        papers.write("one", "n", b"WHERE birth_date = '1950-01-02'").unwrap();
        papers.write("two", "n", b"other").unwrap();
        assert_eq!(papers.read("one", "n").unwrap().unwrap(), b"WHERE birth_date = '1950-01-02'");
        assert_eq!((papers.names("one"), papers.projects().len()), (vec!["n".to_owned()], 2));
        let room = environment.room("workspaces");
        let sealed = std::fs::read(room.join("one/notebooks/n.sealed")).unwrap();
        assert!(!sealed.windows(8).any(|bytes| b"WHERE birth_date".starts_with(bytes)));

        // Neither another project's, nor another name's, nor another kind's place.
        std::fs::write(room.join("two/notebooks/n.sealed"), &sealed).unwrap();
        std::fs::write(room.join("one/notebooks/m.sealed"), &sealed).unwrap();
        std::fs::create_dir(room.join("one/analyses")).unwrap();
        std::fs::write(room.join("one/analyses/n.sealed"), &sealed).unwrap();
        assert!(papers.read("two", "n").is_err() && papers.read("one", "m").is_err());
        assert!(Papers::new(&workspaces, "analyses").read("one", "n").is_err());
        for name in ["", "../key", "a/b", "a.b"] {
            assert!(papers.write("one", name, b"x").is_err() && papers.read("one", name).is_err());
        }

        // Gone with the project's key, also where somebody kept a copy of the file.
        workspaces.destroy("one").unwrap();
        std::fs::create_dir_all(room.join("one/notebooks")).unwrap();
        std::fs::write(room.join("one/notebooks/n.sealed"), &sealed).unwrap();
        assert!(papers.read("one", "n").is_err());
    }
}
