//! `delivery erase`: two officers end a dataset, or one fiscal year of it, and a signed record says so.

use std::path::PathBuf;

use audit::{EntryRef, Event, Kind, Log, SignedStatement, StatementKind, log_signer};
use catalog_store::{Environment, Erasure, KeyRole};
use clap::Args;
use pseudonymizer::pipeline::{self, Covered, ErasedData};
use serde::Serialize;

use super::delivery::record_recalled;
use super::keys::{self, OfficerArguments};
use super::{Failure, Shared, WHO, now, open, print, print_json, writer};

/// The folder of deletion records in the room `audit`.
const RECORDS: &str = "deletions";

/// What marks the entry before the keys go.
pub(super) const BEGUN: &str = "begun";

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
    by: &'a [String],
    note: &'a str,
    keys_destroyed: u64,
    deliveries_recalled: usize,
    deliveries_unfinished: u64,
    snapshots_concerned: usize,
    files_of_earlier_versions: u64,
    /// The entry of the record that says it, and its hash.
    entry: u64,
    entry_hash: String,
}

pub(super) fn erase(asked: &Erase) -> Result<(), Failure> {
    let (environment, log) = open(&asked.shared)?;
    let _writer = writer(&environment, &log, "delivery erase")?;
    let mut erasure = Erasure {
        database: asked.database.clone(),
        year: asked.year,
        at: now()?,
        why: asked.reason.clone(),
        ..Erasure::default()
    };
    if let Some(done) = done_before(&environment, &erasure)? {
        return tell_done(asked, &done);
    }
    let what = of(&erasure);
    let covered = pipeline::covered(&environment, &erasure)?;
    if !asked.shared.json {
        print(&told(&what, &covered))?;
    }
    let act = told(&format!("erase {what}"), &covered);
    let Some(agreed) = keys::ask(&environment, &log, &act, &asked.officer)? else { return Ok(()) };
    erasure.by = vec![agreed.first.clone(), agreed.second.clone()];
    erasure.request.clone_from(&agreed.request);
    // Whoever finds keys gone after a crash finds in the record who agreed on it.
    log.record(event(&erasure).with(BEGUN, true))?;
    let erased = pipeline::erase(&environment, &erasure, &agreed)?;
    let record = record(&environment, &log, (&erasure, &erased), event(&erasure))?;
    tell(asked, &what, &erased, &record)
}

/// The erasure that this one would repeat, if any.
fn done_before(environment: &Environment, erasure: &Erasure) -> Result<Option<Erasure>, Failure> {
    let mut before = environment.erasures()?.into_iter();
    Ok(before.find(|known| known.covers(&erasure.database, erasure.year)))
}

fn tell_done(asked: &Erase, done: &Erasure) -> Result<(), Failure> {
    let what = of(done);
    if asked.shared.json {
        return print_json(&serde_json::json!({ "erased": what, "at": done.at, "is_known": true }));
    }
    print(&format!("{what} was erased at {} already; nothing was done", done.at))
}

/// What an erasure takes. Officers agree on these words, so that both saw the same figures.
fn told(what: &str, covered: &Covered) -> String {
    let Covered { deliveries, other_years, elsewhere, files } = covered;
    format!(
        "{what}: {files} files of snapshots; {deliveries} deliveries with {other_years} records of other years, which go \
         with them; {elsewhere} records in deliveries of other months, which stay staged"
    )
}

/// What is recorded of an erasure, and who agreed on it.
fn event(erasure: &Erasure) -> Event {
    let event = Event::new(Kind::DataErased, WHO).subject(of(erasure)).with("why", erasure.why.as_str());
    match erasure.by.as_slice() {
        [first, second] => {
            let event = event.with("first", first.as_str()).with("second", second.as_str());
            event.with("request", erasure.request.as_str())
        }
        // An earlier version did not keep them.
        _ => event,
    }
}

/// Records an erasure that is done, and signs a record of it.
fn record(
    environment: &Environment,
    log: &Log,
    (erasure, erased): (&Erasure, &ErasedData),
    event: Event,
) -> Result<PathBuf, Failure> {
    for delivery in &erased.deliveries {
        record_recalled(log, delivery, &erasure.why)?;
    }
    let event = event.with("keys", erased.keys).with("deliveries", erased.deliveries.len() as u64);
    let event = event.with("unfinished", erased.unfinished);
    let event = event.with("snapshots", erased.snapshots.len() as u64).with("earlier", erased.earlier);
    let entry = log.record(event)?;
    write_record(environment, (erasure, erased), entry)
}

fn of(erasure: &Erasure) -> String {
    what(&erasure.database, erasure.year)
}

/// A dataset or a year of it, as the record names it.
fn what(database: &str, year: Option<i32>) -> String {
    year.map_or_else(|| database.to_owned(), |year| format!("{database} {year}"))
}

fn write_record(
    environment: &Environment,
    (erasure, erased): (&Erasure, &ErasedData),
    entry: EntryRef,
) -> Result<PathBuf, Failure> {
    let record = ErasureRecord {
        database: &erasure.database,
        fiscal_year: erasure.year,
        at: &erasure.at,
        by: &erasure.by,
        note: &erasure.why,
        keys_destroyed: erased.keys,
        deliveries_recalled: erased.deliveries.len(),
        deliveries_unfinished: erased.unfinished,
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
    let name = of(erasure).replace(' ', "-");
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
    if erased.unfinished > 0 {
        print(&format!("{} unfinished ingests begin anew", erased.unfinished))?;
    }
    if erased.earlier > 0 {
        print(&format!(
            "{} files of an earlier version can be read until their snapshots are pruned",
            erased.earlier
        ))?;
    }
    print(&format!("signed record: {}", record.display()))?;
    print("run `misu link` and `misu publish`; raw files go with `misu delivery forget`")
}

/// Ends and records the erasures that a killed run did not come to record.
pub(super) fn record_late(environment: &Environment, log: &Log, told: &[String]) -> Result<(), Failure> {
    for erasure in environment.erasures()? {
        if !told.contains(&of(&erasure)) {
            let erased = pipeline::finish_erasure(environment, &erasure)?;
            let late = event(&erasure).with("late", true);
            record(environment, log, (&erasure, &erased), late)?;
        }
    }
    Ok(())
}
