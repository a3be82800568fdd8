//! `delivery` and `snapshots`: what lies in an environment, and how it goes again.

use std::path::PathBuf;

use audit::{Event, Kind, Log};
use catalog_model::Month;
use catalog_store::{FileKeyring, Standing};
use clap::Subcommand;
use pseudonymizer::pipeline::{self, Recalled};

use super::erase::{self, Erase};
use super::{Failure, Shared, WHO, now, open, print, print_json, writer};

/// What may be done with a delivery.
#[derive(Subcommand)]
pub(crate) enum Delivery {
    /// Lists every delivery that was ever taken in.
    List {
        #[command(flatten)]
        shared: Shared,
    },
    /// Takes a delivery back (取下げ): its rows are not in the next snapshot, its id stays in history.
    Recall {
        /// The delivery's name or id.
        name: String,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        shared: Shared,
    },
    /// Puts a delivery under the month that it is for, where its list had said another.
    Move {
        /// The delivery's name or id.
        name: String,
        /// The month, as 2023-05.
        month: String,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        shared: Shared,
    },
    /// Destroys the keys of a dataset, or of one fiscal year of it, for good; takes two officers, each calling once.
    Erase(Erase),
    /// Deletes the raw files of a delivery and keeps a record of it; what was published stays.
    Forget {
        /// The delivery's name or id.
        name: String,
        /// The folder with the raw files, which are checked against the list first.
        #[arg(long)]
        raw: PathBuf,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        shared: Shared,
    },
}

/// What may be done with snapshots.
#[derive(Subcommand)]
pub(crate) enum Snapshots {
    /// Lists the snapshots that are there.
    List {
        #[command(flatten)]
        shared: Shared,
    },
    /// Removes snapshots that no permit is pinned to; the latest stays.
    Prune {
        /// Only says what would be removed.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        shared: Shared,
    },
}

impl Delivery {
    /// Runs the command.
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::List { shared } => list(&shared),
            Self::Recall { name, reason, shared } => recall(&name, &reason, &shared),
            Self::Move { name, month, reason, shared } => move_to(&name, &month, &reason, &shared),
            Self::Erase(erase) => erase::erase(&erase),
            Self::Forget { name, raw, reason, shared } => {
                let (environment, log) = open(&shared)?;
                let _writer = writer(&environment, &log, "delivery forget")?;
                let deletion = pipeline::forget(&environment, &name, &raw, &reason, &now()?)?;
                let event = Event::new(Kind::DeliveryDeleted, WHO).subject(deletion.name.clone());
                let bytes: u64 = deletion.files.iter().map(|file| file.bytes).sum();
                log.record(
                    event
                        .with("delivery", deletion.id.clone())
                        .with("files", deletion.files.len() as u64)
                        .with("bytes", bytes)
                        .with("why", reason),
                )?;
                if shared.json {
                    return print_json(&deletion);
                }
                print(&format!("{}: {} files deleted, {bytes} bytes", deletion.name, deletion.files.len()))
            }
        }
    }
}

fn list(shared: &Shared) -> Result<(), Failure> {
    let (environment, _) = open(shared)?;
    let every = environment.meta()?.every_delivery()?;
    if shared.json {
        let rows = every.iter().map(|delivery| {
            let (standing, at, note) = words(&delivery.standing);
            serde_json::json!({
                "id": delivery.id, "name": delivery.name, "database": delivery.database,
                "holder": delivery.holder, "month": delivery.month, "taken_in": delivery.taken_in,
                "reading": delivery.generation, "standing": standing, "at": at, "note": note,
                "raw_deleted": delivery.raw_deleted,
            })
        });
        return print_json(&rows.collect::<Vec<_>>());
    }
    for delivery in every {
        let (standing, at, note) = words(&delivery.standing);
        let raw = delivery.raw_deleted.map(|at| format!(", raw files deleted {at}")).unwrap_or_default();
        let line = format!(
            "{}  {}  {}  taken in {}  {standing} {at} {note}",
            delivery.id, delivery.name, delivery.month, delivery.taken_in
        );
        print(&format!("{}{raw}", line.trim_end()))?;
    }
    Ok(())
}

fn words(standing: &Standing) -> (&'static str, &str, &str) {
    match standing {
        Standing::Held => ("held", "", ""),
        Standing::Recalled { at, why } => ("recalled", at, why),
        Standing::Replaced { at, by } => ("replaced", at, by),
    }
}

fn recall(name: &str, reason: &str, shared: &Shared) -> Result<(), Failure> {
    let (environment, log) = open(shared)?;
    let _writer = writer(&environment, &log, "delivery recall")?;
    let recalled = pipeline::recall(&environment, name, reason, &now()?)?;
    record_recalled(&log, &recalled, reason)?;
    if shared.json {
        return print_json(&recalled);
    }
    print(&format!(
        "{}: recalled; the rows of {} lines go with the next `misu link` and `misu publish`",
        recalled.name, recalled.stored
    ))
}

pub(super) fn record_recalled(log: &Log, recalled: &Recalled, reason: &str) -> Result<(), Failure> {
    let event = Event::new(Kind::DeliveryRecalled, WHO).subject(recalled.name.clone());
    log.record(
        event.with("delivery", recalled.id.clone()).with("stored", recalled.stored).with("why", reason),
    )?;
    Ok(())
}

fn move_to(name: &str, month: &str, reason: &str, shared: &Shared) -> Result<(), Failure> {
    let month: Month = month.parse()?;
    let (environment, log) = open(shared)?;
    let _writer = writer(&environment, &log, "delivery move")?;
    let moved = pipeline::move_to(&environment, name, month)?;
    let event = Event::new(Kind::DeliveryMoved, WHO).subject(moved.name.clone());
    let event = event.with("delivery", moved.id.clone()).with("before", moved.before.clone());
    log.record(event.with("month", moved.month.clone()).with("why", reason))?;
    if shared.json {
        return print_json(&moved);
    }
    print(&format!(
        "{}: counts for {}, before for {}; run `misu link` and `misu publish`",
        moved.name, moved.month, moved.before
    ))
}

impl Snapshots {
    /// Runs the command.
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::List { shared } => list_snapshots(&shared),
            Self::Prune { dry_run, shared } => prune(dry_run, &shared),
        }
    }
}

fn list_snapshots(shared: &Shared) -> Result<(), Failure> {
    let (environment, _) = open(shared)?;
    let ring = FileKeyring::new(&environment);
    let mut rows = Vec::new();
    for (number, manifest) in environment.snapshots()?.all()? {
        let files = manifest.body.tables.values().flat_map(|table| &table.files);
        let erased: Vec<String> =
            ring.erased(files)?.iter().map(|(what, at)| format!("{what} erased at {at}")).collect();
        let (id, published, persons) = (&manifest.id, &manifest.published, manifest.body.persons);
        if shared.json {
            rows.push(serde_json::json!({
                "number": number, "snapshot": id.as_str(), "published": published, "persons": persons,
                "erased": erased,
            }));
            continue;
        }
        let erased = erased.iter().map(|what| format!(", {what}")).collect::<String>();
        print(&format!("{number}  {id}  {published}  {persons} persons{erased}"))?;
    }
    if shared.json { print_json(&rows) } else { Ok(()) }
}

fn prune(is_dry: bool, shared: &Shared) -> Result<(), Failure> {
    let (environment, log) = open(shared)?;
    let _writer = writer(&environment, &log, "snapshots prune")?;
    let pruned = pipeline::prune(&environment, is_dry)?;
    if !is_dry {
        for id in &pruned.snapshots {
            log.record(Event::new(Kind::SnapshotRemoved, WHO).subject(id.clone()))?;
        }
    }
    if shared.json {
        return print_json(&pruned);
    }
    let done = if is_dry { "would be removed" } else { "removed" };
    pruned.snapshots.iter().try_for_each(|id| print(&format!("{id} {done}")))?;
    print(&format!(
        "{} snapshots {done}, {} stay; {} files of {} bytes {done}",
        pruned.snapshots.len(),
        pruned.kept.len(),
        pruned.files,
        pruned.bytes
    ))
}
