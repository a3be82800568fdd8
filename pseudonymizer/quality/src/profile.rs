//! All figures of an environment.

use catalog_model::{Catalogue, Month, SnapshotId};
use catalog_staged::{StagedPart, rows_file};
use catalog_store::{DeliveryRecord, Environment, FileKeyring};
use reports::quality::profile::{Coverage, DeliveryProfile, Profile};

use crate::failure::Failure;
use crate::repeats::Records;
use crate::rows::Masters;
use crate::{coverage, drift, faults, files, hashes, repeats, rows};

/// Counts over every delivery, and over the named snapshot or the latest.
pub(crate) fn profile(environment: &Environment, snapshot: Option<&str>) -> Result<Profile, Failure> {
    let (catalogue, _) = environment.catalogue()?;
    let masters = Masters::new(&catalogue)?;
    // In the order in which publishing ranks files.
    let records = environment.meta()?.deliveries()?;
    let parts: Vec<_> = records.iter().map(|record| files::parts(environment, record)).collect();
    let repeated = repeats::count(&environment.staged_files(), &parts)?;
    let mut deliveries = Vec::with_capacity(records.len());
    for (record, repeated) in records.iter().zip(repeated) {
        deliveries.push(delivery(environment, &catalogue, &masters, record, repeated)?);
    }
    deliveries.sort_by(|one, two| (&one.month, &one.name).cmp(&(&two.month, &two.name)));
    let drift = drift::tables(&deliveries)?;
    let remarks = drift::remarks(&deliveries, &drift)?;
    let snapshots = environment.snapshots()?;
    let snapshot = match snapshot {
        Some(id) => Some(snapshots.find(&SnapshotId::parse(id).ok_or(Failure::SnapshotId)?)?),
        None => snapshots.head()?.map(|(_, manifest)| manifest),
    };
    let coverage = match snapshot {
        Some(snapshot) => {
            let keys = FileKeyring::new(environment);
            coverage::coverage(&environment.room("store"), &keys, &catalogue, &snapshot)?
        }
        None => Coverage::default(),
    };
    Ok(Profile { remarks, deliveries, drift, coverage })
}

fn delivery(
    environment: &Environment,
    catalogue: &Catalogue,
    masters: &Masters,
    record: &DeliveryRecord,
    repeated: Records,
) -> Result<DeliveryProfile, Failure> {
    let staged = environment.staged_files();
    let open = staged.opener();
    let folders = files::parts(environment, record).into_iter();
    let parts: Vec<StagedPart<'_>> = folders.map(|folder| StagedPart::new(folder, &open)).collect();
    let quarantine = environment.room("quarantine").join(format!("{}.csv", record.staged()));
    let schemes: Vec<String> = catalogue.schemes.iter().map(|scheme| scheme.scheme.clone()).collect();
    let identities = files::identities(environment, record);
    let mut profile = DeliveryProfile {
        name: record.name.clone(),
        database: record.database.clone(),
        month: record.month.clone(),
        records: repeated.records,
        repeated: repeated.repeated,
        faults: faults::count(&quarantine, repeated)?,
        hashes: hashes::coverage(&staged, &identities, &schemes)?,
        ..DeliveryProfile::default()
    };
    let Ok(month) = record.month.parse::<Month>() else { return Ok(profile) };
    for table in catalogue.tables.values() {
        if parts.iter().any(|part| rows_file(part.folder(), &table.table).is_file()) {
            profile.tables.insert(table.table.clone(), rows::profile(table, &parts, month, masters)?);
        }
    }
    Ok(profile)
}
