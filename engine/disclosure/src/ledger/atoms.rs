//! What several cohorts tell together: the linear audit.
//!
//! The persons fall into atoms: those who are in the same cohorts. Every released count is a sum of atoms, so whatever
//! can be derived by addition and subtraction is a combination of those sums. Where the size of a small atom is such a
//! combination, the new cohorts may not be released.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use crate::ledger::known::Known;
use crate::protect::Residue;

/// Atoms that are looked at; where there are more, cohorts are compared in pairs only.
const ATOMS: usize = 4_096;

/// Whether the counts of the kept and the new cohorts give the size of a group of fewer than `few` persons that the
/// kept ones alone do not give.
pub(super) fn gives_small_group(kept: &[RoaringBitmap], new: &[&RoaringBitmap], few: u64) -> bool {
    let rows: Vec<&RoaringBitmap> = kept.iter().chain(new.iter().copied()).collect();
    let atoms = atoms(&rows).unwrap_or_default();
    // What only kept cohorts speak of was judged when they were released.
    let is_touched = |atom: &Atom| atom.0.last().is_some_and(|row| *row >= kept.len());
    linked(&atoms, rows.len())
        .iter()
        .any(|family| family.iter().any(is_touched) && gives(family, kept.len(), few))
}

/// The cohorts that an atom's persons are in, in ascending order, and how many they are.
type Atom = (Vec<usize>, u64);

/// The atoms of each cohort whose number is below `most`.
fn rows(atoms: &[Atom], most: usize) -> Vec<Vec<usize>> {
    let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (atom, (cohorts, _)) in atoms.iter().enumerate() {
        for cohort in cohorts.iter().filter(|cohort| **cohort < most) {
            rows.entry(*cohort).or_default().push(atom);
        }
    }
    rows.into_values().collect()
}

/// Whether the size of a small atom follows from the cohorts, and not from those before `first`.
fn gives(atoms: &[Atom], first: usize, few: u64) -> bool {
    let (before, after) = (derived(&rows(atoms, first)), derived(&rows(atoms, usize::MAX)));
    let is_exact = |known: &Known, atom| known.reduced(BTreeMap::from([(atom, Residue::ONE)])).is_empty();
    let mut small = atoms.iter().enumerate().filter(|(_, (_, size))| *size < few);
    small.any(|(atom, _)| is_exact(&after, atom) && !is_exact(&before, atom))
}

/// What follows from rows by addition and subtraction.
fn derived(rows: &[Vec<usize>]) -> Known {
    let mut known = Known::default();
    for row in rows {
        known.show(row.iter().map(|atom| (*atom, Residue::ONE)).collect());
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
