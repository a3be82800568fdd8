//! `delivery erase`: two officers end a dataset, or one fiscal year of it, and a signed record says so.

use std::path::PathBuf;

use audit::{EntryRef, Event, Kind, Log, SignedStatement, StatementKind, log_signer};
use catalog_store::{Environment, Erasure, KeyRole};
use clap::Args;
use pseudonymizer::pipeline::{self, ErasedData};
use serde::Serialize;

use super::delivery::record_recalled;
use super::keys::{self, OfficerArguments};
use super::{Failure, Shared, WHO, now, open, print, print_json, writer};

/// The folder of deletion records in the room `audit`.
const RECORDS: &str = "deletions";

/// What is erased, and who asks for it.
#[derive(Args)]
pub(crate) struct Erase {
    /// The database: ndb, dpc, care …
    database: String,
    /// The fiscal year (from April); without it the whole dataset.
    #[arg(long)]
    year: Option<i32>,
    /// Why, for the record.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    officer: OfficerArguments,
    #[command(flatten)]
    shared: Shared,
}

/// What the signed record says. The order of its members is the order in its JSON.
#[derive(Serialize)]
struct ErasureRecord<'a> {
    database: &'a str,
    fiscal_year: Option<i32>,
    at: &'a str,
    by: [String; 2],
    note: &'a str,
    keys_destroyed: u64,
    deliveries_recalled: usize,
    snapshots_concerned: usize,
    files_of_earlier_versions: u64,
    /// The entry of the record that says it, and its hash.
    entry: u64,
    entry_hash: String,
}

pub(super) fn erase(asked: &Erase) -> Result<(), Failure> {
    let (environment, log) = open(&asked.shared)?;
    let _writer = writer(&environment, &log, "delivery erase")?;
    let what = what(&asked.database, asked.year);
    let (catalogue, _) = environment.catalogue()?;
    if !catalogue.tables.values().any(|table| table.database == asked.database) {
        return Err(format!("the catalogue has no database {}", asked.database).into());
    }
    let act = format!("erase {what}");
    let Some(agreed) = keys::ask(&environment, &log, &act, &asked.officer)? else { return Ok(()) };
    let erasure = Erasure { database: asked.database.clone(), year: asked.year, at: now()? };
    let erased = pipeline::erase(&environment, &erasure, &asked.reason, &agreed)?;
    for delivery in &erased.deliveries {
        record_recalled(&log, delivery, &asked.reason)?;
    }
    let event = Event::new(Kind::DataErased, WHO).subject(what.clone());
    let event = event.with("keys", erased.keys).with("deliveries", erased.deliveries.len() as u64);
    let event = event.with("snapshots", erased.snapshots.len() as u64).with("earlier", erased.earlier);
    let by = [agreed.first.clone(), agreed.second.clone()];
    let entry = log.record(keys::agreed_by(event.with("why", asked.reason.as_str()), agreed))?;
    let record = write_record(&environment, (asked, &erasure, &erased), by, entry)?;
    tell(asked, &what, &erased, &record)
}

/// A dataset or a year of it, as the record names it.
pub(super) fn what(database: &str, year: Option<i32>) -> String {
    year.map_or_else(|| database.to_owned(), |year| format!("{database} {year}"))
}

fn write_record(
    environment: &Environment,
    (asked, erasure, erased): (&Erase, &Erasure, &ErasedData),
    by: [String; 2],
    entry: EntryRef,
) -> Result<PathBuf, Failure> {
    let record = ErasureRecord {
        database: &erasure.database,
        fiscal_year: erasure.year,
        at: &erasure.at,
        by,
        note: &asked.reason,
        keys_destroyed: erased.keys,
        deliveries_recalled: erased.deliveries.len(),
        snapshots_concerned: erased.snapshots.len(),
        files_of_earlier_versions: erased.earlier,
        entry: entry.seq(),
        entry_hash: entry.hash().to_string(),
    };
    let audit = environment.room("audit");
    let signer = log_signer(&audit, environment.key(KeyRole::Audit)?.as_bytes())?;
    let json = serde_json::to_string(&record)?;
    let signed = SignedStatement::sign(StatementKind::Deletion, &json, &signer);
    let signed = signed.ok_or("a deletion record is one line")?;
    let folder = audit.join(RECORDS);
    std::fs::create_dir_all(&folder)?;
    let name = what(&erasure.database, erasure.year).replace(' ', "-");
    let path = folder.join(format!("erasure-{name}-{}.note", entry.seq()));
    std::fs::write(&path, signed.to_string())?;
    Ok(path)
}

fn tell(asked: &Erase, what: &str, erased: &ErasedData, record: &std::path::Path) -> Result<(), Failure> {
    if asked.shared.json {
        return print_json(&serde_json::json!({ "erased": what, "what": erased, "record": record }));
    }
    let (deliveries, snapshots) = (erased.deliveries.len(), erased.snapshots.len());
    print(&format!(
        "{what}: {} keys destroyed, {deliveries} deliveries recalled, {snapshots} snapshots with files that open no more",
        erased.keys
    ))?;
    if erased.earlier > 0 {
        print(&format!(
            "{} files of an earlier version can be read until their snapshots are pruned",
            erased.earlier
        ))?;
    }
    print(&format!("signed record: {}", record.display()))?;
    print("run `misu link` and `misu publish`; raw files go with `misu delivery forget`")
}

/// Records the erasures that a killed run did not come to record.
pub(super) fn record_late(environment: &Environment, log: &Log, told: &[String]) -> Result<(), Failure> {
    for erasure in environment.erasures()? {
        let what = what(&erasure.database, erasure.year);
        if !told.contains(&what) {
            log.record(Event::new(Kind::DataErased, WHO).subject(what).with("late", true))?;
        }
    }
    Ok(())
}
