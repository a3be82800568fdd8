//! The query bench: questions through the guard, and the same text in plain DataFusion.
//!
//! All read the same rows of one snapshot, in turn, after one unmeasured run each: the service the encrypted files of
//! the store, plain DataFusion copies of them in clear, and plain DataFusion again the same rows as deliveries come,
//! one file for each table. The service is started once and not measured. Every number of persons that the service
//! shows must be plain DataFusion's as well, or there is no result.
//!
//! The service answers a question that it has answered before from its ledger, whatever words it is in. So in each asking
//! a column has a name of its own, and it is computed, protected and compared with what was released before it; an
//! answer that is not ends the bench.

mod agreement;
mod asked;
mod clear;
mod many;
mod plain;
mod scan;
mod service;
mod tables;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use catalog_store::Environment;
use clap::Parser;
use serde::Serialize;

use asked::Asked;
use plain::Plain;
use service::Service;

type Failure = Box<dyn std::error::Error>;

/// Asks the demo's questions of a demo environment, protected and plain, and prints seconds as JSON.
#[derive(Parser)]
struct Arguments {
    /// The environment.
    #[arg(long)]
    env: PathBuf,
    /// How often each question is asked.
    #[arg(long, default_value_t = 7)]
    repetitions: u32,
    /// A folder of questions, one SQL file each, instead of the demo's.
    #[arg(long)]
    questions: Option<PathBuf>,
    /// Where the files in clear are laid and left, for peers.
    #[arg(long)]
    lay: Option<PathBuf>,
    /// Measures so many askers at once, instead of one after the other.
    #[arg(long)]
    askers: Option<usize>,
    /// For so many seconds.
    #[arg(long, default_value_t = 30, requires = "askers")]
    seconds: u64,
    /// One of the askers repeats a short question.
    #[arg(long, requires = "askers")]
    short: bool,
}

/// What was measured.
#[derive(Serialize)]
struct Measured {
    persons: u64,
    buckets: u32,
    bytes: u64,
    rows: u64,
    /// Reading and adding up every file, stored and in clear.
    scan: scan::Measured,
    questions: Vec<MeasuredQuestion>,
}

/// One question's seconds, by repetition.
#[derive(Serialize)]
struct MeasuredQuestion {
    question: String,
    protected: Vec<f64>,
    vetting: Vec<f64>,
    plain: Vec<f64>,
    /// Plain DataFusion over the files as delivered.
    delivered: Vec<f64>,
    /// Released rows that were found in plain DataFusion's answer.
    agreeing: u64,
    /// The column `persons` of plain DataFusion's answer, added up.
    persons: i64,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "misu-bench-queries: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let asked = asked::questions(arguments.questions.as_deref())?;
    if let Some(askers) = arguments.askers {
        let time = Duration::from_secs(arguments.seconds);
        let measured = many::measure(&arguments.env, &asked, (askers, arguments.short), time)?;
        return Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(&measured)?)?);
    }
    let environment = Environment::open(&arguments.env)?;
    let (_, manifest) = environment.snapshots()?.head()?.ok_or("the environment has no snapshot")?;
    let beside = tempfile::tempdir_in(environment.room("scratch"))?;
    let laid = arguments.lay.as_deref().unwrap_or(beside.path());
    let listed = clear::lay(&environment, &manifest.body, laid)?;
    let delivered = tempfile::tempdir_in(environment.room("scratch"))?;
    let as_delivered = clear::as_delivered(laid, &listed, delivered.path())?;
    let mut sides = Sides {
        service: Service::start(&arguments.env)?,
        plain: Plain::open(laid, &listed)?,
        delivered: Plain::open(delivered.path(), &as_delivered)?,
        asked: 0,
    };
    let files = || manifest.body.tables.values().flat_map(|table| &table.files);
    let questions = asked.iter().map(|asked| sides.measure(asked, arguments.repetitions));
    let measured = Measured {
        persons: manifest.body.persons,
        buckets: manifest.body.buckets,
        bytes: files().map(|file| file.bytes).sum(),
        rows: files().map(|file| file.rows).sum(),
        scan: scan::measure(&environment, &manifest.body, laid, arguments.repetitions)?,
        questions: questions.collect::<Result<_, _>>()?,
    };
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(&measured)?)?)
}

/// Those that answer.
struct Sides {
    service: Service,
    plain: Plain,
    delivered: Plain,
    /// How often the service was asked.
    asked: u64,
}

impl Sides {
    /// The question as nobody asked it before.
    fn anew(&mut self, sql: &str) -> Result<String, Failure> {
        self.asked += 1;
        anew(self.asked, sql)
    }

    /// Asks one question of all, once unmeasured and then in turn.
    fn measure(&mut self, asked: &Asked, repetitions: u32) -> Result<MeasuredQuestion, Failure> {
        let named = |error: Failure| format!("{}: {error}", asked.name);
        let anew = self.anew(&asked.sql).map_err(named)?;
        let released = self.service.asker().ask(&anew).map_err(named)?;
        let whole = self.plain.ask(asked.unordered()).map_err(named)?;
        let agreeing = agreement::check(&released, &whole).map_err(named)?;
        let answer = self.plain.ask(&asked.sql).map_err(named)?;
        self.delivered.ask(&asked.sql).map_err(named)?;
        let mut measured = MeasuredQuestion {
            question: asked.name.clone(),
            protected: Vec::new(),
            vetting: Vec::new(),
            plain: Vec::new(),
            delivered: Vec::new(),
            agreeing,
            persons: answer.iter().map(persons).sum(),
        };
        for _ in 0..repetitions {
            let anew = self.anew(&asked.sql)?;
            measured.protected.push(seconds(|| self.service.asker().ask(&anew).map(drop))?);
            measured.vetting.push(seconds(|| self.service.asker().vet(&anew))?);
            measured.plain.push(seconds(|| self.plain.ask(&asked.sql).map(drop))?);
            measured.delivered.push(seconds(|| self.delivered.ask(&asked.sql).map(drop))?);
        }
        Ok(measured)
    }
}

/// A question as nobody asked it before: its column `persons` has another name.
fn anew(asking: u64, sql: &str) -> Result<String, Failure> {
    let name = format!("persons_{}_{asking}", std::process::id());
    let renamed = ["AS persons", "ORDER BY persons"]
        .iter()
        .fold(sql.to_owned(), |sql, place| sql.replace(place, &place.replace("persons", &name)));
    if renamed == sql { Err("a question without a column `persons`".into()) } else { Ok(renamed) }
}

/// The column `persons`, added up.
fn persons(batch: &RecordBatch) -> i64 {
    let column = batch.column_by_name("persons").and_then(|column| column.as_primitive_opt::<Int64Type>());
    column.map_or(0, |column| column.iter().flatten().sum())
}

fn seconds(action: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let begun = Instant::now();
    action()?;
    Ok(begun.elapsed().as_secs_f64())
}
