//! What projects keep inside: row-level tables, views and lists of codes, each project's under a key of its own.
//!
//! `workspaces/PROJECT/` holds the project's key, wrapped under the project master key, the sealed list of what is kept
//! (`space.sealed`), a folder of encrypted files for each table, and the project's [`crate::Papers`]. Whoever destroys the project's key, or the master,
//! has made all of it unreadable. What a table means and who may read it is decided elsewhere; no Parquet here.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use catalog_model::{CodeList, FileEntry, Workspace, WorkspaceTable, WorkspaceView, WrappedKey};
use serde::{Deserialize, Serialize};

use crate::environment::{Environment, EnvironmentError, make_dir};
use crate::file_keys::{FileKeys, make_under, open_under};
use crate::keys::{KeyError, KeyRole, SecretKey, decrypt, encrypt, from_hex, hex};

const ROOM: &str = "workspaces";
const KEY: &str = "key.json";
const SPACE: &str = "space.sealed";
const LOCK: &str = "lock";
const DAMAGED: KeyError = KeyError::Damaged("a project's workspace");

/// How much a project may keep inside, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceLimits {
    /// Bytes of all tables of a project together.
    pub bytes: u64,
    /// Days for which a table is kept, at most until the permit ends.
    pub days: u16,
}

impl WorkspaceLimits {
    /// Where the configuration says nothing.
    pub(crate) const USUAL: Self = Self { bytes: 1 << 30, days: 90 };

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::USUAL
    }
}

impl Default for WorkspaceLimits {
    fn default() -> Self {
        Self::USUAL
    }
}

/// Everything that one project keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Space {
    /// Tables by name.
    pub tables: BTreeMap<String, KeptTable>,
    /// Views in the order in which they were made.
    pub views: Vec<WorkspaceView>,
    /// Every version of each list, the newest last.
    pub lists: BTreeMap<String, Vec<KeptList>>,
}

/// A table that is kept. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptTable {
    /// What vetting found of it.
    pub table: WorkspaceTable,
    /// Its files, one for each bucket.
    pub files: Vec<FileEntry>,
    /// Who made it.
    pub by: String,
    /// The entry of the record under which it was made.
    pub query: String,
    /// When.
    pub made: i64,
    /// The first moment at which it is no longer there.
    pub expires: i64,
    /// Who registered it as a cohort for review, and when.
    pub registered: Option<(String, i64)>,
}

/// One version of a list of codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptList {
    /// The list.
    pub list: CodeList,
    /// Who added it.
    pub by: String,
    /// When.
    pub added: i64,
}

impl Space {
    /// What queries may name now: a list without a version is its newest one.
    pub fn workspace(&self, now: i64) -> Workspace {
        let there = self.tables.iter().filter(|(_, kept)| kept.expires > now);
        let mut lists = BTreeMap::new();
        for (name, versions) in &self.lists {
            for (version, kept) in (1..).zip(versions) {
                lists.insert(format!("{name}@{version}"), kept.list.clone());
                lists.insert(name.clone(), kept.list.clone());
            }
        }
        Workspace {
            tables: there.map(|(name, kept)| (name.clone(), kept.table.clone())).collect(),
            views: self.views.clone(),
            lists,
        }
    }

    /// What names of lists among these mean now, each with its version: `diabetes@2` for `lists.diabetes`.
    pub fn versions<'n>(&self, used: impl Iterator<Item = &'n str>) -> Vec<String> {
        let lists = used.filter_map(|name| name.strip_prefix("lists."));
        let meant = lists.map(|list| match self.lists.get(list) {
            Some(versions) => format!("{list}@{}", versions.len()),
            None => list.to_owned(),
        });
        meant.collect()
    }

    /// Bytes of all tables.
    pub fn bytes(&self) -> u64 {
        self.tables.values().flat_map(|kept| &kept.files).map(|file| file.bytes).sum()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedKey {
    master: String,
    wrapped: String,
}

/// The keys of one file that is about to be written.
#[derive(Debug)]
pub struct NewFile {
    /// Its path below the project's folder.
    pub path: String,
    /// Its keys.
    pub keys: FileKeys,
    /// Its keys, wrapped.
    pub wrapped: BTreeMap<String, WrappedKey>,
}

/// The workspaces of an environment. Keys of projects that were opened are held, bound to the file that holds them.
pub struct Workspaces {
    environment: Environment,
    opened: Mutex<HashMap<Vec<u8>, Arc<SecretKey>>>,
}

impl std::fmt::Debug for Workspaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Workspaces(..)")
    }
}

impl Workspaces {
    /// The workspaces of an environment.
    pub fn new(environment: &Environment) -> Self {
        Self { environment: environment.clone(), opened: Mutex::default() }
    }

    /// What a project keeps.
    ///
    /// # Errors
    ///
    /// It cannot be read, or the project's key is gone.
    pub fn read(&self, project: &str) -> Result<Space, EnvironmentError> {
        let path = self.folder(project)?.join(SPACE);
        let sealed = match std::fs::read(&path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Space::default()),
            Err(source) => return Err(EnvironmentError::Io { path, source }),
        };
        let clear = decrypt(&*self.key(project)?, &purpose(project), &sealed).ok_or(DAMAGED)?;
        Ok(serde_json::from_slice(&clear).map_err(|_| DAMAGED)?)
    }

    /// Changes what a project keeps, while nobody else does. Folders of tables that are gone afterwards are deleted.
    ///
    /// # Errors
    ///
    /// It cannot be read or written, or `change` says no.
    pub fn change<T, E: From<EnvironmentError>>(
        &self,
        project: &str,
        change: impl FnOnce(&mut Space) -> Result<T, E>,
    ) -> Result<T, E> {
        let folder = self.folder(project)?;
        make_dir(&folder)?;
        let _lock = lock(&folder.join(LOCK))?;
        let before = self.read(project)?;
        let mut space = before.clone();
        let changed = change(&mut space)?;
        let clear = serde_json::to_vec(&space).map_err(|_| EnvironmentError::from(DAMAGED))?;
        let key = self.key(project)?;
        let sealed = encrypt(&key, &purpose(project), &clear).map_err(EnvironmentError::from)?;
        replace(&folder.join(SPACE), &sealed)?;
        let ids = |space: &Space| space.tables.values().map(|kept| kept.table.id.clone()).collect::<Vec<_>>();
        let left = ids(&space);
        for id in ids(&before).into_iter().filter(|id| !left.contains(id)) {
            // Nothing names the folder any more, and nothing else holds the keys of its files.
            let _ = std::fs::remove_dir_all(folder.join(id));
        }
        Ok(changed)
    }

    /// A new random id for a table.
    ///
    /// # Errors
    ///
    /// The operating system gave no random bytes.
    pub fn new_id(&self) -> Result<String, EnvironmentError> {
        Ok(hex(SecretKey::random()?.as_bytes().get(..16).unwrap_or_default()))
    }

    /// Makes the keys of a table's files, one file for each bucket.
    ///
    /// # Errors
    ///
    /// The project's key cannot be opened or made.
    pub fn new_files(
        &self,
        project: &str,
        id: &str,
        columns: &[&str],
        buckets: u32,
    ) -> Result<Vec<NewFile>, EnvironmentError> {
        let key = self.key(project)?;
        let file = |bucket: u32| {
            let (file, keys, wrapped) = make_under(&key, columns.iter().copied())?;
            Ok(NewFile { path: format!("{id}/{bucket:05}-{file}.parquet"), keys, wrapped })
        };
        (0..buckets).map(file).collect()
    }

    /// Writes a table's file.
    ///
    /// # Errors
    ///
    /// The disk says no.
    pub fn write(&self, project: &str, path: &str, bytes: &[u8]) -> Result<(), EnvironmentError> {
        let path = self.folder(project)?.join(path);
        if let Some(folder) = path.parent() {
            make_dir(folder)?;
        }
        let written = File::create(&path).and_then(|mut file| {
            std::io::Write::write_all(&mut file, bytes)?;
            file.sync_all()
        });
        written.map_err(|source| EnvironmentError::Io { path, source })
    }

    /// Deletes the files of a table that did not come to be kept.
    pub fn discard(&self, project: &str, id: &str) {
        if let Ok(folder) = self.folder(project) {
            let _ = std::fs::remove_dir_all(folder.join(id));
        }
    }

    /// The keys of a table's file.
    ///
    /// # Errors
    ///
    /// The project's key is gone, or the file's keys belong to another.
    pub fn open(&self, project: &str, file: &FileEntry) -> Result<Option<FileKeys>, EnvironmentError> {
        let key = self.key(project)?;
        open_under(file, &|_| true, &|id| {
            if key.id().as_str() == id { Ok(Arc::clone(&key)) } else { Err(DAMAGED.into()) }
        })
    }

    /// Where a table's file lies.
    ///
    /// # Errors
    ///
    /// The project's name is not one.
    pub fn path(&self, project: &str, file: &FileEntry) -> Result<PathBuf, EnvironmentError> {
        Ok(self.folder(project)?.join(&file.path))
    }

    /// Destroys a project's key and everything under it; the key first, so that whatever a copy holds is unreadable.
    ///
    /// # Errors
    ///
    /// Something cannot be deleted.
    pub fn destroy(&self, project: &str) -> Result<(), EnvironmentError> {
        let folder = self.folder(project)?;
        let io = |path: &Path, source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(EnvironmentError::Io { path: path.to_owned(), source }),
        };
        let key = folder.join(KEY);
        std::fs::remove_file(&key).or_else(|source| io(&key, source))?;
        std::fs::remove_dir_all(&folder).or_else(|source| io(&folder, source))
    }

    /// The projects that keep something.
    pub(crate) fn projects(&self) -> Vec<String> {
        let folders = std::fs::read_dir(self.environment.room(ROOM)).into_iter().flatten().flatten();
        let mut projects: Vec<String> =
            folders.filter_map(|folder| folder.file_name().into_string().ok()).collect();
        projects.sort_unstable();
        projects
    }

    /// Whether a project has a key.
    pub(crate) fn is_keyed(&self, project: &str) -> Result<bool, EnvironmentError> {
        Ok(self.folder(project)?.join(KEY).exists())
    }

    /// The project's own key; a project without one gets one.
    pub(crate) fn key(&self, project: &str) -> Result<Arc<SecretKey>, EnvironmentError> {
        let folder = self.folder(project)?;
        let path = folder.join(KEY);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            // A sealed space without its key is one whose key was destroyed: it gets no other.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !folder.join(SPACE).exists() => {
                self.new_key(project, &folder)?
            }
            Err(source) => return Err(EnvironmentError::Io { path, source }),
        };
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = opened.get(&bytes) {
            return Ok(Arc::clone(key));
        }
        let sealed: SealedKey = serde_json::from_slice(&bytes).map_err(|_| DAMAGED)?;
        let master = self.environment.keys().with_id(KeyRole::Project, &sealed.master)?;
        let clear = decrypt(&master, &wrapping(project), &from_hex(&sealed.wrapped).unwrap_or_default());
        let clear = clear.and_then(|clear| <[u8; 32]>::try_from(clear.as_slice()).ok()).ok_or(DAMAGED)?;
        let key = Arc::new(SecretKey::new(clear));
        opened.insert(bytes, Arc::clone(&key));
        Ok(key)
    }

    fn new_key(&self, project: &str, folder: &Path) -> Result<Vec<u8>, EnvironmentError> {
        make_dir(folder)?;
        let master = self.environment.key(KeyRole::Project)?;
        let key = SecretKey::random()?;
        let sealed = SealedKey {
            master: master.id().as_str().to_owned(),
            wrapped: hex(&encrypt(&master, &wrapping(project), key.as_bytes())?),
        };
        let bytes = serde_json::to_vec(&sealed).map_err(|_| DAMAGED)?;
        let path = folder.join(KEY);
        // The first of two that make one at the same time wins.
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                let written = std::io::Write::write_all(&mut file, &bytes).and_then(|()| file.sync_all());
                written.map(|()| bytes).map_err(|source| EnvironmentError::Io { path, source })
            }
            Err(_) => std::fs::read(&path).map_err(|source| EnvironmentError::Io { path, source }),
        }
    }

    /// The project's folder; no name leads anywhere else.
    pub(crate) fn folder(&self, project: &str) -> Result<PathBuf, EnvironmentError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if project.is_empty() || !project.chars().all(is_plain) {
            return Err(DAMAGED.into());
        }
        Ok(self.environment.room(ROOM).join(project))
    }
}

fn purpose(project: &str) -> Vec<u8> {
    format!("misu/v1/workspace\0{project}").into_bytes()
}

fn wrapping(project: &str) -> Vec<u8> {
    format!("misu/v1/workspace-key\0{project}").into_bytes()
}

/// Waits until nobody else changes the space.
fn lock(path: &Path) -> Result<File, EnvironmentError> {
    let io = |source| EnvironmentError::Io { path: path.to_owned(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(io)?;
    file.lock().map_err(io)?;
    Ok(file)
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), EnvironmentError> {
    let temporary = path.with_extension("writing");
    let written = File::create(&temporary).and_then(|mut file| {
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    });
    written.map_err(|source| EnvironmentError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use catalog_model::{CodeList, FileEntry};

    use super::{KeptList, Space, Workspaces};
    use crate::{Agreed, Config, Environment, EnvironmentError, KeyRole};

    fn environment() -> (tempfile::TempDir, Environment) {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, None)).unwrap();
        (folder, environment)
    }

    fn add(workspaces: &Workspaces, project: &str, code: &str) {
        let list = CodeList { system: "icd10".to_owned(), codes: vec![code.to_owned()] };
        let kept = KeptList { list, by: "user".to_owned(), added: 5 };
        let added = workspaces.change(project, |space: &mut Space| {
            space.lists.entry("mine".to_owned()).or_default().push(kept);
            Ok::<_, EnvironmentError>(())
        });
        added.unwrap();
    }

    fn file(workspaces: &Workspaces, project: &str) -> FileEntry {
        let made = workspaces.new_files(project, "0f", &["person_id"], 1).unwrap().remove(0);
        FileEntry {
            path: made.path,
            bucket: Some(0),
            year: None,
            months: None,
            rows: 1,
            bytes: 1,
            content: String::new(),
            blake3: String::new(),
            keys: made.wrapped,
        }
    }

    #[test]
    fn lists_have_versions_and_nothing_lies_in_clear() {
        let (_folder, environment) = environment();
        let workspaces = Workspaces::new(&environment);
        assert_eq!(workspaces.read("one").unwrap(), Space::default());
        add(&workspaces, "one", "E110");
        add(&workspaces, "one", "E119");
        let again = Workspaces::new(&environment).read("one").unwrap();
        let seen = again.workspace(9);
        assert_eq!(seen.lists["mine"].codes, ["E119"]);
        assert_eq!(seen.lists["mine@1"].codes, ["E110"]);
        let sealed = std::fs::read(environment.room("workspaces").join("one/space.sealed")).unwrap();
        assert!(!sealed.windows(4).any(|bytes| bytes == b"E119"));
        assert!(workspaces.read("../links").is_err());
    }

    #[test]
    fn a_project_reads_its_own_space_only() {
        let (_folder, environment) = environment();
        let workspaces = Workspaces::new(&environment);
        add(&workspaces, "one", "E110");
        add(&workspaces, "two", "E119");
        let room = environment.room("workspaces");
        std::fs::copy(room.join("one/space.sealed"), room.join("two/space.sealed")).unwrap();
        assert!(workspaces.read("two").is_err());
        let of_one = file(&workspaces, "one");
        assert!(workspaces.open("one", &of_one).unwrap().is_some());
        assert!(workspaces.open("two", &of_one).is_err());
    }

    #[test]
    fn without_its_key_or_the_master_a_space_is_unreadable() {
        let (_folder, environment) = environment();
        let workspaces = Workspaces::new(&environment);
        add(&workspaces, "one", "E110");
        add(&workspaces, "two", "E110");
        let (of_one, of_two) = (file(&workspaces, "one"), file(&workspaces, "two"));
        let copy = std::fs::read(environment.room("workspaces").join("one/space.sealed")).unwrap();
        workspaces.destroy("one").unwrap();
        assert!(!environment.room("workspaces").join("one").exists());
        // A copy of the sealed space that somebody kept opens under no new key.
        std::fs::create_dir(environment.room("workspaces").join("one")).unwrap();
        std::fs::write(environment.room("workspaces").join("one/space.sealed"), copy).unwrap();
        assert!(workspaces.read("one").is_err() && workspaces.open("one", &of_one).is_err());
        environment.keys().rotate(KeyRole::Project).unwrap();
        assert!(Workspaces::new(&environment).open("two", &of_two).unwrap().is_some());
        let agreed = Agreed { first: "ichiro".to_owned(), second: "jiro".to_owned(), request: String::new() };
        environment.keys().destroy((KeyRole::Project, None), 1, &agreed).unwrap();
        let later = Workspaces::new(&environment);
        assert!(later.read("two").is_err() && later.open("two", &of_two).is_err());
    }
}
