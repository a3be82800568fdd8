//! The second largest contributor cannot estimate the largest one's total too well.
//!
//! The p % rule: what the others contribute together must be at least p % of the largest total, because whoever is
//! second subtracts its own part from the sum. On totals of persons and of facilities.

use catalog_model::CellRules;

use crate::family::{Cell, Total};

/// Whether the largest total can be estimated too well.
pub(super) fn applies(cell: &Cell, rules: &CellRules) -> bool {
    let Some(percent) = rules.estimate.map(i128::from) else { return false };
    let is_narrow = |total: &Total, (first, second): (i128, i128)| {
        let others = total.sum.saturating_sub(first).saturating_sub(second.max(0));
        others.saturating_mul(100) < first.saturating_mul(percent)
    };
    cell.sums.iter().any(|total| {
        let tops = [total.persons, total.facilities].into_iter().flatten();
        total.sum > 0 && tops.into_iter().any(|tops| is_narrow(total, tops))
    })
}
