//! What was done and is not in the record, because a program was killed between doing it and saying so.
//!
//! Taking in, recalling and publishing count from one commit on; the entry about it comes after. Whoever next writes
//! to the environment holds the record against what lies there, and says what it lacks, marked `late`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use audit::{Body, Entry, Event, Kind, Log, Value};
use catalog_store::{Account, DeliveryRecord, Environment, Standing};

use super::{Failure, WHO, erase};

/// How the kinds of entries begin that say something of deliveries and snapshots.
const OURS: [&str; 4] =
    ["\"kind\":\"delivery-", "\"kind\":\"ingest-", "\"kind\":\"snapshot-", "\"kind\":\"data-"];

/// What the record says of deliveries and snapshots.
#[derive(Debug, Default)]
struct Told {
    /// Deliveries that were taken in.
    finished: BTreeSet<String>,
    /// The latest reading of those that were read again.
    readings: BTreeMap<String, u64>,
    recalled: BTreeSet<String>,
    deleted: BTreeSet<String>,
    /// Snapshots that were published and not removed since.
    snapshots: BTreeSet<String>,
    /// Datasets and years that were erased.
    erased: Vec<String>,
}

/// Records what lies in the environment and the record lacks.
///
/// # Errors
///
/// The record or the environment cannot be read, or nothing can be recorded.
pub(super) fn catch_up(environment: &Environment, log: &Log) -> Result<(), Failure> {
    let told = Told::read(log.path())?;
    let every = environment.meta()?.every_delivery()?;
    for delivery in &every {
        let replaces = every.iter().find(|former| is_replaced_by(former, &delivery.id));
        for event in told.lacks(delivery, replaces.map(|former| former.id.as_str())) {
            log.record(event.with("late", true))?;
        }
    }
    erase::record_late(environment, log, &told.erased)?;
    let there = environment.snapshots()?.all()?;
    for (_, manifest) in &there {
        if !told.snapshots.contains(manifest.id.as_str()) {
            let event = Event::new(Kind::SnapshotPublished, WHO).subject(manifest.id.as_str());
            log.record(event.with("persons", manifest.body.persons).with("late", true))?;
        }
    }
    let there: BTreeSet<&str> = there.iter().map(|(_, manifest)| manifest.id.as_str()).collect();
    for gone in told.snapshots.iter().filter(|id| !there.contains(id.as_str())) {
        log.record(Event::new(Kind::SnapshotRemoved, WHO).subject(gone.clone()).with("late", true))?;
    }
    Ok(())
}

fn is_replaced_by(former: &DeliveryRecord, id: &str) -> bool {
    matches!(&former.standing, Standing::Replaced { by, .. } if by == id)
}

/// What is recorded of a delivery that was read to its end.
pub(super) fn finished(
    delivery: (&str, &str),
    files: u64,
    account: &Account,
    replaces: Option<&str>,
) -> Event {
    let event = about(Kind::IngestFinished, delivery)
        .with("files", files)
        .with("lines", account.read)
        .with("stored", account.stored)
        .with("quarantined", account.quarantined_lines());
    match replaces {
        Some(former) => event.with("replaces", former),
        None => event,
    }
}

/// An event about the delivery with this name and id.
pub(super) fn about(kind: Kind, (name, id): (&str, &str)) -> Event {
    Event::new(kind, WHO).subject(name).with("delivery", id)
}

impl Told {
    fn read(path: &Path) -> Result<Self, Failure> {
        let mut told = Self::default();
        for line in BufReader::new(File::open(path)?).split(b'\n') {
            let line = line?;
            // Questions are most of a record and say nothing of deliveries.
            let is_ours = OURS.iter().any(|kind| memchr::memmem::find(&line, kind.as_bytes()).is_some());
            if let Some(entry) = is_ours.then(|| Entry::parse(&line).ok()).flatten() {
                told.add(&entry);
            }
        }
        Ok(told)
    }

    fn add(&mut self, entry: &Entry) {
        let subject = || entry.subject().unwrap_or_default().to_owned();
        let delivery = || text(entry.body(), "delivery").unwrap_or_else(subject);
        match entry.kind() {
            Kind::IngestFinished => drop(self.finished.insert(delivery())),
            Kind::DeliveryReplayed => {
                let reading = number(entry.body(), "reading");
                let last = self.readings.entry(delivery()).or_default();
                *last = reading.max(*last);
            }
            Kind::DeliveryRecalled => drop(self.recalled.insert(delivery())),
            Kind::DeliveryDeleted => drop(self.deleted.insert(delivery())),
            Kind::DataErased if !has_only_begun(entry.body()) => self.erased.push(subject()),
            Kind::SnapshotPublished => drop(self.snapshots.insert(subject())),
            Kind::SnapshotRemoved => drop(self.snapshots.remove(&subject())),
            _ => {}
        }
    }

    /// What the record lacks of a delivery, in the order in which it happened.
    fn lacks(&self, delivery: &DeliveryRecord, replaces: Option<&str>) -> Vec<Event> {
        let (id, named) = (&delivery.id, (delivery.name.as_str(), delivery.id.as_str()));
        let mut events = Vec::new();
        let account = whole(delivery);
        if !self.finished.contains(id) {
            events.push(about(Kind::DeliveryAccepted, named));
            events.push(finished(named, delivery.files.len() as u64, &account, replaces));
        }
        let reading = u64::from(delivery.generation);
        if reading > self.readings.get(id).copied().unwrap_or_default() {
            let event = about(Kind::DeliveryReplayed, named).with("reading", reading).with("changed", true);
            let quarantined = account.quarantined_lines();
            events.push(event.with("stored", account.stored).with("quarantined", quarantined));
        }
        if let Standing::Recalled { why, .. } = &delivery.standing
            && !self.recalled.contains(id)
        {
            let event = about(Kind::DeliveryRecalled, named).with("stored", account.stored);
            events.push(event.with("why", why.as_str()));
        }
        if delivery.raw_deleted.is_some() && !self.deleted.contains(id) {
            let bytes: u64 = delivery.files.iter().map(|file| file.bytes).sum();
            let event = about(Kind::DeliveryDeleted, named).with("files", delivery.files.len() as u64);
            events.push(event.with("bytes", bytes));
        }
        events
    }
}

fn whole(delivery: &DeliveryRecord) -> Account {
    delivery.files.iter().fold(Account::default(), |mut sum, file| {
        sum.add(&file.account);
        sum
    })
}

fn text(body: &Body, name: &str) -> Option<String> {
    match body.value(name) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

/// Whether an entry says that something is about to be done.
fn has_only_begun(body: &Body) -> bool {
    matches!(body.value(erase::BEGUN), Some(Value::Flag(true)))
}

fn number(body: &Body, name: &str) -> u64 {
    match body.value(name) {
        Some(Value::Whole(number)) => u64::try_from(*number).unwrap_or_default(),
        _ => 0,
    }
}
