//! A sum with negative contributions is not shown: largest contributors say nothing about it, and no value bounds
//! another.

use crate::family::Cell;

/// Whether a negative contribution stands behind a sum of the cell.
pub(super) fn applies(cell: &Cell) -> bool {
    cell.sums.iter().any(|total| total.is_signed)
}
