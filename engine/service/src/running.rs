//! Questions that run: their asker sees how far they are, and stops them by a word or by going away.
//!
//! A question is found by its user, its project and the asker's own word together, so nobody finds another's. What a
//! stop does to a worker is the worker's matter; what it means for the record and the reply is the question's.

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
}

impl Asking<'static> {
    /// A question without a word, whose asker stays.
    pub(crate) const STAYS: Self = Self { name: None, is_gone: &|| false };
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
    stage: Mutex<RunStage>,
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
            stage: Mutex::new(RunStage::Vetting),
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
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Run<'a> {
    /// Says how far the question is.
    pub(crate) fn is_at(&self, stage: RunStage) {
        *self.known.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
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

    use engine_protocol::{RunName, RunStage, RunningAct, RunningAsk, RunningReply};

    use super::{Asking, Running};

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
        let run = running.begin(("one", "p"), &Asking { name: None, is_gone: &is_gone });
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
