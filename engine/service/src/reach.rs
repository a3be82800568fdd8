//! What a statement can reach, and no more: files, keys, the part of the catalogue and of the project's workspace.
//!
//! Keys are unwrapped against an entry in the record that names them; a record that cannot be written keeps them closed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use audit::{Event, Kind, Value};
use catalog_model::{Class, Excerpt, FileEntry, Grant, SnapshotManifest, Table, Workspace};
use catalog_store::{EnvironmentError, KeyError, KeyRole, Space};
use engine_protocol::{BucketSlice, FileKeys, FileSlice};
use engine_vet::{FUNCTION_SYSTEMS, is_there, stored_name};

use crate::guard::Guard;

/// What a statement touches, under which grant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach<'a> {
    pub(crate) grant: &'a Grant,
    pub(crate) manifest: &'a SnapshotManifest,
    pub(crate) space: &'a Space,
    pub(crate) now: i64,
    pub(crate) used: &'a BTreeMap<String, BTreeSet<String>>,
}

/// The files of each bucket, and where they lie.
pub(crate) type Slices = (Vec<BucketSlice>, Vec<PathBuf>);

impl Reach<'_> {
    /// The files of each bucket that the plan can reach (its tables, and the files with months of the permit's period), and
    /// where they lie. The worker is told numbers, not paths, and is given keys of those granted columns that the
    /// statement names, and of what the rewrite adds: what a plan reaches beyond them stays unreadable.
    ///
    /// `query` is the entry against which the statement runs; the guard's own questions have none.
    pub(crate) fn slices(self, guard: &Guard, query: Option<&str>) -> Result<Slices, EnvironmentError> {
        self.record_keys(guard, query)?;
        let buckets = self.manifest.body.buckets;
        let mut slices = Gathering {
            buckets: (0..buckets).map(|bucket| (bucket, BucketSlice::default())).collect(),
            paths: Vec::new(),
        };
        for name in self.used.keys() {
            match name.strip_prefix("ws.") {
                Some(own) => self.own(guard, own, &mut slices)?,
                None => self.of_snapshot(guard, name, &mut slices)?,
            }
        }
        Ok((slices.buckets.into_values().collect(), slices.paths))
    }

    /// The files of the public tables that the plan reads, as one bucket, and where they lie. No file about persons is
    /// among them. [`Reach::slices`] has recorded their keys.
    pub(crate) fn public_slices(self, guard: &Guard) -> Result<Slices, EnvironmentError> {
        let store = guard.environment.room("store");
        let (mut bucket, mut paths) = (BucketSlice::default(), Vec::new());
        for name in self.used.keys() {
            let table = guard.catalogue.tables.get(name).filter(|table| table.is_open());
            let Some(table) = table else { continue };
            for file in self.files_of(name) {
                let may = |column: &str| may_read((table, column), self.grant, self.used);
                let keys = guard.file_keys.open(file, &may)?;
                let descriptor = u32::try_from(paths.len()).unwrap_or(u32::MAX);
                let is_within = self.is_within(table, file);
                let slice =
                    FileSlice { descriptor, bytes: file.bytes, is_within, keys: keys.as_ref().map(wire) };
                bucket.tables.entry(name.clone()).or_default().push(slice);
                paths.push(store.join(&file.path));
            }
        }
        Ok((vec![bucket], paths))
    }

    /// One entry for a statement, which names the keys that its files' keys are wrapped under.
    fn record_keys(self, guard: &Guard, query: Option<&str>) -> Result<(), EnvironmentError> {
        let (mut dataset, mut project) = (BTreeSet::new(), BTreeSet::new());
        for name in self.used.keys() {
            match name.strip_prefix("ws.") {
                Some(own) => {
                    let files = self.space.tables.get(own).into_iter().flat_map(|kept| &kept.files);
                    project.extend(files.filter_map(wrapped_under));
                }
                None => dataset.extend(self.files_of(name).filter_map(wrapped_under)),
            }
        }
        let Some(first) = dataset.first().or_else(|| project.first()) else { return Ok(()) };
        let list = |keys: &BTreeSet<&str>| {
            Value::List(keys.iter().map(|key| Value::Text((*key).to_owned())).collect())
        };
        let event = Event::new(Kind::KeyUsed, "guard")
            .project(self.grant.project.clone())
            .subject(*first)
            .with(KeyRole::Dataset.as_str(), list(&dataset))
            .with(KeyRole::Project.as_str(), list(&project));
        let event = query.into_iter().fold(event, |event, query| event.with("query", query));
        guard.log.record(event).map_err(|error| KeyError::Unrecorded(error.into()))?;
        Ok(())
    }

    fn of_snapshot(self, guard: &Guard, table: &str, slices: &mut Gathering) -> Result<(), EnvironmentError> {
        let Some(definition) = guard.catalogue.tables.get(table) else { return Ok(()) };
        let store = guard.environment.room("store");
        for file in self.files_of(table) {
            let may = |column: &str| may_read((definition, column), self.grant, self.used);
            let keys = guard.file_keys.open(file, &may)?;
            slices.add(
                (table, self.is_within(definition, file)),
                file,
                keys.as_ref(),
                store.join(&file.path),
            );
        }
        Ok(())
    }

    /// The files of one of the project's own tables, under the name of the one that is meant.
    fn own(self, guard: &Guard, name: &str, slices: &mut Gathering) -> Result<(), EnvironmentError> {
        let Some(kept) = self.space.tables.get(name) else { return Ok(()) };
        let stored = stored_name(name, &kept.table);
        for file in &kept.files {
            let keys = guard.workspaces.open(&self.grant.project, file)?;
            let path = guard.workspaces.path(&self.grant.project, file)?;
            slices.add((&stored, false), file, keys.as_ref(), path);
        }
        Ok(())
    }

    /// The part of the catalogue that vetting the statement again needs.
    pub(crate) fn catalogue(self, guard: &Guard) -> Excerpt {
        guard.catalogue.excerpt(self.used.keys().map(String::as_str), &FUNCTION_SYSTEMS)
    }

    /// The part of the workspace that vetting the statement again needs.
    pub(crate) fn workspace(self) -> Workspace {
        let mut workspace = self.space.workspace(self.now);
        workspace.tables.retain(|name, _| self.used.contains_key(&format!("ws.{name}")));
        workspace.lists.retain(|name, _| self.used.contains_key(&format!("lists.{name}")));
        workspace
    }
}

/// Whether a worker gets the key of a column: the permit covers it, and the statement names it or the rewrite adds it
/// (the person, the facility, insurer and municipality, the month within the permit's period). `used` has what the
/// statement names.
pub fn may_read(
    (table, column): (&Table, &str),
    grant: &Grant,
    used: &BTreeMap<String, BTreeSet<String>>,
) -> bool {
    let is_named = used.get(&table.table).is_some_and(|named| named.contains(column));
    let is_added = || {
        let class = table.column(column).map(|column| column.class);
        let is_behind = |class: Class| class == Class::Person || class.is_unit();
        table.period.as_deref() == Some(column) || class.is_some_and(is_behind)
    };
    (is_named || is_added()) && is_there(table, column, grant)
}

/// The id of the key that a file's keys are wrapped under; none where the file lies in clear.
fn wrapped_under(file: &FileEntry) -> Option<&str> {
    file.keys.values().next().map(|key| key.kek.as_str())
}

impl<'a> Reach<'a> {
    /// The files of a table of the snapshot that the permit's period reaches.
    fn files_of(self, table: &str) -> impl Iterator<Item = &'a FileEntry> + use<'a> {
        let table = self.manifest.body.tables.get(table).into_iter();
        table.flat_map(move |entry| entry.files_in(self.grant.period))
    }

    /// Whether the permit's period need not be asked of a file's rows: by the column that it is asked of, all are within.
    fn is_within(self, table: &Table, file: &FileEntry) -> bool {
        let entry = self.manifest.body.tables.get(&table.table);
        entry.is_some_and(|entry| entry.is_within(file, table.period.as_deref(), self.grant.period))
    }
}

struct Gathering {
    buckets: BTreeMap<u32, BucketSlice>,
    paths: Vec<PathBuf>,
}

impl Gathering {
    fn add(
        &mut self,
        (table, is_within): (&str, bool),
        file: &FileEntry,
        keys: Option<&catalog_store::FileKeys>,
        path: PathBuf,
    ) {
        let Some(slice) = file.bucket.and_then(|bucket| self.buckets.get_mut(&bucket)) else { return };
        let descriptor = u32::try_from(self.paths.len()).unwrap_or(u32::MAX);
        let file = FileSlice { descriptor, bytes: file.bytes, is_within, keys: keys.map(wire) };
        slice.tables.entry(table.to_owned()).or_default().push(file);
        self.paths.push(path);
    }
}

/// Keys as a worker gets them.
pub fn wire(keys: &catalog_store::FileKeys) -> FileKeys {
    FileKeys {
        bound_to: keys.bound_to.clone(),
        footer: keys.footer.as_bytes().to_vec(),
        columns: keys.columns.iter().map(|(name, key)| (name.clone(), key.as_bytes().to_vec())).collect(),
    }
}
