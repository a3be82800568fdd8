//! All figures of an environment.

use catalog_model::{Catalogue, Keep, Month, SnapshotId};
use catalog_staged::StagedPart;
use catalog_store::{DeliveryRecord, Environment, FileKeyring};
use reports::quality::profile::{Coverage, DeliveryProfile, Profile};

use crate::failure::Failure;
use crate::repeats::{Records, Searched};
use crate::rows::{Given, Masters};
use crate::{coverage, drift, faults, files, hashes, repeats, rows};

/// Counts over every delivery, and over the named snapshot or the latest.
pub(crate) fn profile(environment: &Environment, snapshot: Option<&str>) -> Result<Profile, Failure> {
    let (catalogue, _) = environment.catalogue()?;
    let masters = Masters::new(&catalogue)?;
    // In the order in which publishing ranks files.
    let records = environment.meta()?.deliveries()?;
    let folders: Vec<_> = records.iter().map(|record| files::parts(environment, record)).collect();
    let staged = environment.staged_files();
    let searched: Vec<Searched> = records
        .iter()
        .zip(&folders)
        .map(|(record, parts)| Searched { parts: parts.clone(), keeps: keeps(&catalogue, record) })
        .collect();
    let repeated = repeats::count(&staged, &searched)?;
    let open = staged.opener();
    let parts: Vec<Vec<StagedPart<'_>>> = folders
        .into_iter()
        .map(|folders| folders.into_iter().map(|folder| StagedPart::new(folder, &open)).collect())
        .collect();
    let mut deliveries = Vec::with_capacity(records.len());
    for (record, repeated) in records.iter().zip(repeated) {
        deliveries.push(delivery(environment, &catalogue, record, repeated)?);
    }
    tables(&catalogue, &parts, &masters, &mut deliveries)?;
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

/// Which of repeated records counts, for each file of a delivery.
fn keeps(catalogue: &Catalogue, record: &DeliveryRecord) -> Vec<Keep> {
    let keep = |family: &String| catalogue.families.get(family).map(|family| family.keep);
    record.files.iter().map(|file| keep(&file.family).unwrap_or_default()).collect()
}

/// What is counted of a delivery by itself.
fn delivery(
    environment: &Environment,
    catalogue: &Catalogue,
    record: &DeliveryRecord,
    repeated: Records,
) -> Result<DeliveryProfile, Failure> {
    let quarantine = environment.room("quarantine").join(format!("{}.csv", record.staged()));
    let schemes: Vec<String> = catalogue.schemes.iter().map(|scheme| scheme.scheme.clone()).collect();
    let identities = files::identities(environment, record);
    Ok(DeliveryProfile {
        name: record.name.clone(),
        database: record.database.clone(),
        month: record.month.clone(),
        records: repeated.records,
        repeated: repeated.repeated,
        faults: faults::count(&quarantine, repeated)?,
        hashes: hashes::coverage(&environment.staged_files(), &identities, &schemes)?,
        ..DeliveryProfile::default()
    })
}

/// What is counted of each table in all deliveries together; one whose month is none has no tables.
fn tables(
    catalogue: &Catalogue,
    parts: &[Vec<StagedPart<'_>>],
    masters: &Masters,
    deliveries: &mut [DeliveryProfile],
) -> Result<(), Failure> {
    let months: Vec<Option<Month>> = deliveries.iter().map(|delivery| delivery.month.parse().ok()).collect();
    let (mut places, mut given) = (Vec::new(), Vec::new());
    for (place, (parts, month)) in parts.iter().zip(months).enumerate() {
        if let Some(month) = month {
            places.push(place);
            given.push(Given { parts, month });
        }
    }
    for table in catalogue.tables.values() {
        for (place, profile) in places.iter().zip(rows::profiles(table, &given, masters)?) {
            if let (Some(delivery), Some(profile)) = (deliveries.get_mut(*place), profile) {
                delivery.tables.insert(table.table.clone(), profile);
            }
        }
    }
    Ok(())
}
