//! A shown cell stands for at least so many distinct insurers and municipalities, as far as a pack counts them and its
//! rows name one.
//!
//! Care-DB guideline: offices or municipalities fewer than three are not shown, 0 may be.

use catalog_model::{CellRules, CountedUnit};

use crate::family::Cell;

/// The unit of which the cell stands for too few. Persons whose rows name none may all be of one.
pub(super) fn found(cell: &Cell, rules: &CellRules) -> Option<CountedUnit> {
    let is_few = |(unit, count): &&(CountedUnit, u64)| *count < u64::from(rules.least(*unit));
    cell.units.iter().find(is_few).map(|(unit, _)| *unit).filter(|_| cell.persons > 0)
}
