//! Questions that run: their asker sees how far they are, and stops them by a word or by going away.
//!
//! A question is found by its user, its project and the asker's own word together, so nobody finds another's. What a
//! stop does to a worker is the worker's matter; what it means for the record and the reply is the question's.
//!
//! How long a question takes depends on the rows that it finds. Whoever asks from outside learns it in steps: an answer
//! goes out, and a stage is told, as of the last whole step since the question began.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use audit::Outcome;
use engine_protocol::{ClientReply, RunName, RunStage, RunningAct, RunningAsk, RunningReply};

/// The reason, in the record, of a question that its asker stopped.
const CANCELLED: &str = "cancelled";
/// The reason, in the record, of a question whose asker went away.
const GONE: &str = "asker-gone";
/// The reason, in the record, of a question that was not done when its guard ended.
const ENDED: &str = "guard-ended";

/// How often it is looked whether halts and permits stop a question; the asker's own wish is seen at once.
const NOW_AND_THEN: Duration = Duration::from_millis(250);

/// How a question came in.
pub(crate) struct Asking<'a> {
    /// The asker's word for it.
    pub(crate) name: Option<RunName>,
    /// Whether the asker has gone away.
    pub(crate) is_gone: &'a dyn Fn() -> bool,
    /// The steps in which the asker learns of time; none where it is zero.
    pub(crate) step: Duration,
}

impl Asking<'static> {
    /// A question without a word, whose asker stays and owns the environment.
    pub(crate) const STAYS: Self = Self { name: None, is_gone: &|| false, step: Duration::ZERO };
}

/// The questions that run in this guard.
#[derive(Default)]
pub(crate) struct Running {
    known: Mutex<Vec<Arc<Known>>>,
    is_closed: AtomicBool,
}

/// What everybody may see and do of a question that runs.
struct Known {
    user: String,
    project: String,
    name: Option<RunName>,
    begun: Instant,
    step: Duration,
    /// When each stage began, since the question did; the first is there from the beginning.
    stages: Mutex<Vec<(Duration, RunStage)>>,
    is_cancelled: AtomicBool,
    /// Whether its guard ends before it.
    is_ended: AtomicBool,
}

/// A question that runs, for as long as this value is there.
pub(crate) struct Run<'a> {
    running: &'a Running,
    known: Arc<Known>,
    is_gone: &'a dyn Fn() -> bool,
}

impl Running {
    /// Enters a question of this user and project.
    pub(crate) fn begin<'a>(&'a self, (user, project): (&str, &str), asking: &Asking<'a>) -> Run<'a> {
        let known = Arc::new(Known {
            user: user.to_owned(),
            project: project.to_owned(),
            name: asking.name.clone(),
            begun: Instant::now(),
            step: asking.step,
            stages: Mutex::default(),
            is_cancelled: AtomicBool::new(false),
            is_ended: AtomicBool::new(self.is_closed()),
        });
        self.lock().push(Arc::clone(&known));
        Run { running: self, known, is_gone: asking.is_gone }
    }

    /// Answers what is asked about a question. Where several have one word, each is stopped, and the last is told of.
    pub(crate) fn answer(&self, ask: &RunningAsk) -> RunningReply {
        let all = self.lock();
        let is_it = |known: &&Arc<Known>| {
            known.name.as_ref() == Some(&ask.name) && known.user == ask.user && known.project == ask.project
        };
        let Some(last) = all.iter().rev().find(is_it) else { return RunningReply::NotRunning };
        match ask.act {
            RunningAct::Stage => RunningReply::At { stage: last.stage() },
            RunningAct::Cancel => {
                let theirs = all.iter().filter(is_it);
                theirs.for_each(|known| known.is_cancelled.store(true, Ordering::Relaxed));
                RunningReply::Stopping
            }
        }
    }

    /// Lets no further question begin; those that run go on.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }

    /// Whether no further question may begin.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    /// Stops what runs.
    pub(crate) fn stop_all(&self) {
        self.lock().iter().for_each(|known| known.is_ended.store(true, Ordering::Relaxed));
    }

    // A panic while the lock is held leaves the list whole: every change is one call.
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Known>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn stage(&self) -> RunStage {
        as_of(&self.stages(), whole_steps(self.begun.elapsed(), self.step))
    }

    // A panic while the lock is held leaves the list whole: every change is one call.
    fn stages(&self) -> MutexGuard<'_, Vec<(Duration, RunStage)>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stage at a moment.
fn as_of(stages: &[(Duration, RunStage)], moment: Duration) -> RunStage {
    let begun = stages.iter().rev().find(|(begun, _)| *begun <= moment);
    begun.map_or(RunStage::Vetting, |(_, stage)| *stage)
}

/// The whole steps of a time; all of it where there are no steps.
fn whole_steps(time: Duration, step: Duration) -> Duration {
    time.saturating_sub(part_step(time, step))
}

/// What is left of a time until its next step; nothing at a step, and where there are no steps.
fn to_next_step(time: Duration, step: Duration) -> Duration {
    match part_step(time, step) {
        Duration::ZERO => Duration::ZERO,
        part => step.saturating_sub(part),
    }
}

fn part_step(time: Duration, step: Duration) -> Duration {
    let part = time.as_nanos().checked_rem(step.as_nanos()).unwrap_or(0);
    Duration::from_nanos(u64::try_from(part).unwrap_or(0))
}

impl<'a> Run<'a> {
    /// Says how far the question is.
    pub(crate) fn is_at(&self, stage: RunStage) {
        let at = self.known.begun.elapsed();
        self.known.stages().push((at, stage));
    }

    /// Waits for the end of the step in which the answer is there. What was only vetted tells nothing of rows and does
    /// not wait.
    pub(crate) fn to_next_step(&self) {
        if !self.known.stages().is_empty() {
            std::thread::sleep(to_next_step(self.known.begun.elapsed(), self.known.step));
        }
    }

    /// Why the question is to be stopped as its asker wishes, if they do.
    pub(crate) fn stopped(&self) -> Option<&'static str> {
        if self.known.is_cancelled.load(Ordering::Relaxed) {
            return Some(CANCELLED);
        }
        if self.known.is_ended.load(Ordering::Relaxed) {
            return Some(ENDED);
        }
        (self.is_gone)().then_some(GONE)
    }

    /// Looks again and again whether the question is to be stopped: for its asker, or for what `look` says.
    pub(crate) fn watch<'w>(&'w self, look: &'w dyn Fn() -> Option<&'static str>) -> Watch<'w> {
        Watch { run: self, look, looked: Cell::new(None), found: Cell::new(None) }
    }

    /// Who asks.
    pub(crate) fn user(&self) -> &str {
        &self.known.user
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.running.lock().retain(|known| !Arc::ptr_eq(known, &self.known));
    }
}

/// Looks whether a question is to be stopped. What was found once holds.
pub(crate) struct Watch<'a> {
    run: &'a Run<'a>,
    look: &'a dyn Fn() -> Option<&'static str>,
    looked: Cell<Option<Instant>>,
    found: Cell<Option<&'static str>>,
}

impl Watch<'_> {
    /// Why the question is to be stopped, if it is.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        if self.found.get().is_none() {
            self.found.set(self.run.stopped().or_else(|| self.now_and_then()));
        }
        self.found.get()
    }

    /// What it comes to when the question was stopped.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome::Stopped { reason: self.reason().unwrap_or("stopped").to_owned() }
    }

    /// The question that is watched.
    pub(crate) fn run(&self) -> &Run<'_> {
        self.run
    }

    fn now_and_then(&self) -> Option<&'static str> {
        if self.looked.get().is_some_and(|looked| looked.elapsed() < NOW_AND_THEN) {
            return None;
        }
        self.looked.set(Some(Instant::now()));
        (self.look)()
    }
}

/// What the asker is told of a question without an answer: that they stopped it, where they did, or that the guard
/// ended; otherwise every reason looks the same.
pub(crate) fn reply(outcome: &Outcome) -> ClientReply {
    match outcome {
        Outcome::Stopped { reason } if reason == CANCELLED || reason == GONE => ClientReply::Stopped,
        Outcome::Stopped { reason } if reason == ENDED => {
            let message = "the guard was asked to end before this question was answered; ask it again";
            ClientReply::Fault { message: message.to_owned() }
        }
        _ => ClientReply::Withheld,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use std::time::Duration;

    use engine_protocol::{RunName, RunStage, RunningAct, RunningAsk, RunningReply};

    use super::{Asking, Running, as_of, to_next_step, whole_steps};

    fn ask(user: &str, project: &str, name: &str, act: RunningAct) -> RunningAsk {
        let (user, project) = (user.to_owned(), project.to_owned());
        RunningAsk { user, project, name: RunName::parse(name).unwrap(), act }
    }

    fn asking(name: &str) -> Asking<'static> {
        Asking { name: RunName::parse(name).ok(), ..Asking::STAYS }
    }

    #[test]
    fn a_question_is_found_by_its_user_project_and_word_while_it_runs() {
        let running = Running::default();
        let stage = |user, project, name| running.answer(&ask(user, project, name, RunningAct::Stage));
        let run = running.begin(("one", "p"), &asking("w"));
        assert_eq!(stage("one", "p", "w"), RunningReply::At { stage: RunStage::Vetting });
        run.is_at(RunStage::Reading);
        assert_eq!(stage("one", "p", "w"), RunningReply::At { stage: RunStage::Reading });
        for (user, project, name) in [("two", "p", "w"), ("one", "q", "w"), ("one", "p", "v")] {
            assert_eq!(stage(user, project, name), RunningReply::NotRunning);
            let cancel = ask(user, project, name, RunningAct::Cancel);
            assert_eq!(running.answer(&cancel), RunningReply::NotRunning);
        }
        assert_eq!(run.stopped(), None);
        drop(run);
        assert_eq!(stage("one", "p", "w"), RunningReply::NotRunning);
    }

    #[test]
    fn time_is_told_in_whole_steps_since_the_question_began() {
        let ms = Duration::from_millis;
        let micro = Duration::from_micros;
        // A row more or less moves the end by microseconds; the answer goes out at the same moment.
        for time in [micro(50_001), micro(71_300), micro(71_318), micro(99_999)] {
            assert_eq!(time + to_next_step(time, ms(50)), ms(100), "{time:?}");
            assert_eq!(whole_steps(time, ms(50)), ms(50), "{time:?}");
        }
        assert_eq!(to_next_step(ms(100), ms(50)), Duration::ZERO);
        let stages = [(ms(1), RunStage::Waiting), (ms(2), RunStage::Reading), (ms(71), RunStage::Protecting)];
        let told = |time| as_of(&stages, whole_steps(time, ms(50)));
        assert_eq!(told(ms(49)), RunStage::Vetting);
        assert_eq!((told(ms(50)), told(ms(99))), (RunStage::Reading, RunStage::Reading));
        assert_eq!(told(ms(100)), RunStage::Protecting);
        // Whoever owns the environment is told at once.
        assert_eq!((whole_steps(ms(71), ms(0)), to_next_step(ms(71), ms(0))), (ms(71), ms(0)));
    }

    #[test]
    fn a_question_that_ran_waits_for_its_step_and_is_found_until_then() {
        let running = Running::default();
        let step = Duration::from_millis(40);
        let run = running.begin(("one", "p"), &Asking { step, ..asking("w") });
        run.is_at(RunStage::Reading);
        run.to_next_step();
        assert!(run.known.begun.elapsed() >= step);
        // The stage that began in the first step is told from its end on.
        let at = running.answer(&ask("one", "p", "w", RunningAct::Stage));
        assert_eq!(at, RunningReply::At { stage: RunStage::Reading });
    }

    #[test]
    fn a_word_stops_every_question_that_has_it_and_no_other() {
        let running = Running::default();
        let runs = ["w", "w", "v"].map(|name| running.begin(("one", "p"), &asking(name)));
        let unnamed = running.begin(("one", "p"), &Asking::STAYS);
        assert_eq!(running.answer(&ask("one", "p", "w", RunningAct::Cancel)), RunningReply::Stopping);
        assert_eq!(runs.each_ref().map(|run| run.stopped()), [Some("cancelled"), Some("cancelled"), None]);
        assert_eq!(unnamed.stopped(), None);
    }

    #[test]
    fn an_asker_who_goes_away_stops_the_question_and_what_was_found_holds() {
        let (running, is_there) = (Running::default(), Cell::new(true));
        let is_gone = || !is_there.get();
        let run = running.begin(("one", "p"), &Asking { is_gone: &is_gone, ..Asking::STAYS });
        let looks = Cell::new(0);
        let look = || {
            looks.set(looks.get() + 1);
            None
        };
        let watch = run.watch(&look);
        assert_eq!([watch.reason(), watch.reason()], [None, None]);
        assert_eq!(looks.get(), 1, "permits are not read at every look");
        is_there.set(false);
        assert_eq!(watch.reason(), Some("asker-gone"));
        is_there.set(true);
        assert_eq!(watch.reason(), Some("asker-gone"));
    }
}
