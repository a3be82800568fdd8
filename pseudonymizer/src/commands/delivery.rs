//! `delivery` and `snapshots`: what lies in an environment, and how it goes again.

use std::path::PathBuf;

use audit::{Event, Kind};
use catalog_store::Standing;
use clap::Subcommand;
use pseudonymizer::pipeline;

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
    let event = Event::new(Kind::DeliveryRecalled, WHO).subject(recalled.name.clone());
    log.record(
        event.with("delivery", recalled.id.clone()).with("stored", recalled.stored).with("why", reason),
    )?;
    if shared.json {
        return print_json(&serde_json::json!({
            "id": recalled.id, "name": recalled.name, "stored": recalled.stored,
        }));
    }
    print(&format!(
        "{}: recalled; the rows of {} lines go with the next `misu link` and `misu publish`",
        recalled.name, recalled.stored
    ))
}

impl Snapshots {
    /// Runs the command.
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::List { shared } => {
                let (environment, _) = open(&shared)?;
                let all = environment.snapshots()?.all()?;
                if shared.json {
                    let rows = all.iter().map(|(number, manifest)| {
                        serde_json::json!({
                            "number": number, "snapshot": manifest.id.as_str(),
                            "published": manifest.published, "persons": manifest.body.persons,
                        })
                    });
                    return print_json(&rows.collect::<Vec<_>>());
                }
                all.iter().try_for_each(|(number, manifest)| {
                    let persons = manifest.body.persons;
                    print(&format!("{number}  {}  {}  {persons} persons", manifest.id, manifest.published))
                })
            }
            Self::Prune { dry_run, shared } => prune(dry_run, &shared),
        }
    }
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
