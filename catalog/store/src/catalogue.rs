//! Adds catalogue files to an environment: a database of one's own, or the mended layout of a shipped one.
//!
//! The whole catalogue is checked with the new files before a byte of it changes, and changes at once.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use catalog_model::Catalogue;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::environment::{Environment, EnvironmentError, make_dir, read_catalogue, write};

/// What was added to a catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Files that are new.
    pub new: Vec<String>,
    /// Files that replaced another text.
    pub replaced: Vec<String>,
    /// Files that were there with the same text.
    pub known: Vec<String>,
}

impl Environment {
    /// Adds the catalogue files below `folder`; where `may_replace` is not set, a file that is there must say the same.
    ///
    /// # Errors
    ///
    /// There is no such file, one would replace another, or the catalogue would have errors; then nothing changes.
    pub fn add_catalogue(&self, folder: &Path, may_replace: bool) -> Result<Added, EnvironmentError> {
        let files = read_catalogue(folder)?;
        if files.is_empty() {
            return Err(EnvironmentError::NoCatalogue(folder.to_owned()));
        }
        let mut all: BTreeMap<String, String> = self.catalogue_files()?.into_iter().collect();
        let mut added = Added::default();
        for (path, text) in files {
            match all.get(&path) {
                Some(there) if *there == text => added.known.push(path),
                Some(_) if !may_replace => return Err(EnvironmentError::Taken(path)),
                Some(_) => {
                    added.replaced.push(path.clone());
                    all.insert(path, text);
                }
                None => {
                    added.new.push(path.clone());
                    all.insert(path, text);
                }
            }
        }
        Catalogue::parse(all.iter().map(|(path, text)| (path.as_str(), text.as_str())))
            .map_err(EnvironmentError::Catalogue)?;
        if !added.new.is_empty() || !added.replaced.is_empty() {
            self.exchange(&all)?;
        }
        Ok(added)
    }

    fn exchange(&self, files: &BTreeMap<String, String>) -> Result<(), EnvironmentError> {
        let (present, next) = (self.room("catalog"), self.room("catalog.writing"));
        let io = |source| EnvironmentError::Io { path: next.clone(), source };
        if next.exists() {
            std::fs::remove_dir_all(&next).map_err(io)?;
        }
        for (path, text) in files {
            // Both folders were listed by us, so that no part of a name leads out.
            let file = next.join(path);
            debug_assert!(Path::new(path).components().all(|part| matches!(part, Component::Normal(_))));
            if let Some(folder) = file.parent() {
                make_dir(folder)?;
            }
            write(&file, text)?;
        }
        renameat_with(CWD, &next, CWD, &present, RenameFlags::EXCHANGE)
            .map_err(|error| io(std::io::Error::from(error)))?;
        std::fs::remove_dir_all(&next).map_err(io)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Config, Environment, EnvironmentError};

    const CODES: &str = "system = \"stage\"\nname = { ja = \"病期\", en = \"stage\" }\nsource = \"invented\"\n\
        code = [{ code = \"1\", ja = \"一\", en = \"one\" }]\n";

    #[test]
    fn files_are_added_once_and_replaced_only_where_it_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(1))).unwrap();
        let more = folder.path().join("more/codes");
        std::fs::create_dir_all(&more).unwrap();
        let more_root = folder.path().join("more");
        assert!(matches!(
            environment.add_catalogue(&more_root, false),
            Err(EnvironmentError::NoCatalogue(_))
        ));
        std::fs::write(more.join("stage.toml"), CODES).unwrap();
        assert_eq!(environment.add_catalogue(&more_root, false).unwrap().new, ["codes/stage.toml"]);
        assert_eq!(environment.add_catalogue(&more_root, false).unwrap().known, ["codes/stage.toml"]);
        std::fs::write(more.join("stage.toml"), CODES.replace("one", "first")).unwrap();
        assert!(matches!(environment.add_catalogue(&more_root, false), Err(EnvironmentError::Taken(_))));
        let (_, before) = environment.catalogue().unwrap();
        assert_eq!(environment.add_catalogue(&more_root, true).unwrap().replaced, ["codes/stage.toml"]);
        assert_ne!(environment.catalogue().unwrap().1, before);
    }

    #[test]
    fn a_catalogue_with_errors_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(1))).unwrap();
        let (_, before) = environment.catalogue().unwrap();
        let more = folder.path().join("more/codes");
        std::fs::create_dir_all(&more).unwrap();
        std::fs::write(more.join("stage.toml"), CODES.replace("stage", "sex")).unwrap();
        let added = environment.add_catalogue(&folder.path().join("more"), false);
        assert!(matches!(added, Err(EnvironmentError::Catalogue(_))));
        assert_eq!(environment.catalogue().unwrap().1, before);
    }
}
