//! What several cohorts tell nearly: between which sizes a reader must hold a small group possible.
//!
//! The released counts are sums of atoms, and atoms are whole numbers that are not negative. Which atoms there may be
//! at all follows from the forms of the questions ([`combinations`]). Where the counts leave a small group fewer sizes
//! than the rule asks of a hidden cell, and neither the new cohorts nor the kept ones alone leave it so few, the new
//! ones may not be released. What each tells alone was judged when it was protected and when they were released.
//!
//! Where zeros are hidden, that nobody is in a hidden cell is as secret as that few are: what is within a small hidden
//! cell is asked whether somebody is there or not (decision 0405).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::family::{CellNo, Row};
use crate::ledger::Zeros;
use crate::ledger::form::{Form, Number};
use crate::ledger::possible::{Set, combinations};
use crate::protect::{Layer, Need, Place, Range, is_narrowed};

/// Combinations that are looked at; where more are possible, kept cohorts are left out, the farthest first.
const POSSIBLE: usize = 512;
/// Groups of several atoms that are looked at.
const GROUPS: usize = 96;

/// Whether the counts of all cohorts narrow a group of fewer than `few` persons as neither the first `new` nor those
/// after them do; where zeros are hidden, one of nobody within a small hidden cohort as well. `found` are the
/// combinations of cohorts that persons are in, and how many are.
pub(super) fn gives_small_group(
    forms: &[&Form],
    found: &[(Set, u64)],
    new: usize,
    few: (u64, Zeros),
) -> bool {
    system(forms, found, new, few).is_some_and(|(system, _)| system.tells_more(new))
}

/// How many of those after the first `new` are looked at.
pub(super) fn looked_at(forms: &[&Form], found: &[(Set, u64)], new: usize, few: (u64, Zeros)) -> usize {
    system(forms, found, new, few).map_or(0, |(_, kept)| kept)
}

/// The largest system that is looked at, and how many cohorts after the first `new` are in it.
fn system(forms: &[&Form], found: &[(Set, u64)], new: usize, few: (u64, Zeros)) -> Option<(System, usize)> {
    let mut kept = forms.len().saturating_sub(new);
    while kept > 0 {
        let own = forms.get(..new + kept)?;
        if let Some(system) = System::of(own, &merged(found, own.len()), few) {
            return Some((system, kept));
        }
        kept /= 2;
    }
    None
}

/// The combinations of the first cohorts only.
fn merged(found: &[(Set, u64)], cohorts: usize) -> Vec<(Set, u64)> {
    let mask =
        Set::MAX.checked_shr(Set::BITS.saturating_sub(u32::try_from(cohorts).unwrap_or(0))).unwrap_or(0);
    let mut merged: BTreeMap<Set, u64> = BTreeMap::new();
    for (set, size) in found.iter().filter(|(set, _)| set & mask != 0) {
        *merged.entry(set & mask).or_default() += size;
    }
    merged.into_iter().collect()
}

/// The sizes of cohorts, of atoms that may be, and of groups of them: numbered in this order.
struct System {
    /// Whether the number of each cohort was shown and is not zero.
    counted: Vec<bool>,
    layer: Layer,
    is_empty: bool,
}

impl System {
    /// None where more atoms are possible than are looked at. `found` has each combination once.
    fn of(forms: &[&Form], found: &[(Set, u64)], (few, zeros): (u64, Zeros)) -> Option<Self> {
        let sets: Vec<Set> = found.iter().map(|(set, _)| *set).collect();
        let all = combinations(forms, &sets, POSSIBLE)?;
        let sizes: BTreeMap<Set, u64> = found.iter().copied().collect();
        let secret = if zeros == Zeros::Hidden { hidden(forms, found, few) } else { 0 };
        let within = |at: usize| members(&all, |set| set >> at & 1 == 1);
        let mut groups = groups((all.as_slice(), found), forms.len(), few, secret);
        let cells = (0..forms.len()).filter(|at| secret >> at & 1 == 1).map(within);
        groups.extend(cells.filter(|members| members.len() > 1));
        let place = |members: &[CellNo]| {
            let sets = members.iter().filter_map(|atom| all.get(*atom));
            let size: u64 = sets.map(|set| sizes.get(set).copied().unwrap_or(0)).sum();
            let is_small = size < few && (size > 0 || is_within(secret, &all, members));
            open(size, if is_small { i128::from(few) - 2 } else { 0 })
        };
        let (mut places, mut rows) = (Vec::new(), Vec::new());
        let mut sum = |members: &[CellNo], at: CellNo| {
            let terms = members.iter().map(|atom| (forms.len() + atom, -1));
            rows.push(Row { terms: std::iter::once((at, 1)).chain(terms).collect(), is_exact: true });
        };
        for (at, form) in forms.iter().enumerate() {
            let whole = place(&within(at));
            let shown = shown(form.told, u64::try_from(whole.value).unwrap_or(0));
            places.push(Place { shown, need: Need::Width(0), ..whole });
            sum(&within(at), at);
        }
        places.extend((0..all.len()).map(|atom| place(&[atom])));
        for group in groups {
            sum(&group, places.len());
            places.push(place(&group));
        }
        let is_empty = places.iter().skip(forms.len()).all(|place| place.need == Need::Width(0));
        let counted = forms.iter().zip(&places).map(|(form, place)| !form.is_hidden() && place.value > 0);
        Some(Self { counted: counted.collect(), layer: Layer::of(places, rows), is_empty })
    }

    /// Whether the first `new` cohorts and the others together narrow a group as neither do alone, and as it is not by
    /// the signs of hidden cells and by zeros, which hide nobody.
    fn tells_more(self, new: usize) -> bool {
        let cohorts = self.counted.len();
        let kept_alone = |at: CellNo| at < new || at >= cohorts;
        let new_alone = |at: CellNo| at >= new;
        let signs_alone = |at: CellNo| self.counted.get(at).copied().unwrap_or(true);
        let others: [&dyn Fn(CellNo) -> bool; 3] = [&kept_alone, &new_alone, &signs_alone];
        !self.is_empty && is_narrowed(self.layer, |at| at >= cohorts, &others)
    }
}

/// So many persons, whose number must stay open by so much.
pub(super) fn open(size: u64, width: i128) -> Place {
    let value = i128::from(size);
    Place { value, shown: Range::of(value, value), hidden: Range::from(0), need: Need::Width(width) }
}

/// The hidden cohorts that fewer than `few` persons are in, or nobody.
fn hidden(forms: &[&Form], found: &[(Set, u64)], few: u64) -> Set {
    let is_in = |set: Set, at: usize| set >> at & 1 == 1;
    let size =
        |at: usize| -> u64 { found.iter().filter(|(set, _)| is_in(*set, at)).map(|(_, size)| *size).sum() };
    let hidden = forms.iter().enumerate().filter(|(_, form)| form.is_hidden());
    hidden.filter(|(at, _)| size(*at) < few).fold(0, |all, (at, _)| all | 1 << at)
}

/// Between which ends a reader knows the number of a cohort.
fn shown(told: Number, total: u64) -> Range {
    match told {
        Number::Shown => Range::of(i128::from(total), i128::from(total)),
        Number::Rounded(low, high) => Range::of(low.min(total).into(), high.max(total).into()),
        Number::Hidden(low, high) => {
            Range { low: Some(low.min(total).into()), high: high.map(|high| high.max(total).into()) }
        }
    }
}

fn members(all: &[Set], is_in: impl Fn(Set) -> bool) -> Vec<CellNo> {
    all.iter().enumerate().filter(|(_, set)| is_in(**set)).map(|(at, _)| at).collect()
}

/// Whether one of these cohorts has all of the atoms.
fn is_within(cohorts: Set, all: &[Set], atoms: &[CellNo]) -> bool {
    atoms.iter().filter_map(|atom| all.get(*atom)).fold(cohorts, |common, set| common & set) != 0
}

/// Small groups of more than one atom that a reader may think of: what a cohort shares with another, what it has more,
/// and any two small atoms. `found` are the combinations that persons are in; of nobody are only groups within one of
/// the `secret` cohorts.
fn groups(
    (all, found): (&[Set], &[(Set, u64)]),
    cohorts: usize,
    few: u64,
    secret: Set,
) -> BTreeSet<Vec<CellNo>> {
    let mut sizes = found.to_vec();
    sizes.sort_unstable_by_key(|(_, size)| Reverse(*size));
    let (mut groups, mut empty) = (BTreeSet::new(), BTreeSet::new());
    let mut put = |is_in: &dyn Fn(Set) -> bool| {
        let sizes = sizes.iter().filter(|(set, _)| is_in(*set)).map(|(_, size)| *size);
        // The largest come first, so most are seen not to be small at once.
        let total = sizes.scan(0, |sum, size| (*sum < few).then(|| *sum += size).map(|()| *sum)).last();
        let total = total.unwrap_or(0);
        let asked = if total > 0 { &mut groups } else { &mut empty };
        if asked.len() < GROUPS && total < few && (total > 0 || secret != 0) {
            let members = members(all, is_in);
            let is_asked = members.len() > 1 && (total > 0 || is_within(secret, all, &members));
            asked.extend(is_asked.then_some(members));
        }
    };
    let has = |set: Set, at: usize| set >> at & 1 == 1;
    for one in 0..cohorts {
        for other in (0..cohorts).filter(|other| *other != one) {
            put(&|set| has(set, one) && !has(set, other));
            if one < other {
                put(&|set| has(set, one) && has(set, other));
            }
        }
    }
    let small: Vec<Set> = found.iter().filter(|(_, size)| *size < few).map(|(set, _)| *set).collect();
    for (at, one) in small.iter().enumerate() {
        small.iter().skip(at + 1).for_each(|other| put(&|set| set == *one || set == *other));
    }
    groups.extend(empty);
    groups
}

#[cfg(test)]
mod tests;
