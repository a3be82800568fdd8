//! Runs a pipeline step by step and keeps its history; what has not changed is skipped.

use std::error::Error;
use std::path::Path;

use catalog_store::{Environment, MetaError, RunRecord, State, StepRecord, Writer};

use super::decide::{DecideError, Planned, decide, expand};
use super::recipe::{Recipe, Work};
use crate::pipeline::{self, IngestError, Ingested, Linked, Published};

/// What a step made.
#[derive(Debug)]
pub enum Outcome {
    /// A delivery was taken in.
    Ingested(Ingested),
    /// Identities were linked.
    Linked(Linked),
    /// A snapshot was published.
    Published(Box<Published>),
    /// The quality report was written; its digest.
    Reported(String),
}

/// Who is told how a run goes, and gives it the time.
pub trait Watch: Sync {
    /// The time, as RFC 3339 text.
    ///
    /// # Errors
    ///
    /// There is no time.
    fn now(&self) -> Result<String, Box<dyn Error>>;

    /// A step begins.
    fn begins(&self, step: &Planned);

    /// A step is so far; called from several threads.
    fn progress(&self, step: &Planned, done: u64, total: u64);

    /// A step made something; it counts only after this returned, so that nothing goes unrecorded.
    ///
    /// # Errors
    ///
    /// It cannot be recorded.
    fn made(&self, step: &Planned, outcome: &Outcome) -> Result<(), Box<dyn Error>>;

    /// A step could not be done.
    ///
    /// # Errors
    ///
    /// It cannot be recorded.
    fn failed(&self, step: &Planned, error: &(dyn Error + 'static)) -> Result<(), Box<dyn Error>>;

    /// A step ended: done, skipped or failed.
    fn ended(&self, step: &StepRecord);
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nothing can be decided.
    #[error("it cannot be told what must run")]
    Decide(#[source] Box<DecideError>),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// A step failed.
    #[error("step {step}")]
    Step {
        /// The step.
        step: String,
        /// Why.
        source: Box<dyn Error>,
    },
    /// What happened cannot be recorded, or there is no time.
    #[error("the run cannot be recorded")]
    Watch(#[source] Box<dyn Error>),
    /// Another machine took the environment.
    #[error(
        "this program was silent for too long and another machine took the environment; run the pipeline again"
    )]
    Lost,
}

impl From<DecideError> for RunError {
    fn from(error: DecideError) -> Self {
        Self::Decide(Box::new(error))
    }
}

/// Runs the steps of `recipe` that must run. The caller holds the environment by `writer`.
///
/// # Errors
///
/// A step failed; those before it count, and running again goes on from there.
pub fn run(
    environment: &Environment,
    recipe: &Recipe,
    writer: &Writer,
    watch: &dyn Watch,
) -> Result<RunRecord, RunError> {
    let now = || watch.now().map_err(RunError::Watch);
    let meta = environment.meta().map_err(DecideError::from)?;
    let steps = expand(recipe)?;
    let mut record = meta.begin_run(&recipe.name, &recipe.digest, &now()?)?;
    let mut result = Ok(());
    for (step, number) in steps.iter().zip(1_u32..) {
        if writer.is_lost() {
            // The run's row belongs to whoever took over.
            return Err(RunError::Lost);
        }
        let mut row = StepRecord {
            number,
            name: step.name.clone(),
            kind: step.work.kind().as_str().to_owned(),
            state: State::Running,
            input: String::new(),
            output: String::new(),
            why: String::new(),
            started: now()?,
            ended: String::new(),
        };
        result = one(environment, step, &mut row, record.id, watch);
        if let Err(error) = &result {
            row.state = State::Failed;
            row.why = chain(error);
        }
        row.ended = now()?;
        meta.put_step(record.id, &row)?;
        watch.ended(&row);
        record.steps.push(row);
        if result.is_err() {
            break;
        }
    }
    record.state = if result.is_ok() { State::Done } else { State::Failed };
    let head = environment.snapshots().map_err(DecideError::from)?.head().map_err(DecideError::from)?;
    record.snapshot = head.map(|(_, head)| head.id.to_string()).unwrap_or_default();
    record.ended = now()?;
    meta.end_run(record.id, record.state, &record.snapshot, &record.ended)?;
    result.map(|()| record)
}

fn one(
    environment: &Environment,
    step: &Planned,
    row: &mut StepRecord,
    run: i64,
    watch: &dyn Watch,
) -> Result<(), RunError> {
    let decision = match decide(environment, &step.work) {
        Err(DecideError::Delivery(rejection)) => {
            return Err(fail(step, Box::new(IngestError::Rejected(rejection)), watch));
        }
        Err(DecideError::Sealed(rejection)) => {
            return Err(fail(step, Box::new(IngestError::Sealed(rejection)), watch));
        }
        decision => decision?,
    };
    (row.input, row.why) = (decision.input, decision.why);
    if let Some(made) = decision.made {
        row.state = State::Skipped;
        row.output = made;
        return Ok(());
    }
    environment.meta().map_err(DecideError::from)?.put_step(run, row)?;
    watch.begins(step);
    let now = watch.now().map_err(RunError::Watch)?;
    match work(environment, step, &now, watch) {
        Ok((outcome, output)) => {
            watch.made(step, &outcome).map_err(RunError::Watch)?;
            (row.state, row.output) = (State::Done, output);
            Ok(())
        }
        Err(source) => Err(fail(step, source, watch)),
    }
}

fn fail(step: &Planned, source: Box<dyn Error>, watch: &dyn Watch) -> RunError {
    match watch.failed(step, source.as_ref()) {
        Ok(()) => RunError::Step { step: step.name.clone(), source },
        Err(error) => RunError::Watch(error),
    }
}

/// Does the work; what was made, and its name in the history.
fn work(
    environment: &Environment,
    step: &Planned,
    now: &str,
    watch: &dyn Watch,
) -> Result<(Outcome, String), Box<dyn Error>> {
    match &step.work {
        Work::Ingest { delivery } => {
            let at = |at: pipeline::Progress| watch.progress(step, at.done, at.total);
            let taken = match pipeline::is_sealed(delivery) {
                true => pipeline::ingest_sealed(environment, delivery, now)?,
                false => pipeline::ingest(environment, delivery, now, &at)?,
            };
            let id = taken.id.clone();
            Ok((Outcome::Ingested(taken), id))
        }
        Work::Link => {
            let linked = pipeline::link(environment)?;
            let run = linked.run.clone();
            Ok((Outcome::Linked(linked), run))
        }
        Work::Publish => {
            let at = |done: u32, total: u32| watch.progress(step, u64::from(done), u64::from(total));
            let published = pipeline::publish(environment, now, &at)?;
            let id = published.manifest.id.to_string();
            Ok((Outcome::Published(Box::new(published)), id))
        }
        Work::Quality { report } => {
            let digest = write_report(environment, report)?;
            Ok((Outcome::Reported(digest.clone()), digest))
        }
    }
}

fn write_report(environment: &Environment, path: &Path) -> Result<String, Box<dyn Error>> {
    let quality = pipeline::quality(environment, None)?;
    let bytes = serde_json::to_vec_pretty(&quality)?;
    pipeline::write_whole(path, &bytes)
        .map_err(|source| DecideError::Read { path: path.to_owned(), source })?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

fn chain(error: &RunError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
