//! What several cohorts tell together.
//!
//! The persons fall into atoms: those who are in the same cohorts. Every released count is a sum of atoms, so whatever
//! can be derived by addition and subtraction is a combination of those sums. Where a small atom, or a small difference
//! of two cohorts, is such a combination, the new cohorts may not be released.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use crate::protect::{Known, Residue};

/// Whether the counts of the kept and the new cohorts give the size of a group of fewer than `few` persons that the
/// kept ones alone do not give.
pub(super) fn gives_small_group(kept: &[&RoaringBitmap], new: &[&RoaringBitmap], few: u64) -> bool {
    let all: Vec<&RoaringBitmap> = kept.iter().chain(new).copied().collect();
    let atoms = atoms(&all);
    let vector = |cohort: usize| -> BTreeMap<usize, Residue> {
        let within = atoms.iter().enumerate().filter(|(_, (cohorts, _))| cohorts.contains(&cohort));
        within.map(|(atom, _)| (atom, Residue::ONE)).collect()
    };
    let mut known = Known::default();
    for cohort in 0..kept.len() {
        known.show(&vector(cohort));
    }
    let small = atoms.iter().enumerate().filter(|(_, (_, size))| *size < few).map(|(atom, _)| atom);
    let open: Vec<BTreeMap<usize, Residue>> = small
        .map(|atom| BTreeMap::from([(atom, Residue::ONE)]))
        .filter(|group| !known.reduced(group.clone()).is_empty())
        .collect();
    for cohort in kept.len()..all.len() {
        known.show(&vector(cohort));
    }
    open.into_iter().any(|group| known.reduced(group).is_empty())
}

/// For each atom the cohorts that its persons are in, and how many they are.
fn atoms(cohorts: &[&RoaringBitmap]) -> Vec<(Vec<usize>, u64)> {
    let mut atoms: Vec<(Vec<usize>, RoaringBitmap)> = Vec::new();
    for (number, cohort) in cohorts.iter().enumerate() {
        let mut rest = (*cohort).clone();
        let mut split = Vec::new();
        for (within, persons) in &mut atoms {
            let common = &*persons & &rest;
            if common.is_empty() {
                continue;
            }
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
    }
    atoms.into_iter().map(|(within, persons)| (within, persons.len())).collect()
}
