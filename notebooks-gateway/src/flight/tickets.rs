//! Tickets: random words that stand for one released table, for their owner, once, for some minutes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine_protocol::ReleasedTable;

use crate::caller::Owner;
use crate::gateway::{Gateway, NoRandomness};
use crate::secret;

/// How long a ticket is good.
const GOOD: Duration = Duration::from_secs(10 * 60);
/// Tickets of one owner; a further one lets the oldest go.
const OF_ONE: usize = 32;

/// All tickets that are good.
#[derive(Debug, Default)]
pub(super) struct Tickets(Mutex<HashMap<String, Ticket>>);

#[derive(Debug)]
struct Ticket {
    owner: Owner,
    at: Duration,
    /// The question's id, to forget it by.
    question: String,
    table: Arc<ReleasedTable>,
}

impl Tickets {
    /// A ticket for a table that was released to this owner.
    pub(super) fn issue(
        &self,
        gateway: &Gateway,
        owner: Owner,
        question: &str,
        table: Arc<ReleasedTable>,
    ) -> Result<String, NoRandomness> {
        let word = secret::word(&gateway.parts().sources)?;
        let at = gateway.now();
        let mut all = self.lock();
        all.retain(|_, ticket| at.saturating_sub(ticket.at) < GOOD);
        let theirs = all.iter().filter(|(_, ticket)| ticket.owner == owner);
        if theirs.clone().count() >= OF_ONE
            && let Some(oldest) = theirs.min_by_key(|(_, ticket)| ticket.at).map(|(word, _)| word.clone())
        {
            all.remove(&oldest);
        }
        all.insert(word.clone(), Ticket { owner, at, question: question.to_owned(), table });
        Ok(word)
    }

    /// The table of a ticket, which is spent with it. Somebody else's ticket is one that is not there, and stays
    /// good for its owner.
    pub(super) fn spend(&self, gateway: &Gateway, owner: &Owner, word: &str) -> Option<Arc<ReleasedTable>> {
        self.take(gateway, owner, word).map(|ticket| ticket.table)
    }

    /// Tears a ticket up unspent and gives the question's id.
    pub(super) fn tear(&self, gateway: &Gateway, owner: &Owner, word: &str) -> Option<String> {
        self.take(gateway, owner, word).map(|ticket| ticket.question)
    }

    fn take(&self, gateway: &Gateway, owner: &Owner, word: &str) -> Option<Ticket> {
        let now = gateway.now();
        let mut all = self.lock();
        let is_good = |ticket: &&Ticket| ticket.owner == *owner && now.saturating_sub(ticket.at) < GOOD;
        all.get(word).filter(is_good)?;
        all.remove(word)
    }

    // A panic while the lock is held leaves the map whole: every change is one call.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Ticket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
