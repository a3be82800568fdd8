//! Numbers of one person: linking found later that two of them are one person's, or that one was several persons'.
//!
//! A kept cohort names its persons as they were numbered in its snapshot. Two cohorts are compared with every person
//! under one number, the smallest: they come no farther apart by that, so nothing near is missed. The audit of what
//! follows by addition and subtraction tells persons of one table apart as the table does, so for it only cohorts of
//! other snapshots are renumbered, each person as the table knows them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use roaring::RoaringBitmap;

/// Numbers that are, or were, one person's: eight bytes for each, so that millions may be.
#[derive(Debug, Default)]
pub(super) struct Same {
    /// Each number but the smallest of its person, with the smallest; in order.
    least: Vec<(u32, u32)>,
    others: RoaringBitmap,
    all: RoaringBitmap,
}

impl Same {
    /// What pairs of numbers say, each of one person.
    pub(super) fn of(pairs: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut least = BTreeMap::new();
        for (one, two) in pairs {
            let (one, two) = (root(&mut least, one), root(&mut least, two));
            if one != two {
                least.insert(one.max(two), one.min(two));
            }
        }
        let others: RoaringBitmap = least.keys().copied().collect();
        for number in &others {
            root(&mut least, number);
        }
        let all = least.values().copied().chain(&others).collect();
        Self { least: least.into_iter().collect(), others, all }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.least.is_empty()
    }

    /// Whether a person has, or had, several numbers.
    pub(super) fn knows(&self, number: u32) -> bool {
        self.all.contains(number)
    }

    /// Whether one of these persons has, or had, several numbers.
    pub(super) fn knows_any(&self, persons: &RoaringBitmap) -> bool {
        !self.all.is_disjoint(persons)
    }

    /// The smallest number of the person.
    fn least(&self, number: u32) -> u32 {
        let found = self.least.binary_search_by_key(&number, |(number, _)| *number);
        found.ok().and_then(|at| self.least.get(at)).map_or(number, |(_, least)| *least)
    }

    /// Every person once, under the smallest number.
    pub(super) fn once<'p>(&self, persons: &'p RoaringBitmap) -> Cow<'p, RoaringBitmap> {
        if persons.is_disjoint(&self.others) {
            return Cow::Borrowed(persons);
        }
        let mut once = persons - &self.others;
        once.extend((persons & &self.others).iter().map(|number| self.least(number)));
        Cow::Owned(once)
    }

    /// How a table of these persons numbers each of those who have several numbers. Persons whom the table tells apart
    /// under several of them are left as they are.
    pub(super) fn as_in(&self, snapshot: usize, persons: &RoaringBitmap) -> AsIn<'_> {
        let mut told: BTreeMap<u32, Option<u32>> = BTreeMap::new();
        for number in &(persons & &self.all) {
            let known_as = told.entry(self.least(number));
            known_as.and_modify(|known_as| *known_as = None).or_insert(Some(number));
        }
        AsIn { snapshot, same: self, told }
    }
}

/// The smallest number of a person, as far as it is known; the way to it is made short.
fn root(least: &mut BTreeMap<u32, u32>, number: u32) -> u32 {
    let mut root = number;
    while let Some(smaller) = least.get(&root) {
        root = *smaller;
    }
    if root != number {
        least.insert(number, root);
    }
    root
}

/// How the persons of cohorts of other snapshots are numbered in a table.
#[derive(Debug)]
pub(super) struct AsIn<'s> {
    /// The table's own snapshot.
    snapshot: usize,
    same: &'s Same,
    /// Of whoever is in the table, by the smallest number, the one that the table has; none where it has several.
    told: BTreeMap<u32, Option<u32>>,
}

impl AsIn<'_> {
    /// Whether a cohort of this snapshot is numbered in another way than the table.
    pub(super) const fn is_other(&self, snapshot: usize) -> bool {
        self.snapshot != snapshot
    }

    /// The persons, as the table numbers them.
    pub(super) fn renumbered(&self, persons: impl Iterator<Item = u32>) -> RoaringBitmap {
        let known_as = |number: u32| {
            let least = self.same.least(number);
            self.told.get(&least).map_or(least, |told| told.unwrap_or(number))
        };
        persons.map(known_as).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use roaring::RoaringBitmap;

    use super::Same;

    proptest! {
        #[test]
        fn every_person_has_one_number_and_cohorts_come_no_farther_apart(
            pairs in prop::collection::vec((0_u32..30, 0_u32..30), 0..20),
            one in prop::collection::btree_set(0_u32..30, 0..20),
            two in prop::collection::btree_set(0_u32..30, 0..20),
        ) {
            // Slow: whoever is tied takes the smaller number until nothing changes.
            let mut slow: Vec<u32> = (0..30).collect();
            for _ in 0..30 {
                for (one, two) in &pairs {
                    let least = slow[*one as usize].min(slow[*two as usize]);
                    (slow[*one as usize], slow[*two as usize]) = (least, least);
                }
            }
            let same = Same::of(pairs);
            let once = |persons: &BTreeSet<u32>| -> RoaringBitmap {
                same.once(&persons.iter().copied().collect()).into_owned()
            };
            let expected = |persons: &BTreeSet<u32>| -> RoaringBitmap {
                persons.iter().map(|person| slow[*person as usize]).collect()
            };
            prop_assert_eq!(once(&one), expected(&one));
            let apart = one.symmetric_difference(&two).count() as u64;
            prop_assert!(once(&one).symmetric_difference_len(&once(&two)) <= apart);
            // A table of the first knows each person who is in it under one number by that, and nobody else by another.
            let as_in = same.as_in(0, &one.iter().copied().collect());
            for number in 0..30 {
                let told: Vec<u32> =
                    one.iter().copied().filter(|other| slow[*other as usize] == slow[number as usize]).collect();
                let known_as = match told.as_slice() {
                    [] => slow[number as usize],
                    [only] => *only,
                    _ => number,
                };
                let renumbered = as_in.renumbered(std::iter::once(number));
                prop_assert_eq!(renumbered.iter().collect::<Vec<u32>>(), vec![known_as]);
            }
        }
    }

    #[test]
    fn a_table_numbers_others_as_it_knows_them() {
        let same = Same::of([(5, 3), (9, 3), (21, 20)]);
        let of = |persons: &[u32], kept: &[u32]| -> Vec<u32> {
            let as_in = same.as_in(0, &persons.iter().copied().collect());
            as_in.renumbered(kept.iter().copied()).iter().collect()
        };
        assert_eq!(of(&[9], &[3, 4]), [4, 9]);
        // Nobody of them is in the table: the smallest number stands for all.
        assert_eq!(of(&[1], &[5, 9, 21]), [3, 20]);
        // The table tells them apart.
        assert_eq!(of(&[3, 9], &[3, 5, 9]), [3, 5, 9]);
    }
}
