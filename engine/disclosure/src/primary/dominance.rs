//! No one or two contributors make up nearly all of a sum.
//!
//! The (n, k) rule for n = 2, on the totals of persons and of facilities: what counts is what one of them contributes
//! in all, not how many rows it has.

use catalog_model::CellRules;

use crate::family::{Cell, Total};

/// Whether two contributors have more than their share.
pub(super) fn applies(cell: &Cell, rules: &CellRules) -> bool {
    let Some(percent) = rules.dominance.map(i128::from) else { return false };
    let has_too_much = |total: &Total, tops: Option<(i128, i128)>| {
        let share = tops.map_or(0, |(first, second)| first.saturating_add(second.max(0)));
        share.saturating_mul(100) > total.sum.saturating_mul(percent)
    };
    cell.sums.iter().any(|total| {
        total.sum > 0 && (has_too_much(total, total.persons) || has_too_much(total, total.facilities))
    })
}
