//! Who carries one person's number is that person, unless sex or month of birth contradicts.
//!
//! A number that was given again after a death, or that a newborn is billed on, carries people of several natures.
//! Profiles that say nothing of sex or birth go with whoever used the number last before them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::component::{Component, Proposal};
use super::super::profile::{Kind, Nature, Profile};
use super::{Conflict, ConflictKind};

/// Joins by every number.
pub(in super::super) fn one_number(component: &Component<'_>) -> Proposal {
    let mut proposal = Proposal::default();
    for shared in component.shared_keys(Kind::Number) {
        // What was misread once speaks for nobody; the rule after this one joins it.
        let is_misread = |holder: &usize| component.misread().contains_key(holder);
        let holders: Vec<usize> =
            shared.holders.iter().copied().filter(|holder| !is_misread(holder)).collect();
        let natures = natures(component, &holders);
        if natures.len() > 1 {
            let kind = kind_of(&natures);
            proposal.conflicts.insert(Conflict { kind, scheme: shared.scheme, key: shared.key });
        }
        let mut first: BTreeMap<Option<Nature>, usize> = BTreeMap::new();
        for holder in holders {
            let Some(profile) = component.profiles().get(holder) else { continue };
            let nature = profile.nature().or_else(|| user_before(&natures, profile));
            match first.get(&nature) {
                Some(other) => proposal.joins.push((*other, holder)),
                None => drop(first.insert(nature, holder)),
            }
        }
    }
    proposal
}

fn natures(component: &Component<'_>, holders: &[usize]) -> BTreeMap<Nature, BTreeSet<i32>> {
    let mut natures: BTreeMap<Nature, BTreeSet<i32>> = BTreeMap::new();
    for profile in holders.iter().filter_map(|holder| component.profiles().get(*holder)) {
        if let Some(nature) = profile.nature() {
            natures.entry(nature).or_default().extend(&profile.months);
        }
    }
    natures
}

/// Who of those that a profile may be used the number last before it; the first user where nobody did.
fn user_before(natures: &BTreeMap<Nature, BTreeSet<i32>>, profile: &Profile) -> Option<Nature> {
    let start = profile.months.first().copied().unwrap_or(i32::MIN);
    let fitting = || natures.iter().filter(|(nature, _)| profile.may_be(**nature));
    let before = fitting().filter_map(|(nature, used)| Some((*used.range(..=start).next_back()?, *nature)));
    let first = || fitting().map(|(nature, used)| (used.first().copied(), *nature)).min();
    before.max().map(|(_, nature)| nature).or_else(|| first().map(|(_, nature)| nature))
}

fn kind_of(natures: &BTreeMap<Nature, BTreeSet<i32>>) -> ConflictKind {
    let mut spans: Vec<(i32, i32, i32)> = natures
        .iter()
        .filter_map(|(nature, used)| Some((*used.first()?, *used.last()?, nature.birth_month)))
        .collect();
    spans.sort_unstable();
    let begins = spans.first().map_or(0, |(from, ..)| *from);
    let follows = spans.windows(2).all(|pair| matches!(pair, [(_, to, _), (from, ..)] if to < from));
    let was_born = spans.iter().any(|(from, _, birth)| *birth >= begins - 1 && *birth + 2 >= *from);
    match (was_born, follows) {
        (true, _) => ConflictKind::Newborn,
        (_, true) => ConflictKind::ReusedNumber,
        _ => ConflictKind::Contradiction,
    }
}
