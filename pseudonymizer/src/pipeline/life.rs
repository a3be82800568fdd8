//! A delivery's life after it was taken in: taken back by its holder, corrected, its raw files deleted.
//!
//! Its id stays in history for ever. Rows in snapshots that were published before stay there until the snapshot is
//! removed (`prune`), because a permit may be pinned to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use catalog_model::{DELIVERY_FILE, DeliveredFile, Month};
use catalog_store::{DeliveryRecord, Environment, EnvironmentError, Meta, MetaError, Standing, staged};
use serde::{Deserialize, Serialize};

use super::delivery::{Delivery, Rejection};
use super::store::write_whole;
use crate::tables::FileError;

/// Why a delivery's life cannot take this turn.
#[derive(Debug, thiserror::Error)]
pub enum LifeError {
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// No delivery has this name or id.
    #[error("no delivery {0} counts in this environment; `misu delivery list` shows them")]
    Unknown(String),
    /// Several deliveries have this name.
    #[error("several deliveries are called {0}; give the id that `misu delivery list` shows")]
    Ambiguous(String),
    /// The month of a delivery lies in a year that was erased.
    #[error("the data of {database} of the fiscal year of {month} were erased at {at}")]
    Erased {
        /// The database.
        database: String,
        /// The month.
        month: Month,
        /// When, as RFC 3339 text.
        at: String,
    },
    /// No delivery is of this database, so nothing of it is erased.
    #[error("no layout delivers a database {0}; those that can be erased: {1}")]
    NoDatabase(String, String),
    /// Nothing is there that an erasure would take.
    #[error("nothing of {0} is here, in deliveries or in snapshots; nothing was erased")]
    Nothing(String),
    /// A staged file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The raw delivery is not what was taken in.
    #[error("the raw delivery is not deleted")]
    Raw(#[from] Rejection),
    /// The folder holds another delivery.
    #[error("{folder} holds the delivery {found}, not {wanted}; nothing was deleted")]
    Other {
        /// The folder.
        folder: PathBuf,
        /// The id found in it.
        found: String,
        /// The id that was meant.
        wanted: String,
    },
    /// A file or directory cannot be used.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// A delivery that was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recalled {
    /// The delivery's id.
    pub id: String,
    /// The holder's name for it.
    pub name: String,
    /// Lines whose rows no longer count.
    pub stored: u64,
}

/// Takes a delivery back: its rows and identities are removed from staging and are not in the next snapshot.
///
/// # Errors
///
/// No such delivery counts, or something cannot be written.
pub fn recall(environment: &Environment, name: &str, why: &str, now: &str) -> Result<Recalled, LifeError> {
    let meta = environment.meta()?;
    let recalled = take_back(&meta, pick(meta.deliveries()?, name)?, why, now)?;
    sweep(environment)?;
    Ok(recalled)
}

/// Makes a delivery count no longer; what it left is swept away after.
pub(super) fn take_back(
    meta: &Meta,
    delivery: DeliveryRecord,
    why: &str,
    now: &str,
) -> Result<Recalled, LifeError> {
    meta.set_standing(&delivery.id, &Standing::Recalled { at: now.to_owned(), why: why.to_owned() })?;
    let stored = delivery.files.iter().map(|file| file.account.stored).sum();
    Ok(Recalled { id: delivery.id, name: delivery.name, stored })
}

/// A delivery that counts for another month now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The delivery's id, which does not change: its files are the same.
    pub id: String,
    /// The holder's name for it.
    pub name: String,
    /// The month that it counted for.
    pub before: String,
    /// The month that it counts for.
    pub month: String,
}

/// Puts a delivery under the month that it is for, where its list had said another.
///
/// # Errors
///
/// No such delivery counts, the month was erased, or something cannot be written.
pub fn move_to(environment: &Environment, name: &str, month: Month) -> Result<Moved, LifeError> {
    let meta = environment.meta()?;
    let delivery = pick(meta.deliveries()?, name)?;
    if let Some(at) = erased_at(environment, &delivery.database, month)? {
        return Err(LifeError::Erased { database: delivery.database, month, at });
    }
    let month = month.to_string();
    meta.set_month(&delivery.id, &month)?;
    Ok(Moved { id: delivery.id, name: delivery.name, before: delivery.month, month })
}

/// When a database's data of a month were erased, if they were.
pub(super) fn erased_at(
    environment: &Environment,
    database: &str,
    month: Month,
) -> Result<Option<String>, EnvironmentError> {
    let year = Some(month.fiscal_year());
    let found = environment.erasures()?.into_iter().find(|erasure| erasure.covers(database, year));
    Ok(found.map(|erasure| erasure.at))
}

/// The record of the deletion of a raw delivery: which bytes, when, why, never what they said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// The delivery's id.
    pub id: String,
    /// The holder's name for it.
    pub name: String,
    /// Who had handed it over.
    pub holder: String,
    /// When it was deleted, as RFC 3339 text.
    pub at: String,
    /// Why, in the custodian's words.
    pub why: String,
    /// The files with their sizes and digests.
    pub files: Vec<DeliveredFile>,
}

/// Deletes the raw delivery in `folder`, after checking that it is the named one and that every file is as listed, and
/// keeps a record of it. Snapshots and staged rows stay; the delivery can no longer be read again.
///
/// # Errors
///
/// The folder holds another delivery or changed files, or something cannot be deleted or written.
pub fn forget(
    environment: &Environment,
    name: &str,
    folder: &Path,
    why: &str,
    now: &str,
) -> Result<Deletion, LifeError> {
    let meta = environment.meta()?;
    let delivery = pick(meta.every_delivery()?, name)?;
    let found = Delivery::identify(folder)?;
    if found != delivery.id {
        return Err(LifeError::Other { folder: folder.to_owned(), found, wanted: delivery.id });
    }
    let path = environment.room("reports").join(format!("deletion-{}.json", delivery.id));
    let files = listed(environment, folder, path.exists())?;
    let deletion = Deletion {
        id: delivery.id.clone(),
        name: delivery.name,
        holder: delivery.holder,
        at: now.to_owned(),
        why: why.to_owned(),
        files,
    };
    // The intent is on disk before the first file goes; the database says done only after the last.
    let text =
        serde_json::to_vec_pretty(&deletion).map_err(std::io::Error::from).map_err(io("write", &path))?;
    environment.still_held()?;
    write_whole(&path, &text).map_err(io("write", &path))?;
    for file in deletion.files.iter().map(|file| folder.join(&file.path)).filter(|file| file.exists()) {
        environment.still_held()?;
        std::fs::remove_file(&file).map_err(io("delete", &file))?;
    }
    let list = folder.join(DELIVERY_FILE);
    std::fs::remove_file(&list).map_err(io("delete", &list))?;
    meta.set_raw_deleted(&delivery.id, now)?;
    Ok(deletion)
}

/// The files to delete: each is there and as listed, unless an earlier deletion was killed half way.
fn listed(environment: &Environment, folder: &Path, is_begun: bool) -> Result<Vec<DeliveredFile>, LifeError> {
    if is_begun {
        return Ok(Delivery::read_list(folder)?.files);
    }
    let (catalogue, _) = environment.catalogue()?;
    Ok(Delivery::open(folder, &catalogue)?.manifest.files)
}

/// The delivery with this id, or the only one with this name.
fn pick(deliveries: Vec<DeliveryRecord>, name: &str) -> Result<DeliveryRecord, LifeError> {
    let mut found: Vec<DeliveryRecord> =
        deliveries.into_iter().filter(|delivery| delivery.id == name || delivery.name == name).collect();
    match (found.pop(), found.is_empty()) {
        (Some(delivery), true) => Ok(delivery),
        (Some(_), false) => Err(LifeError::Ambiguous(name.to_owned())),
        (None, _) => Err(LifeError::Unknown(name.to_owned())),
    }
}

/// Removes the staged rows, identities and lists of faults that no longer count: readings that another took the place
/// of, and deliveries that were recalled or replaced, whose keys go first. What an unfinished ingest left stays, so that it can go on.
pub(super) fn sweep(environment: &Environment) -> Result<(), LifeError> {
    environment.still_held()?;
    let standings = environment.meta()?.standings()?;
    let gone = standings.iter().filter_map(|(id, _, standing)| match standing {
        Standing::Held => None,
        Standing::Recalled { at, .. } | Standing::Replaced { at, .. } => Some((id.clone(), at.clone())),
    });
    let gone: BTreeMap<String, String> = gone.collect();
    environment.erase_staged(&gone)?;
    for (id, present, standing) in standings {
        let kept = standing.is_held().then(|| staged(&id, present));
        // A reading that was not made to count is the one after the present.
        let readings = (0..=present + 1).map(|generation| staged(&id, generation));
        for name in readings.filter(|name| kept.as_ref() != Some(name)) {
            for room in ["store", "links"] {
                let folder = environment.room(room).join("staging").join(&name);
                if folder.exists() {
                    environment.still_held()?;
                    std::fs::remove_dir_all(&folder).map_err(io("remove", &folder))?;
                }
            }
            let list = environment.room("quarantine").join(format!("{name}.csv"));
            if list.exists() {
                environment.still_held()?;
                std::fs::remove_file(&list).map_err(io("remove", &list))?;
            }
        }
    }
    Ok(())
}

pub(super) fn io<'p>(action: &'static str, path: &'p Path) -> impl FnOnce(std::io::Error) -> LifeError + 'p {
    move |source| LifeError::Io { action, path: path.to_owned(), source }
}
