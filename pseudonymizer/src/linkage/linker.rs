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
/// So many components are settled before what was found of each is added up: all of it would take as much memory as the
/// profiles.
const AT_ONCE: usize = 1 << 16;

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
    let placed = components(profiles, schemes.len());
    let components = placed.chunk_by(|one, two| one.0 == two.0);
    let components: Vec<&[Placed]> = components.filter(|members| members.len() > 1).collect();
    let mut linkage = Linkage { person_of: (0..).take(profiles.len()).collect(), ..Linkage::default() };
    for some in components.chunks(AT_ONCE) {
        let settled: Vec<Linkage> =
            some.par_iter().map(|members| resolve(profiles, members, schemes)).collect();
        for (members, part) in some.iter().zip(settled) {
            linkage.take_in(members, part);
        }
    }
    linkage
}

impl Linkage {
    /// Adds what was found of one component, whose persons and profiles are places in `members`.
    fn take_in(&mut self, members: &[Placed], part: Self) {
        let number = |place: &u32| members.get(*place as usize).map(|(_, number)| *number);
        for ((_, member), place) in members.iter().zip(&part.person_of) {
            if let Some(slot) = self.person_of.get_mut(*member as usize) {
                *slot = number(place).unwrap_or(*member);
            }
        }
        for (rule, joins) in part.joins {
            *self.joins.entry(rule).or_default() += joins;
        }
        for (rule, persons) in part.persons {
            *self.persons.entry(rule).or_default() += persons;
        }
        self.misread.extend(part.misread.iter().filter_map(number));
        self.conflicts.extend(part.conflicts);
    }
}

/// The smallest profile of a component, and one of its profiles.
type Placed = (u32, u32);

/// Every profile with the smallest one that it hangs together with by any key or stay, in order.
fn components(profiles: &[Profile], schemes: usize) -> Vec<Placed> {
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
    let stays = (0_u32..).zip(profiles);
    let stays = stays.flat_map(|(number, profile)| profile.stays.iter().map(move |stay| (*stay, number)));
    let mut stays: Vec<(u64, u32)> = stays.collect();
    stays.sort_unstable();
    for (one, two) in stays.iter().zip(stays.iter().skip(1)).filter(|(one, two)| one.0 == two.0) {
        sets.union(one.1, two.1);
    }
    let numbers = (0_u32..).take(profiles.len());
    let mut placed: Vec<Placed> = numbers.map(|number| (sets.find(number), number)).collect();
    placed.sort_unstable();
    placed
}

/// Applies the rules to one component; persons are places in `members`.
fn resolve(profiles: &[Profile], members: &[Placed], schemes: &[SchemeKind]) -> Linkage {
    let own = members.iter().filter_map(|(_, member)| profiles.get(*member as usize)).collect();
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
