//! An entry with its persons packed, which takes a walk over all of them and no ledger: so it is done while the entry is
//! being written elsewhere.

use std::thread;

use crate::ledger::packed::{Mark, Packed};
use crate::ledger::{Cohort, LedgerEntry};

/// An entry that a ledger keeps without a further look at its persons.
#[derive(Debug)]
pub struct ReadyEntry {
    pub(super) entry: LedgerEntry,
    /// The persons of each cohort, in their order.
    pub(super) packed: Vec<(Packed, Mark)>,
}

impl LedgerEntry {
    /// Makes it ready while something is done with it, which may fail: what that gave.
    pub fn ready_while<T>(self, act: impl FnOnce(&Self) -> T) -> (ReadyEntry, T) {
        let (packed, given) = thread::scope(|scope| {
            let packing = thread::Builder::new().spawn_scoped(scope, || packed(&self.cohorts));
            let given = act(&self);
            (packing.ok().and_then(|packing| packing.join().ok()), given)
        });
        let ready = match packed {
            Some(packed) => ReadyEntry { entry: self, packed },
            // There was no thread to be had.
            None => self.ready(),
        };
        (ready, given)
    }

    pub(super) fn ready(self) -> ReadyEntry {
        ReadyEntry { packed: packed(&self.cohorts), entry: self }
    }
}

fn packed(cohorts: &[Cohort]) -> Vec<(Packed, Mark)> {
    cohorts.iter().map(|cohort| Packed::marked(&cohort.persons)).collect()
}
