//! The cheapest cells to hide so that one hidden cell can move as far as it must.
//!
//! After Kelly, Golden and Assad (1992): find the second table with that cell moved in which the cells that differ cost
//! least; those that are shown so far must be hidden. The table is a witness at once.

use microlp::{OptimizationDirection, Problem, Variable};

use crate::family::CellNo;
use crate::protect::audit::Gap;
use crate::protect::layer::{Layer, Range};
use crate::protect::least;
use crate::protect::pattern::Pattern;
use crate::protect::system::number;

/// What moving a cell that is hidden anyway costs: next to nothing, so that tables differ in few cells.
const FREE: f64 = 0.001;

/// The cells to hide; none where hiding everything that may be hidden does not help.
pub(crate) fn cells(layer: &Layer, pattern: &Pattern, gap: &Gap) -> Vec<CellNo> {
    let mut problem = Problem::new(OptimizationDirection::Minimize);
    let scale = scale(layer, gap.by);
    let variables: Vec<Option<(Variable, Variable)>> =
        (0..layer.places.len()).map(|at| pair(&mut problem, layer, pattern, gap, at, scale)).collect();
    let Some(Some((down, up))) = variables.get(gap.at).copied() else { return Vec::new() };
    let by = number(gap.by.div_euclid(scale) + i128::from(gap.by.rem_euclid(scale) > 0));
    let target = if gap.is_up { by } else { -by };
    problem.add_constraint([(up, 1.0), (down, -1.0)], microlp::ComparisonOp::Eq, target);
    for row in &layer.rows {
        let slack: i128 = row.terms.iter().map(|(at, sign)| i128::from(*sign) * layer.value(*at)).sum();
        least::constrain(&mut problem, (slack.max(0), row), scale, |at| variables.get(at).copied().flatten());
    }
    let Some(solution) = problem.solve().ok().and_then(|solved| solved.into_solution().ok()) else {
        return Vec::new();
    };
    let moves = |at: &CellNo| {
        let pair = variables.get(*at).copied().flatten();
        pair.is_some_and(|(down, up)| (solution.var_value(up) - solution.var_value(down)).abs() > 1e-6)
    };
    let moved = (0..layer.places.len()).filter(moves).map(|at| layer.cell_of(at));
    moved.filter(|cell| !pattern.is_hidden(*cell)).collect()
}

fn pair(
    problem: &mut Problem,
    layer: &Layer,
    pattern: &Pattern,
    gap: &Gap,
    at: CellNo,
    scale: i128,
) -> Option<(Variable, Variable)> {
    let place = layer.place(at)?;
    let cell = layer.cell_of(at);
    let is_hidden = pattern.is_hidden(cell);
    let (range, price) = match pattern.price(cell) {
        _ if gap.known == Some(cell) => return None,
        _ if is_hidden => (place.hidden, FREE),
        Some(price) => (place.hidden, f64::from(u32::try_from(price).unwrap_or(u32::MAX))),
        None if place.shown.is_point() => return None,
        None => (place.shown, FREE),
    };
    let (down, up) = room(range, place.value, scale);
    Some((problem.add_var(price, (0.0, down)), problem.add_var(price, (0.0, up))))
}

/// How far below and above the truth a range reaches.
fn room(range: Range, value: i128, scale: i128) -> (f64, f64) {
    let down = range.low.map_or(f64::INFINITY, |low| number((value - low).max(0) / scale));
    let up = range.high.map_or(f64::INFINITY, |high| number((high - value).max(0) / scale));
    (down, up)
}

/// Amounts are solved in a unit in which a solver's numbers are exact.
fn scale(layer: &Layer, by: i128) -> i128 {
    let mut scale = 1;
    while !layer.is_count && by.saturating_abs() / scale > 1_000_000_000 {
        scale *= 10;
    }
    scale
}
