//! Erases a dataset, or one fiscal year of it: the keys of its files go, and its deliveries no longer count.
//!
//! The keys go first, in one write: from then on nothing of it can be read, whatever a killed run left to do. Rows of it
//! that lie in deliveries of other months are left out when a snapshot is published.

use std::collections::BTreeSet;

use catalog_model::{FileEntry, Month};
use catalog_store::{Agreed, DeliveryRecord, Environment, EnvironmentError, Erasure, FileKeyring, FileState};
use serde::Serialize;

use super::life::{LifeError, Recalled, sweep, take_back};
use super::publish::databases;

/// What was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErasedData {
    /// The keys that were destroyed.
    pub keys: u64,
    /// The deliveries that no longer count.
    pub deliveries: Vec<Recalled>,
    /// The snapshots of which files cannot be read any more.
    pub snapshots: Vec<String>,
    /// Files of it that an earlier version wrote. They can be read until their snapshots are pruned.
    pub earlier: u64,
}

/// Erases what two officers agreed on. Doing it again does what a killed run left to do.
///
/// # Errors
///
/// The keys, the metadata database or the snapshots cannot be read or written.
pub fn erase(
    environment: &Environment,
    erasure: &Erasure,
    why: &str,
    agreed: &Agreed,
) -> Result<ErasedData, LifeError> {
    let keys = environment.erase(erasure, agreed)?.len() as u64;
    let meta = environment.meta()?;
    let is_of = |delivery: &DeliveryRecord| {
        let year = delivery.month.parse::<Month>().ok().map(Month::fiscal_year);
        erasure.covers(&delivery.database, year)
    };
    let of_it = meta.deliveries()?.into_iter().filter(is_of);
    let deliveries =
        of_it.map(|delivery| take_back(&meta, delivery, why, &erasure.at)).collect::<Result<_, _>>()?;
    sweep(environment)?;
    let (snapshots, earlier) = concerned(environment, erasure)?;
    Ok(ErasedData { keys, deliveries, snapshots, earlier })
}

/// The snapshots with files that cannot be read, and the files of an earlier version that still can.
fn concerned(environment: &Environment, erasure: &Erasure) -> Result<(Vec<String>, u64), LifeError> {
    let (catalogue, _) = environment.catalogue()?;
    let (databases, states) = (databases(&catalogue), FileKeyring::new(environment).states()?);
    let (mut snapshots, mut earlier) = (Vec::new(), BTreeSet::new());
    for (_, manifest) in environment.snapshots()?.all().map_err(EnvironmentError::from)? {
        let mut files = manifest.body.tables.values().flat_map(|table| &table.files);
        if files.any(|file| states.of(file) == FileState::Erased) {
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
