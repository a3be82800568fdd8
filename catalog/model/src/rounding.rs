//! Rounding, and what a rounded number tells about the one behind it.
//!
//! The order is fixed: suppress first, then round. With base 5 and a threshold of 10, a shown 10 would mean 10 to 12,
//! since 8 and 9 are hidden: so a table that is rounded is suppressed up to the next edge of a bin
//! ([`Rounding::threshold`]), and every bin that is shown has its full width.

use serde::{Deserialize, Serialize};

/// How a table is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rounding {
    /// Numbers become multiples of this.
    pub base: u32,
    /// In which direction.
    pub mode: RoundingMode,
    /// Which cells.
    #[serde(default)]
    pub of: Rounded,
}

/// In which direction numbers are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoundingMode {
    /// Up to the next multiple.
    Up,
    /// To the nearest multiple, up from the middle.
    HalfUp,
    /// To the nearest multiple, from the middle to the even one.
    Nearest,
    /// Down or up by chance, the nearer multiple more often; one cohort always goes the same way.
    Random,
}

/// Which cells are rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounded {
    /// Every cell and margin.
    #[default]
    All,
    /// Margins only.
    Totals,
}

impl Rounding {
    /// Whether a cell that is a total over so many dimensions is rounded.
    pub const fn rounds(&self, breadth: u32) -> bool {
        self.base > 1 && (matches!(self.of, Rounded::All) || breadth > 0)
    }

    /// The number, rounded; numbers are not negative.
    ///
    /// `chance` is a number that follows from the cohort and from a secret; only random rounding looks at it.
    pub fn of(&self, value: i128, chance: u64) -> i128 {
        let base = i128::from(self.base.max(1));
        let (below, rest) = (value.div_euclid(base), value.rem_euclid(base));
        let is_up = match self.mode {
            RoundingMode::Up => rest > 0,
            RoundingMode::HalfUp => rest * 2 >= base,
            RoundingMode::Nearest => rest * 2 > base || (rest * 2 == base && below % 2 != 0),
            RoundingMode::Random => i128::from(chance).rem_euclid(base) < rest,
        };
        (below + i128::from(is_up)) * base
    }

    /// The lowest and the highest number that are rounded to this one.
    pub fn behind(&self, rounded: i128) -> (i128, i128) {
        let base = i128::from(self.base.max(1));
        let (low, high) = match self.mode {
            RoundingMode::Up => (rounded - base + 1, rounded),
            RoundingMode::HalfUp => (rounded - base / 2, rounded + (base - 1) / 2),
            RoundingMode::Nearest => {
                // From the middle the even multiple is taken, so an even one has both its middles.
                let is_even = (rounded / base) % 2 == 0;
                let reach = if base % 2 == 0 && !is_even { base / 2 - 1 } else { base / 2 };
                (rounded - reach, rounded + reach)
            }
            RoundingMode::Random => (rounded - base + 1, rounded + base - 1),
        };
        (low.max(0), high.max(0))
    }

    /// What a reader knows of a shown number: what could have been rounded to it and is not hidden.
    ///
    /// `value` is the number itself; without random rounding the answer depends on what it is rounded to alone.
    pub fn known(&self, value: i128) -> (i128, i128) {
        let base = i128::from(self.base.max(1));
        match self.mode {
            // Which way it went a reader does not know; the nearer multiple is taken, so the range holds the number.
            RoundingMode::Random => self.behind((value + base / 2).div_euclid(base) * base),
            _ => self.behind(self.of(value, 0)),
        }
    }

    /// The smallest number that may be shown: the first above the threshold at which a bin begins.
    pub fn threshold(&self, few: u32) -> u32 {
        let is_edge = |number: &u32| match self.mode {
            RoundingMode::Random => number.is_multiple_of(self.base.max(1)),
            _ => {
                let number = i128::from(*number);
                self.behind(self.of(number, 0)).0 == number
            }
        };
        (few..few.saturating_add(self.base.saturating_mul(2))).find(is_edge).unwrap_or(few)
    }

    /// The rounding that tells less.
    pub(crate) fn stricter(one: Option<Self>, two: Option<Self>) -> Option<Self> {
        match (one, two) {
            (Some(one), Some(two)) => {
                let of = if one.of == Rounded::All { one.of } else { two.of };
                let coarser = if (two.base, two.mode as u8) > (one.base, one.mode as u8) { two } else { one };
                Some(Self { of, ..coarser })
            }
            (rounding, None) | (None, rounding) => rounding,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Rounded, Rounding, RoundingMode};

    const MODES: [RoundingMode; 4] =
        [RoundingMode::Up, RoundingMode::HalfUp, RoundingMode::Nearest, RoundingMode::Random];

    fn rounding(base: u32, mode: RoundingMode) -> Rounding {
        Rounding { base, mode, of: Rounded::All }
    }

    #[test]
    fn a_shown_bin_has_its_full_width() {
        assert_eq!(rounding(5, RoundingMode::HalfUp).threshold(10), 13);
        assert_eq!(rounding(10, RoundingMode::HalfUp).threshold(10), 15);
        assert_eq!(rounding(10, RoundingMode::Up).threshold(10), 11);
        assert_eq!(rounding(10, RoundingMode::Nearest).threshold(10), 15);
    }

    proptest! {
        #[test]
        fn what_stands_behind_a_rounded_number_is_what_is_rounded_to_it(
            value in 0_i128..2_000, base in 1_u32..40, mode in 0..4_usize, chance: u64,
        ) {
            let rounding = rounding(base, MODES[mode]);
            let shown = rounding.of(value, chance);
            let (low, high) = rounding.behind(shown);
            prop_assert!(low <= value && value <= high);
            for other in 0..2_100 {
                let is_behind = (0..u64::from(base)).any(|chance| rounding.of(other, chance) == shown);
                prop_assert_eq!(is_behind, (low..=high).contains(&other), "{}", other);
            }
        }

        #[test]
        fn a_shown_number_stands_for_a_whole_bin(
            few in 2_u32..30, base in 2_u32..20, mode in 0..4_usize, more in 0_u32..50, chance: u64,
        ) {
            let rounding = rounding(base, MODES[mode]);
            let least = i128::from(rounding.threshold(few));
            let shown = rounding.of(least + i128::from(more), chance);
            // Everything from the threshold on that could have been rounded to it.
            let (low, high) = rounding.behind(shown);
            let width = high - low.max(least) + 1;
            prop_assert!(width >= i128::from(base) - 1, "{} {} {}", low, high, least);
        }
    }
}
