//! An entry with its persons packed, which takes a walk over all of them and no ledger: so it is done while the entry is
//! being written elsewhere.

use crate::both::both;
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
        let (packed, given) = both(|| packed(&self.cohorts), || act(&self));
        (ReadyEntry { entry: self, packed }, given)
    }

    pub(super) fn ready(self) -> ReadyEntry {
        ReadyEntry { packed: packed(&self.cohorts), entry: self }
    }
}

fn packed(cohorts: &[Cohort]) -> Vec<(Packed, Mark)> {
    cohorts.iter().map(|cohort| Packed::marked(&cohort.persons)).collect()
}
