//! What a pack says of a table by its dimensions and by what it counts: crossings, small places, amounts.

use catalog_model::{Binding, Breached, OutputRules};

use crate::check::form::TableForm;
use crate::check::read::{Malformed, Tables};
use crate::family::CellNo;

/// Why no pattern makes the table fit to go out, if the pack says so.
pub(crate) fn refused(form: &TableForm, rules: &OutputRules) -> Option<String> {
    let of_table = |form: &TableForm| {
        let names: Vec<&str> = form.dimensions.iter().map(|dimension| dimension.name.as_str()).collect();
        let breach = rules.breach(&names, names.len())?;
        let what = match breach.of {
            Breached::Crossing(one, two) => format!("{one} and {two} are not crossed in one table"),
            Breached::Dimensions(most) => format!("a table has at most {most} dimensions"),
        };
        // No people are asked here: whoever sends the table on to them says so.
        Some(match breach.binding {
            Binding::Absolute => what,
            Binding::InPrinciple => format!("{what} in principle: people decide about this one"),
        })
    };
    std::iter::once(form).chain(&form.linked).find_map(of_table)
}

/// Notes with every cell of a place what the place needs.
pub(crate) fn places(tables: &mut Tables, form: &TableForm, rules: &OutputRules) {
    let forms = std::iter::once(form).chain(&form.linked);
    for dimension in forms.flat_map(|form| &form.dimensions).filter(|of| !of.populations.is_empty()) {
        for (cell, at) in tables.family.cells.iter_mut().zip(&tables.at) {
            let Some(level) = at.get(&dimension.name) else { continue };
            // Where nobody says how many live there, it is one of the smallest.
            let population = dimension.populations.get(level).copied().unwrap_or(0);
            cell.least = cell.least.max(rules.least(population));
        }
    }
}

/// The cells with less than the least amount that is shown where the persons are not known.
pub(crate) fn small_amounts(
    tables: &Tables,
    form: &TableForm,
    rules: &OutputRules,
) -> Result<Vec<CellNo>, Malformed> {
    let Some(of) = form.amount.as_ref().filter(|_| !tables.is_counted) else { return Ok(Vec::new()) };
    let least = rules.amounts.get(of).ok_or_else(|| Malformed::Amount(of.clone()))?;
    let least = i128::from(*least).saturating_mul(10_i128.saturating_pow(tables.places));
    let is_small = |at: &CellNo| {
        let total = tables.family.cell(*at).and_then(|cell| cell.sums.first());
        total.is_some_and(|total| total.sum > 0 && total.sum < least)
    };
    Ok((0..tables.family.cells.len()).filter(is_small).collect())
}
