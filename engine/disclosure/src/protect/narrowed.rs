//! Whether what is shown of several counts narrows a number more than a part of it does.

use crate::family::CellNo;
use crate::protect::audit::{self, Pool, Side};
use crate::protect::layer::Layer;
use crate::protect::pattern::Pattern;

/// Numbers up to which a search in whole numbers comes to an end ([`crate::protect::system`]).
const WHOLE_NUMBERS: usize = 80;

/// Whether a number of the layer is narrower than demanded with these hidden, and wider with any of the others hidden.
///
/// That no table was found in a larger layer proves nothing: cohorts overlap in any way, so the farthest table is often
/// none in whole numbers. There a table in fractions, checked as exactly, shows a number open as well.
pub(crate) fn is_narrowed(
    layer: Layer,
    is_hidden: impl Fn(CellNo) -> bool,
    others: &[&dyn Fn(CellNo) -> bool],
) -> bool {
    let is_small = layer.places.len() <= WHOLE_NUMBERS;
    let fractions = (!is_small).then(|| layer.in_fractions());
    narrowed(layer, &is_hidden, others) && fractions.is_none_or(|layer| narrowed(layer, &is_hidden, others))
}

/// Whether tables in whole numbers show every number of the layer as wide as demanded.
pub(crate) fn is_open(layer: Layer, is_hidden: impl Fn(CellNo) -> bool) -> bool {
    !narrowed(layer, is_hidden, &[])
}

fn narrowed(layer: Layer, is_hidden: impl Fn(CellNo) -> bool, others: &[&dyn Fn(CellNo) -> bool]) -> bool {
    let cells = layer.places.len();
    let mut side = Side::new(layer);
    let pattern = Pattern::hiding((0..cells).map(is_hidden).collect());
    let narrow = audit::all_gaps(&mut side, &pattern, Pool::default());
    if others.is_empty() {
        return !narrow.is_empty();
    }
    let others: Vec<Pattern> =
        others.iter().map(|is_hidden| Pattern::hiding((0..cells).map(is_hidden).collect())).collect();
    narrow.into_iter().any(|at| {
        let width = audit::width(&mut side, &pattern, at);
        let mut before = others.iter().map(|pattern| audit::width(&mut side, pattern, at));
        // No width is without end.
        before.all(|before| width.is_some_and(|width| before.is_none_or(|before| width < before)))
    })
}

/// From where to where each hidden number may be.
#[cfg(test)]
pub(crate) fn intervals(
    layer: Layer,
    is_hidden: impl Fn(CellNo) -> bool,
) -> std::collections::BTreeMap<CellNo, crate::protect::Interval> {
    let pattern = Pattern::hiding((0..layer.places.len()).map(is_hidden).collect());
    let found = audit::intervals(&mut Side::new(layer), &pattern, None).into_iter();
    found.map(|(at, (low, high))| (at, crate::protect::Interval { low, high })).collect()
}
