//! The table nearest to the true one in which a cell has moved so far.
//!
//! The farthest table of a solver is often none in whole numbers; the one with the least movement mostly is.

use microlp::{ComparisonOp, LinearExpr, OptimizationDirection, Problem, Variable};

use crate::family::{CellNo, Row};
use crate::protect::system::{System, number};

/// What the solver proposes for these cells with one of them moved by `target`, in units of `scale`.
pub(crate) fn proposed(
    system: &System<'_>,
    (members, rows): (&[CellNo], &[&Row]),
    (at, target): (CellNo, i128),
    known: Option<CellNo>,
    scale: i128,
) -> Option<Vec<(CellNo, f64)>> {
    let mut problem = Problem::new(OptimizationDirection::Minimize);
    let mut pairs: Vec<Option<(Variable, Variable)>> = vec![None; system.ranges.len()];
    for member in members.iter().filter(|member| known != Some(system.layer.cell_of(**member))) {
        let (low, high) = system.bounds(*member, scale);
        let pair = (problem.add_var(1.0, (0.0, -low)), problem.add_var(1.0, (0.0, high)));
        if let Some(slot) = pairs.get_mut(*member) {
            *slot = Some(pair);
        }
    }
    let pair = |at: CellNo| pairs.get(at).copied().flatten();
    let (down, up) = pair(at)?;
    problem.add_constraint([(up, 1.0), (down, -1.0)], ComparisonOp::Eq, number(target));
    for row in rows.iter().copied() {
        constrain(&mut problem, (system.slack(row), row), scale, pair);
    }
    let solution = problem.solve().ok()?.into_solution().ok()?;
    let by = |(down, up): (Variable, Variable)| solution.var_value(up) - solution.var_value(down);
    Some(members.iter().filter_map(|at| Some((*at, by(pair(*at)?)))).collect())
}

/// Adds a row, of which the truth leaves so much, over cells that each have a way down and one up.
pub(crate) fn constrain(
    problem: &mut Problem,
    (slack, row): (i128, &Row),
    scale: i128,
    pair: impl Fn(CellNo) -> Option<(Variable, Variable)>,
) {
    let mut terms = LinearExpr::empty();
    let mut is_empty = true;
    for (at, sign) in &row.terms {
        let Some((down, up)) = pair(*at) else { continue };
        terms.add(up, f64::from(*sign));
        terms.add(down, -f64::from(*sign));
        is_empty = false;
    }
    if is_empty {
        return;
    }
    let (relation, slack) =
        if row.is_exact { (ComparisonOp::Eq, 0) } else { (ComparisonOp::Ge, slack / scale) };
    problem.add_constraint(terms, relation, -number(slack));
}
