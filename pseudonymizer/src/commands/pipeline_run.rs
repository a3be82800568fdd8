//! `pipeline`: runs a file of steps, says what it would do, shows what it did.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Mutex;

use audit::{Event, Kind, Log};
use catalog_store::{State, StepRecord};
use clap::Subcommand;
use pseudonymizer::batch::{self, Kind as Does, Outcome, Planned, Recipe, Watch, Work};
use pseudonymizer::pipeline::IngestError;

use super::{
    Failure, Shared, WHO, ingest, now, open, print, print_json, record_link, record_publish, writer,
};
use crate::progress::{Progress, Unit, say};

/// What may be done with pipelines.
#[derive(Subcommand)]
pub(crate) enum Pipeline {
    /// Runs the steps of a file; what has not changed is skipped, what was interrupted goes on.
    Run {
        /// The file.
        file: PathBuf,
        /// Only says what would run and why.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        shared: Shared,
    },
    /// Shows earlier runs.
    History {
        #[command(flatten)]
        shared: Shared,
    },
}

impl Pipeline {
    /// Runs the command.
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Run { file, dry_run: true, shared } => plan(&Recipe::read(&file)?, &shared),
            Self::Run { file, dry_run: false, shared } => run(&Recipe::read(&file)?, &shared),
            Self::History { shared } => history(&shared),
        }
    }
}

fn plan(recipe: &Recipe, shared: &Shared) -> Result<(), Failure> {
    let (environment, _) = open(shared)?;
    let planned = batch::plan(&environment, recipe)?;
    if shared.json {
        let rows = planned.iter().map(|(step, decision)| {
            serde_json::json!({
                "step": step.name, "does": step.work.kind().as_str(), "runs": decision.made.is_none(),
                "why": decision.why, "input": decision.input,
            })
        });
        return print_json(&rows.collect::<Vec<_>>());
    }
    planned.iter().try_for_each(|(step, decision)| {
        let verdict = if decision.made.is_none() { "run " } else { "skip" };
        print(&format!("{verdict}  {:8} {}: {}", step.work.kind().as_str(), step.name, decision.why))
    })
}

fn run(recipe: &Recipe, shared: &Shared) -> Result<(), Failure> {
    let (environment, log) = open(shared)?;
    let writer = writer(&environment, &log, &format!("pipeline {}", recipe.name))?;
    let screen = Screen { log: &log, progress: Mutex::new(None) };
    let ended = batch::run(&environment, recipe, &writer, &screen);
    let record = match ended {
        Ok(record) => record,
        Err(error) => {
            log.record(
                Event::new(Kind::PipelineFinished, WHO).subject(recipe.name.clone()).with("state", "failed"),
            )?;
            return Err(error.into());
        }
    };
    let count = |state| record.steps.iter().filter(|step| step.state == state).count() as u64;
    let (done, skipped) = (count(State::Done), count(State::Skipped));
    log.record(
        Event::new(Kind::PipelineFinished, WHO)
            .subject(record.pipeline.clone())
            .with("state", "done")
            .with("done", done)
            .with("skipped", skipped)
            .with("snapshot", record.snapshot.clone()),
    )?;
    if shared.json {
        return print_json(&record);
    }
    let resumed = record.resumes.map(|run| format!(", took up run {run}")).unwrap_or_default();
    let snapshot = if record.snapshot.is_empty() { "none" } else { &record.snapshot };
    print(&format!("run {}: {done} steps done, {skipped} skipped{resumed}", record.id))?;
    print(&format!("snapshot {snapshot}"))
}

fn history(shared: &Shared) -> Result<(), Failure> {
    let (environment, _) = open(shared)?;
    let runs = environment.meta()?.runs()?;
    if shared.json {
        return print_json(&runs);
    }
    for run in runs {
        let resumed = run.resumes.map(|run| format!(", took up run {run}")).unwrap_or_default();
        let ended = if run.ended.is_empty() { "-" } else { &run.ended };
        let state = run.state.as_str();
        print(&format!("run {}  {}  {} to {ended}  {state}{resumed}", run.id, run.pipeline, run.started))?;
        for step in run.steps {
            print(&format!("  {:12} {:8} {}: {}", step.state.as_str(), step.kind, step.name, step.why))?;
        }
    }
    Ok(())
}

/// Tells the screen and the record how a run goes.
struct Screen<'a> {
    log: &'a Log,
    progress: Mutex<Option<Progress>>,
}

impl Screen<'_> {
    fn with(&self, work: impl FnOnce(&mut Option<Progress>)) {
        work(&mut self.progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

fn boxed(failure: Failure) -> Box<dyn Error> {
    failure.error
}

impl Watch for Screen<'_> {
    fn now(&self) -> Result<String, Box<dyn Error>> {
        now().map_err(boxed)
    }

    fn begins(&self, step: &Planned) {
        let unit = if step.work.kind() == Does::Ingest { Unit::Bytes } else { Unit::Parts };
        self.with(|progress| *progress = Some(Progress::new(&step.name, unit)));
    }

    fn progress(&self, _step: &Planned, done: u64, total: u64) {
        self.with(|progress| {
            if let Some(progress) = progress {
                progress.at(done, total);
            }
        });
    }

    fn made(&self, step: &Planned, outcome: &Outcome) -> Result<(), Box<dyn Error>> {
        match outcome {
            Outcome::Ingested(taken) => ingest::record_taken(self.log, taken),
            Outcome::Linked(linked) => record_link(self.log, linked),
            Outcome::Published(published) => record_publish(self.log, published),
            Outcome::Reported(digest) => self
                .log
                .record(Event::new(Kind::View, WHO).subject(step.name.clone()).with("report", digest.clone()))
                .map(drop)
                .map_err(Failure::from),
        }
        .map_err(boxed)
    }

    fn failed(&self, step: &Planned, error: &(dyn Error + 'static)) -> Result<(), Box<dyn Error>> {
        let Work::Ingest { delivery } = &step.work else { return Ok(()) };
        match error.downcast_ref::<IngestError>() {
            Some(IngestError::Rejected(rejection)) => {
                ingest::record_rejection(self.log, delivery, rejection).map_err(boxed)
            }
            Some(IngestError::Sealed(rejection)) => {
                ingest::record_rejection(self.log, delivery, rejection).map_err(boxed)
            }
            _ => Ok(()),
        }
    }

    fn ended(&self, step: &StepRecord) {
        self.with(|progress| {
            if let Some(progress) = progress.take() {
                progress.end();
            }
        });
        say(&format!("{} {}: {}", step.state.as_str(), step.name, step.why));
    }
}
