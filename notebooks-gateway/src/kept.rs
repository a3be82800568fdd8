//! Questions that callers asked and what came of them: kept in memory for a while, each found by its owner alone.
//!
//! A question runs in a task of its own. Whoever asked may go away and come back, and asking again under the same
//! word of their own (an idempotency key) gives the question that runs or ran already.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine_protocol::{ReleasedTable, RunName};
use tokio::sync::watch;

use crate::caller::{Answer, Ask, Caller, Owner};
use crate::gateway::{Gateway, NoRandomness};
use crate::guard::AskError;
use crate::secret;

/// How long a question and its answer are kept after it was asked.
const KEPT: Duration = Duration::from_secs(60 * 60);
/// Questions of one owner that are kept; a further one lets the oldest finished one go.
const OF_ONE: usize = 64;
/// Questions of one owner that may run at the same time.
const RUNNING: usize = 4;
/// Cells that all kept tables together may have; beyond, the oldest are let go.
const CELLS: usize = 4_000_000;

/// The rule pack's place in a table that says what may be asked.
const METADATA: &str = "metadata";

/// How a question ended.
pub(crate) type Outcome = Arc<Result<Answer, AskError>>;

/// A question that was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// A random word by which its owner finds it again.
    pub(crate) id: String,
    outcome: watch::Receiver<Option<Outcome>>,
}

/// Why a question is not begun.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotBegun {
    /// The same idempotency key came with another question.
    #[error("the idempotency key belongs to another question")]
    OtherQuestion,
    /// The owner has as many questions running as allowed.
    #[error("too many questions of one caller at once")]
    TooMany,
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// All questions.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<HashMap<String, Question>>);

#[derive(Debug)]
struct Question {
    owner: Owner,
    at: Duration,
    key: Option<String>,
    ask: Ask,
    outcome: watch::Receiver<Option<Outcome>>,
}

impl Asked {
    /// Waits for the outcome, for at most `patience`; none where the question is still running.
    pub(crate) async fn wait(&mut self, patience: Duration) -> Option<Outcome> {
        let waited = tokio::time::timeout(patience, self.outcome.wait_for(Option::is_some)).await;
        match waited {
            Ok(Ok(outcome)) => outcome.clone(),
            // The task that asks went away without a word.
            Ok(Err(_)) => Some(Arc::new(Err(AskError::Lost))),
            Err(_) => None,
        }
    }
}

impl Gateway {
    /// Begins a question, or finds the one that this key belongs to already.
    pub(crate) fn begin(&self, caller: &Caller, ask: Ask, key: Option<String>) -> Result<Asked, NotBegun> {
        let (owner, now) = (caller.owner(), self.now());
        let id = secret::word(&self.parts().sources)?;
        let (sender, outcome) = watch::channel(None);
        {
            let mut all = self.parts().kept.lock();
            all.retain(|_, question| question.is_kept(now));
            let same =
                all.iter().find(|(_, known)| key.is_some() && known.key == key && known.owner == owner);
            if let Some((id, known)) = same {
                let asked = Asked { id: id.clone(), outcome: known.outcome.clone() };
                return if known.ask == ask { Ok(asked) } else { Err(NotBegun::OtherQuestion) };
            }
            make_room(&mut all, &owner)?;
            let question = Question { owner, at: now, key, ask: ask.clone(), outcome: outcome.clone() };
            all.insert(id.clone(), question);
        }
        let (gateway, caller) = (self.clone(), caller.clone());
        let name = RunName::parse(id.as_str()).ok();
        tokio::spawn(async move {
            let outcome = gateway.ask_under(&caller, ask, name).await;
            sender.send_replace(Some(Arc::new(outcome)));
            let_go(&mut gateway.parts().kept.lock(), CELLS);
        });
        Ok(Asked { id, outcome })
    }

    /// The question with this id and its text, for its owner alone. A template has no text of its asker's.
    pub(crate) fn asked(&self, owner: &Owner, id: &str) -> Option<(Asked, String)> {
        let now = self.now();
        let all = self.parts().kept.lock();
        let found = all.get(id).filter(|question| question.owner == *owner && question.is_kept(now))?;
        let sql = if let Ask::Query(sql) = &found.ask { sql.clone() } else { String::new() };
        Some((Asked { id: id.to_owned(), outcome: found.outcome.clone() }, sql))
    }

    /// Forgets a question of this owner; says whether there was one.
    fn forget(&self, owner: &Owner, id: &str) -> bool {
        let mut all = self.parts().kept.lock();
        let is_theirs = all.get(id).is_some_and(|question| question.owner == *owner);
        is_theirs && all.remove(id).is_some()
    }

    /// Forgets a caller's question, and stops it where it runs; says whether there was one.
    pub(crate) async fn give_up(&self, caller: &Caller, id: &str) -> bool {
        let is_theirs = self.forget(&caller.owner(), id);
        if is_theirs {
            self.stop_for(caller, id).await;
        }
        is_theirs
    }

    /// The released table of a question, by the question's id here or by the query's id in the record, for its owner
    /// alone.
    pub(crate) fn result(&self, owner: &Owner, id: &str) -> Option<Arc<ReleasedTable>> {
        let now = self.now();
        let all = self.parts().kept.lock();
        let is_theirs = |question: &&Question| question.owner == *owner && question.is_kept(now);
        if let Some(question) = all.get(id).filter(is_theirs) {
            return question.released();
        }
        // What may be asked (`misu.columns`) is no query of the record: many questions have the same name there.
        let is_it = |table: &Arc<ReleasedTable>| table.query == id && table.rules != METADATA;
        all.values().filter(is_theirs).find_map(|question| question.released().filter(is_it))
    }
}

impl Question {
    fn is_kept(&self, now: Duration) -> bool {
        now.saturating_sub(self.at) < KEPT
    }

    fn is_running(&self) -> bool {
        self.outcome.borrow().is_none() && self.outcome.has_changed().is_ok()
    }

    fn released(&self) -> Option<Arc<ReleasedTable>> {
        match self.outcome.borrow().as_deref() {
            Some(Ok(Answer::Released(table))) => Some(Arc::clone(table)),
            _ => None,
        }
    }
}

impl Kept {
    // A panic while the lock is held leaves the map whole: every change is one call.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Question>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the owner's oldest finished question go where they have as many as are kept.
fn make_room(all: &mut HashMap<String, Question>, owner: &Owner) -> Result<(), NotBegun> {
    let mut theirs: Vec<(Duration, String, bool)> = all
        .iter()
        .filter(|(_, question)| question.owner == *owner)
        .map(|(id, question)| (question.at, id.clone(), question.is_running()))
        .collect();
    if theirs.iter().filter(|(_, _, is_running)| *is_running).count() >= RUNNING {
        return Err(NotBegun::TooMany);
    }
    theirs.sort_unstable();
    let finished = theirs.iter().filter(|(_, _, is_running)| !is_running);
    for (_, id, _) in finished.take((theirs.len() + 1).saturating_sub(OF_ONE)) {
        all.remove(id);
    }
    Ok(())
}

/// Lets the oldest tables go until the others have at most `most` cells; the newest one stays.
fn let_go(all: &mut HashMap<String, Question>, most: usize) {
    let cells = |table: &ReleasedTable| table.rows.len() * table.columns.len();
    let mut kept: Vec<(Duration, String, usize)> = all
        .iter()
        .filter_map(|(id, question)| Some((question.at, id.clone(), cells(&*question.released()?))))
        .collect();
    kept.sort_unstable_by(|one, two| two.cmp(one));
    let mut sum = 0_usize;
    for (number, (_, id, cells)) in kept.into_iter().enumerate() {
        sum = sum.saturating_add(cells);
        if number > 0 && sum > most {
            all.remove(&id);
        }
    }
}
