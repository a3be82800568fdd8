//! What several cohorts tell together: the linear audit.
//!
//! The persons fall into atoms: those who are in the same cohorts. Every released count is a sum of atoms, and that is
//! all a reader has to solve. The table is open where every atom of fewer than k persons could as well have k − 1,
//! shown by other sizes of the atoms that agree with every released count, checked in whole numbers. Any group of fewer
//! than k persons, of however many atoms, is then open too: each of its atoms alone could be as large.
//!
//! The reader is assumed to know which combinations of cohorts have nobody in them, which is more than a reader knows.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use crate::protect::{Known, Residue, Sizes};

/// Atoms that a family may have; beyond, it is too many.
pub(super) const ATOMS: usize = 4_096;
/// Atoms that are solved together.
const TOGETHER: usize = 512;

/// What a family of cohorts tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// No group of fewer persons than the threshold.
    Nothing,
    /// A small group that it did not tell without the new cohorts.
    SmallGroup,
    /// Too much to be said.
    TooMany,
}

/// What the kept and the new cohorts tell that the kept ones alone do not.
pub(super) fn told(kept: &[RoaringBitmap], new: &[&RoaringBitmap], few: u64) -> Told {
    let rows: Vec<&RoaringBitmap> = kept.iter().chain(new.iter().copied()).collect();
    let Some(atoms) = atoms(&rows) else { return Told::TooMany };
    for family in linked(&atoms, rows.len()) {
        // What only kept cohorts speak of was judged when they were released.
        if !family.iter().any(|atom| atom.0.last().is_some_and(|row| *row >= kept.len())) {
            continue;
        }
        if family.len() > TOGETHER {
            return Told::TooMany;
        }
        if gives(&family, kept.len(), few) {
            return Told::SmallGroup;
        }
    }
    Told::Nothing
}

/// The cohorts that an atom's persons are in, in ascending order, and how many they are.
type Atom = (Vec<usize>, u64);

/// Whether the cohorts tell of a small atom what those before `first` do not.
fn gives(atoms: &[Atom], first: usize, few: u64) -> bool {
    let sizes: Vec<u64> = atoms.iter().map(|(_, size)| *size).collect();
    let rows = |most: usize| -> Vec<Vec<usize>> {
        let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (atom, (cohorts, _)) in atoms.iter().enumerate() {
            for cohort in cohorts.iter().filter(|cohort| **cohort < most) {
                rows.entry(*cohort).or_default().push(atom);
            }
        }
        rows.into_values().collect()
    };
    let (before, after) = (rows(first), rows(usize::MAX));
    let narrow = Sizes::new(&sizes, &after, few).narrow();
    if narrow.is_empty() {
        return false;
    }
    let known = Sizes::new(&sizes, &before, few).narrow();
    let (exact_before, exact_after) = (derived(&before), derived(&after));
    narrow.into_iter().any(|atom| {
        let is_exact = |known: &Known| known.reduced(BTreeMap::from([(atom, Residue::ONE)])).is_empty();
        !known.contains(&atom) || (is_exact(&exact_after) && !is_exact(&exact_before))
    })
}

/// What follows from rows by addition and subtraction.
fn derived(rows: &[Vec<usize>]) -> Known {
    let mut known = Known::default();
    for row in rows {
        known.show(&row.iter().map(|atom| (*atom, Residue::ONE)).collect());
    }
    known
}

/// The atoms; none where they are too many.
fn atoms(cohorts: &[&RoaringBitmap]) -> Option<Vec<Atom>> {
    let mut atoms: Vec<(Vec<usize>, RoaringBitmap)> = Vec::new();
    for (number, cohort) in cohorts.iter().enumerate() {
        let mut rest = (*cohort).clone();
        let mut split = Vec::new();
        for (within, persons) in &mut atoms {
            if rest.is_empty() {
                break;
            }
            if persons.is_disjoint(&rest) {
                continue;
            }
            let common = &*persons & &rest;
            rest -= &common;
            if common.len() == persons.len() {
                within.push(number);
                continue;
            }
            *persons -= &common;
            let both = within.iter().copied().chain([number]).collect();
            split.push((both, common));
        }
        atoms.extend(split);
        if !rest.is_empty() {
            atoms.push((vec![number], rest));
        }
        if atoms.len() > ATOMS {
            return None;
        }
    }
    Some(atoms.into_iter().map(|(within, persons)| (within, persons.len())).collect())
}

/// The atoms by what cohorts link: nothing that is told of one part says anything of another.
fn linked(atoms: &[Atom], cohorts: usize) -> Vec<Vec<Atom>> {
    let mut least: Vec<usize> = (0..cohorts).collect();
    loop {
        let before = least.clone();
        for (within, _) in atoms {
            let lowest = within.iter().filter_map(|cohort| least.get(*cohort)).min().copied();
            for cohort in within {
                if let (Some(slot), Some(lowest)) = (least.get_mut(*cohort), lowest) {
                    *slot = lowest;
                }
            }
        }
        if least == before {
            break;
        }
    }
    let mut parts: BTreeMap<usize, Vec<Atom>> = BTreeMap::new();
    for atom in atoms {
        let part = atom.0.first().and_then(|cohort| least.get(*cohort)).copied().unwrap_or_default();
        parts.entry(part).or_default().push(atom.clone());
    }
    parts.into_values().collect()
}
