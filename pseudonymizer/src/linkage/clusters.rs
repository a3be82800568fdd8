//! Mentions of deliveries → profiles → persons, and the keys by which a person is known again next time.

use std::collections::{BTreeMap, HashMap};

use classified::{Keyed, Linkage as LinkageKey};

use super::linker::{Linkage, link};
use super::profile::{Kind, NO_KEY, Profile, SchemeKind};

/// One identity as it was mentioned in one part of one delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mention {
    /// Its linkage keys by scheme number.
    pub keys: Vec<Option<Keyed<LinkageKey>>>,
    /// The sex code.
    pub sex: Option<u8>,
    /// The birth date, as days since 1970-01-01.
    pub birth: Option<i32>,
    /// The months in which it was mentioned, as months since year 0.
    pub months: Vec<i32>,
    /// Prefectures of the facilities, one bit each.
    pub places: u64,
    /// The facilities, as surrogates.
    pub facilities: Vec<u64>,
    /// Stays in hospital: facility, day of admission, birth date and sex, as one number each.
    pub stays: Vec<u64>,
    /// The number of claims.
    pub claims: u32,
}

/// What makes two mentions one profile: keys, sex and birth date.
type Content = (Vec<u32>, Option<u8>, Option<i32>);

/// All mentions, with equal key sets brought together.
#[derive(Debug)]
pub struct Mentions {
    numbers: Vec<HashMap<Keyed<LinkageKey>, u32>>,
    known: HashMap<Content, u32>,
    profiles: Vec<Profile>,
    of_mention: Vec<u32>,
    evidence: Vec<Evidence>,
}

/// The persons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clusters {
    /// The cluster of each mention, in the order of the mentions.
    pub of_mention: Vec<u32>,
    /// The keys that only one cluster has, with it, sorted by key. A cluster that has none is known by a digest of
    /// all its keys instead.
    pub keys: Vec<(Keyed<LinkageKey>, u32)>,
    /// The keys that several clusters have, sorted.
    pub shared: Vec<Keyed<LinkageKey>>,
    /// The number of clusters.
    pub count: u32,
    /// What is known of each scheme, by scheme number.
    pub evidence: Vec<Evidence>,
    /// How the clusters came about.
    pub linkage: Linkage,
    /// The number of profiles.
    pub profiles: u32,
    /// Clusters by the number of their profiles.
    pub sizes: BTreeMap<u32, u64>,
}

/// What is known of one scheme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Mentions that carry a key of the scheme.
    pub mentions: u64,
    /// Distinct keys.
    pub keys: u64,
    /// Keys that several persons have.
    pub shared: u64,
    /// Persons who have a key of the scheme.
    pub persons: u64,
    /// Persons who have several.
    pub several: u64,
}

impl Mentions {
    /// No mention yet, of so many schemes.
    pub fn new(schemes: usize) -> Self {
        Self {
            numbers: vec![HashMap::new(); schemes],
            known: HashMap::new(),
            profiles: Vec::new(),
            of_mention: Vec::new(),
            evidence: vec![Evidence::default(); schemes],
        }
    }

    /// The number of mentions.
    pub fn len(&self) -> usize {
        self.of_mention.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.of_mention.is_empty()
    }

    /// The profiles so far.
    pub fn profiles(&self) -> &[Profile] {
        &self.profiles
    }

    /// The profile of each mention.
    pub fn profile_of(&self) -> &[u32] {
        &self.of_mention
    }

    /// Adds a mention.
    pub fn add(&mut self, mention: &Mention) {
        let mut keys = vec![NO_KEY; self.numbers.len()];
        for (at, key) in mention.keys.iter().enumerate() {
            let (Some(key), Some(numbers)) = (key, self.numbers.get_mut(at)) else { continue };
            let next = u32::try_from(numbers.len()).unwrap_or(NO_KEY);
            if let (Some(slot), Some(evidence)) = (keys.get_mut(at), self.evidence.get_mut(at)) {
                *slot = *numbers.entry(*key).or_insert(next);
                evidence.mentions += 1;
                evidence.keys = numbers.len() as u64;
            }
        }
        let next = u32::try_from(self.profiles.len()).unwrap_or(u32::MAX);
        let number = *self.known.entry((keys.clone(), mention.sex, mention.birth)).or_insert(next);
        if number == next {
            let (sex, birth) = (mention.sex, mention.birth);
            self.profiles.push(Profile { keys, sex, birth, ..Profile::default() });
        }
        if let Some(profile) = self.profiles.get_mut(number as usize) {
            profile.months.extend(&mention.months);
            profile.places |= mention.places;
            profile.facilities.extend(&mention.facilities);
            profile.stays.extend(&mention.stays);
            profile.claims = profile.claims.saturating_add(mention.claims);
        }
        self.of_mention.push(number);
    }

    /// Links them. Clusters are numbered by their smallest key, so the numbers do not depend on the order of the
    /// mentions.
    pub fn link(self, schemes: &[SchemeKind]) -> Clusters {
        let linkage = link(&self.profiles, schemes);
        let mut evidence = self.evidence.clone();
        let mut owned: Vec<(Keyed<LinkageKey>, u32)> = Vec::new();
        let mut shared = Vec::new();
        let mut names: Vec<Vec<Option<Keyed<LinkageKey>>>> = Vec::new();
        for (scheme, (numbers, evidence)) in self.numbers.iter().zip(&mut evidence).enumerate() {
            let persons = persons_of_keys(&self.profiles, &linkage.person_of, scheme, numbers.len());
            let mut keys = vec![None; numbers.len()];
            // A given name says too little to know somebody by again.
            let is_weak = schemes.get(scheme).is_some_and(|kind| kind.kind == Kind::Given);
            for (key, number) in numbers {
                if let Some(slot) = keys.get_mut(*number as usize) {
                    *slot = Some(*key);
                }
                match persons.get(*number as usize).map(Vec::as_slice) {
                    Some([only]) if !is_weak => owned.push((*key, *only)),
                    Some([_]) => {}
                    _ => {
                        evidence.shared += 1;
                        if !is_weak {
                            shared.push(*key);
                        }
                    }
                }
            }
            (evidence.persons, evidence.several) = carriers(&persons);
            names.push(keys);
        }
        shared.sort_unstable();
        owned.extend(nameless(&self.profiles, &linkage.person_of, &owned, &names));
        owned.sort_unstable();
        self.number(linkage, evidence, &owned, shared)
    }

    fn number(
        self,
        linkage: Linkage,
        evidence: Vec<Evidence>,
        owned: &[(Keyed<LinkageKey>, u32)],
        shared: Vec<Keyed<LinkageKey>>,
    ) -> Clusters {
        let mut of_person = vec![NO_KEY; self.profiles.len()];
        let mut clusters = Clusters { evidence, shared, ..Clusters::default() };
        // Keys come in order, so the first key of a person is the smallest.
        for (key, person) in owned {
            let Some(cluster) = of_person.get_mut(*person as usize) else { continue };
            if *cluster == NO_KEY {
                *cluster = clusters.count;
                clusters.count += 1;
            }
            clusters.keys.push((*key, *cluster));
        }
        let cluster_of = |profile: u32| {
            let person = linkage.person_of.get(profile as usize)?;
            of_person.get(*person as usize).copied()
        };
        clusters.of_mention = self.of_mention.iter().map(|p| cluster_of(*p).unwrap_or(NO_KEY)).collect();
        let mut sizes: HashMap<u32, u32> = HashMap::new();
        linkage.person_of.iter().for_each(|person| *sizes.entry(*person).or_default() += 1);
        sizes.into_values().for_each(|size| *clusters.sizes.entry(size).or_default() += 1);
        clusters.profiles = u32::try_from(self.profiles.len()).unwrap_or(u32::MAX);
        clusters.linkage = linkage;
        clusters
    }
}

/// The persons who have each key of a scheme.
fn persons_of_keys(profiles: &[Profile], person_of: &[u32], scheme: usize, keys: usize) -> Vec<Vec<u32>> {
    let mut persons: Vec<Vec<u32>> = vec![Vec::new(); keys];
    for (profile, person) in profiles.iter().zip(person_of) {
        let known = profile.key(scheme).and_then(|key| persons.get_mut(key as usize));
        if let Some(known) = known.filter(|known| !known.contains(person)) {
            known.push(*person);
        }
    }
    persons
}

/// How many persons have a key, and how many have several.
fn carriers(persons: &[Vec<u32>]) -> (u64, u64) {
    let mut keys: HashMap<u32, u32> = HashMap::new();
    persons.iter().flatten().for_each(|person| *keys.entry(*person).or_default() += 1);
    (keys.len() as u64, keys.values().filter(|keys| **keys > 1).count() as u64)
}

/// A digest of all keys for each person who has no key alone.
fn nameless(
    profiles: &[Profile],
    person_of: &[u32],
    owned: &[(Keyed<LinkageKey>, u32)],
    names: &[Vec<Option<Keyed<LinkageKey>>>],
) -> Vec<(Keyed<LinkageKey>, u32)> {
    let mut has_own = vec![false; profiles.len()];
    for (_, person) in owned {
        if let Some(slot) = has_own.get_mut(*person as usize) {
            *slot = true;
        }
    }
    let mut digests: BTreeMap<u32, [u8; 32]> = BTreeMap::new();
    for (profile, person) in profiles.iter().zip(person_of) {
        if has_own.get(*person as usize).copied().unwrap_or(true) {
            continue;
        }
        let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 person without a key of their own");
        for (scheme, names) in names.iter().enumerate() {
            let key = profile.key(scheme).and_then(|key| names.get(key as usize).copied().flatten());
            hasher.update(key.as_ref().map_or(&[0; 32], |key| key.as_bytes()));
        }
        hasher.update(&[profile.sex.unwrap_or(0)]).update(&profile.birth.unwrap_or(i32::MIN).to_le_bytes());
        let digest = *hasher.finalize().as_bytes();
        digests.entry(*person).and_modify(|least| *least = digest.min(*least)).or_insert(digest);
    }
    digests.into_iter().map(|(person, digest)| (Keyed::new(digest), person)).collect()
}
