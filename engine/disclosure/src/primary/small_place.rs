//! A cell of a small place stands for more persons, and of the smallest places nothing is shown.
//!
//! Care-DB guideline: of a municipality with fewer than 2,000 inhabitants nothing is shown, and below 25,000 a cell
//! needs twenty persons. How many live there is public, so the rule itself tells nothing.

use catalog_model::CellRules;

use crate::family::Cell;

/// Whether the place is too small for what the cell stands for.
pub(super) fn applies(cell: &Cell, rules: &CellRules) -> bool {
    cell.is_closed() || (cell.persons > 0 && cell.persons < u64::from(cell.few(rules.persons)))
}
