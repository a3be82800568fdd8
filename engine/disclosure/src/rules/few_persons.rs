//! A shown part of a cell stands for at least so many distinct persons, and so does what it leaves out of its cell; an
//! exact zero is shown where the rule pack says so.
//!
//! NDB guideline 3rd edition and care-DB guideline: 1–9 patients are not shown, 0 may be.

use std::collections::BTreeSet;

use catalog_model::Thresholds;

use crate::table::Cells;

/// The cells whose part of this number stands, or leaves out, too few persons.
pub(crate) fn hidden(cells: &Cells, part: usize, thresholds: Thresholds) -> BTreeSet<Vec<u32>> {
    let is_few = |persons: u64| match persons {
        0 => !thresholds.zero_shown,
        some => some < u64::from(thresholds.persons),
    };
    let is_hidden = |cell: &crate::table::Cell| {
        let (Some(whole), Some(part)) = (cell.first(), cell.get(part)) else { return true };
        let rest = whole.persons.len().saturating_sub(part.persons.len());
        is_few(part.persons.len()) || (rest > 0 && is_few(rest))
    };
    cells.iter().filter(|(_, cell)| is_hidden(cell)).map(|(key, _)| key.clone()).collect()
}
