//! A shown cell stands for at least so many distinct facilities, where its rows name one.
//!
//! Care-DB guideline: offices fewer than three are not shown, 0 may be. A pack for newer NDB outputs names no number.

use catalog_model::CellRules;

use crate::family::Cell;

/// Whether the cell stands for too few facilities. Persons whose rows name none may all be of one.
pub(super) fn applies(cell: &Cell, rules: &CellRules) -> bool {
    let few = |facilities: u64| facilities < u64::from(rules.facilities.unwrap_or(0));
    cell.persons > 0 && cell.facilities.is_some_and(few)
}
