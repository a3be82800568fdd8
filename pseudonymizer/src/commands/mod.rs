//! The commands of `misu-ingest`.

mod catalogue;
mod confinement;
mod delivery;
mod erase;
mod ingest;
mod keys;
mod link_files;
mod masters;
mod optout;
mod pipeline_run;
mod quarantine;
mod seal;
mod told;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use audit::{Event, Kind, Log};
use catalog_model::SnapshotId;
use catalog_store::{Config, Environment, Module, Passphrase, Protection, Writer};
use clap::{Parser, Subcommand};
use pseudonymizer::pipeline::{self, IngestError, Linked, OptOutError, Published, Rejection};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::progress::{Progress, Unit};

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
        /// The library of a hardware module (PKCS#11) that wraps the keys; its PIN is the passphrase.
        #[arg(long, requires = "pkcs11_token", conflicts_with = "demo_seed")]
        pkcs11_library: Option<PathBuf>,
        /// The label of the token.
        #[arg(long, requires = "pkcs11_library")]
        pkcs11_token: Option<String>,
        /// The metadata database on a PostgreSQL server, instead of a file of the environment.
        #[arg(long)]
        database_url: Option<String>,
    },
    /// Keys: what there is, rotation, and what takes two officers.
    Keys {
        #[command(subcommand)]
        command: keys::Keys,
    },
    /// Identities whose persons are left out of every query.
    Optout {
        #[command(subcommand)]
        command: optout::OptOut,
    },
    /// A data holder's folder: its keys, its card, its bundle.
    Holder {
        #[command(subcommand)]
        command: seal::HolderCommand,
    },
    /// Seals a delivery, or a list of who opted out, at the data holder, so that no name leaves it.
    Seal {
        /// The delivery's folder, or the list (as `misu optout add` takes it).
        delivery: PathBuf,
        /// The holder's folder.
        #[arg(long)]
        holder: PathBuf,
        /// What is sealed, a new folder.
        #[arg(long)]
        out: PathBuf,
        /// Keys every identity under the former intake key as well.
        #[arg(long)]
        overlap: bool,
    },
    /// Takes a delivery in, sealed or not, or every delivery of a folder.
    Ingest {
        /// The delivery's folder.
        delivery: PathBuf,
        /// Keys every identity under the former intake key as well, so that persons stay who they were.
        #[arg(long, conflicts_with = "replay_quarantine")]
        overlap: bool,
        /// Reads a delivery that is held again, after its layouts were mended in the environment's catalogue.
        #[arg(long)]
        replay_quarantine: bool,
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
        /// The truth of invented deliveries, to hold the linkage against.
        #[arg(long)]
        truth: Option<PathBuf>,
    },
    /// Lists what is in quarantine: places and kinds, never a byte of a line.
    Quarantine {
        /// The delivery's name or id, where not all.
        #[arg(long)]
        delivery: Option<String>,
        /// Lists every line instead of gathering lines of one kind.
        #[arg(long)]
        each: bool,
        #[command(flatten)]
        shared: Shared,
    },
    /// Runs pipelines and shows their history.
    Pipeline {
        #[command(subcommand)]
        command: pipeline_run::Pipeline,
    },
    /// Shows deliveries, takes them back, corrects their month, erases them, deletes their raw files.
    Delivery {
        #[command(subcommand)]
        command: delivery::Delivery,
    },
    /// Shows and removes snapshots.
    Snapshots {
        #[command(subcommand)]
        command: delivery::Snapshots,
    },
    /// Adds layouts and tables to the environment's catalogue.
    Catalog {
        #[command(subcommand)]
        command: catalogue::Catalog,
    },
    /// Brings an environment of an earlier version to the present one.
    Upgrade {
        #[command(flatten)]
        shared: Shared,
    },
    /// Links the records of a registry's files, outside every environment.
    LinkFiles {
        /// The declaration of the registry.
        registry: PathBuf,
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Where file, record number and cluster number go.
        #[arg(long)]
        out: PathBuf,
        /// Prints figures as JSON.
        #[arg(long)]
        json: bool,
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

    /// Says whether nobody reads any more what the command prints: it did its work, and `head` has seen enough.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let error = self.error.downcast_ref::<std::io::Error>();
        error.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// 6 where a delivery was rejected, else 1.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl<E: Into<Box<dyn std::error::Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let is_rejection = is_rejection(error.as_ref());
        Self { error, code: if is_rejection { 6 } else { 1 } }
    }
}

fn is_rejection(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(error.downcast_ref::<IngestError>(), Some(IngestError::Rejected(_) | IngestError::Sealed(_)))
        || matches!(error.downcast_ref::<OptOutError>(), Some(OptOutError::Sealed(_)))
        || error.is::<Rejection>()
        || error.source().is_some_and(is_rejection)
}

impl Arguments {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Failure> {
        confinement::lock_in(&self.command)?;
        match self.command {
            Command::Init { env, demo_seed, buckets, pkcs11_library, pkcs11_token, database_url } => {
                let module = pkcs11_library.zip(pkcs11_token).map(|(library, token)| Module {
                    library,
                    token,
                    key: "misu".to_owned(),
                });
                let config = Config { database_url, ..Config::new(buckets, demo_seed) };
                init(&env, config, module)
            }
            Command::Keys { command } => command.run(),
            Command::Optout { command } => command.run(),
            Command::Holder { command } => command.run(),
            Command::Seal { delivery, holder, out, overlap } => seal::seal(&delivery, &holder, &out, overlap),
            Command::Ingest { delivery, overlap, replay_quarantine: false, shared } => {
                ingest::ingest(&delivery, overlap, &shared)
            }
            Command::Ingest { delivery, replay_quarantine: true, shared, .. } => {
                ingest::replay(&delivery, &shared)
            }
            Command::Quarantine { delivery, each, shared } => {
                quarantine::list(&shared, delivery.as_deref(), each)
            }
            Command::Pipeline { command } => command.run(),
            Command::Delivery { command } => command.run(),
            Command::Snapshots { command } => command.run(),
            Command::Catalog { command } => command.run(),
            Command::Upgrade { shared } => catalogue::upgrade(&shared),
            Command::Masters { command } => command.run(),
            Command::Link { shared } => link(&shared),
            Command::Publish { shared } => publish(&shared),
            Command::Quality { shared, snapshot, truth } => {
                quality(&shared, snapshot.as_deref(), truth.as_deref())
            }
            Command::LinkFiles { registry, files, out, json } => {
                link_files::link_files(&registry, &files, &out, json)
            }
            Command::Evaluate { truth, shared } => evaluate(&truth, &shared),
        }
    }
}

fn init(env: &Path, config: Config, module: Option<Module>) -> Result<(), Failure> {
    let protection = match (module, passphrase()?) {
        (Some(module), Some(pin)) => Protection::Module(module, pin),
        (Some(_), None) => return Err("the PIN is given in MISU_PASSPHRASE_FILE or MISU_PASSPHRASE".into()),
        (None, Some(passphrase)) => Protection::Passphrase(passphrase),
        (None, None) => Protection::Kept,
    };
    let buckets = config.buckets;
    let environment = Environment::create_protected(env, config, &protection)?;
    let log = Log::create(&environment.room("audit"), OffsetDateTime::now_utc)?;
    log.record(Event::new(Kind::EnvironmentCreated, WHO).with("buckets", u64::from(buckets)))?;
    let roles = catalog_store::KeyRole::ALL.map(|role| audit::Value::Text(role.as_str().to_owned()));
    log.record(Event::new(Kind::KeyCreated, WHO).with("roles", audit::Value::List(roles.into())))?;
    Ok(())
}

fn open(shared: &Shared) -> Result<(Environment, Log), Failure> {
    let environment = Environment::open(&shared.env)?.unlocked_by(passphrase()?);
    let folder = environment.room("audit");
    let log = Log::open(&folder, OffsetDateTime::now_utc)?;
    let watch = keys::watch(Log::open(&folder, OffsetDateTime::now_utc)?, WHO);
    Ok((environment.watched(watch), log))
}

/// The passphrase or PIN that the program was started with, if any.
fn passphrase() -> Result<Option<Passphrase>, Failure> {
    Ok(Passphrase::find(&|name| std::env::var_os(name))?)
}

/// Takes the environment for one writer, who first says what a killed one before it did not come to say.
fn writer(environment: &Environment, log: &Log, what: &str) -> Result<Writer, Failure> {
    let clock = || u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or(0);
    let writer = environment.writer(what, &now()?, clock)?;
    told::catch_up(environment, log)?;
    Ok(writer)
}

fn link(shared: &Shared) -> Result<(), Failure> {
    let (environment, log) = open(shared)?;
    let _writer = writer(&environment, &log, "link")?;
    let (linked, spent) = pipeline::link_timed(&environment)?;
    record_link(&log, &linked)?;
    say_spent("link", spent);
    if shared.json {
        return print_json(&linked);
    }
    print(&format!("{} identities of {} persons", linked.mentions, linked.persons))
}

/// Says what share of a step keys took, where it made some.
fn say_spent(step: &str, spent: Option<pipeline::Spent>) {
    if let Some(spent) = spent.filter(|spent| !spent.keying.is_zero()) {
        crate::progress::say(&format!("{step}: keying identities took {} % of its time", spent.percent()));
    }
}

fn record_link(log: &Log, linked: &Linked) -> Result<(), Failure> {
    let event = Event::new(Kind::LinkFinished, WHO).subject(linked.run.clone());
    log.record(event.with("mentions", linked.mentions).with("persons", linked.persons))?;
    Ok(())
}

fn publish(shared: &Shared) -> Result<(), Failure> {
    let (environment, log) = open(shared)?;
    let _writer = writer(&environment, &log, "publish")?;
    let progress = Progress::new("publish", Unit::Parts);
    let at = |done: u32, total: u32| progress.at(u64::from(done), u64::from(total));
    let published = pipeline::publish(&environment, &now()?, &at)?;
    progress.end();
    record_publish(&log, &published)?;
    let manifest = &published.manifest;
    if shared.json {
        let lines = environment.meta()?.deliveries()?;
        let lines: u64 =
            lines.iter().flat_map(|delivery| &delivery.files).map(|file| file.account.stored).sum();
        return print_json(&PublishedView::of(&published, lines));
    }
    print(manifest.id.as_str())
}

fn record_publish(log: &Log, published: &Published) -> Result<(), Failure> {
    if published.is_known {
        return Ok(());
    }
    let manifest = &published.manifest;
    let event = Event::new(Kind::SnapshotPublished, WHO).subject(manifest.id.as_str());
    log.record(
        event
            .with("persons", manifest.body.persons)
            .with("new_persons", u64::from(published.new_persons))
            .with("left_out", published.left_out),
    )?;
    Ok(())
}

/// What `misu publish --json` prints.
#[derive(Serialize)]
struct PublishedView<'a> {
    snapshot: &'a str,
    is_known: bool,
    persons: u64,
    new_persons: u32,
    duplicates: usize,
    left_out: u64,
    files: usize,
    bytes: u64,
    /// Lines of the deliveries that are stored, and the bytes of all tables for each.
    lines: u64,
    bytes_per_line: f64,
}

impl<'a> PublishedView<'a> {
    fn of(published: &'a Published, lines: u64) -> Self {
        let manifest = &published.manifest;
        let files: Vec<u64> =
            manifest.body.tables.values().flat_map(|table| &table.files).map(|file| file.bytes).collect();
        let bytes: u64 = files.iter().sum();
        Self {
            snapshot: manifest.id.as_str(),
            is_known: published.is_known,
            persons: manifest.body.persons,
            new_persons: published.new_persons,
            duplicates: published.duplicates.len(),
            left_out: published.left_out,
            files: files.len(),
            bytes,
            lines,
            // Only shown, in hundredths: the 53 bits of a float's mantissa are enough for any snapshot.
            bytes_per_line: (bytes as f64 / lines.max(1) as f64 * 100.0).round() / 100.0,
        }
    }
}

fn quality(shared: &Shared, snapshot: Option<&str>, truth: Option<&Path>) -> Result<(), Failure> {
    let (environment, _) = open(shared)?;
    let snapshot = match snapshot {
        None => None,
        Some(id) => {
            let id = SnapshotId::parse(id).ok_or("a snapshot id has 64 hexadecimal digits")?;
            Some(environment.snapshots()?.find(&id)?)
        }
    };
    let mut quality = pipeline::quality(&environment, snapshot.as_ref())?;
    if let Some(truth) = truth {
        quality.truth = Some(pipeline::truth_quality(&pipeline::evaluate(&environment, truth)?));
    }
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
