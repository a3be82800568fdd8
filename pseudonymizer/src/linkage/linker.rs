//! Applies the rules, component by component.

use std::collections::{BTreeMap, BTreeSet};

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::component::{Component, RULES};
use super::guard;
use super::profile::{NO_KEY, Profile, SchemeKind};
use super::rules::{Conflict, Rule};
use super::union_find::UnionFind;

/// After so many rules the groups are sure: shared numbers, and names with cards.
const SURE_RULES: usize = 3;

/// Persons, and how they came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linkage {
    /// The person of each profile: the smallest profile in it.
    pub person_of: Vec<u32>,
    /// How many groups each rule joined to others.
    pub joins: BTreeMap<Rule, u64>,
    /// Persons in whose making each rule had a part.
    pub persons: BTreeMap<Rule, u64>,
    /// Profiles whose birth date was misread.
    pub misread: BTreeSet<u32>,
    /// What stays apart although it shares a key.
    pub conflicts: BTreeSet<Conflict>,
}

/// Makes persons of profiles.
pub fn link(profiles: &[Profile], schemes: &[SchemeKind]) -> Linkage {
    let components = components(profiles, schemes.len());
    let settled: Vec<(Vec<u32>, Linkage)> =
        components.par_iter().map(|members| (members.clone(), resolve(profiles, members, schemes))).collect();
    let mut linkage = Linkage { person_of: (0..).take(profiles.len()).collect(), ..Linkage::default() };
    for (members, part) in settled {
        for (member, local) in members.iter().zip(&part.person_of) {
            let person = members.get(*local as usize).copied().unwrap_or(*member);
            if let Some(slot) = linkage.person_of.get_mut(*member as usize) {
                *slot = person;
            }
        }
        for (rule, joins) in part.joins {
            *linkage.joins.entry(rule).or_default() += joins;
        }
        for (rule, persons) in part.persons {
            *linkage.persons.entry(rule).or_default() += persons;
        }
        linkage.misread.extend(part.misread.iter().filter_map(|at| members.get(*at as usize)));
        linkage.conflicts.extend(part.conflicts);
    }
    linkage
}

/// Profiles that hang together by any key or stay, where there are several.
fn components(profiles: &[Profile], schemes: usize) -> Vec<Vec<u32>> {
    let mut sets = UnionFind::new(u32::try_from(profiles.len()).unwrap_or(u32::MAX));
    for scheme in 0..schemes {
        let mut first: Vec<u32> = Vec::new();
        for (number, key) in
            (0_u32..).zip(profiles).filter_map(|(n, profile)| Some((n, profile.key(scheme)?)))
        {
            let key = key as usize;
            if first.len() <= key {
                first.resize(key + 1, NO_KEY);
            }
            match first.get_mut(key) {
                Some(slot) if *slot == NO_KEY => *slot = number,
                Some(slot) => {
                    sets.union(*slot, number);
                }
                None => {}
            }
        }
    }
    let mut stays: BTreeMap<u64, u32> = BTreeMap::new();
    for (number, profile) in (0_u32..).zip(profiles) {
        for stay in &profile.stays {
            let first = *stays.entry(*stay).or_insert(number);
            sets.union(first, number);
        }
    }
    let mut members: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for number in (0_u32..).take(profiles.len()) {
        members.entry(sets.find(number)).or_default().push(number);
    }
    members.into_values().filter(|members| members.len() > 1).collect()
}

/// Applies the rules to one component; persons are places in `members`.
fn resolve(profiles: &[Profile], members: &[u32], schemes: &[SchemeKind]) -> Linkage {
    let own = members.iter().filter_map(|member| profiles.get(*member as usize)).collect();
    let mut component = Component::new(own, schemes);
    let mut linkage = Linkage::default();
    let mut sure = component.group_of().to_vec();
    let mut joined: Vec<(Rule, usize)> = Vec::new();
    for (number, (rule, propose)) in RULES.into_iter().enumerate() {
        let proposal = propose(&component);
        let joins = component.apply(&proposal.joins);
        if joins > 0 {
            linkage.joins.insert(rule, joins);
            joined.extend(proposal.joins.iter().map(|(one, _)| (rule, *one)));
        }
        linkage.conflicts.extend(proposal.conflicts);
        if number + 1 == SURE_RULES {
            sure = component.group_of().to_vec();
        }
    }
    linkage.conflicts.extend(guard::cut(&mut component, &sure));
    let of = |member: usize| component.group_of().get(member).copied().unwrap_or(0);
    let parts: BTreeSet<(Rule, u32)> = joined.into_iter().map(|(rule, member)| (rule, of(member))).collect();
    for (rule, _) in parts {
        *linkage.persons.entry(rule).or_default() += 1;
    }
    linkage.misread = component.misread().keys().filter_map(|member| u32::try_from(*member).ok()).collect();
    linkage.person_of = component.group_of().to_vec();
    linkage
}
