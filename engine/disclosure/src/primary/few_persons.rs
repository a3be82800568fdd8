//! A shown cell stands for at least so many distinct persons; an exact zero is shown where the rule pack says so.
//!
//! NDB guideline 3rd edition and care-DB guideline: 1–9 patients are not shown, 0 may be.

use catalog_model::CellRules;

use crate::family::Cell;

/// Whether the cell stands for too few persons.
pub(super) fn applies(cell: &Cell, rules: &CellRules) -> bool {
    match cell.persons {
        0 => !rules.zero_shown,
        some => some < u64::from(rules.persons),
    }
}
