//! How well persons agree with the truth, beside what single ids would have found.
//!
//! Pairs of claims are counted: of the pairs put together, the share that belong together (precision), and of those
//! that belong together, the share put together (recall). The baselines take the same claims: one ID1 is one person,
//! one ID2 is one person, and the union of both, which researchers call ID0.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::profile::{NO_KEY, Profile};
use super::union_find::UnionFind;

/// Claims of one person in truth that carry one profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The person in truth.
    pub truth: u64,
    /// The profile.
    pub profile: u32,
    /// The person that linkage made of it.
    pub person: u32,
    /// How many claims.
    pub claims: u64,
}

/// How two groupings of the same claims agree.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Claims.
    pub claims: u64,
    /// Persons in truth.
    pub true_persons: u64,
    /// Persons as linked.
    pub linked_persons: u64,
    /// Of the pairs of claims linked as one person, the share that are.
    pub precision: f64,
    /// Of the pairs of claims of one person, the share that are linked.
    pub recall: f64,
    /// Persons in truth whose claims lie in more than one linked person.
    pub split_persons: u64,
    /// Linked persons with claims of more than one person in truth.
    pub merged_persons: u64,
}

/// A way to link, for the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The rules of this module.
    Misu,
    /// One card, birth date and sex is one person.
    Id1,
    /// One name, birth date and sex is one person.
    Id2,
    /// Claims that share either are one person.
    Id0,
}

impl Method {
    /// The way's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Misu => "misu",
            Self::Id1 => "id1",
            Self::Id2 => "id2",
            Self::Id0 => "id0",
        }
    }
}

/// Compares two groupings: (person in truth, person as linked, claims).
pub fn compare(groupings: impl Iterator<Item = (u64, u64, u64)>) -> Agreement {
    let mut cells: HashMap<(u64, u64), u64> = HashMap::new();
    for (truth, linked, claims) in groupings {
        *cells.entry((truth, linked)).or_default() += claims;
    }
    // Claims, and the number of groups of the other side that they fall into.
    let mut persons: HashMap<u64, (u64, u64)> = HashMap::new();
    let mut clusters: HashMap<u64, (u64, u64)> = HashMap::new();
    for ((truth, linked), claims) in &cells {
        let person = persons.entry(*truth).or_default();
        *person = (person.0 + claims, person.1 + 1);
        let cluster = clusters.entry(*linked).or_default();
        *cluster = (cluster.0 + claims, cluster.1 + 1);
    }
    let pairs = |claims: u64| u128::from(claims) * u128::from(claims.saturating_sub(1)) / 2;
    let both: u128 = cells.values().map(|claims| pairs(*claims)).sum();
    let linked: u128 = clusters.values().map(|(claims, _)| pairs(*claims)).sum();
    let belong: u128 = persons.values().map(|(claims, _)| pairs(*claims)).sum();
    Agreement {
        claims: cells.values().sum(),
        true_persons: persons.len() as u64,
        linked_persons: clusters.len() as u64,
        precision: share(both, linked),
        recall: share(both, belong),
        split_persons: persons.values().filter(|(_, clusters)| *clusters > 1).count() as u64,
        merged_persons: clusters.values().filter(|(_, persons)| *persons > 1).count() as u64,
    }
}

fn share(part: u128, whole: u128) -> f64 {
    // Pair counts stay far below the 53 bits of a float's mantissa for any delivery of this world.
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// The table of methods, over the claims that carry both ids: receipts and check-ups. `schemes` names the two.
pub fn methods(
    carried: &[Carried],
    profiles: &[Profile],
    id1: usize,
    id2: usize,
) -> BTreeMap<Method, Agreement> {
    let key = |profile: u32, scheme: usize| profiles.get(profile as usize).and_then(|p| p.key(scheme));
    let insured: Vec<&Carried> = carried
        .iter()
        .filter(|one| key(one.profile, id1).is_some() && key(one.profile, id2).is_some())
        .collect();
    let mut union = either(profiles, id1, id2);
    let mut table = BTreeMap::new();
    for method in [Method::Misu, Method::Id1, Method::Id2, Method::Id0] {
        let group = |one: &Carried, union: &mut UnionFind| match method {
            Method::Misu => one.person,
            Method::Id1 => key(one.profile, id1).unwrap_or(NO_KEY),
            Method::Id2 => key(one.profile, id2).unwrap_or(NO_KEY),
            Method::Id0 => union.find(one.profile),
        };
        let groupings: Vec<(u64, u64, u64)> =
            insured.iter().map(|one| (one.truth, u64::from(group(one, &mut union)), one.claims)).collect();
        table.insert(method, compare(groupings.into_iter()));
    }
    table
}

/// Profiles that share either id.
fn either(profiles: &[Profile], id1: usize, id2: usize) -> UnionFind {
    let mut sets = UnionFind::new(u32::try_from(profiles.len()).unwrap_or(u32::MAX));
    for scheme in [id1, id2] {
        let mut first: HashMap<u32, u32> = HashMap::new();
        for (number, profile) in (0_u32..).zip(profiles) {
            if let Some(key) = profile.key(scheme) {
                let one = *first.entry(key).or_insert(number);
                sets.union(one, number);
            }
        }
    }
    sets
}

/// One thing that was fixed before the seed of a judged population was drawn, and what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fixed {
    /// What is counted.
    pub what: String,
    /// What was found.
    pub found: f64,
    /// What it may be at most; beside another way to link, what it must be below.
    pub limit: f64,
    /// Whether it is so.
    pub is_held: bool,
}

/// Missed and false links, and how far the number of persons is off, in percent.
fn percents(found: &Agreement) -> [f64; 3] {
    let off = found.linked_persons.abs_diff(found.true_persons) as f64 / found.true_persons.max(1) as f64;
    [1.0 - found.recall, 1.0 - found.precision, off].map(|part| part * 100.0)
}

/// Holds a linkage against what decision 0330 fixed: over `all` claims, and over those that carry both ids beside the
/// other ways; `broken` persons are of two sexes or months of birth.
pub fn judged(all: &Agreement, methods: &BTreeMap<Method, Agreement>, broken: u64) -> Vec<Fixed> {
    const LIMITS: [(&str, f64); 3] =
        [("missed links, %", 1.0), ("false links, %", 0.1), ("persons off, %", 1.0)];
    let mut fixed = Vec::new();
    let own = methods.get(&Method::Misu);
    for (claims, found) in
        own.map(|own| ("claims with both ids", own)).into_iter().chain([("all claims", all)])
    {
        fixed.extend(LIMITS.into_iter().zip(percents(found)).map(|((what, limit), found)| Fixed {
            what: format!("{what}, {claims}"),
            found,
            limit,
            is_held: found <= limit,
        }));
    }
    let found = broken as f64;
    fixed.push(Fixed { what: "persons of two natures".to_owned(), found, limit: 0.0, is_held: broken == 0 });
    for (method, other) in methods.iter().filter(|(method, _)| **method != Method::Misu) {
        let pairs = own.into_iter().flat_map(|own| percents(own).into_iter().zip(percents(other)));
        fixed.extend(LIMITS.into_iter().zip(pairs).map(|((what, _), (found, limit))| Fixed {
            what: format!("{what}, below {}", method.as_str()),
            found,
            limit,
            is_held: found < limit,
        }));
    }
    fixed
}

/// Why a person was split or persons were merged, as far as the truth says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Name and card changed in the same month.
    NameAndCardAtOnce,
    /// The name changed: marriage, divorce.
    NameChange,
    /// The card changed: another insurer, the 75th birthday.
    CardChange,
    /// Nothing changed: a field was written wrong, or a record carries too little.
    Writing,
    /// Twins.
    Twins,
    /// The same name, birth date and sex.
    Namesakes,
    /// Other persons: a number given again, a parent's number, a chance of wrong fields.
    Others,
}

impl Cause {
    /// The cause's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NameAndCardAtOnce => "name-and-card-at-once",
            Self::NameChange => "name-change",
            Self::CardChange => "card-change",
            Self::Writing => "writing",
            Self::Twins => "twins",
            Self::Namesakes => "namesakes",
            Self::Others => "others",
        }
    }
}

/// What is true of a person, as far as it explains errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct True {
    /// The sex code.
    pub sex: u8,
    /// The birth date, in any form that is equal for equal days.
    pub birth: String,
    /// The other twin.
    pub twin_of: Option<u64>,
    /// Months in which the name changed.
    pub name_changes: Vec<i32>,
    /// Months in which the card changed.
    pub card_changes: Vec<i32>,
}

/// Splits and merges by cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Causes {
    /// Persons in truth who are several, by cause.
    pub split: BTreeMap<Cause, u64>,
    /// Linked persons who are several in truth, by cause.
    pub merged: BTreeMap<Cause, u64>,
}

/// Explains what went wrong.
pub fn causes(carried: &[Carried], truth: &HashMap<u64, True>) -> Causes {
    let mut persons_of: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    let mut truths_of: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for one in carried {
        persons_of.entry(one.truth).or_default().push(one.person);
        truths_of.entry(one.person).or_default().push(one.truth);
    }
    let mut causes = Causes::default();
    for (person, mut linked) in persons_of {
        linked.sort_unstable();
        linked.dedup();
        if linked.len() > 1 {
            *causes.split.entry(split_cause(truth.get(&person))).or_default() += 1;
        }
    }
    for mut persons in truths_of.into_values() {
        persons.sort_unstable();
        persons.dedup();
        if let [one, two, ..] = persons.as_slice() {
            *causes.merged.entry(merge_cause((*one, truth.get(one)), (*two, truth.get(two)))).or_default() +=
                1;
        }
    }
    causes
}

fn split_cause(person: Option<&True>) -> Cause {
    let Some(person) = person else { return Cause::Writing };
    match (person.name_changes.as_slice(), person.card_changes.as_slice()) {
        (names, cards) if names.iter().any(|month| cards.contains(month)) => Cause::NameAndCardAtOnce,
        ([_, ..], _) => Cause::NameChange,
        (_, [_, ..]) => Cause::CardChange,
        _ => Cause::Writing,
    }
}

fn merge_cause((one, first): (u64, Option<&True>), (two, second): (u64, Option<&True>)) -> Cause {
    let (Some(first), Some(second)) = (first, second) else { return Cause::Others };
    match () {
        () if first.twin_of == Some(two) || second.twin_of == Some(one) => Cause::Twins,
        () if (first.sex, &first.birth) == (second.sex, &second.birth) => Cause::Namesakes,
        () => Cause::Others,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Agreement, Method, compare, judged};

    #[test]
    fn a_judged_linkage_holds_what_was_fixed_or_says_what_it_does_not() {
        let of = |recall, precision, linked_persons| Agreement {
            claims: 10,
            true_persons: 1_000,
            linked_persons,
            precision,
            recall,
            split_persons: 0,
            merged_persons: 0,
        };
        let (own, other) = (of(0.995, 0.9995, 1_009), of(0.9, 0.99, 1_100));
        let others = [Method::Id1, Method::Id2, Method::Id0].map(|method| (method, other.clone()));
        let methods: BTreeMap<Method, Agreement> =
            others.into_iter().chain([(Method::Misu, own.clone())]).collect();
        let broken = |all: &Agreement, natures: u64| -> Vec<String> {
            let fixed = judged(all, &methods, natures);
            assert_eq!(fixed.len(), 16);
            fixed.into_iter().filter(|fixed| !fixed.is_held).map(|fixed| fixed.what).collect()
        };
        assert!(broken(&own, 0).is_empty());
        assert_eq!(
            broken(&of(0.98, 0.9995, 989), 1),
            ["missed links, %, all claims", "persons off, %, all claims", "persons of two natures",]
        );
        // As good as another is not better.
        assert!(
            judged(&own, &BTreeMap::from([(Method::Misu, own.clone()), (Method::Id0, own.clone())]), 0)
                .iter()
                .rev()
                .take(3)
                .all(|fixed| !fixed.is_held)
        );
    }

    #[test]
    fn precision_and_recall_count_pairs_of_claims() {
        // Person 1 has three claims, two of them in cluster 0; person 2 has one claim, wrongly in cluster 0.
        let found = compare([(1, 0, 2), (1, 1, 1), (2, 0, 1)].into_iter());
        assert!((found.precision - 1.0 / 3.0).abs() < 1e-12);
        assert!((found.recall - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!((found.claims, found.split_persons, found.merged_persons), (4, 1, 1));
        assert!((compare([(1, 5, 1), (2, 6, 1)].into_iter()).precision - 1.0).abs() < 1e-12);
    }
}
