//! Analyses: the steps of a project's work in one file, taken in, queued, run one after the other, gone on with after
//! a stop, and their outputs given out together.
//!
//! One run at a time, on a thread of the guard's own, so that people at their desks are not crowded out. A run that a
//! process left behind is gone on with when a guard serves again. Outputs are read from what is kept of releases, so
//! that what was called back is not given out.

mod binding;
mod file;
mod run;
mod shelf;

pub(crate) use shelf::KIND;

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use engine_protocol::{
    AnalysisAct, AnalysisAsk, AnalysisOutput, AnalysisOutputs, AnalysisReply, AnalysisRun, AnalysisState,
    AnalysisStep, Question, ReleasedTable, StepCame,
};
use ring::digest::{SHA256, digest};
use time::format_description::well_known::Rfc3339;

use crate::cases::{self, RetainedFiles, Standing};
use crate::guard::{Guard, GuardError};
use crate::query;
use file::{Analysis, Gives};
use shelf::{Shelf, Stored};

/// Runs of one person in one project that may wait.
const WAITING: usize = 4;
/// Runs of one person in one project that are kept; a further one lets the oldest that has ended go.
const KEPT: usize = 100;

/// The runs that wait for their turn.
#[derive(Debug, Default)]
pub(crate) struct Analyses {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Turn>,
    running: Option<Turn>,
    /// Whether the run at hand is to stop after its step.
    is_to_stop: bool,
    is_closed: bool,
    /// Whether a later guard is to go on with the run at hand.
    is_left: bool,
}

/// A run: its project and id.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Turn(String, String);

impl Analyses {
    // A panic while the lock is held leaves the queue whole: every change is one call.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, turn: Turn) {
        let mut queue = self.queue();
        if queue.running.as_ref() != Some(&turn) && !queue.waiting.contains(&turn) {
            queue.waiting.push_back(turn);
            self.changed.notify_all();
        }
    }

    /// The next run, once there is one; nothing when no more come.
    fn next(&self) -> Option<Turn> {
        let mut queue = self.queue();
        loop {
            if queue.is_closed {
                return None;
            }
            if let Some(turn) = queue.waiting.pop_front() {
                queue.running = Some(turn.clone());
                queue.is_to_stop = false;
                return Some(turn);
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is_here(&self, turn: &Turn) -> bool {
        let queue = self.queue();
        queue.running.as_ref() == Some(turn) || queue.waiting.contains(turn)
    }

    /// Ends the run after its step, or takes it out of the queue; says whether it was waiting.
    fn stop(&self, turn: &Turn) -> bool {
        let mut queue = self.queue();
        if queue.running.as_ref() == Some(turn) {
            queue.is_to_stop = true;
        }
        let before = queue.waiting.len();
        queue.waiting.retain(|waits| waits != turn);
        queue.waiting.len() < before
    }

    /// Lets [`work`] end; the step at hand is stopped.
    pub(crate) fn close(&self) {
        let mut queue = self.queue();
        queue.is_closed = true;
        self.changed.notify_all();
    }

    /// As [`Analyses::close`], and the run at hand waits for the next guard, which goes on with it.
    pub(crate) fn leave(&self) {
        self.queue().is_left = true;
        self.close();
    }

    /// Where a run that is not done is left: stopped, unless the next guard goes on with it.
    fn left(&self) -> AnalysisState {
        let queue = self.queue();
        if queue.is_left && !queue.is_to_stop { AnalysisState::Queued } else { AnalysisState::Stopped }
    }
}

/// Runs what waits until [`Analyses::close`].
pub(crate) fn work(guard: &Guard) {
    let analyses = &guard.analyses;
    while let Some(Turn(project, id)) = analyses.next() {
        let is_to_stop = || {
            let queue = analyses.queue();
            queue.is_to_stop || queue.is_closed
        };
        // Where the disk says no, the run stays as it lies and is found interrupted.
        let _ = run::work(guard, (&project, &id), &is_to_stop);
        analyses.queue().running = None;
    }
}

/// Goes on with what an earlier guard left behind.
pub(crate) fn go_on(guard: &Guard) {
    for Stored { project, run, .. } in Shelf::of(&guard.workspaces).unended() {
        guard.analyses.put(Turn(project, run.id));
    }
}

/// Answers what is asked of a project's analyses.
pub(crate) fn answer(guard: &Guard, asked: &AnalysisAsk) -> Result<AnalysisReply, GuardError> {
    let AnalysisAsk { user, project, act } = asked;
    let question = Question { user: user.clone(), project: project.clone(), sql: String::new() };
    if guard.halts.is_halted(project) || query::permit(guard, &question)?.is_none() {
        return Ok(AnalysisReply::Denied);
    }
    let shelf = Shelf::of(&guard.workspaces);
    let find = |id: &str| shelf.read(project, id).filter(|stored| stored.run.by == *user);
    let found = match act {
        AnalysisAct::Submit { text } => return submit(guard, &shelf, &question, text),
        AnalysisAct::List => return Ok(list(guard, &shelf, &question)),
        AnalysisAct::Look { id }
        | AnalysisAct::Stop { id }
        | AnalysisAct::Resume { id }
        | AnalysisAct::Outputs { id } => find(id),
    };
    let Some(stored) = found else { return Ok(AnalysisReply::NotFound) };
    match act {
        AnalysisAct::Stop { .. } => stop(guard, &shelf, stored),
        AnalysisAct::Resume { .. } => resume(guard, &shelf, stored),
        AnalysisAct::Outputs { .. } => Ok(AnalysisReply::Outputs(Box::new(outputs(guard, stored)?))),
        AnalysisAct::Submit { .. } | AnalysisAct::List | AnalysisAct::Look { .. } => {
            Ok(AnalysisReply::Run(seen(guard, &shelf, stored)))
        }
    }
}

fn submit(guard: &Guard, shelf: &Shelf<'_>, by: &Question, text: &str) -> Result<AnalysisReply, GuardError> {
    let analysis = match Analysis::parse(text) {
        Ok(analysis) => analysis,
        Err(fault) => {
            let file::AnalysisFault { place, message, ja } = fault;
            return Ok(AnalysisReply::Unfit { place, message, message_ja: ja });
        }
    };
    let mut theirs = shelf.of_project(&by.project);
    theirs.retain(|stored| stored.run.by == by.user);
    let is_waiting = |stored: &&Stored| !stored.run.state.has_ended() && is_alive(guard, shelf, stored);
    if theirs.iter().filter(is_waiting).count() >= WAITING {
        return Ok(AnalysisReply::TooMany);
    }
    theirs.retain(|stored| stored.run.state.has_ended());
    theirs.sort_by(|one, other| one.run.at.cmp(&other.run.at));
    for old in theirs.iter().take((theirs.len() + 1).saturating_sub(KEPT)) {
        shelf.remove(old)?;
    }
    let step = |step: file::Step| AnalysisStep { name: step.name, sql: step.sql, came: StepCame::Nothing };
    let run = AnalysisRun {
        id: guard.workspaces.new_id()?,
        name: analysis.name,
        by: by.user.clone(),
        at: guard.now().format(&Rfc3339).unwrap_or_default(),
        digest: digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        state: AnalysisState::Queued,
        steps: analysis.steps.into_iter().map(step).collect(),
    };
    let stored = Stored { project: by.project.clone(), text: text.to_owned(), run };
    shelf.add(&stored)?;
    guard.analyses.put(Turn(stored.project, stored.run.id.clone()));
    Ok(AnalysisReply::Run(stored.run))
}

fn list(guard: &Guard, shelf: &Shelf<'_>, by: &Question) -> AnalysisReply {
    let mut theirs = shelf.of_project(&by.project);
    theirs.retain(|stored| stored.run.by == by.user);
    theirs.sort_by(|one, other| (&other.run.at, &other.run.id).cmp(&(&one.run.at, &one.run.id)));
    AnalysisReply::List { runs: theirs.into_iter().map(|stored| seen(guard, shelf, stored)).collect() }
}

/// Whether some process has the run: this one, or another that holds it.
fn is_alive(guard: &Guard, shelf: &Shelf<'_>, stored: &Stored) -> bool {
    let turn = Turn(stored.project.clone(), stored.run.id.clone());
    // What cannot be looked at is left to whoever may have it.
    guard.analyses.is_here(&turn) || shelf.is_held(&turn.0, &turn.1).unwrap_or(true)
}

/// The run as it stands: what nobody works on and has not ended was interrupted.
fn seen(guard: &Guard, shelf: &Shelf<'_>, stored: Stored) -> AnalysisRun {
    if stored.run.state.has_ended() || is_alive(guard, shelf, &stored) {
        return stored.run;
    }
    // It may have ended between the two looks.
    let again = shelf.read(&stored.project, &stored.run.id).unwrap_or(stored);
    let state = if again.run.state.has_ended() { again.run.state } else { AnalysisState::Interrupted };
    AnalysisRun { state, ..again.run }
}

fn stop(guard: &Guard, shelf: &Shelf<'_>, mut stored: Stored) -> Result<AnalysisReply, GuardError> {
    let turn = Turn(stored.project.clone(), stored.run.id.clone());
    if guard.analyses.stop(&turn) || !is_alive(guard, shelf, &stored) && !stored.run.state.has_ended() {
        stored.run.state = AnalysisState::Stopped;
        shelf.write(&stored)?;
    }
    Ok(AnalysisReply::Run(seen(guard, shelf, stored)))
}

fn resume(guard: &Guard, shelf: &Shelf<'_>, mut stored: Stored) -> Result<AnalysisReply, GuardError> {
    if stored.run.state != AnalysisState::Done && !is_alive(guard, shelf, &stored) {
        stored.run.state = AnalysisState::Queued;
        shelf.write(&stored)?;
        guard.analyses.put(Turn(stored.project.clone(), stored.run.id.clone()));
    }
    Ok(AnalysisReply::Run(seen(guard, shelf, stored)))
}

/// The declared outputs that are out now, with what is needed to say where they come from.
fn outputs(guard: &Guard, stored: Stored) -> Result<AnalysisOutputs, GuardError> {
    let steps = Analysis::parse(&stored.text).map(|analysis| analysis.steps).unwrap_or_default();
    let mut outputs = Vec::new();
    for (step, ran) in steps.into_iter().zip(&stored.run.steps) {
        let (Gives::Output(ja, en), StepCame::Released { query }) = (step.gives, &ran.came) else { continue };
        if let Some(table) = released(guard, &stored.project, query)? {
            outputs.push(AnalysisOutput { step: step.name, title: (ja, en), table });
        }
    }
    let program = concat!("misu ", env!("CARGO_PKG_VERSION")).to_owned();
    let Stored { project, text, run } = stored;
    Ok(AnalysisOutputs { run, project, text, program, outputs })
}

/// The kept copy of a release with its certificate; nothing where it was called back, or people look at it again.
fn released(guard: &Guard, project: &str, query: &str) -> Result<Option<ReleasedTable>, GuardError> {
    if matches!(
        cases::standing(&guard.office()?, project, query)?,
        Some(Standing::Inside | Standing::Held(_))
    ) {
        return Ok(None);
    }
    let files = RetainedFiles::new(&guard.environment);
    let kept = files.find(project, query)?;
    let certificate = std::fs::read_to_string(files.note(project, query)).ok();
    Ok(kept.filter(|_| certificate.is_some()).map(|kept| ReleasedTable { certificate, ..kept.table }))
}
