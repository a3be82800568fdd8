//! Mentions of deliveries → profiles → persons, and the keys by which a person is known again next time.

use std::collections::{BTreeMap, HashMap};

use classified::{Keyed, Linkage as LinkageKey};

use super::linker::{Linkage, link};
use super::numbered::Numbered;
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

/// What makes two mentions one profile, as a digest: the keys a second time would take as much memory as a profile.
type Content = [u8; 16];

/// Keys, each with a person or cluster.
type Keys = Vec<(Keyed<LinkageKey>, u32)>;

/// All mentions, with equal key sets brought together.
#[derive(Debug)]
pub struct Mentions {
    numbers: Vec<Numbered>,
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
    /// The same keys with each cluster that has one, and digests of profiles by which somebody may have been known
    /// before, sorted.
    pub sharers: Vec<(Keyed<LinkageKey>, u32)>,
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
            numbers: (0..schemes).map(|_| Numbered::default()).collect(),
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
            if let (Some(slot), Some(evidence)) = (keys.get_mut(at), self.evidence.get_mut(at)) {
                *slot = numbers.number(*key);
                evidence.mentions += 1;
                evidence.keys = numbers.len() as u64;
            }
        }
        let next = u32::try_from(self.profiles.len()).unwrap_or(u32::MAX);
        let number = *self.known.entry(content(&keys, mention)).or_insert(next);
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
        let Self { numbers, known, profiles, of_mention, mut evidence } = self;
        drop(known);
        let linkage = link(&profiles, schemes);
        // A given name says too little to know somebody by again.
        let is_weak = |scheme: usize| schemes.get(scheme).is_some_and(|kind| kind.kind == Kind::Given);
        let mut has_own = vec![false; profiles.len()];
        let (mut owners, mut sharers): (Vec<Vec<u32>>, Keys) = Default::default();
        for (scheme, (numbers, evidence)) in numbers.iter().zip(&mut evidence).enumerate() {
            let holders = holders(&profiles, &linkage.person_of, scheme);
            let of_scheme = owners_of(&holders, numbers.len());
            evidence.shared = of_scheme.iter().filter(|owner| **owner == NO_KEY).count() as u64;
            (evidence.persons, evidence.several) = carriers(&holders);
            for (key, person) in holders.into_iter().filter(|_| !is_weak(scheme)) {
                match of_scheme.get(key as usize) {
                    Some(&NO_KEY) => sharers.extend(numbers.key(key).map(|key| (key, person))),
                    _ => has_own.get_mut(person as usize).into_iter().for_each(|slot| *slot = true),
                }
            }
            owners.push(of_scheme);
        }
        let mut owned = nameless(&profiles, &linkage.person_of, &has_own, &numbers);
        sharers.extend(known_before(&profiles, &linkage.person_of, &numbers, is_weak));
        // Profiles take the most memory, and the keys of persons would come on top of them.
        drop(profiles);
        let mut shared = Vec::new();
        for (scheme, (numbers, owners)) in numbers.into_iter().zip(owners).enumerate() {
            for (key, owner) in numbers.into_keys().into_iter().zip(owners).filter(|_| !is_weak(scheme)) {
                match owner {
                    NO_KEY => shared.push(key),
                    owner => owned.push((key, owner)),
                }
            }
        }
        shared.sort_unstable();
        owned.sort_unstable();
        Clusters { evidence, shared, ..Clusters::of(linkage, (owned, sharers), &of_mention) }
    }
}

impl Clusters {
    /// Numbers persons by the smallest of the keys that they alone have, which are in order.
    fn of(linkage: Linkage, (owned, sharers): (Keys, Keys), of_mention: &[u32]) -> Self {
        let (mut of_person, mut count) = (vec![NO_KEY; linkage.person_of.len()], 0);
        let numbered = |(key, person): (Keyed<LinkageKey>, u32)| {
            let cluster = of_person.get_mut(person as usize)?;
            if *cluster == NO_KEY {
                *cluster = count;
                count += 1;
            }
            Some((key, *cluster))
        };
        let keys = owned.into_iter().filter_map(numbered).collect();
        let shared = |(key, person): (Keyed<LinkageKey>, u32)| Some((key, *of_person.get(person as usize)?));
        let mut sharers: Keys = sharers.into_iter().filter_map(shared).collect();
        sharers.sort_unstable();
        let cluster_of = |profile: &u32| {
            let person = linkage.person_of.get(*profile as usize)?;
            of_person.get(*person as usize).copied()
        };
        let of_mention = of_mention.iter().map(|profile| cluster_of(profile).unwrap_or(NO_KEY)).collect();
        let profiles = u32::try_from(linkage.person_of.len()).unwrap_or(u32::MAX);
        let sizes = sizes(&linkage.person_of);
        Self { of_mention, keys, sharers, count, profiles, sizes, linkage, ..Self::default() }
    }
}

/// What makes a mention's profile.
fn content(keys: &[u32], mention: &Mention) -> Content {
    let mut hasher = blake3::Hasher::new();
    let keys: Vec<u8> = keys.iter().flat_map(|key| key.to_le_bytes()).collect();
    hasher.update(&keys).update(&[u8::from(mention.sex.is_some()), mention.sex.unwrap_or(0)]);
    hasher.update(&[u8::from(mention.birth.is_some())]).update(&mention.birth.unwrap_or(0).to_le_bytes());
    let mut content = Content::default();
    hasher.finalize_xof().fill(&mut content);
    content
}

/// Each key of a scheme with each person who has it, in order.
fn holders(profiles: &[Profile], person_of: &[u32], scheme: usize) -> Vec<(u32, u32)> {
    let of_profile = |(profile, person): (&Profile, &u32)| Some((profile.key(scheme)?, *person));
    let mut holders: Vec<(u32, u32)> = profiles.iter().zip(person_of).filter_map(of_profile).collect();
    holders.sort_unstable();
    holders.dedup();
    holders
}

/// The person of each of so many keys who has it alone; [`NO_KEY`] where several do.
fn owners_of(holders: &[(u32, u32)], keys: usize) -> Vec<u32> {
    let mut owners = vec![NO_KEY; keys];
    for same in holders.chunk_by(|one, two| one.0 == two.0) {
        if let [(key, person)] = same
            && let Some(slot) = owners.get_mut(*key as usize)
        {
            *slot = *person;
        }
    }
    owners
}

/// How many persons have a key, and how many have several.
fn carriers(holders: &[(u32, u32)]) -> (u64, u64) {
    let mut persons: Vec<u32> = holders.iter().map(|(_, person)| *person).collect();
    persons.sort_unstable();
    let each = || persons.chunk_by(|one, two| one == two);
    (each().count() as u64, each().filter(|keys| keys.len() > 1).count() as u64)
}

/// Persons by the number of their profiles.
fn sizes(person_of: &[u32]) -> BTreeMap<u32, u64> {
    let mut profiles = vec![0_u32; person_of.len()];
    for person in person_of {
        profiles.get_mut(*person as usize).into_iter().for_each(|size| *size += 1);
    }
    let mut sizes = BTreeMap::new();
    profiles.into_iter().filter(|size| *size > 0).for_each(|size| *sizes.entry(size).or_default() += 1);
    sizes
}

/// A digest of all keys for each person who has no key alone.
fn nameless(
    profiles: &[Profile],
    person_of: &[u32],
    has_own: &[bool],
    numbers: &[Numbered],
) -> Vec<(Keyed<LinkageKey>, u32)> {
    let mut digests: BTreeMap<u32, [u8; 32]> = BTreeMap::new();
    for (profile, person) in profiles.iter().zip(person_of) {
        if has_own.get(*person as usize).copied().unwrap_or(true) {
            continue;
        }
        let digest = digest(profile, numbers);
        digests.entry(*person).and_modify(|least| *least = digest.min(*least)).or_insert(digest);
    }
    digests.into_iter().map(|(person, digest)| (Keyed::new(digest), person)).collect()
}

/// Digests of the profiles of whose keys each is another profile's as well, with their persons. Nobody else can have
/// had no key alone; whoever was known by one may have a key alone by now, or another digest.
fn known_before(
    profiles: &[Profile],
    person_of: &[u32],
    numbers: &[Numbered],
    is_weak: impl Fn(usize) -> bool,
) -> Keys {
    let strong = numbers.iter().enumerate().filter(|(scheme, _)| !is_weak(*scheme));
    let several = strong.map(|(scheme, numbers)| (scheme, of_several(profiles, scheme, numbers.len())));
    let several: Vec<(usize, Vec<bool>)> = several.collect();
    let is_others = |profile: &Profile| {
        several.iter().all(|(scheme, several)| {
            let key = profile.key(*scheme);
            key.is_none_or(|key| several.get(key as usize).copied().unwrap_or(false))
        })
    };
    let others = profiles.iter().zip(person_of).filter(|(profile, _)| is_others(profile));
    others.map(|(profile, person)| (Keyed::new(digest(profile, numbers)), *person)).collect()
}

/// Which of so many keys of a scheme several profiles have.
fn of_several(profiles: &[Profile], scheme: usize, keys: usize) -> Vec<bool> {
    let (mut seen, mut several) = (vec![false; keys], vec![false; keys]);
    for key in profiles.iter().filter_map(|profile| profile.key(scheme)) {
        if let (Some(seen), Some(several)) = (seen.get_mut(key as usize), several.get_mut(key as usize)) {
            *several |= *seen;
            *seen = true;
        }
    }
    several
}

/// What stands for all that is known of a profile.
fn digest(profile: &Profile, numbers: &[Numbered]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 person without a key of their own");
    for (scheme, numbers) in numbers.iter().enumerate() {
        let key = profile.key(scheme).and_then(|key| numbers.key(key));
        hasher.update(key.as_ref().map_or(&[0; 32], |key| key.as_bytes()));
    }
    hasher.update(&[profile.sex.unwrap_or(0)]).update(&profile.birth.unwrap_or(i32::MIN).to_le_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use catalog_model::Catalogue;
    use classified::Keyed;

    use super::super::profile::SchemeKind;
    use super::{Clusters, Mention, Mentions};

    /// Namesakes, some with a card each.
    fn namesakes(cards: &[Option<&str>]) -> Clusters {
        let catalogue = Catalogue::builtin().unwrap();
        let kinds: Vec<SchemeKind> = catalogue.schemes.iter().map(SchemeKind::of).collect();
        let at = |name: &str| kinds.iter().position(|kind| kind.scheme == name).unwrap();
        let key = |text: &str| Some(Keyed::new(*blake3::hash(text.as_bytes()).as_bytes()));
        let mut mentions = Mentions::new(kinds.len());
        for card in cards {
            let mut keys = vec![None; kinds.len()];
            keys[at("id2")] = key("name");
            keys[at("id1")] = card.and_then(key);
            let months = (24_280..24_290).collect();
            mentions.add(&Mention {
                keys,
                sex: Some(1),
                birth: Some(0),
                months,
                claims: 1,
                ..Mention::default()
            });
        }
        mentions.link(&kinds)
    }

    #[test]
    fn whoever_was_known_by_a_digest_is_told_by_it_when_they_have_a_key_alone() {
        // The name is several persons', so the record without a card is nobody's but its own.
        let before = namesakes(&[Some("one"), Some("two"), None]);
        assert_eq!((before.count, before.shared.len()), (3, 1));
        let digests: Vec<_> = before.keys.iter().filter(|(_, of)| *of == before.of_mention[2]).collect();
        assert_eq!(digests.len(), 1);
        let digest = digests[0].0;
        // Without the second card there is one person, who has both keys alone.
        let after = namesakes(&[Some("one"), None]);
        assert_eq!((after.count, after.shared.len(), after.keys.len()), (1, 0, 2));
        assert_eq!(after.sharers, [(digest, 0)]);
        // Whose card nobody else has was never known by a digest.
        assert!(namesakes(&[Some("one")]).sharers.is_empty());
    }
}
