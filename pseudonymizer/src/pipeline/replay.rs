//! Reads a delivery again after its layouts were mended, and puts the new reading in the place of the former.
//!
//! The whole delivery is read, not only the lines in quarantine: a line cannot be judged without its receipt, a mended
//! field may change lines that were good, and a delivery that was read by one catalogue gives the same rows whether it
//! was mended before or after it came. The new reading lies beside the former until it is complete, then one
//! transaction makes it count.

use std::collections::BTreeMap;
use std::path::Path;

use catalog_store::{Account, DeliveryRecord, Environment, FileAccount, staged};

use super::account::PartAccount;
use super::delivery::Delivery;
use super::ingest::{ACCOUNT, IngestError, Progress, Run, RunKeys, RunPlaces, former_of};
use super::life::sweep;
use super::parts;
use super::store::read_json;

/// What reading a delivery again did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The delivery's id.
    pub id: String,
    /// The holder's name for it.
    pub name: String,
    /// How often it was read again by now.
    pub generation: u32,
    /// Whether the rows are the same as before, so that nothing was changed.
    pub is_same: bool,
    /// The account of the former reading.
    pub before: Account,
    /// The account of this one.
    pub after: Account,
}

/// Reads the delivery in `folder` again by the environment's present catalogue.
///
/// # Errors
///
/// The delivery is not held, its files are not those that were taken in, fewer lines would be stored than before, or
/// something cannot be written; in each case the former reading stays.
pub fn replay(
    environment: &Environment,
    folder: &Path,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Replayed, IngestError> {
    let meta = environment.meta()?;
    let id = Delivery::identify(folder)?;
    let held = meta.deliveries()?.into_iter().find(|delivery| delivery.id == id);
    let former = held.ok_or_else(|| IngestError::NotHeld(folder.display().to_string()))?;
    let (catalogue, layouts) = environment.catalogue()?;
    // The digests of all files are checked here: what is read again is what was delivered.
    let delivery = Delivery::open(folder, &catalogue)?;
    let parts = parts::cut(&delivery)?;
    let generation = former.generation + 1;
    let beside = former_of(environment, &RunPlaces::of(environment, &id, former.generation))?;
    let keys = RunKeys::open(environment.keys(), false)?.beside(beside);
    let places = RunPlaces::of(environment, &id, generation);
    let run = Run::new((&catalogue, &layouts), &delivery, places, keys, progress)?;
    let files = run.read(&parts)?;
    let (before, after) = (sum(&former.files), sum(&files));
    if after.stored < before.stored {
        sweep(environment)?;
        return Err(IngestError::Worse { name: former.name, before: before.stored, after: after.stored });
    }
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    let rows = |generation, parts| digests(environment, &id, generation, parts);
    let is_same = former.files == files && rows(former.generation, former.parts) == rows(generation, count);
    let mut replayed =
        Replayed { id: id.clone(), name: former.name.clone(), generation, is_same, before, after };
    if is_same {
        replayed.generation = former.generation;
    } else {
        meta.replace_reading(&DeliveryRecord { generation, parts: count, files, ..former })?;
    }
    sweep(environment)?;
    Ok(replayed)
}

fn sum(files: &[FileAccount]) -> Account {
    files.iter().fold(Account::default(), |mut sum, file| {
        sum.add(&file.account);
        sum
    })
}

/// The digests of a reading's table files; none where an account cannot be read, which equals no reading.
fn digests(
    environment: &Environment,
    id: &str,
    generation: u32,
    parts: u32,
) -> Option<Vec<BTreeMap<String, String>>> {
    let staging = environment.room("store").join("staging").join(staged(id, generation));
    (0..parts)
        .map(|number| {
            let path = staging.join(format!("{number:05}")).join(ACCOUNT);
            read_json::<PartAccount>(&path).ok().map(|account| account.digests)
        })
        .collect()
}
