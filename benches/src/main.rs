//! The query bench: the demo's questions through the guard, and the same text in plain DataFusion.
//!
//! Both sides read the same rows of one snapshot, in turn, after one unmeasured run each: the service the encrypted
//! files of the store, plain DataFusion copies of them in clear. The service is
//! started once and not measured. Every number of persons that the service shows must be plain DataFusion's as well,
//! or there is no result.

mod agreement;
mod clear;
mod plain;
mod service;
mod tables;

#[expect(dead_code, reason = "the demo's texts for people are not needed here, its SQL is")]
#[path = "../../cli/src/demo/questions.rs"]
mod questions;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use catalog_store::Environment;
use clap::Parser;
use serde::Serialize;

use plain::Plain;
use questions::{Asked, QUESTIONS};
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
}

/// What was measured.
#[derive(Serialize)]
struct Measured {
    persons: u64,
    buckets: u32,
    bytes: u64,
    questions: Vec<MeasuredQuestion>,
}

/// One question's seconds, by repetition.
#[derive(Serialize)]
struct MeasuredQuestion {
    question: &'static str,
    protected: Vec<f64>,
    vetting: Vec<f64>,
    plain: Vec<f64>,
    /// Released rows that were found in plain DataFusion's answer.
    agreeing: u64,
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
    let environment = Environment::open(&arguments.env)?;
    let (_, manifest) = environment.snapshots()?.head()?.ok_or("the environment has no snapshot")?;
    let mut sides =
        Sides { service: Service::start(&arguments.env)?, plain: Plain::open(&environment, &manifest.body)? };
    let questions = QUESTIONS.iter().map(|asked| sides.measure(asked, arguments.repetitions));
    let measured = Measured {
        persons: manifest.body.persons,
        buckets: manifest.body.buckets,
        bytes: manifest.body.tables.values().flat_map(|table| &table.files).map(|file| file.bytes).sum(),
        questions: questions.collect::<Result<_, _>>()?,
    };
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(&measured)?)?)
}

/// The two that answer.
struct Sides {
    service: Service,
    plain: Plain,
}

impl Sides {
    /// Asks one question of both, once unmeasured and then in turn.
    fn measure(&mut self, asked: &Asked, repetitions: u32) -> Result<MeasuredQuestion, Failure> {
        let released = self.service.ask(asked.sql)?;
        let agreeing = agreement::check(&released, &self.plain.ask(asked.sql)?)
            .map_err(|error| format!("{}: {error}", asked.en))?;
        let mut measured = MeasuredQuestion {
            question: asked.en,
            protected: Vec::new(),
            vetting: Vec::new(),
            plain: Vec::new(),
            agreeing,
        };
        for _ in 0..repetitions {
            measured.protected.push(seconds(|| self.service.ask(asked.sql).map(drop))?);
            measured.vetting.push(seconds(|| self.service.vet(asked.sql))?);
            measured.plain.push(seconds(|| self.plain.ask(asked.sql).map(drop))?);
        }
        Ok(measured)
    }
}

fn seconds(action: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let begun = Instant::now();
    action()?;
    Ok(begun.elapsed().as_secs_f64())
}
