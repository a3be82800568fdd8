//! One run, step after step. Each step is a question of whoever submitted the file, judged, recorded and protected as
//! if they asked it now: a permit that ended or a halt ends the run.
//!
//! What came of a step is on disk before the next begins, so that a run that was cut off goes on where it stood. A step
//! that was under way is asked again: an answer that was released before is the same answer, and a table that was kept
//! since the step began is that step's.

use engine_protocol::{AnalysisState, ClientReply, Governed, Question, StepCame, Verdict, VerdictKind};

use super::file::{Analysis, Gives, Step};
use super::shelf::{Shelf, Stored};
use crate::guard::{Guard, GuardError};
use crate::query;
use crate::running::Asking;
use crate::verdicts::no;

/// Works on a run until it has ended or is to stop. Nothing where another process does, or the run is gone.
pub(super) fn work(
    guard: &Guard,
    (project, id): (&str, &str),
    is_to_stop: &dyn Fn() -> bool,
) -> Result<(), GuardError> {
    let shelf = Shelf::of(&guard.workspaces);
    let Some(_hold) = shelf.hold(project, id).map_err(GuardError::Analysis)? else { return Ok(()) };
    let Some(mut stored) = shelf.read(project, id) else { return Ok(()) };
    let keep = |stored: &Stored| shelf.write(stored);
    let Ok(analysis) = Analysis::parse(&stored.text) else {
        // A later version may read files in another way.
        stored.run.state = AnalysisState::Failed;
        return keep(&stored);
    };
    stored.run.state = AnalysisState::Running;
    for (at, step) in analysis.steps.iter().enumerate() {
        let Some(before) = stored.run.steps.get(at).map(|step| step.came.clone()) else { break };
        if is_good(&before, &step.gives) {
            continue;
        }
        if is_to_stop() {
            stored.run.state = guard.analyses.left();
            return keep(&stored);
        }
        let began = if let StepCame::Begun { at } = before { at } else { guard.seconds() };
        came(&mut stored, at, StepCame::Begun { at: began });
        keep(&stored)?;
        let after = ask(guard, &stored, step, (began, is_to_stop));
        if matches!(after, StepCame::Begun { .. }) {
            stored.run.state = guard.analyses.left();
            return keep(&stored);
        }
        let goes_on = is_good(&after, &step.gives);
        came(&mut stored, at, after);
        if !goes_on {
            stored.run.state = AnalysisState::Failed;
            return keep(&stored);
        }
        keep(&stored)?;
    }
    stored.run.state = AnalysisState::Done;
    keep(&stored)
}

fn came(stored: &mut Stored, at: usize, came: StepCame) {
    if let Some(step) = stored.run.steps.get_mut(at) {
        step.came = came;
    }
}

/// Whether the steps behind can be done. An output that stays inside hinders no other.
const fn is_good(came: &StepCame, gives: &Gives) -> bool {
    match (came, gives) {
        (StepCame::Kept { .. }, Gives::Keeps(_))
        | (StepCame::Released { .. } | StepCame::Held { .. } | StepCame::Withheld, Gives::Output(..)) => true,
        (
            StepCame::Nothing
            | StepCame::Begun { .. }
            | StepCame::Kept { .. }
            | StepCame::Released { .. }
            | StepCame::Held { .. }
            | StepCame::Withheld
            | StepCame::No { .. }
            | StepCame::Fault,
            _,
        ) => false,
    }
}

/// What came of a step that began then; it is still under way where it was stopped.
fn ask(
    guard: &Guard,
    stored: &Stored,
    step: &Step,
    (began, is_to_stop): (i64, &dyn Fn() -> bool),
) -> StepCame {
    if let Gives::Keeps(name) = &step.gives
        && let Some(query) = kept_since(guard, stored, name, began)
    {
        return StepCame::Kept { query };
    }
    let question =
        Question { user: stored.run.by.clone(), project: stored.project.clone(), sql: step.sql.clone() };
    // Whoever stops the run goes away from the step that is under way.
    let asking = Asking { is_gone: is_to_stop, ..Asking::STAYS };
    let running = guard.running.begin((&question.user, &question.project), &asking);
    match query::answer(guard, &question, &running) {
        Ok(ClientReply::Released(table)) => match step.gives {
            Gives::Keeps(_) => StepCame::Kept { query: table.query },
            Gives::Output(..) if table.certificate.is_some() => StepCame::Released { query: table.query },
            Gives::Output(..) => StepCame::No { verdict: Box::new(no_release()) },
        },
        Ok(ClientReply::Verdict(verdict)) => StepCame::No { verdict: Box::new(verdict) },
        Ok(ClientReply::Withheld) => StepCame::Withheld,
        Ok(ClientReply::Stopped) => StepCame::Begun { at: began },
        Ok(ClientReply::Governed(Governed::Held { output })) => StepCame::Held { output },
        Ok(_) | Err(_) => StepCame::Fault,
    }
}

/// The query that kept a table of this name for the run's asker since the step began: the step was cut off behind it.
fn kept_since(guard: &Guard, stored: &Stored, name: &str, began: i64) -> Option<String> {
    let space = guard.workspaces.read(&stored.project).ok()?;
    let kept = space.tables.get(name)?;
    (kept.by == stored.run.by && kept.made >= began && kept.expires > guard.seconds())
        .then(|| kept.query.clone())
}

/// What may be asked, and what is done with the project's own tables, is no release.
fn no_release() -> Verdict {
    let message = "an output is a table that is released; this statement releases nothing";
    let ja = "出力は公表される表です。この文は何も公表しません".to_owned();
    no(VerdictKind::Refused, "analysis".to_owned(), (message.to_owned(), Some(ja)), None, None)
}
