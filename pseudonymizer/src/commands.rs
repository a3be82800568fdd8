//! The commands of `misu-ingest`.

mod masters;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use audit::{Event, Kind, Log};
use catalog_model::{DELIVERY_FILE, SnapshotId};
use catalog_store::{Config, Environment};
use clap::{Parser, Subcommand};
use pseudonymizer::pipeline::{self, IngestError, Ingested};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::progress::Progress;

const WHO: &str = "misu-ingest";

/// Takes deliveries in, links them by person and publishes snapshots.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes an environment: rooms, keys, metadata database, catalogue, record.
    Init {
        /// The directory, empty or absent.
        env: PathBuf,
        /// Makes a demo, whose keys are derived from this seed and protect nothing.
        #[arg(long)]
        demo_seed: Option<u64>,
        /// Buckets that persons are spread over.
        #[arg(long, default_value_t = 16)]
        buckets: u32,
    },
    /// Takes a delivery in, or every delivery of a folder.
    Ingest {
        /// The delivery's folder.
        delivery: PathBuf,
        #[command(flatten)]
        shared: Shared,
    },
    /// Official code masters.
    Masters {
        #[command(subcommand)]
        command: masters::Masters,
    },
    /// Links every identity.
    Link {
        #[command(flatten)]
        shared: Shared,
    },
    /// Publishes a snapshot.
    Publish {
        #[command(flatten)]
        shared: Shared,
    },
    /// Reports on deliveries, quarantine and linkage.
    Quality {
        #[command(flatten)]
        shared: Shared,
        /// The snapshot, where not the latest.
        #[arg(long)]
        snapshot: Option<String>,
    },
    /// Compares the linkage with the truth of synthetic deliveries.
    Evaluate {
        /// The folder with the truth.
        #[arg(long)]
        truth: PathBuf,
        #[command(flatten)]
        shared: Shared,
    },
}

#[derive(Parser)]
struct Shared {
    /// The environment.
    #[arg(long)]
    env: PathBuf,
    /// Prints figures as JSON.
    #[arg(long)]
    json: bool,
}

/// Why a command failed.
pub(crate) struct Failure {
    error: Box<dyn std::error::Error>,
    code: u8,
}

impl Failure {
    /// The error with its causes.
    pub(crate) fn text(&self) -> String {
        let causes = std::iter::successors(self.error.source(), |error| error.source());
        causes.fold(self.error.to_string(), |text, cause| format!("{text}: {cause}"))
    }

    /// 6 where a delivery was rejected, else 1.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl<E: Into<Box<dyn std::error::Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let is_rejection = error
            .downcast_ref::<IngestError>()
            .is_some_and(|error| matches!(error, IngestError::Rejected(_)));
        Self { error, code: if is_rejection { 6 } else { 1 } }
    }
}

impl Arguments {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Init { env, demo_seed, buckets } => init(&env, demo_seed, buckets),
            Command::Ingest { delivery, shared } => ingest(&delivery, &shared),
            Command::Masters { command } => command.run(),
            Command::Link { shared } => link(&shared),
            Command::Publish { shared } => publish(&shared),
            Command::Quality { shared, snapshot } => quality(&shared, snapshot.as_deref()),
            Command::Evaluate { truth, shared } => evaluate(&truth, &shared),
        }
    }
}

fn init(env: &Path, demo_seed: Option<u64>, buckets: u32) -> Result<(), Failure> {
    let environment = Environment::create(env, Config::new(buckets, demo_seed))?;
    let log = Log::create(&environment.room("audit"), OffsetDateTime::now_utc)?;
    log.record(Event::new(Kind::EnvironmentCreated, WHO).with("buckets", u64::from(buckets)))?;
    Ok(())
}

fn open(shared: &Shared) -> Result<(Environment, Log), Failure> {
    let environment = Environment::open(&shared.env)?;
    let log = Log::open(&environment.room("audit"), OffsetDateTime::now_utc)?;
    Ok((environment, log))
}

/// The delivery itself, or the deliveries that lie in the folder, in the order of their names.
fn deliveries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if folder.join(DELIVERY_FILE).is_file() || !folder.is_dir() {
        return Ok(vec![folder.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.join(DELIVERY_FILE).is_file() {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() { Ok(vec![folder.to_owned()]) } else { Ok(found) }
}

fn ingest(folder: &Path, shared: &Shared) -> Result<(), Failure> {
    let (environment, log) = open(shared)?;
    let _lock = environment.lock()?;
    let folders = deliveries(folder)?;
    let progress = Progress::new("ingest");
    let count = folders.len() as u64;
    let mut done = Vec::with_capacity(folders.len());
    for (folder, number) in folders.iter().zip(0_u64..) {
        let inner = |at: pipeline::Progress| {
            let share = (at.done * 1_000).checked_div(at.total).unwrap_or(1_000);
            progress.at(number * 1_000 + share, count * 1_000);
        };
        let taken = pipeline::ingest(&environment, folder, &now()?, &inner);
        record_ingest(&log, folder, &taken)?;
        done.push(taken?);
    }
    progress.end();
    if shared.json {
        return print_json(&done.iter().map(IngestedView::of).collect::<Vec<_>>());
    }
    for delivery in &done {
        let account = delivery.account();
        let known = if delivery.is_known { " (taken in before)" } else { "" };
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

fn record_ingest(log: &Log, folder: &Path, taken: &Result<Ingested, IngestError>) -> Result<(), Failure> {
    let event = match taken {
        Ok(taken) if taken.is_known => return Ok(()),
        Ok(taken) => {
            let account = taken.account();
            Event::new(Kind::IngestFinished, WHO)
                .subject(taken.name.clone())
                .with("delivery", taken.id.clone())
                .with("files", taken.files.len() as u64)
                .with("lines", account.read)
                .with("stored", account.stored)
                .with("quarantined", account.quarantined_lines())
        }
        Err(IngestError::Rejected(rejection)) => {
            let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            Event::new(Kind::DeliveryRejected, WHO).subject(name).with("why", rejection.to_string())
        }
        Err(_) => return Ok(()),
    };
    log.record(event)?;
    Ok(())
}

/// What `misu ingest --json` prints of one delivery.
#[derive(Serialize)]
struct IngestedView<'a> {
    id: &'a str,
    name: &'a str,
    is_known: bool,
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
            read: account.read,
            stored: account.stored,
            dropped: account.dropped_lines(),
            quarantined: account.quarantined_lines(),
        }
    }
}

fn link(shared: &Shared) -> Result<(), Failure> {
    let (environment, log) = open(shared)?;
    let _lock = environment.lock()?;
    let linked = pipeline::link(&environment)?;
    let event = Event::new(Kind::LinkFinished, WHO).subject(linked.run.clone());
    log.record(event.with("mentions", linked.mentions).with("persons", linked.persons))?;
    if shared.json {
        return print_json(&linked);
    }
    print(&format!("{} identities of {} persons", linked.mentions, linked.persons))
}

fn publish(shared: &Shared) -> Result<(), Failure> {
    let (environment, log) = open(shared)?;
    let _lock = environment.lock()?;
    let progress = Progress::new("publish");
    let at = |done: u32, total: u32| progress.at(u64::from(done), u64::from(total));
    let published = pipeline::publish(&environment, &now()?, &at)?;
    progress.end();
    let manifest = &published.manifest;
    if !published.is_known {
        let event = Event::new(Kind::SnapshotPublished, WHO).subject(manifest.id.as_str());
        log.record(
            event
                .with("persons", manifest.body.persons)
                .with("new_persons", u64::from(published.new_persons)),
        )?;
    }
    if shared.json {
        return print_json(&PublishedView {
            snapshot: manifest.id.as_str(),
            is_known: published.is_known,
            persons: manifest.body.persons,
            new_persons: published.new_persons,
            duplicates: published.duplicates.len(),
        });
    }
    print(manifest.id.as_str())
}

/// What `misu publish --json` prints.
#[derive(Serialize)]
struct PublishedView<'a> {
    snapshot: &'a str,
    is_known: bool,
    persons: u64,
    new_persons: u32,
    duplicates: usize,
}

fn quality(shared: &Shared, snapshot: Option<&str>) -> Result<(), Failure> {
    let (environment, _) = open(shared)?;
    let snapshot = match snapshot {
        None => None,
        Some(id) => {
            let id = SnapshotId::parse(id).ok_or("a snapshot id has 64 hexadecimal digits")?;
            Some(environment.snapshots()?.find(&id)?)
        }
    };
    let quality = pipeline::quality(&environment, snapshot.as_ref())?;
    print_json(&quality)
}

fn evaluate(truth: &Path, shared: &Shared) -> Result<(), Failure> {
    let (environment, _) = open(shared)?;
    print_json(&pipeline::evaluate(&environment, truth)?)
}

fn now() -> Result<String, Failure> {
    Ok(OffsetDateTime::now_utc().format(&Rfc3339)?)
}

fn print(line: &str) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn print_json<T: Serialize>(value: &T) -> Result<(), Failure> {
    print(&serde_json::to_string_pretty(value)?)
}
