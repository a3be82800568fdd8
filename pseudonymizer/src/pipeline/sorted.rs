//! What begins with a keyed hash, in order and each once, in hardly more memory than it takes itself.
//!
//! Hashes lie evenly, so their leading bits say where one is: a list of a few bytes for every eight of them finds it in
//! two looks at memory, as a hash map does in twice the room.

use std::ops::Range;

/// What came since is put in order when it is so much, or half as much as what is in order.
const FEWEST: usize = if cfg!(test) { 8 } else { 1 << 20 };

/// Something that begins with a keyed hash.
pub(super) trait Hashed: Ord + Copy {
    /// The first eight bytes, in the order of the whole.
    fn leading(&self) -> u64;
}

/// The first eight bytes of a hash.
pub(super) fn leading(hash: &[u8; 32]) -> u64 {
    hash.first_chunk().map_or(0, |leading| u64::from_be_bytes(*leading))
}

/// A list in order.
#[derive(Debug)]
pub(super) struct Sorted<T> {
    all: Vec<T>,
    /// Where those begin whose leading bits are 0, 1 and so on, and where the last end.
    starts: Vec<u32>,
    /// What came since; some of it twice.
    fresh: Vec<T>,
}

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self { all: Vec::new(), starts: vec![0; 3], fresh: Vec::new() }
    }
}

impl<T: Hashed> Sorted<T> {
    /// These, in order.
    pub(super) fn of(these: Vec<T>) -> Self {
        Self { fresh: these, ..Self::default() }.settled()
    }

    /// Adds one, where it is not there.
    pub(super) fn add(&mut self, one: T) {
        if self.find(one.leading(), |known| *known == one).is_none() {
            self.fresh.push(one);
        }
        if self.fresh.len() >= FEWEST.max(self.all.len() / 2) {
            self.settle();
        }
    }

    /// With everything in order.
    pub(super) fn settled(mut self) -> Self {
        self.settle();
        self.fresh = Vec::new();
        self
    }

    /// What is in order.
    pub(super) fn as_slice(&self) -> &[T] {
        &self.all
    }

    /// Everything, in order.
    pub(super) fn into_vec(self) -> Vec<T> {
        self.settled().all
    }

    /// The place of the first of those in order that begin so and are what is looked for.
    pub(super) fn find(&self, leading: u64, is: impl Fn(&T) -> bool) -> Option<usize> {
        self.alike(leading).find(|at| self.all.get(*at).is_some_and(&is))
    }

    fn settle(&mut self) {
        self.all.append(&mut self.fresh);
        self.all.sort_unstable();
        self.all.dedup();
        let bits = (self.all.len() / 8).max(2).ilog2().min(28);
        let (mut starts, mut at) = (Vec::with_capacity((1 << bits) + 1), 0_u32);
        for number in 0..1_u64 << bits {
            let is_before = |one: &T| one.leading() >> (64 - bits) < number;
            while self.all.get(at as usize).is_some_and(is_before) {
                at += 1;
            }
            starts.push(at);
        }
        starts.push(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.starts = starts;
    }

    /// The places of those whose leading bits are the same.
    fn alike(&self, leading: u64) -> Range<usize> {
        let bits = (self.starts.len() - 1).ilog2();
        let number = usize::try_from(leading >> (64 - bits)).unwrap_or(0);
        let start = |number: usize| self.starts.get(number).map_or(0, |start| *start as usize);
        start(number)..start(number + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{Hashed, Sorted, leading};

    impl Hashed for [u8; 32] {
        fn leading(&self) -> u64 {
            leading(self)
        }
    }

    proptest! {
        #[test]
        fn each_is_there_once_in_order_and_is_found(
            seeds in prop::collection::vec((0_u16..200, any::<bool>()), 0..300),
        ) {
            let hash = |(seed, is_crowded): (u16, bool)| {
                let mut hash = *blake3::hash(&seed.to_le_bytes()).as_bytes();
                if is_crowded {
                    hash[..8].fill(0xff);
                }
                hash
            };
            let all: BTreeSet<[u8; 32]> = seeds.iter().copied().map(hash).collect();
            let mut sorted = Sorted::default();
            seeds.iter().copied().for_each(|seed| sorted.add(hash(seed)));
            let sorted = sorted.settled();
            prop_assert!(sorted.as_slice().iter().eq(&all));
            for (hash, at) in all.iter().zip(0..) {
                prop_assert_eq!(sorted.find(leading(hash), |known| known == hash), Some(at));
            }
            let absent = *blake3::hash(b"absent").as_bytes();
            prop_assert_eq!(sorted.find(leading(&absent), |known| *known == absent), None);
            let again = Sorted::of(seeds.into_iter().map(hash).collect());
            prop_assert_eq!(again.into_vec(), sorted.into_vec());
        }
    }
}
