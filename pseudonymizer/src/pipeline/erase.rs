//! Erases a dataset, or one fiscal year of it: the keys of its files go, and its deliveries no longer count.
//!
//! The keys go first, in one write that says who agreed on it: from then on nothing of it can be read, and whoever writes
//! next does what a killed run left to do. Rows of it that lie in deliveries of other months are left out when a snapshot
//! is published. Records of other years go with the deliveries that brought them, so they are counted before anybody agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow::array::AsArray as _;
use arrow::datatypes::Int32Type;
use catalog_model::{Catalogue, FileEntry, Month, SnapshotManifest};
use catalog_store::{
    Agreed, DeliveryRecord, Environment, EnvironmentError, Erasure, FileKeyring, FileState, FileStates,
};
use serde::Serialize;

use super::life::{LifeError, Recalled, io, sweep, take_back};
use super::publish::databases;
use crate::tables::{FileError, open};

/// The database of the denominators, which are nobody's.
const PUBLIC: &str = "public";

/// What an erasure would take. Two officers agree on these figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Covered {
    /// The deliveries of its months, which no longer count.
    pub deliveries: u64,
    /// Records of other fiscal years, or of none, in those deliveries. They go with them, though their year stays.
    pub other_years: u64,
    /// Records of it in deliveries of other months. They are left out of snapshots and stay staged.
    pub elsewhere: u64,
    /// Files of snapshots with its rows that can be read.
    pub files: u64,
}

/// What was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErasedData {
    /// The keys that were destroyed.
    pub keys: u64,
    /// The deliveries that no longer count.
    pub deliveries: Vec<Recalled>,
    /// Deliveries whose ingest was not finished, and begins anew: nobody knows yet of which years their rows are.
    pub unfinished: u64,
    /// The snapshots of which files cannot be read any more.
    pub snapshots: Vec<String>,
    /// Files of it that an earlier version wrote. They can be read until their snapshots are pruned.
    pub earlier: u64,
}

/// What an erasure would take.
///
/// # Errors
///
/// No layout delivers the database, nothing of it is there, or something cannot be read.
pub fn covered(environment: &Environment, erasure: &Erasure) -> Result<Covered, LifeError> {
    let (catalogue, _) = environment.catalogue()?;
    check_database(&catalogue, &erasure.database)?;
    let mut covered = Covered { files: files_of(environment, &catalogue, erasure)?, ..Covered::default() };
    let deliveries = environment.meta()?.deliveries()?;
    for delivery in deliveries.iter().filter(|delivery| delivery.database == erasure.database) {
        let years = years(environment, delivery)?;
        let (inside, outside): (Vec<_>, Vec<_>) =
            years.into_iter().partition(|(year, _)| erasure.covers(&delivery.database, *year));
        let sum =
            |counted: Vec<(Option<i32>, u64)>| counted.into_iter().map(|(_, records)| records).sum::<u64>();
        if is_of(erasure, delivery) {
            covered.deliveries += 1;
            covered.other_years += sum(outside);
        } else {
            covered.elsewhere += sum(inside);
        }
    }
    if covered == Covered::default() {
        let year = erasure.year.map_or_else(String::new, |year| format!(" of fiscal year {year}"));
        return Err(LifeError::Nothing(format!("{}{year}", erasure.database)));
    }
    Ok(covered)
}

fn check_database(catalogue: &Catalogue, database: &str) -> Result<(), LifeError> {
    let known: BTreeSet<&str> = catalogue.families.values().map(|family| family.database.as_str()).collect();
    let known: Vec<&str> = known.into_iter().filter(|known| *known != PUBLIC).collect();
    match known.contains(&database) {
        true => Ok(()),
        false => Err(LifeError::NoDatabase(database.to_owned(), known.join(", "))),
    }
}

/// Whether a delivery is of the months that are erased.
fn is_of(erasure: &Erasure, delivery: &DeliveryRecord) -> bool {
    let year = delivery.month.parse::<Month>().ok().map(Month::fiscal_year);
    erasure.covers(&delivery.database, year)
}

/// The records of a delivery by fiscal year; of none where they have no month.
fn years(
    environment: &Environment,
    delivery: &DeliveryRecord,
) -> Result<BTreeMap<Option<i32>, u64>, LifeError> {
    let files = environment.staged_files();
    let folder = environment.room("store").join("staging").join(delivery.staged());
    let mut years: BTreeMap<Option<i32>, u64> = BTreeMap::new();
    for part in 0..delivery.parts {
        let path = folder.join(format!("{part:05}")).join("claims.parquet");
        for batch in open(&files, &path, 65_536)? {
            let batch = batch.map_err(|source| FileError::Arrow { path: path.clone(), source })?;
            let missing = || FileError::Column { path: path.clone(), column: "month".to_owned() };
            let months =
                batch.column_by_name("month").and_then(|array| array.as_primitive_opt::<Int32Type>());
            for month in months.ok_or_else(missing)?.iter() {
                *years.entry(month.map(|month| Month::from_index(month).fiscal_year())).or_default() += 1;
            }
        }
    }
    Ok(years)
}

/// The files of snapshots with rows of the database itself that can be read and would be erased.
fn files_of(environment: &Environment, catalogue: &Catalogue, erasure: &Erasure) -> Result<u64, LifeError> {
    let states = FileKeyring::new(environment).states()?;
    let mut found = BTreeSet::new();
    for (_, manifest) in environment.snapshots()?.all().map_err(EnvironmentError::from)? {
        for (name, entry) in manifest.body.tables {
            let table = catalogue.tables.get(&name).filter(|table| table.derive.is_none());
            let is_there = |file: &FileEntry| {
                let is_covered = table.is_some_and(|table| erasure.covers(&table.database, file.year));
                is_covered && file.rows > 0 && states.of(file) != FileState::Erased
            };
            found.extend(entry.files.into_iter().filter(is_there).map(|file| file.path));
        }
    }
    Ok(found.len() as u64)
}

/// Erases what two officers agreed on.
///
/// # Errors
///
/// The keys, the metadata database or the snapshots cannot be read or written.
pub fn erase(environment: &Environment, erasure: &Erasure, agreed: &Agreed) -> Result<ErasedData, LifeError> {
    environment.erase(erasure, agreed)?;
    finish_erasure(environment, erasure)
}

/// Does what is left to do once the keys are gone; a run that was killed left some of it.
///
/// # Errors
///
/// As [`erase`].
pub fn finish_erasure(environment: &Environment, erasure: &Erasure) -> Result<ErasedData, LifeError> {
    let meta = environment.meta()?;
    let of_it = meta.deliveries()?.into_iter().filter(|delivery| is_of(erasure, delivery));
    let taken = of_it.map(|delivery| take_back(&meta, delivery, &erasure.why, &erasure.at));
    let deliveries = taken.collect::<Result<_, _>>()?;
    sweep(environment)?;
    let unfinished = drop_unfinished(environment, &erasure.at)?;
    let (snapshots, earlier) = concerned(environment, erasure)?;
    Ok(ErasedData { keys: environment.keys_ended(erasure)?, deliveries, unfinished, snapshots, earlier })
}

/// Destroys the keys of deliveries whose ingest was not finished, and what was staged of them; how many there were.
fn drop_unfinished(environment: &Environment, at: &str) -> Result<u64, LifeError> {
    let standings = environment.meta()?.standings()?;
    let booked: BTreeSet<String> = standings.into_iter().map(|(id, _, _)| id).collect();
    let keyed = environment.staged_deliveries()?;
    let mut gone: BTreeMap<String, String> =
        keyed.difference(&booked).map(|id| (id.clone(), at.to_owned())).collect();
    environment.erase_staged(&gone)?;
    for room in ["store", "links"] {
        for (folder, id) in staged_folders(&environment.room(room).join("staging"))? {
            if !booked.contains(&id) {
                environment.still_held()?;
                std::fs::remove_dir_all(&folder).map_err(io("remove", &folder))?;
                gone.insert(id, at.to_owned());
            }
        }
    }
    Ok(gone.len() as u64)
}

/// The folders of staged readings below `staging`, each with its delivery's id.
fn staged_folders(staging: &Path) -> Result<Vec<(PathBuf, String)>, LifeError> {
    if !staging.exists() {
        return Ok(Vec::new());
    }
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(staging).map_err(io("read", staging))? {
        let path = entry.map_err(io("read", staging))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let id = name.split('.').next().unwrap_or_default().to_owned();
        if path.is_dir() {
            folders.push((path, id));
        }
    }
    Ok(folders)
}

/// The snapshots with files that cannot be read, and the files of an earlier version that still can.
fn concerned(environment: &Environment, erasure: &Erasure) -> Result<(Vec<String>, u64), LifeError> {
    let (catalogue, _) = environment.catalogue()?;
    let (databases, states) = (databases(&catalogue), FileKeyring::new(environment).states()?);
    let (mut snapshots, mut earlier) = (Vec::new(), BTreeSet::new());
    for (_, manifest) in environment.snapshots()?.all().map_err(EnvironmentError::from)? {
        if has_erased(&states, &manifest) {
            snapshots.push(manifest.id.to_string());
        }
        for (name, table) in &manifest.body.tables {
            let of = databases.get(name.as_str());
            let is_of = |year| of.is_some_and(|of| of.iter().any(|one| erasure.covers(one, year)));
            let left = |file: &&FileEntry| is_of(file.year) && states.of(file) == FileState::Earlier;
            earlier.extend(table.files.iter().filter(left).map(|file| file.path.clone()));
        }
    }
    Ok((snapshots, earlier.len() as u64))
}

fn has_erased(states: &FileStates, manifest: &SnapshotManifest) -> bool {
    let mut files = manifest.body.tables.values().flat_map(|table| &table.files);
    files.any(|file| states.of(file) == FileState::Erased)
}
