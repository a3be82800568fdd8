//! A shown cell stands for at least so many distinct persons; an exact zero is shown where the rule pack says so.
//!
//! NDB guideline 3rd edition and care-DB guideline: 1–9 patients are not shown, 0 may be.

use std::collections::BTreeSet;

use catalog_model::Thresholds;

use crate::table::Cells;

/// The cells with too few persons.
pub(crate) fn hidden(cells: &Cells, thresholds: Thresholds) -> BTreeSet<Vec<u32>> {
    let is_few = |persons: u64| match persons {
        0 => !thresholds.zero_shown,
        some => some < u64::from(thresholds.persons),
    };
    cells.iter().filter(|(_, cell)| is_few(cell.persons.len())).map(|(key, _)| key.clone()).collect()
}
