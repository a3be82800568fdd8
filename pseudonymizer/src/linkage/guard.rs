//! What no person can be: of two sexes, born in two months, or with more cards and names than a life has.
//!
//! Whatever the rules joined, a group that breaks this is cut again, and reported.

use std::collections::{BTreeMap, BTreeSet};

use super::component::Component;
use super::profile::{Kind, NO_KEY, Nature};
use super::rules::{Conflict, ConflictKind};

/// Cards of one scheme in a life.
pub(super) const MOST_CARDS: usize = 16;
/// Names of one scheme in a life.
pub(super) const MOST_NAMES: usize = 8;

/// Cuts every group that no person can be. `sure` is the group of each profile after the sure rules, to which an
/// overgrown group falls back.
pub(super) fn cut(component: &mut Component<'_>, sure: &[u32]) -> BTreeSet<Conflict> {
    let mut conflicts = BTreeSet::new();
    let mut labels: Vec<u32> = component.group_of().to_vec();
    for members in component.members().values() {
        if let Some(scheme) = overgrown(component, members) {
            conflicts.insert(Conflict { kind: ConflictKind::Overgrown, scheme, key: NO_KEY });
            relabel(&mut labels, members, |member| sure.get(member).copied());
        }
    }
    component.relabel(|member| labels.get(member).copied().unwrap_or(0));
    let mut labels: Vec<u32> = component.group_of().to_vec();
    for members in component.members().values() {
        let natures = natures(component, members);
        if natures.len() > 1 {
            conflicts.insert(Conflict { kind: ConflictKind::Contradiction, scheme: usize::MAX, key: NO_KEY });
            let first = first_of_each(component, members, &natures);
            relabel(&mut labels, members, |member| {
                first.get(&nature_in(component, member, &natures)).copied()
            });
        }
    }
    component.relabel(|member| labels.get(member).copied().unwrap_or(0));
    conflicts
}

fn relabel(labels: &mut [u32], members: &[usize], label: impl Fn(usize) -> Option<u32>) {
    for member in members {
        if let (Some(slot), Some(label)) = (labels.get_mut(*member), label(*member)) {
            *slot = label;
        }
    }
}

/// The scheme of which a group has too many keys.
fn overgrown(component: &Component<'_>, members: &[usize]) -> Option<usize> {
    component.schemes().iter().enumerate().find_map(|(scheme, kind)| {
        let most = match kind.kind {
            Kind::Card => MOST_CARDS,
            Kind::Name => MOST_NAMES,
            Kind::Number | Kind::Given => return None,
        };
        let keys: BTreeSet<u32> =
            members.iter().filter_map(|member| component.profiles().get(*member)?.key(scheme)).collect();
        (keys.len() > most).then_some(scheme)
    })
}

/// The natures in a group, with their claims.
fn natures(component: &Component<'_>, members: &[usize]) -> BTreeMap<Nature, u64> {
    let mut natures = BTreeMap::new();
    for member in members {
        if let (Some(profile), Some(nature)) = (component.profiles().get(*member), component.nature(*member))
        {
            *natures.entry(nature).or_default() += u64::from(profile.claims);
        }
    }
    natures
}

/// The nature of a profile; of one that says nothing, the one that most claims have.
fn nature_in(component: &Component<'_>, member: usize, natures: &BTreeMap<Nature, u64>) -> Option<Nature> {
    let own = component.nature(member);
    let most =
        || natures.iter().max_by_key(|(nature, claims)| (**claims, **nature)).map(|(nature, _)| *nature);
    own.or_else(most)
}

fn first_of_each(
    component: &Component<'_>,
    members: &[usize],
    natures: &BTreeMap<Nature, u64>,
) -> BTreeMap<Option<Nature>, u32> {
    let mut first = BTreeMap::new();
    for member in members {
        let label = u32::try_from(*member).unwrap_or(u32::MAX);
        first.entry(nature_in(component, *member, natures)).or_insert(label);
    }
    first
}
