//! Whether the numbers of a cell can be those of its rows and persons.
//!
//! A worker that lies within these bounds is not found out here; one whose numbers cannot be is not believed in any.

use engine_protocol::{QuantileEvidence, QuantileStep, SumEvidence};

use crate::shape::Shape;
use crate::table::{BadEvidence, Cell, Part};

/// Whether facilities, units, sums and quantiles keep to the rows and persons behind them, and sums to the declared
/// bounds.
pub(crate) fn check(cell: &Cell, shape: &Shape) -> Result<(), BadEvidence> {
    for (part, own) in cell.parts.iter().zip(&shape.parts) {
        check_part(part, own.sums.iter().copied(), shape)?;
    }
    let atoms = cell.atoms.iter().map(|(_, part)| part);
    cell.outside.iter().chain(atoms).try_for_each(|part| check_part(part, 0..shape.summed(), shape))
}

/// `of` says for each sum what is summed.
fn check_part(part: &Part, of: impl Iterator<Item = usize>, shape: &Shape) -> Result<(), BadEvidence> {
    let persons = part.persons.len();
    let mut counted = part.facilities.iter().chain(&part.units);
    if counted.any(|count| u64::from(*count) > part.rows) {
        return Err(BadEvidence::Facilities);
    }
    let can_be = |(sum, of): (&SumEvidence, usize)| {
        let is_counted = sum.values <= part.rows && sum.negatives <= sum.values.min(persons);
        is_counted && is_within(sum, shape.largest.get(of).copied())
    };
    if !part.sums.iter().zip(of).all(can_be) {
        return Err(BadEvidence::Sums);
    }
    let is_known = |quantile: &QuantileEvidence| is_around_one_value(&quantile.steps, persons);
    if part.quantiles.iter().all(is_known) { Ok(()) } else { Err(BadEvidence::Quantiles) }
}

/// Whether the sum, and the largest that is in it, are no more than so many values of at most `largest` give.
fn is_within(sum: &SumEvidence, largest: Option<i64>) -> bool {
    let most = largest.map_or(i128::MAX, |largest| i128::from(sum.values).saturating_mul(largest.into()));
    let (first, second) = sum.facility_tops.unwrap_or_default();
    let mut all = [sum.sum, sum.top1, sum.top2, first, second].into_iter();
    all.all(|total| total.saturating_abs() <= most)
}

/// Whether these are intervals of a grid, from the finest to the coarsest, that hold one value and somebody who has it.
fn is_around_one_value(steps: &[QuantileStep], persons: u64) -> bool {
    let is_step = |step: &QuantileStep| {
        let is_of_grid = step.width > 0 && step.low.rem_euclid(step.width) == 0;
        let counts = [step.below, step.within, step.above];
        is_of_grid && step.within > 0 && counts.into_iter().all(|count| count <= persons)
    };
    let low = steps.iter().map(|step| step.low).max();
    let high = steps.iter().map(|step| step.low.saturating_add(step.width)).min();
    let has_value = low.zip(high).is_none_or(|(low, high)| low < high);
    let is_coarser = steps.is_sorted_by(|finer, coarser| finer.width < coarser.width);
    has_value && is_coarser && steps.iter().all(is_step)
}
