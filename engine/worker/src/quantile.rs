//! Where a quantile lies, in intervals of a declared grid that grow coarser.
//!
//! The value at a rank is one person's value. So the worker gives the intervals around it, each with the distinct
//! persons below, in and above it, and the gate releases the finest one that enough persons stand behind.

use std::collections::BTreeSet;

use engine_protocol::{QuantileEvidence, QuantileStep};
use engine_vet::RankedColumn;

/// Widths of the grid: 1, 2 and 5 times the powers of ten.
const STEPS: [i128; 3] = [1, 2, 5];
/// An interval with so many persons is coarse enough for every rule.
const ENOUGH: u64 = 1_000;

/// The evidence of each asked rank over values with their persons and rows.
pub(crate) fn evidence(values: &[(i128, u32, u64)], ranked: &RankedColumn) -> Vec<QuantileEvidence> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rows: u64 = sorted.iter().map(|(_, _, rows)| rows).sum();
    let at_rank = |thousandths: u32| at_rank(&sorted, rows, thousandths);
    let steps = |value: Option<i128>| QuantileEvidence {
        steps: value.map(|value| steps(&sorted, value, ranked)).unwrap_or_default(),
    };
    ranked.ranks.iter().map(|rank| steps(at_rank(*rank))).collect()
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

fn steps(sorted: &[(i128, u32, u64)], value: i128, ranked: &RankedColumn) -> Vec<QuantileStep> {
    let unit = 10_i128.pow(ranked.scale);
    let mut steps = Vec::new();
    let widths = (0..16_u32).flat_map(|power| STEPS.map(|step| step * 10_i128.pow(power)));
    for width in widths.map(|width| width * unit) {
        let low = value.div_euclid(width) * width;
        let persons = |is_there: &dyn Fn(i128) -> bool| {
            let there = sorted.iter().filter(|(value, _, _)| is_there(*value));
            there.map(|(_, person, _)| *person).collect::<BTreeSet<_>>().len() as u64
        };
        let step = QuantileStep {
            low,
            width,
            below: persons(&|value| value < low),
            within: persons(&|value| (low..low + width).contains(&value)),
            above: persons(&|value| value >= low + width),
        };
        steps.push(step);
        if step.within >= ENOUGH || width > 2 * i128::from(ranked.largest) {
            break;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use engine_vet::RankedColumn;

    use super::evidence;

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
