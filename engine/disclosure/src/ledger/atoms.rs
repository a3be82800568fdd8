//! The atoms of several cohorts: the persons who are in the same ones.
//!
//! Cohort after cohort is added, and each person moves from the atom of the cohorts before to that with this one. So
//! the work is one step for each person of each cohort, however the cohorts overlap. A cohort that would cut the
//! persons into more atoms than are looked at is left out, and those after it are tried.

use std::ops::ControlFlow;

/// Atoms that are looked at, where nobody says how many.
const ATOMS: usize = 4_096;
/// Persons of one page of numbers.
const PAGE: usize = 4_096;
/// The group of those who are in no cohort.
const NOBODY: u32 = 0;

/// The cohorts that an atom's persons are in, in ascending order, and how many they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Atom {
    pub(super) within: Vec<usize>,
    pub(super) size: u64,
}

/// Persons by the cohorts that they are in.
#[derive(Debug)]
pub(super) struct Atoms {
    /// The group of each person, by pages of those that somebody is on.
    pages: Vec<Option<Box<[u32]>>>,
    groups: Vec<Group>,
    live: usize,
    cohorts: usize,
    /// Atoms that are looked at.
    most: usize,
}

/// Persons who are in the same cohorts, as far as they were added.
#[derive(Clone, Copy, Debug)]
struct Group {
    size: u64,
    /// The group without the last cohort, and that cohort.
    parent: u32,
    cohort: usize,
    /// The group that it is one with since its cohort was left out.
    is_now: u32,
    /// The group with the cohort that is being added; none yet where it is nobody's.
    next: u32,
}

impl Default for Atoms {
    fn default() -> Self {
        Self::up_to(ATOMS)
    }
}

impl Atoms {
    /// None yet, and so many at most.
    pub(super) fn up_to(most: usize) -> Self {
        let outside = Group { size: 0, parent: NOBODY, cohort: 0, is_now: NOBODY, next: NOBODY };
        Self { pages: Vec::new(), groups: vec![outside], live: 0, cohorts: 0, most }
    }

    /// Adds a cohort; whether it is looked at.
    pub(super) fn add(&mut self, persons: impl IntoIterator<Item = u32>) -> bool {
        let first = self.groups.len();
        // While persons move their atoms are there twice; what is more than that is too many at the end as well.
        let all = persons.into_iter().try_for_each(|person| {
            self.take(person);
            if self.live <= 2 * self.most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        self.cohorts += 1;
        let is_taken = all.is_continue() && self.live <= self.most;
        for at in first..self.groups.len() {
            let Some(group) = self.groups.get(at).copied() else { continue };
            if let Some(parent) = self.groups.get_mut(group.parent as usize) {
                parent.next = NOBODY;
            }
            if !is_taken {
                self.give_back(at, group);
            }
        }
        is_taken
    }

    /// Moves a person to the group with the cohort that is being added.
    fn take(&mut self, person: u32) {
        let Some(slot) = slot(&mut self.pages, person) else { return };
        let found = self.groups.get(*slot as usize).map_or(NOBODY, |group| group.is_now);
        let number = u32::try_from(self.groups.len()).unwrap_or(NOBODY);
        let Some(old) = self.groups.get_mut(found as usize) else { return };
        let is_new = old.next == NOBODY;
        if is_new {
            old.next = number;
        }
        *slot = old.next;
        let next = old.next;
        if found != NOBODY {
            old.size -= 1;
            self.live -= usize::from(old.size == 0);
        }
        if is_new {
            let cohort = self.cohorts;
            self.groups.push(Group { size: 0, parent: found, cohort, is_now: number, next: NOBODY });
        }
        if let Some(group) = self.groups.get_mut(next as usize) {
            group.size += 1;
            self.live += usize::from(group.size == 1);
        }
    }

    /// Puts the persons of a group back where they were.
    fn give_back(&mut self, at: usize, group: Group) {
        if let Some(slot) = self.groups.get_mut(at) {
            (slot.is_now, slot.size) = (group.parent, 0);
        }
        self.live -= usize::from(group.size > 0);
        if group.parent != NOBODY
            && let Some(parent) = self.groups.get_mut(group.parent as usize)
        {
            self.live += usize::from(parent.size == 0 && group.size > 0);
            parent.size += group.size;
        }
    }

    /// Of these persons so many are in each of the first cohorts.
    pub(super) fn shared(&self, persons: impl IntoIterator<Item = u32>, cohorts: usize) -> Vec<u64> {
        let mut sizes = vec![0_u64; self.groups.len()];
        persons.into_iter().for_each(|person| {
            let (page, at) = place(person);
            let found = self.pages.get(page).and_then(Option::as_ref).and_then(|page| page.get(at));
            if let Some(size) = found.and_then(|group| sizes.get_mut(*group as usize)) {
                *size += 1;
            }
        });
        let mut shared = vec![0; cohorts];
        let found = sizes.into_iter().enumerate().skip(1).filter(|(_, size)| *size > 0);
        for (group, size) in found {
            for cohort in self.within(self.groups.get(group).map_or(group, |group| group.is_now as usize)) {
                if let Some(slot) = shared.get_mut(cohort) {
                    *slot += size;
                }
            }
        }
        shared
    }

    /// The atoms, each once.
    pub(super) fn all(&self) -> Vec<Atom> {
        let live = self.groups.iter().enumerate().skip(1).filter(|(_, group)| group.size > 0);
        live.map(|(at, group)| Atom { within: self.within(at), size: group.size }).collect()
    }

    fn within(&self, mut at: usize) -> Vec<usize> {
        let mut within = Vec::new();
        while let Some(group) = self.groups.get(at).filter(|_| at != NOBODY as usize) {
            within.push(group.cohort);
            at = group.parent as usize;
        }
        within.reverse();
        within
    }
}

const fn place(person: u32) -> (usize, usize) {
    (person as usize / PAGE, person as usize % PAGE)
}

fn slot(pages: &mut Vec<Option<Box<[u32]>>>, person: u32) -> Option<&mut u32> {
    let (page, at) = place(person);
    if pages.len() <= page {
        pages.resize_with(page + 1, || None);
    }
    pages.get_mut(page)?.get_or_insert_with(|| vec![NOBODY; PAGE].into_boxed_slice()).get_mut(at)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::{Atom, Atoms};

    proptest! {
        #[test]
        fn an_atom_is_who_is_in_the_same_cohorts(
            cohorts in prop::collection::vec(prop::collection::btree_set(0_u32..9_000, 0..60), 1..7),
            dense in prop::collection::btree_set(0_u32..30, 0..30),
        ) {
            let mut atoms = Atoms::default();
            let cohorts: Vec<BTreeSet<u32>> =
                cohorts.into_iter().map(|cohort| cohort.iter().map(|person| person % 40).chain(dense.clone()).collect()).collect();
            let mut slow: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
            for (at, cohort) in cohorts.iter().enumerate() {
                prop_assert!(atoms.add(cohort.iter().copied()));
                cohort.iter().for_each(|person| slow.entry(*person).or_default().push(at));
            }
            let mut expected: BTreeMap<Vec<usize>, u64> = BTreeMap::new();
            slow.into_values().for_each(|within| *expected.entry(within).or_default() += 1);
            let found: BTreeMap<Vec<usize>, u64> =
                atoms.all().into_iter().map(|Atom { within, size }| (within, size)).collect();
            prop_assert_eq!(found, expected);
            let shared = atoms.shared(dense.iter().copied(), cohorts.len());
            let overlap = |cohort: &BTreeSet<u32>| cohort.intersection(&dense).count() as u64;
            prop_assert_eq!(shared, cohorts.iter().map(overlap).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_cohort_that_cuts_into_too_many_atoms_is_left_out() {
        let mut atoms = Atoms::default();
        for bit in 0..12 {
            // Two persons each.
            assert!(atoms.add((1_u32..8_192).filter(|person| (person % 4_096) >> bit & 1 == 1)));
        }
        let before = atoms.all();
        assert_eq!(before.len(), 4_095);
        assert!(!atoms.add(4_000..4_200));
        assert_eq!(atoms.all(), before);
        assert!(atoms.add(9_000..9_001));
        assert_eq!(atoms.all().len(), 4_096);
    }
}
