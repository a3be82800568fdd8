//! Which kept cohorts are audited together with new ones: the nearest, up to fixed numbers.
//!
//! A kept cohort is read once, and counted against all new ones at the same time ([`Atoms::shared`]).

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::atoms::Atoms;
use crate::ledger::possible::MOST;
use crate::ledger::same::AsIn;
use crate::ledger::{Cohort, Kept, Ledger};

/// Kept cohorts of one family that are audited together with a new table, the nearest first.
const FAMILY: usize = 256;
/// Kept cohorts of other families that are audited with them, the nearest first.
const OTHERS: usize = 64;
/// Persons that are compared at most to find the nearest of many.
const COMPARED: u64 = 4_000_000;

/// Finds kept cohorts near new ones.
pub(super) struct Nearby<'l> {
    ledger: &'l Ledger,
    new: &'l [&'l Cohort],
    as_in: Option<&'l AsIn<'l>>,
    /// The new cohorts' atoms.
    atoms: &'l Atoms,
    /// Who is in a new cohort at all, a bit for each person.
    anybody: Vec<u64>,
    /// How near a kept cohort is to the nearest new one, where they share somebody.
    known: BTreeMap<usize, Option<u64>>,
}

impl<'l> Nearby<'l> {
    pub(super) fn new(
        ledger: &'l Ledger,
        new: &'l [&'l Cohort],
        atoms: &'l Atoms,
        as_in: Option<&'l AsIn<'l>>,
    ) -> Self {
        let last = new.iter().filter_map(|cohort| cohort.persons.max()).max();
        let mut anybody = vec![0_u64; last.map_or(0, |last| last as usize / 64 + 1)];
        for person in new.iter().flat_map(|cohort| &cohort.persons) {
            let slot = anybody.get_mut(person as usize / 64);
            slot.into_iter().for_each(|slot| *slot |= 1 << (person % 64));
        }
        Self { ledger, new, as_in, atoms, anybody, known: BTreeMap::new() }
    }

    /// Cohorts of the same rows of which the question says what they are, so many that all fit in a set.
    pub(super) fn of_source(&mut self) -> Vec<usize> {
        let all = self.ledger.of_source(self.new);
        let most = MOST.saturating_sub(self.new.len());
        // Of a cohort that nobody is in nothing is shared; that it is empty tells of all the others.
        let (none, some): (Vec<usize>, Vec<usize>) = all.iter().partition(|at| self.size(**at) == Some(0));
        let mut nearest = self.nearest(some, most);
        nearest.extend(none.into_iter().take(most - nearest.len()));
        nearest
    }

    /// Cohorts of questions about the same rows, whatever values they name.
    pub(super) fn of_family(&mut self, family: &str) -> Vec<usize> {
        let own = self.ledger.by_family.get(family).map_or(&[][..], Vec::as_slice);
        let own = own.iter().copied().filter(|at| self.is_row(*at)).collect();
        self.nearest(own, FAMILY)
    }

    /// Cohorts of other families, among those next in size.
    pub(super) fn of_others(&mut self, family: &str) -> Vec<usize> {
        let own = self.ledger.by_family.get(family).map_or(&[][..], Vec::as_slice);
        let own: BTreeSet<usize> = own.iter().copied().collect();
        let share = COMPARED / (self.new.len() as u64).max(1);
        let mut found = BTreeSet::new();
        for cohort in self.new {
            let size = cohort.persons.len();
            let each = usize::try_from(share / size.max(1) / 2).unwrap_or(0).clamp(2, 256);
            let larger = self.ledger.by_size.range(size..).flat_map(|(_, numbers)| numbers).take(each);
            let smaller = self.ledger.by_size.range(..size).rev().flat_map(|(_, numbers)| numbers).take(each);
            found.extend(larger.chain(smaller).copied().filter(|at| self.is_row(*at) && !own.contains(at)));
        }
        // Cohorts that have nobody in common tell nothing of each other.
        let near = found.into_iter().filter_map(|at| Some((self.distance(at)?, at)));
        let mut near: Vec<(u64, usize)> = near.collect();
        near.sort_unstable();
        near.into_iter().take(OTHERS).map(|(_, at)| at).collect()
    }

    /// At most so many of these, the nearest first; of more than can be compared those next in size.
    fn nearest(&mut self, mut kept: Vec<usize>, most: usize) -> Vec<usize> {
        if kept.len() <= most {
            return kept;
        }
        let sizes: Vec<u64> = self.new.iter().map(|cohort| cohort.persons.len()).collect();
        let off = |size: u64| sizes.iter().map(|other| other.abs_diff(size)).min();
        kept.sort_by_cached_key(|at| self.size(*at).and_then(off));
        let mut left = COMPARED;
        let is_compared = |at: &usize| {
            left = left.saturating_sub(self.size(*at).unwrap_or(0));
            left > 0
        };
        let compared: Vec<usize> = kept.iter().copied().take_while(is_compared).collect();
        let mut near: Vec<(u64, usize)> =
            compared.into_iter().map(|at| (self.distance(at).unwrap_or(u64::MAX), at)).collect();
        near.sort_by_key(|(distance, _)| *distance);
        near.into_iter().take(most).map(|(_, at)| at).collect()
    }

    /// By how many persons a kept cohort differs from the nearest new one; none where it shares nobody with any.
    fn distance(&mut self, at: usize) -> Option<u64> {
        if let Some(known) = self.known.get(&at) {
            return *known;
        }
        let kept = self.ledger.cohorts.get(at)?;
        // Most persons of most kept cohorts are in no new one, and the bits of all fit nearer to the processor.
        let word = |person: u32| self.anybody.get(person as usize / 64).copied().unwrap_or(0);
        let common = kept.each(self.as_in).filter(|person| word(*person) >> (person % 64) & 1 == 1);
        let shared = self.atoms.shared(common, self.new.len());
        let pairs = self.new.iter().zip(shared).filter(|(_, shared)| *shared > 0);
        let distance = pairs.map(|(new, shared)| kept.size + new.persons.len() - 2 * shared).min();
        self.known.insert(at, distance);
        distance
    }

    fn size(&self, at: usize) -> Option<u64> {
        self.ledger.cohorts.get(at).map(|kept: &Kept| kept.size)
    }

    fn is_row(&self, at: usize) -> bool {
        self.ledger.cohorts.get(at).is_some_and(|kept| !kept.is_derived)
    }
}
