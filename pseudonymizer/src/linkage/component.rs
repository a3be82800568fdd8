//! Profiles that hang together by any key, and the groups that the rules have made of them so far.

use std::collections::{BTreeMap, BTreeSet};

use super::misread::misread;
use super::profile::{Kind, Nature, Profile, SchemeKind};
use super::rules::{Conflict, ConflictKind, Rule, Verdict};
use super::union_find::UnionFind;

/// A component and its present groups.
#[derive(Debug)]
pub struct Component<'a> {
    profiles: Vec<&'a Profile>,
    schemes: &'a [SchemeKind],
    /// Profiles with a misread birth date, each with a profile of whose it is.
    misread: BTreeMap<usize, usize>,
    /// The group of each profile.
    group_of: Vec<u32>,
    /// The profiles of each group that has any.
    groups: BTreeMap<u32, Vec<usize>>,
}

/// A key that several profiles carry.
#[derive(Debug)]
pub struct SharedKey {
    /// The key's scheme.
    pub scheme: usize,
    /// The key.
    pub key: u32,
    /// The profiles, by their place in the component.
    pub holders: Vec<usize>,
}

/// What the rules look at in a group: the profiles that a rule asked for.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The number of the group.
    pub number: u32,
    /// Sex and month of birth.
    pub nature: Option<Nature>,
    /// The months.
    pub months: BTreeSet<i32>,
    /// The months in which a card was used.
    pub carded_months: BTreeSet<i32>,
    /// The months in which a key of the scheme was used.
    pub months_with: BTreeMap<usize, BTreeSet<i32>>,
    /// Its cards.
    pub cards: BTreeSet<(usize, u32)>,
    /// Its names.
    pub names: BTreeSet<(usize, u32)>,
    /// Prefectures.
    pub places: u64,
    /// Facilities.
    pub facilities: BTreeSet<u64>,
}

impl Group {
    /// Whether a key of the scheme is in it.
    pub fn has(&self, scheme: usize) -> bool {
        self.months_with.contains_key(&scheme)
    }

    /// Whether a card is in it.
    pub fn is_numbered(&self) -> bool {
        !self.cards.is_empty()
    }

    /// The first month.
    pub fn from(&self) -> i32 {
        self.months.first().copied().unwrap_or(i32::MIN)
    }

    fn add(&mut self, profile: &Profile, nature: Option<Nature>, schemes: &[SchemeKind]) {
        self.nature = self.nature.or(nature);
        self.months.extend(&profile.months);
        self.places |= profile.places;
        self.facilities.extend(&profile.facilities);
        for (scheme, kind) in schemes.iter().enumerate() {
            let Some(key) = profile.key(scheme) else { continue };
            self.months_with.entry(scheme).or_default().extend(&profile.months);
            match kind.kind {
                Kind::Card => {
                    self.cards.insert((scheme, key));
                    self.carded_months.extend(&profile.months);
                }
                Kind::Name => drop(self.names.insert((scheme, key))),
                Kind::Number | Kind::Given => {}
            }
        }
    }
}

/// A place in a component as a number of its union-find.
fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// What a rule wants: pairs of profiles to join, and what it holds apart.
#[derive(Debug, Default)]
pub struct Proposal {
    /// Pairs of profiles of the component.
    pub joins: Vec<(usize, usize)>,
    /// What stays apart.
    pub conflicts: BTreeSet<Conflict>,
}

impl<'a> Component<'a> {
    /// Every profile in a group of its own.
    pub fn new(profiles: Vec<&'a Profile>, schemes: &'a [SchemeKind]) -> Self {
        let group_of = (0_u32..).take(profiles.len()).collect();
        let groups = (0_u32..).zip(0..profiles.len()).map(|(group, member)| (group, vec![member])).collect();
        let misread = misread(&profiles, schemes);
        Self { profiles, schemes, misread, group_of, groups }
    }

    /// Profiles with a misread birth date, each with a profile of whose it is.
    pub const fn misread(&self) -> &BTreeMap<usize, usize> {
        &self.misread
    }

    /// The sex and month of birth of a profile, those of whose it is where its birth date was misread.
    pub fn nature(&self, member: usize) -> Option<Nature> {
        self.profiles.get(*self.misread.get(&member).unwrap_or(&member))?.nature()
    }

    /// The profiles.
    pub fn profiles(&self) -> &[&'a Profile] {
        &self.profiles
    }

    /// The schemes.
    pub const fn schemes(&self) -> &'a [SchemeKind] {
        self.schemes
    }

    /// The group of each profile.
    pub fn group_of(&self) -> &[u32] {
        &self.group_of
    }

    /// The members of each group.
    pub const fn members(&self) -> &BTreeMap<u32, Vec<usize>> {
        &self.groups
    }

    /// The schemes of a kind.
    pub fn schemes_of(&self, kind: Kind) -> impl Iterator<Item = usize> + '_ {
        self.schemes.iter().enumerate().filter(move |(_, scheme)| scheme.kind == kind).map(|(at, _)| at)
    }

    /// The schemes of numbers of which a person has one at a time.
    pub fn exclusive_numbers(&self) -> impl Iterator<Item = usize> + '_ {
        let schemes = self.schemes;
        self.schemes_of(Kind::Number)
            .filter(move |at| schemes.get(*at).is_some_and(|scheme| scheme.is_exclusive))
    }

    /// The keys of a kind that several profiles carry.
    pub fn shared_keys(&self, kind: Kind) -> Vec<SharedKey> {
        let mut holders: BTreeMap<(usize, u32), Vec<usize>> = BTreeMap::new();
        for scheme in self.schemes_of(kind) {
            for (member, profile) in self.profiles.iter().enumerate() {
                if let Some(key) = profile.key(scheme) {
                    holders.entry((scheme, key)).or_default().push(member);
                }
            }
        }
        let several = holders.into_iter().filter(|(_, holders)| holders.len() > 1);
        several.map(|((scheme, key), holders)| SharedKey { scheme, key, holders }).collect()
    }

    /// The groups that these profiles are in, seen by those of their members that `counts` admits.
    pub fn groups_of(&self, holders: &[usize], counts: impl Fn(&Profile) -> bool) -> Vec<(usize, Group)> {
        let mut found: BTreeMap<u32, usize> = BTreeMap::new();
        for holder in holders {
            if let Some(group) = self.group_of.get(*holder) {
                found.entry(*group).or_insert(*holder);
            }
        }
        let group = |(number, holder): (u32, usize)| {
            let mut group = Group { number, ..Group::default() };
            let members = self.groups.get(&number).into_iter().flatten();
            for member in members {
                if let Some(profile) = self.profiles.get(*member).filter(|profile| counts(profile)) {
                    group.add(profile, self.nature(*member), self.schemes);
                }
            }
            (holder, group)
        };
        found.into_iter().map(group).collect()
    }

    /// Joins what a rule proposes; the number of groups that went.
    pub fn apply(&mut self, joins: &[(usize, usize)]) -> u64 {
        let mut sets = UnionFind::new(u32::try_from(self.profiles.len()).unwrap_or(u32::MAX));
        for members in self.groups.values() {
            for (one, two) in members.iter().zip(members.iter().skip(1)) {
                sets.union(number(*one), number(*two));
            }
        }
        let before = self.groups.len();
        for (one, two) in joins {
            sets.union(number(*one), number(*two));
        }
        self.groups.clear();
        for (member, group) in self.group_of.iter_mut().enumerate() {
            *group = sets.find(number(member));
            self.groups.entry(*group).or_default().push(member);
        }
        (before - self.groups.len()) as u64
    }

    /// Puts every profile into the group that `label` says.
    pub fn relabel(&mut self, label: impl Fn(usize) -> u32) {
        self.groups.clear();
        for (member, group) in self.group_of.iter_mut().enumerate() {
            *group = label(member);
            self.groups.entry(*group).or_default().push(member);
        }
    }
}

/// Judges every pair of groups that carry a key. Groups that are all one with each other are joined; of those that are
/// one with some and not with others nothing is joined, since it cannot be said with whom they belong.
pub(super) fn settle(
    shared: &SharedKey,
    groups: &[(usize, Group)],
    proposal: &mut Proposal,
    verdict: impl Fn(&Group, &Group) -> Verdict,
) {
    let mut sets = UnionFind::new(u32::try_from(groups.len()).unwrap_or(u32::MAX));
    let mut same = BTreeSet::new();
    let mut report = |kind| {
        proposal.conflicts.insert(Conflict { kind, scheme: shared.scheme, key: shared.key });
    };
    for (at, (_, one)) in (0_u32..).zip(groups) {
        for (other, (_, two)) in (0_u32..).zip(groups).skip(at as usize + 1) {
            match verdict(one, two) {
                Verdict::Same => {
                    sets.union(at, other);
                    same.insert((at, other));
                }
                Verdict::Apart(kind) => report(kind),
            }
        }
    }
    let mut circles: BTreeMap<u32, Vec<(u32, usize)>> = BTreeMap::new();
    for (at, (holder, _)) in (0_u32..).zip(groups) {
        circles.entry(sets.find(at)).or_default().push((at, *holder));
    }
    for circle in circles.values() {
        let pairs = || {
            circle
                .iter()
                .enumerate()
                .flat_map(|(n, one)| circle.iter().skip(n + 1).map(move |two| (one, two)))
        };
        match pairs().all(|(one, two)| same.contains(&(one.0, two.0))) {
            true => proposal.joins.extend(pairs().map(|(one, two)| (one.1, two.1))),
            false => report(ConflictKind::Ambiguous),
        }
    }
}

/// A rule: what it proposes for a component.
pub(super) type RuleFn = fn(&Component<'_>) -> Proposal;

/// The rules in their order, the sure ones first.
pub(super) const RULES: [(Rule, RuleFn); 8] = [
    (Rule::OneNumber, super::rules::one_number),
    (Rule::MisreadBirth, super::rules::misread_birth),
    (Rule::NameAndCard, super::rules::name_and_card),
    (Rule::CardInSequence, super::rules::card_in_sequence),
    (Rule::NameInSequence, super::rules::name_in_sequence),
    (Rule::GivenName, super::rules::given_name),
    (Rule::Unnumbered, super::rules::unnumbered),
    (Rule::SameStay, super::rules::same_stay),
];
