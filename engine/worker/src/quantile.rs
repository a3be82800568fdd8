//! Where a quantile lies, in intervals of a declared grid that grow coarser.
//!
//! The value at a rank is one person's value. So the worker gives the intervals around it, each with the distinct
//! persons below, in and above it, and the gate releases the finest one that enough persons stand behind.

use std::collections::{HashMap, HashSet};

use engine_protocol::{QuantileEvidence, QuantileStep};
use engine_vet::RankedColumn;

/// Widths of the grid: 1, 2 and 5 times the powers of ten.
const STEPS: [i128; 3] = [1, 2, 5];
/// An interval with so many persons is coarse enough for every rule.
const ENOUGH: u64 = 1_000;

/// The evidence of each asked rank over values with their persons and rows.
pub(crate) fn evidence(values: &[(i128, u32, u64)], ranked: &RankedColumn) -> Vec<QuantileEvidence> {
    let sorted = Sorted::new(values);
    let rows: u64 = values.iter().map(|(_, _, rows)| rows).sum();
    let at_rank = |thousandths: u32| at_rank(&sorted.values, rows, thousandths);
    let steps = |value: Option<i128>| QuantileEvidence {
        steps: value.map(|value| steps(&sorted, value, ranked)).unwrap_or_default(),
    };
    ranked.ranks.iter().map(|rank| steps(at_rank(*rank))).collect()
}

/// Values in order, and where each person's first and last stand, in order.
struct Sorted {
    values: Vec<(i128, u32, u64)>,
    firsts: Vec<usize>,
    lasts: Vec<usize>,
}

impl Sorted {
    fn new(values: &[(i128, u32, u64)]) -> Self {
        let mut values = values.to_vec();
        values.sort_unstable();
        let mut ends: HashMap<u32, (usize, usize)> = HashMap::new();
        for (at, (_, person, _)) in values.iter().enumerate() {
            ends.entry(*person).or_insert((at, at)).1 = at;
        }
        let (mut firsts, mut lasts): (Vec<usize>, Vec<usize>) = ends.into_values().unzip();
        firsts.sort_unstable();
        lasts.sort_unstable();
        Self { values, firsts, lasts }
    }

    /// Distinct persons with values below, in and above an interval.
    fn persons(&self, low: i128, width: i128) -> (u64, u64, u64) {
        let place = |bound: i128| self.values.partition_point(|(value, _, _)| *value < bound);
        let (from, to) = (place(low), place(low + width));
        let below = self.firsts.partition_point(|first| *first < from);
        let not_above = self.lasts.partition_point(|last| *last < to);
        let within = self.values.get(from..to).unwrap_or_default().iter().map(|(_, person, _)| *person);
        let within = within.collect::<HashSet<_>>().len();
        (below as u64, within as u64, (self.lasts.len() - not_above) as u64)
    }
}

/// The smallest value that at least the asked share of rows does not exceed.
fn at_rank(sorted: &[(i128, u32, u64)], rows: u64, thousandths: u32) -> Option<i128> {
    let wanted = (u128::from(rows) * u128::from(thousandths)).div_ceil(1_000).max(1);
    let mut seen = 0_u128;
    sorted.iter().find_map(|(value, _, rows)| {
        seen += u128::from(*rows);
        (seen >= wanted).then_some(*value)
    })
}

fn steps(sorted: &Sorted, value: i128, ranked: &RankedColumn) -> Vec<QuantileStep> {
    let unit = 10_i128.pow(ranked.scale);
    let mut steps = Vec::new();
    let widths = (0..16_u32).flat_map(|power| STEPS.map(|step| step * 10_i128.pow(power)));
    for width in widths.map(|width| width * unit) {
        let low = value.div_euclid(width) * width;
        let (below, within, above) = sorted.persons(low, width);
        steps.push(QuantileStep { low, width, below, within, above });
        if within >= ENOUGH || width > 2 * i128::from(ranked.largest) {
            break;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use engine_vet::RankedColumn;
    use proptest::prelude::*;

    use super::{Sorted, evidence};

    proptest! {
        #[test]
        fn persons_are_those_that_somebody_would_count(
            values in prop::collection::vec((0_i128..30, 0_u32..8, 1_u64..3), 0..40),
            (low, width) in (0_i128..30, 1_i128..12),
        ) {
            let count = |is_there: &dyn Fn(i128) -> bool| {
                let there = values.iter().filter(|(value, _, _)| is_there(*value));
                there.map(|(_, person, _)| *person).collect::<BTreeSet<_>>().len() as u64
            };
            let by_hand = (
                count(&|value| value < low),
                count(&|value| (low..low + width).contains(&value)),
                count(&|value| value >= low + width),
            );
            prop_assert_eq!(Sorted::new(&values).persons(low, width), by_hand);
        }
    }

    #[test]
    fn the_value_at_a_rank_lies_in_every_interval() {
        let ranked = RankedColumn { part: 0, scale: 0, ranks: vec![250, 500, 900], largest: 100, unit: None };
        let values: Vec<(i128, u32, u64)> = (1..=40).map(|at| (i128::from(at), at, 1)).collect();
        let found = evidence(&values, &ranked);
        for (quantile, value) in found.iter().zip([10, 20, 36]) {
            for step in &quantile.steps {
                assert!((step.low..step.low + step.width).contains(&value), "{step:?}");
                assert_eq!(step.below + step.within + step.above, 40);
            }
        }
        let median = &found[1].steps;
        assert_eq!((median[0].low, median[0].within, median[0].below), (20, 1, 19));
        assert_eq!((median[3].low, median[3].width, median[3].within), (20, 10, 10));
        assert!(evidence(&[], &ranked).iter().all(|quantile| quantile.steps.is_empty()));
    }

    #[test]
    fn one_person_with_many_rows_is_one_person() {
        let ranked = RankedColumn { part: 0, scale: 0, ranks: vec![500], largest: 10, unit: None };
        let values = [(3, 1, 50), (4, 1, 50), (9, 2, 1)];
        let step = evidence(&values, &ranked)[0].steps[0];
        assert_eq!((step.low, step.below, step.within, step.above), (4, 1, 1, 1));
    }
}
