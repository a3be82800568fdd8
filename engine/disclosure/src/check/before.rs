//! What the cells of a table are beside what was released before, for whoever may ask the ledger.
//!
//! Only cells that name the persons behind them can be compared: from a number of persons nothing follows.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::CellRules;

use crate::check::form::TableForm;
use crate::check::read::{Malformed, Tables};
use crate::family::CellNo;
use crate::ledger::{Cohort, Ledger, Zeros};

/// The cohorts of the cells that name theirs.
pub(super) fn cohorts(tables: &Tables, form: &TableForm) -> Result<BTreeMap<CellNo, Cohort>, Malformed> {
    let mut cohorts = BTreeMap::new();
    for (table, form) in std::iter::once(form).chain(&form.linked).enumerate() {
        for (number, cell) in form.cells.iter().enumerate() {
            let Some(persons) = &cell.cohort else { continue };
            let bad = || Malformed::Number { table: table + 1, cell: number + 1, field: "cohort" };
            let at = tables.number(&cell.at).ok_or_else(bad)?;
            let persons: roaring::RoaringBitmap = persons.iter().copied().collect();
            if tables.family.cell(at).is_none_or(|cell| cell.persons != persons.len()) {
                return Err(bad());
            }
            // No question of ours says what the cohort is, so it is never taken for one that was released.
            cohorts.insert(at, Cohort { id: String::new(), persons, is_derived: false, form: None });
        }
    }
    Ok(cohorts)
}

/// The cells that differ from a released cohort by none or by few.
pub(super) fn near<'c>(
    cohorts: &'c BTreeMap<CellNo, Cohort>,
    ledger: &'c Ledger,
    rules: &CellRules,
) -> impl Iterator<Item = CellNo> + 'c {
    let (few, zeros) = (rules.persons, Zeros::of(rules));
    let is_near = move |(_, cohort): &(&CellNo, &Cohort)| ledger.is_near_where(cohort, few, zeros);
    cohorts.iter().filter(is_near).map(|(at, _)| *at)
}

/// Why the table must not go out beside what was released before, where that is so.
pub(super) fn refused(
    cohorts: &BTreeMap<CellNo, Cohort>,
    hidden: &BTreeSet<CellNo>,
    ledger: &Ledger,
    few: u32,
) -> Option<String> {
    let shown = cohorts.iter().filter(|(at, _)| !hidden.contains(at));
    let shown: Vec<&Cohort> = shown.map(|(_, cohort)| cohort).collect();
    // Nobody says of which snapshot the numbers are.
    let gives = ledger.gives_small_group(&shown, "", "", few);
    gives.then(|| "together with what was released before the table gives a small group".to_owned())
}
