//! Dense numbers for persons and facilities: never re-used, given in keyed-hash order, kept from snapshot to snapshot.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, FixedSizeBinaryBuilder, UInt32Array, UInt64Array};
use arrow::datatypes::UInt64Type;
use catalog_store::StagedFiles;

use super::link::{self, CurrentLinks};
use crate::tables::{FileError, open};

/// Under this key, which nobody can have, stands the highest number that was ever given: the keys of whoever had it may
/// all turn out to be several persons', and no number is given twice.
pub(super) const HIGHEST: [u8; 32] = *b"misu: highest number of a person";

/// The person number of each cluster.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PersonNumbers {
    pub(super) of_cluster: Vec<u32>,
    /// Numbers that another person took over because their records turned out to be one person's: from, to.
    pub(super) aliases: BTreeMap<u32, u32>,
    /// Numbers whose records are another number's now, all or some of them, each with that number: merged, split off or
    /// moved. What was released under the one is compared with what is released under the other.
    pub(super) same: Vec<(u32, u32)>,
    /// Persons who got a number for the first time.
    pub(super) added: u32,
}

/// Numbers the clusters. A cluster keeps the smallest number that any of its keys had before; new persons are numbered
/// after the highest number, in the order of their smallest key. Where one person's keys now lie in several clusters,
/// the cluster with the smallest key keeps the number and the others get new ones.
pub(super) fn number_persons(links: &CurrentLinks, before: &HashMap<[u8; 32], u32>) -> PersonNumbers {
    let mut known: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); links.count as usize];
    for (key, cluster) in &links.keys {
        if let (Some(person), Some(known)) = (before.get(key), known.get_mut(*cluster as usize)) {
            known.insert(*person);
        }
    }
    let mut next = before.values().max().map_or(0, |highest| highest + 1);
    let mut taken = BTreeSet::new();
    let mut numbers = PersonNumbers::default();
    for persons in known {
        let number = persons.iter().copied().find(|person| !taken.contains(person)).unwrap_or_else(|| {
            numbers.added += 1;
            next += 1;
            next - 1
        });
        taken.insert(number);
        numbers
            .same
            .extend(persons.into_iter().filter(|other| *other != number).map(|other| (other, number)));
        numbers.of_cluster.push(number);
    }
    // A number that moved into another cluster's set may still be alive elsewhere: then it is no alias.
    numbers.aliases = numbers.same.iter().copied().filter(|(gone, _)| !taken.contains(gone)).collect();
    let is_gone = |number: &u32| !taken.contains(number) && !numbers.aliases.contains_key(number);
    let left = left(links, before, &numbers.of_cluster, is_gone);
    numbers.same.extend(left);
    numbers
}

/// Numbers that nobody carries on, since all their keys turned out to be several persons': each with whoever has one of
/// these, or the profile that it was known by. Any of them may be the former person, and is compared as if they were.
fn left(
    links: &CurrentLinks,
    before: &HashMap<[u8; 32], u32>,
    of_cluster: &[u32],
    is_gone: impl Fn(&u32) -> bool,
) -> Vec<(u32, u32)> {
    let of_sharer = |(key, cluster): &([u8; 32], u32)| {
        let number = before.get(key).copied().filter(&is_gone)?;
        Some((number, *of_cluster.get(*cluster as usize)?))
    };
    links.sharers.iter().filter_map(of_sharer).collect()
}

/// Numbers facilities: those known keep theirs, new ones follow in the order of their surrogates.
pub(super) fn number_facilities(seen: &BTreeSet<u64>, before: &HashMap<u64, u32>) -> HashMap<u64, u32> {
    let mut numbers = before.clone();
    let mut next = before.values().max().map_or(0, |highest| highest + 1);
    for surrogate in seen {
        numbers.entry(*surrogate).or_insert_with(|| {
            next += 1;
            next - 1
        });
    }
    numbers
}

pub(super) fn read_persons(files: &StagedFiles, path: &Path) -> Result<HashMap<[u8; 32], u32>, FileError> {
    let mut persons = HashMap::new();
    for batch in open(files, path, 65_536)? {
        let batch = batch.map_err(|source| FileError::Arrow { path: path.to_owned(), source })?;
        let keys = link::fixed::<32>(&batch, "key", path)?;
        let numbers = link::numbers(&batch, "person", path)?;
        persons
            .extend(keys.into_iter().zip(numbers.values()).filter_map(|(key, person)| Some((key?, *person))));
    }
    Ok(persons)
}

/// Keeps the number of every linkage key, those of keys that no delivery mentions any more as well.
pub(super) fn write_persons(
    files: &StagedFiles,
    path: &Path,
    links: &CurrentLinks,
    numbers: &PersonNumbers,
    before: &HashMap<[u8; 32], u32>,
) -> Result<(), FileError> {
    write_numbers(files, path, &kept(links, numbers, before))
}

/// The number of every key from now on.
fn kept(
    links: &CurrentLinks,
    numbers: &PersonNumbers,
    before: &HashMap<[u8; 32], u32>,
) -> HashMap<[u8; 32], u32> {
    let mut all = before.clone();
    // A key that turned out to be several persons' says no longer whose it is.
    for key in &links.shared {
        all.remove(key);
    }
    for (key, cluster) in &links.keys {
        if let Some(person) = numbers.of_cluster.get(*cluster as usize) {
            all.insert(*key, *person);
        }
    }
    if let Some(highest) = before.values().chain(&numbers.of_cluster).max() {
        all.insert(HIGHEST, *highest);
    }
    all
}

/// Writes the person of every linkage key, in the order of the keys.
pub(super) fn write_numbers(
    files: &StagedFiles,
    path: &Path,
    persons: &HashMap<[u8; 32], u32>,
) -> Result<(), FileError> {
    let all: BTreeMap<[u8; 32], u32> = persons.iter().map(|(key, person)| (*key, *person)).collect();
    let mut keys = FixedSizeBinaryBuilder::with_capacity(all.len(), 32);
    for key in all.keys() {
        keys.append_value(key).unwrap_or_else(|_| keys.append_null());
    }
    let persons = UInt32Array::from_iter_values(all.values().copied());
    let columns: Vec<(&str, ArrayRef)> =
        vec![("key", Arc::new(keys.finish())), ("person", Arc::new(persons))];
    link::write(files, path, columns)
}

pub(super) fn read_facilities(files: &StagedFiles, path: &Path) -> Result<HashMap<u64, u32>, FileError> {
    let mut facilities = HashMap::new();
    for batch in open(files, path, 65_536)? {
        let batch = batch.map_err(|source| FileError::Arrow { path: path.to_owned(), source })?;
        let surrogates =
            batch.column_by_name("surrogate").and_then(|array| array.as_primitive_opt::<UInt64Type>());
        let surrogates = surrogates
            .ok_or_else(|| FileError::Column { path: path.to_owned(), column: "surrogate".to_owned() })?;
        let numbers = link::numbers(&batch, "facility", path)?;
        facilities.extend(surrogates.values().iter().copied().zip(numbers.values().iter().copied()));
    }
    Ok(facilities)
}

pub(super) fn write_facilities(
    files: &StagedFiles,
    path: &Path,
    facilities: &HashMap<u64, u32>,
) -> Result<(), FileError> {
    let sorted: BTreeMap<u64, u32> =
        facilities.iter().map(|(surrogate, number)| (*surrogate, *number)).collect();
    let surrogates = UInt64Array::from_iter_values(sorted.keys().copied());
    let numbers = UInt32Array::from_iter_values(sorted.values().copied());
    link::write(files, path, vec![("surrogate", Arc::new(surrogates)), ("facility", Arc::new(numbers))])
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use proptest::prelude::*;

    use catalog_store::StagedFiles;

    use super::super::link::CurrentLinks;
    use super::{kept, number_facilities, number_persons, read_persons, write_persons};

    fn links(keys: &[(u8, u32)]) -> CurrentLinks {
        let count = keys.iter().map(|(_, cluster)| cluster + 1).max().unwrap_or(0);
        let keys = keys.iter().map(|(key, cluster)| ([*key; 32], *cluster)).collect();
        CurrentLinks { keys, count, ..CurrentLinks::default() }
    }

    fn before(keys: &[(u8, u32)]) -> HashMap<[u8; 32], u32> {
        keys.iter().map(|(key, person)| ([*key; 32], *person)).collect()
    }

    #[test]
    fn new_persons_follow_the_highest_number_and_old_ones_keep_theirs() {
        let numbers = number_persons(&links(&[(1, 0), (2, 1), (3, 2)]), &before(&[(2, 7)]));
        assert_eq!(numbers.of_cluster, [8, 7, 9]);
        assert_eq!((numbers.added, numbers.aliases.len()), (2, 0));
    }

    #[test]
    fn a_merge_keeps_the_smallest_number_and_records_an_alias() {
        let numbers = number_persons(&links(&[(1, 0), (2, 0)]), &before(&[(1, 5), (2, 3)]));
        assert_eq!(numbers.of_cluster, [3]);
        assert_eq!(numbers.same, [(5, 3)]);
        assert_eq!(numbers.aliases.into_iter().collect::<Vec<_>>(), [(5, 3)]);
    }

    #[test]
    fn a_split_gives_the_rest_a_new_number_and_no_number_twice() {
        let numbers = number_persons(&links(&[(1, 0), (2, 1)]), &before(&[(1, 0), (2, 0), (9, 4)]));
        assert_eq!(numbers.of_cluster, [0, 5]);
        assert!(numbers.aliases.is_empty());
        // Who is 5 now was counted as 0 before.
        assert_eq!(numbers.same, [(0, 5)]);
    }

    #[test]
    fn a_key_that_turned_out_to_be_several_persons_loses_its_number() {
        let mut links = links(&[(1, 0), (2, 1)]);
        links.shared = vec![[7; 32]];
        let before = before(&[(1, 0), (7, 0), (9, 4)]);
        let numbers = number_persons(&links, &before);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("persons.parquet");
        write_persons(&StagedFiles::Clear, &path, &links, &numbers, &before).unwrap();
        let kept = read_persons(&StagedFiles::Clear, &path).unwrap();
        let mut expected = self::before(&[(1, 0), (2, 5), (9, 4)]);
        expected.insert(super::HIGHEST, 5);
        assert_eq!(kept, expected);
    }

    #[test]
    fn a_number_whose_keys_all_became_several_persons_is_never_given_again() {
        let mut links = links(&[(1, 0), (2, 1)]);
        links.shared = vec![[7; 32]];
        let before = before(&[(1, 0), (2, 1), (7, 2)]);
        let numbers = number_persons(&links, &before);
        let kept = kept(&links, &numbers, &before);
        let next = number_persons(&self::links(&[(1, 0), (2, 1), (3, 2)]), &kept);
        assert_eq!(next.of_cluster, [0, 1, 3]);
    }

    #[test]
    fn a_number_that_nobody_carries_on_is_tied_to_whoever_shares_its_keys() {
        let mut links = links(&[(1, 0), (2, 1), (3, 2)]);
        links.shared = vec![[7; 32], [8; 32]];
        links.sharers = vec![([7; 32], 0), ([7; 32], 1), ([8; 32], 1), ([8; 32], 2)];
        // Whose key 7 was had no other; whoever had 8 is still known by another.
        let numbers = number_persons(&links, &before(&[(1, 0), (7, 3), (8, 0)]));
        assert_eq!(numbers.of_cluster, [0, 4, 5]);
        assert_eq!(numbers.same, [(3, 0), (3, 4)]);
        assert!(numbers.aliases.is_empty());
    }

    /// Which cluster each key is in, or that it is several persons'.
    fn linking() -> impl Strategy<Value = Vec<Option<u8>>> {
        prop::collection::vec(prop::option::weighted(0.9, 0..5_u8), 7)
    }

    /// Clusters by key in the order of their smallest keys, as linking numbers them.
    fn linked(of_key: &[Option<u8>]) -> CurrentLinks {
        let mut labels: Vec<u8> = Vec::new();
        let mut links = links(&[]);
        for (key, label) in (0_u8..).zip(of_key) {
            let Some(label) = label else {
                links.shared.push([key; 32]);
                continue;
            };
            let known = labels.iter().position(|other| other == label);
            let cluster = known.unwrap_or_else(|| {
                labels.push(*label);
                labels.len() - 1
            });
            links.keys.push(([key; 32], u32::try_from(cluster).unwrap()));
        }
        links.count = u32::try_from(labels.len()).unwrap();
        links
    }

    proptest! {
        #[test]
        fn numbers_last_and_are_never_given_twice(linkings in prop::collection::vec(linking(), 1..8)) {
            let (mut before, mut ever) = (HashMap::new(), BTreeSet::new());
            let mut former: Vec<(BTreeSet<[u8; 32]>, u32)> = Vec::new();
            for of_key in &linkings {
                let links = linked(of_key);
                let numbers = number_persons(&links, &before);
                let distinct: BTreeSet<u32> = numbers.of_cluster.iter().copied().collect();
                prop_assert_eq!(distinct.len(), links.count as usize);
                let mut clusters = Vec::new();
                for (cluster, number) in (0..).zip(&numbers.of_cluster) {
                    let keys: BTreeSet<[u8; 32]> =
                        links.keys.iter().filter(|(_, of)| *of == cluster).map(|(key, _)| *key).collect();
                    let had: BTreeSet<u32> = keys.iter().filter_map(|key| before.get(key)).copied().collect();
                    // An old number comes from the keys; another one was never given.
                    prop_assert!(had.contains(number) || !ever.contains(number));
                    // A merge keeps the smallest that no part of a split took before it.
                    let least = had.iter().find(|had| !distinct.contains(had) || *had == number);
                    prop_assert!(least.is_none_or(|least| least >= number) || !had.contains(number));
                    clusters.push((keys, *number));
                }
                // Whoever did not change keeps the number.
                for (keys, number) in &clusters {
                    if let Some((_, same)) = former.iter().find(|(former, _)| former == keys) {
                        prop_assert_eq!(same, number);
                    }
                }
                // Whoever had another number before is tied to it.
                for (keys, number) in &clusters {
                    for had in keys.iter().filter_map(|key| before.get(key)).filter(|had| *had != number) {
                        prop_assert!(numbers.same.contains(&(*had, *number)));
                    }
                }
                for (gone, taken_over_by) in &numbers.aliases {
                    prop_assert!(ever.contains(gone) && !distinct.contains(gone));
                    prop_assert!(distinct.contains(taken_over_by));
                }
                before = kept(&links, &numbers, &before);
                ever.extend(distinct);
                former = clusters;
            }
        }
    }

    #[test]
    fn facilities_keep_their_numbers() {
        let before = HashMap::from([(30, 0)]);
        let numbers = number_facilities(&BTreeSet::from([10, 20, 30]), &before);
        assert_eq!((numbers[&30], numbers[&10], numbers[&20]), (0, 1, 2));
    }
}
