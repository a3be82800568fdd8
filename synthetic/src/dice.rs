//! Randomness that is the same on every machine and in every version.
//!
//! Each decision draws from a stream of its own, named by what is decided and for whom, so that threads may decide in
//! any order and a new decision does not move the old ones. ChaCha is specified; how its numbers become chances and
//! choices is written here, since libraries change that between versions. Only `+ - * /` touch a float: those are
//! exact in IEEE 754, logarithms are not.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream of random numbers decides.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    World = 1,
    Founders = 2,
    Families = 3,
    Names = 4,
    Life = 5,
    Marriage = 6,
    Birth = 7,
    Health = 8,
    Doctors = 9,
    Visits = 10,
    Wards = 11,
    Care = 12,
    Writing = 13,
    Forms = 14,
    Faults = 15,
    Slips = 16,
    Nobody = 17,
}

/// A stream of random numbers for one decision.
#[derive(Clone, Debug)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream that decides `stream` for `a` and `b` under `seed`.
    pub(crate) fn new(seed: u64, stream: Stream, a: u64, b: u64) -> Self {
        let mut key = [0_u8; 32];
        let words = [seed, stream as u64, a, b];
        for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A number from 0 to 1, 1 excluded.
    pub(crate) fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.0.next_u64() >> 11) as f64 * STEP
    }

    /// Says yes with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Says yes in so many of a hundred cases.
    pub(crate) fn percent(&mut self, percent: f64) -> bool {
        self.unit() * 100.0 < percent
    }

    /// A number below `end`, or 0 where `end` is 0.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(end)) >> 32) as u32
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i32, high: i32) -> i32 {
        let width = u32::try_from(high - low + 1).unwrap_or(0);
        low + i32::try_from(self.below(width)).unwrap_or(0)
    }

    /// One of the choices, or nothing where there is none.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let count = u32::try_from(choices.len()).unwrap_or(u32::MAX);
        choices.get(self.below(count) as usize)
    }

    /// The index of one of the weights, each as likely as it is heavy; 0 where all weigh nothing.
    pub(crate) fn weighted(&mut self, weights: impl Iterator<Item = f64> + Clone) -> usize {
        let mut rest = self.unit() * weights.clone().sum::<f64>();
        for (index, weight) in weights.enumerate() {
            if rest < weight {
                return index;
            }
            rest -= weight;
        }
        0
    }
}

/// The nearest whole number that is not negative.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float cast saturates, and no figure here comes near the limit"
)]
pub(crate) fn whole(value: f64) -> u32 {
    (value + 0.5) as u32
}

#[cfg(test)]
mod tests {
    use super::{Dice, Stream, whole};

    #[test]
    fn a_stream_is_the_same_for_ever() {
        let mut dice = Dice::new(1, Stream::World, 2, 3);
        let drawn: Vec<u32> = (0..6).map(|_| dice.below(1000)).collect();
        assert_eq!(drawn, [865, 785, 7, 761, 501, 382]);
    }

    #[test]
    fn streams_differ_in_each_part_of_their_name() {
        let first = |seed, stream, a, b| Dice::new(seed, stream, a, b).below(u32::MAX);
        let one = first(1, Stream::World, 2, 3);
        for other in [
            first(2, Stream::World, 2, 3),
            first(1, Stream::Founders, 2, 3),
            first(1, Stream::World, 3, 3),
            first(1, Stream::World, 2, 4),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn choices_stay_within_their_limits() {
        let mut dice = Dice::new(1, Stream::Health, 0, 0);
        for _ in 0..1000 {
            assert!((3..=5).contains(&dice.between(3, 5)));
            assert!(dice.weighted([0.0, 1.0, 0.0].into_iter()) == 1);
            assert!(!dice.chance(0.0) && dice.chance(1.0));
        }
        assert_eq!(dice.pick::<u8>(&[]), None);
        assert_eq!((whole(2.4), whole(2.5)), (2, 3));
    }
}
