//! Audits that a data officer orders: of an answer that was withheld because not all earlier ones of its family were
//! audited with it.
//!
//! Nothing is kept of such an answer: its question lies with the texts of all that were asked, and the snapshot does not
//! change, so it is computed once more, in its asker's name and under their permit as it is now. The audit takes in as
//! much as there is. An answer that passes is kept in the ledger, where the same question finds it; one that does not
//! stays withheld. Which of both, the record says, and the officer is told; whoever asked sees the one sign as before.

use std::collections::BTreeMap;

use audit::{Entry, Kind, Outcome};
use engine_protocol::{Question, Verdict};

use crate::guard::{Guard, GuardError};
use crate::query::{self, AUDITED};
use crate::releasing::BEYOND;
use crate::reporting::said;
use crate::running::Asking;

/// A question whose answer waits for an audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its id in the record.
    pub query: String,
    /// Who asked.
    pub user: String,
    /// For which project.
    pub project: String,
    /// The digest of its text.
    text: String,
}

/// Why an answer does not pass an audit that was ordered.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// No such question waits.
    #[error("no question {0} was withheld for an audit; `misu questions audit` lists those that were")]
    NotWaiting(String),
    /// Its text is gone.
    #[error("the text of {0} was removed; the question has to be asked again")]
    Forgotten(String),
    /// It may not be asked any more.
    #[error("{query} may not be asked now: {}", .verdict.message.as_deref().unwrap_or("the permit does not say so"))]
    NotAllowed {
        /// The question.
        query: String,
        /// What was said of it.
        verdict: Box<Verdict>,
    },
    /// Everything was taken in, and the answer stays withheld.
    #[error("the answer to {query} stays withheld ({reason})")]
    Withheld {
        /// The question.
        query: String,
        /// What the record says of the audit.
        reason: String,
    },
    /// The answer was not computed: it was stopped, or something failed.
    #[error("the answer to {query} was not computed ({reason}); order the audit again")]
    NotComputed {
        /// The question.
        query: String,
        /// What the record says of it.
        reason: String,
    },
    /// The guard cannot work.
    #[error(transparent)]
    Guard(#[from] GuardError),
}

/// The questions that were withheld for an audit and not audited since, the oldest first.
///
/// # Errors
///
/// The record cannot be read.
pub fn waiting(guard: &Guard) -> Result<Vec<Waiting>, GuardError> {
    let (mut opened, mut audits) = (BTreeMap::new(), BTreeMap::new());
    let mut waiting: BTreeMap<u64, Waiting> = BTreeMap::new();
    for entry in Entry::all(guard.log.path()).map_err(GuardError::Record)? {
        let entry = entry.map_err(GuardError::Record)?;
        let Some(query) = entry.subject() else { continue };
        match (entry.kind(), said(&entry, "audits")) {
            (Kind::QueryOpened, "") => {
                opened.insert(query.to_owned(), (entry.seq(), said(&entry, "sql").to_owned()));
            }
            (Kind::QueryOpened, of) => {
                audits.insert(query.to_owned(), of.to_owned());
            }
            (Kind::QueryClosed, _) => {
                if let Some(of) = audits.remove(query) {
                    let is_done = said(&entry, "outcome") == "withheld";
                    waiting.retain(|_, waits| !is_done || waits.query != of);
                } else if let Some((seq, text)) = opened.remove(query)
                    && said(&entry, "reason") == BEYOND
                {
                    let (user, project) =
                        (entry.who().to_owned(), entry.project().unwrap_or_default().to_owned());
                    waiting.insert(seq, Waiting { query: query.to_owned(), user, project, text });
                }
            }
            _ => {}
        }
    }
    Ok(waiting.into_values().collect())
}

/// Audits the answer to a question that waits, by order of an officer. Whoever asks the question gets its answer from
/// then on.
///
/// The ledger stands still meanwhile: no other answer is released before this one is judged.
///
/// # Errors
///
/// The question does not wait, its text is gone, it may not be asked any more, its answer does not pass, or the guard
/// cannot work.
pub fn order(guard: &Guard, officer: &str, query: &str) -> Result<(), OrderError> {
    let waits = waiting(guard)?.into_iter().find(|waits| waits.query == query);
    let waits = waits.ok_or_else(|| OrderError::NotWaiting(query.to_owned()))?;
    let texts = guard.texts.read().map_err(GuardError::from)?.texts;
    let text = texts.into_iter().find(|text| text.digest == waits.text);
    let text = text.ok_or_else(|| OrderError::Forgotten(query.to_owned()))?;
    let question = Question { user: text.user, project: text.project, sql: text.sql };
    let running = guard.running.begin((&question.user, &question.project), &Asking::STAYS);
    let ended = query::ordered(guard, (officer, query), &question, &running)?;
    let query = query.to_owned();
    match ended {
        Err(verdict) => Err(OrderError::NotAllowed { query, verdict: Box::new(verdict) }),
        Ok(Outcome::Withheld { reason }) if reason == AUDITED => Ok(()),
        Ok(Outcome::Withheld { reason }) => Err(OrderError::Withheld { query, reason }),
        Ok(Outcome::Stopped { reason } | Outcome::Failed { fault: reason }) => {
            Err(OrderError::NotComputed { query, reason })
        }
        Ok(Outcome::Released { .. } | Outcome::Kept { .. }) => {
            Err(GuardError::Bug("an audit hands nothing out").into())
        }
    }
}
