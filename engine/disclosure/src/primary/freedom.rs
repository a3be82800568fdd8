//! A variance leaves enough degrees of freedom.

use catalog_model::CellRules;

use crate::family::Cell;

/// Whether a variance is asked over too few values.
pub(super) fn applies(cell: &Cell, rules: &CellRules) -> bool {
    cell.spread_over.is_some_and(|values| values > 0 && values < u64::from(rules.freedom) + 1)
}
