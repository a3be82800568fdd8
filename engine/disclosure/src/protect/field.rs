//! Arithmetic modulo the prime 2^61 − 1: exact, and it divides.
//!
//! A linear dependence over the rationals is one modulo the prime as well; the other way round it may fail by chance of
//! about 2^-61 for each test, and then a cell is hidden that need not be.

/// 2^61 − 1.
const PRIME: u64 = (1 << 61) - 1;

/// A number modulo the prime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Residue(u64);

impl Residue {
    pub(crate) const ONE: Self = Self(1);

    /// A number that looks random and follows from another; never zero.
    pub(crate) const fn drawn(from: u64) -> Self {
        let mut mixed = from.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self((mixed ^ (mixed >> 31)) % (PRIME - 1) + 1)
    }

    pub(crate) const fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        let sum = self.0 + other.0;
        Self(if sum >= PRIME { sum - PRIME } else { sum })
    }

    pub(crate) const fn negated(self) -> Self {
        Self(if self.0 == 0 { 0 } else { PRIME - self.0 })
    }

    #[expect(clippy::cast_possible_truncation, reason = "both halves are below 2^61 and 2^64")]
    pub(crate) const fn times(self, other: Self) -> Self {
        let product = self.0 as u128 * other.0 as u128;
        let folded = (product >> 61) as u64 + (product & PRIME as u128) as u64;
        Self(if folded >= PRIME { folded - PRIME } else { folded })
    }

    /// The number that gives one when multiplied; zero of zero.
    pub(crate) fn inverse(self) -> Self {
        let (mut power, mut base, mut exponent) = (Self::ONE, self, PRIME - 2);
        while exponent > 0 {
            if exponent & 1 == 1 {
                power = power.times(base);
            }
            base = base.times(base);
            exponent >>= 1;
        }
        power
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{PRIME, Residue};

    proptest! {
        #[test]
        fn it_is_a_field(one in 1..PRIME, two in 0..PRIME) {
            let (one, two) = (Residue(one), Residue(two));
            prop_assert_eq!(one.times(one.inverse()), Residue::ONE);
            prop_assert!(two.plus(two.negated()).is_zero());
            let expected = u64::try_from(u128::from(one.0) * u128::from(two.0) % u128::from(PRIME)).unwrap();
            prop_assert_eq!(one.times(two), Residue(expected));
        }
    }
}
