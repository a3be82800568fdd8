//! `ingest`: takes deliveries in, and reads one again after its layouts were mended.

use std::path::Path;

use audit::{Event, Kind, Log};
use catalog_store::Standing;
use pseudonymizer::pipeline::{self, IngestError, Ingested};
use serde::Serialize;

use super::{Failure, Shared, WHO, now, open, print, print_json, say_spent, told, writer};
use crate::progress::{Progress, Unit};

pub(super) fn ingest(folder: &Path, is_overlap: bool, shared: &Shared) -> Result<(), Failure> {
    let (environment, log) = open(shared)?;
    let _writer = writer(&environment, &log, "ingest")?;
    // A folder without a delivery is rejected as one.
    let mut folders = pipeline::deliveries_in(folder)?;
    if folders.is_empty() {
        folders.push(folder.to_owned());
    }
    let progress = Progress::new("ingest", Unit::Parts);
    let count = folders.len() as u64;
    let mut done = Vec::with_capacity(folders.len());
    for (folder, number) in folders.iter().zip(0_u64..) {
        let inner = |at: pipeline::Progress| {
            let share = (at.done * 1_000).checked_div(at.total).unwrap_or(1_000);
            progress.at(number * 1_000 + share, count * 1_000);
        };
        let taken = match (pipeline::is_sealed(folder), is_overlap) {
            // A sealed delivery was keyed by its holder, under one key or both.
            (true, _) => pipeline::ingest_sealed(&environment, folder, &now()?),
            (false, true) => pipeline::ingest_overlap(&environment, folder, &now()?, &inner),
            (false, false) => pipeline::ingest(&environment, folder, &now()?, &inner),
        };
        record_ingest(&log, folder, &taken)?;
        done.push(taken?);
    }
    progress.end();
    let spent = done.iter().filter_map(|delivery| delivery.spent).reduce(|mut sum, one| {
        sum.add(one);
        sum
    });
    say_spent("ingest", spent);
    if shared.json {
        return print_json(&done.iter().map(IngestedView::of).collect::<Vec<_>>());
    }
    for delivery in &done {
        let account = delivery.account();
        let known = remark(delivery);
        print(&format!(
            "{}: {} lines = {} stored + {} dropped by class + {} in quarantine{known}",
            delivery.name,
            account.read,
            account.stored,
            account.dropped_lines(),
            account.quarantined_lines(),
        ))?;
    }
    Ok(())
}

/// What is to be said beside a delivery's account.
fn remark(taken: &Ingested) -> String {
    if let (Standing::Held, Some((counts, listed))) = (&taken.standing, &taken.months) {
        let name = &taken.name;
        return format!(
            " (taken in before, for {counts}; where it is for {listed}: `misu delivery move {name} {listed}`)"
        );
    }
    match (&taken.standing, &taken.replaces) {
        (Standing::Recalled { at, .. }, _) => format!(" (recalled at {at}: its rows do not count)"),
        (Standing::Replaced { at, by }, _) => {
            format!(" (replaced at {at} by the delivery {by}: its rows do not count)")
        }
        (Standing::Held, Some(former)) => format!(" (takes the place of the delivery {former})"),
        (Standing::Held, None) if taken.is_known => " (taken in before)".to_owned(),
        (Standing::Held, None) => String::new(),
    }
}

fn record_ingest(log: &Log, folder: &Path, taken: &Result<Ingested, IngestError>) -> Result<(), Failure> {
    match taken {
        // What an earlier run took in is in the record by now.
        Ok(taken) if taken.is_known => Ok(()),
        Ok(taken) => record_taken(log, taken),
        Err(IngestError::Rejected(rejection)) => record_rejection(log, folder, rejection),
        Err(IngestError::Sealed(rejection)) => record_rejection(log, folder, rejection),
        Err(_) => Ok(()),
    }
}

pub(super) fn record_taken(log: &Log, taken: &Ingested) -> Result<(), Failure> {
    let named = (taken.name.as_str(), taken.id.as_str());
    log.record(told::about(Kind::DeliveryAccepted, named))?;
    let files = taken.files.len() as u64;
    log.record(told::finished(named, files, &taken.account(), taken.replaces.as_deref()))?;
    Ok(())
}

pub(super) fn record_rejection(
    log: &Log,
    folder: &Path,
    rejection: &dyn std::error::Error,
) -> Result<(), Failure> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    log.record(Event::new(Kind::DeliveryRejected, WHO).subject(name).with("why", rejection.to_string()))?;
    Ok(())
}

/// What `misu ingest --json` prints of one delivery.
#[derive(Serialize)]
struct IngestedView<'a> {
    id: &'a str,
    name: &'a str,
    is_known: bool,
    counts: bool,
    replaces: Option<&'a str>,
    read: u64,
    stored: u64,
    dropped: u64,
    quarantined: u64,
}

impl<'a> IngestedView<'a> {
    fn of(taken: &'a Ingested) -> Self {
        let account = taken.account();
        Self {
            id: &taken.id,
            name: &taken.name,
            is_known: taken.is_known,
            counts: taken.standing.is_held(),
            replaces: taken.replaces.as_deref(),
            read: account.read,
            stored: account.stored,
            dropped: account.dropped_lines(),
            quarantined: account.quarantined_lines(),
        }
    }
}

/// Reads a delivery again after its layouts were mended.
pub(super) fn replay(folder: &Path, shared: &Shared) -> Result<(), Failure> {
    let (environment, log) = open(shared)?;
    let _writer = writer(&environment, &log, "replay of a quarantine")?;
    let progress = Progress::new("replay", Unit::Bytes);
    let replayed = pipeline::replay(&environment, folder, &|at| progress.at(at.done, at.total));
    if let Err(IngestError::Rejected(rejection)) = &replayed {
        record_rejection(&log, folder, rejection)?;
    }
    let replayed = replayed?;
    progress.end();
    let (before, after) = (&replayed.before, &replayed.after);
    let event = Event::new(Kind::DeliveryReplayed, WHO)
        .subject(replayed.name.clone())
        .with("delivery", replayed.id.clone())
        .with("reading", u64::from(replayed.generation))
        .with("changed", !replayed.is_same);
    log.record(
        event
            .with("stored_before", before.stored)
            .with("stored", after.stored)
            .with("quarantined_before", before.quarantined_lines())
            .with("quarantined", after.quarantined_lines()),
    )?;
    if shared.json {
        return print_json(&ReplayedView {
            id: &replayed.id,
            name: &replayed.name,
            reading: replayed.generation,
            is_same: replayed.is_same,
            read: after.read,
            stored_before: before.stored,
            stored: after.stored,
            quarantined_before: before.quarantined_lines(),
            quarantined: after.quarantined_lines(),
        });
    }
    let changed = if replayed.is_same { " (the same rows as before)" } else { "" };
    print(&format!(
        "{}: {} lines = {} stored ({} before) + {} dropped by class + {} in quarantine ({} before){changed}",
        replayed.name,
        after.read,
        after.stored,
        before.stored,
        after.dropped_lines(),
        after.quarantined_lines(),
        before.quarantined_lines(),
    ))
}

/// What `misu ingest --replay-quarantine --json` prints.
#[derive(Serialize)]
struct ReplayedView<'a> {
    id: &'a str,
    name: &'a str,
    reading: u32,
    is_same: bool,
    read: u64,
    stored_before: u64,
    stored: u64,
    quarantined_before: u64,
    quarantined: u64,
}
