//! What a reader solves: the unknown cells of a layer, and how far each can move while everything shown stays true.
//!
//! Variables are differences from the true table, which is one solution; so every right-hand side is zero or the slack
//! of the truth. Cells that are linked by no relation over unknown cells fall apart into components.

use microlp::{ComparisonOp, LinearExpr, OptimizationDirection, Problem, Variable};

use crate::family::{CellNo, Row};
use crate::protect::layer::{Layer, Range};
use crate::protect::least;
use crate::protect::witness::Witness;

/// Components up to this size are asked again in whole numbers where the first answer is none.
const WHOLE_NUMBERS: usize = 80;
/// No whole number of a solver's is taken for more than this.
const LARGEST: i128 = 1_000_000;
/// Beyond this a solver's numbers would lose their last digits.
const LARGE: i128 = 1_000_000_000;

/// The unknown cells under one pattern of hidden cells.
#[derive(Debug)]
pub(crate) struct System<'l> {
    pub(crate) layer: &'l Layer,
    pub(crate) ranges: Vec<Range>,
    component: Vec<usize>,
}

/// What a solver proposes: by how much each cell differs from the truth.
type Proposed = Vec<(CellNo, f64)>;

/// How far a cell is asked to move.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    pub(crate) at: CellNo,
    pub(crate) is_up: bool,
    /// No further than this.
    pub(crate) most: Option<i128>,
    /// A cell that the reader knows, being alone in it.
    pub(crate) known: Option<CellNo>,
}

/// What came of a move.
#[derive(Clone, Debug)]
pub(crate) enum Moved {
    /// So far, shown by a table.
    To(Witness),
    /// Without end.
    Endless,
}

impl<'l> System<'l> {
    pub(crate) fn new(layer: &'l Layer, is_hidden: impl Fn(CellNo) -> bool) -> Self {
        let range = |(at, place): (usize, &crate::protect::layer::Place)| {
            if is_hidden(at) { place.hidden } else { place.shown }
        };
        let ranges: Vec<Range> = layer.places.iter().enumerate().map(range).collect();
        let component = components(layer, &ranges);
        Self { layer, ranges, component }
    }

    pub(crate) fn is_unknown(&self, at: CellNo) -> bool {
        self.ranges.get(at).is_some_and(|range| !range.is_point())
    }

    /// The lowest cell that relations over unknown cells link this one with.
    pub(crate) fn root(&self, at: CellNo) -> Option<CellNo> {
        self.component.get(at).copied()
    }

    /// The farthest that the cell can be from the truth, as a table shows it. It is known to come so far already; where
    /// the solver sees no more than that, no table is looked for.
    pub(crate) fn farthest(&self, asked: Move, reached: i128) -> Moved {
        let members = self.members(asked.at);
        let scale = self.scale(asked);
        let accept = |proposed: Proposed| Witness::accept(self.layer, &self.ranges, &proposed, scale);
        let proposed = match self.solve(&members, asked, scale, false) {
            Err(microlp::Error::Unbounded) => return Moved::Endless,
            proposed => proposed.ok(),
        };
        // What is not whole, and what the solver gave up, is asked again: near the truth, then in whole numbers.
        let target = proposed.as_ref().map_or(asked.most.map(|most| most / scale), |proposed| {
            let moved = proposed.iter().find(|(at, _)| *at == asked.at).map(|(_, by)| by.abs() + 1e-6);
            moved.map(|moved| i128::from(integer(moved)))
        });
        let is_no_more = |target: i128| self.layer.is_count && target <= reached && target < LARGEST;
        if proposed.is_some() && target.is_some_and(is_no_more) {
            return Moved::To(Witness::default());
        }
        let nearest = || {
            let rows: Vec<&Row> = self.rows_of(asked.at).collect();
            // Where the farthest is not whole, a little less mostly is.
            [target?, target? - 1, target? / 2].into_iter().filter(|target| *target > 0).find_map(|target| {
                let target = if asked.is_up { target } else { -target };
                let place = (asked.at, target);
                least::proposed(self, (&members, &rows), place, asked.known, scale).and_then(accept)
            })
        };
        let first = proposed.and_then(accept);
        let again = || {
            let is_small = members.len() <= WHOLE_NUMBERS;
            is_small.then(|| self.solve(&members, asked, scale, true).ok()).flatten().and_then(accept)
        };
        Moved::To(first.or_else(nearest).or_else(again).unwrap_or_default())
    }

    /// What the truth leaves of a row that is not exact.
    pub(crate) fn slack(&self, row: &Row) -> i128 {
        let slack: i128 = row.terms.iter().map(|(at, sign)| i128::from(*sign) * self.layer.value(*at)).sum();
        slack.max(0)
    }

    fn members(&self, at: CellNo) -> Vec<CellNo> {
        let root = self.component.get(at);
        let is_member = |other: &CellNo| self.component.get(*other) == root && self.is_unknown(*other);
        (0..self.ranges.len()).filter(is_member).collect()
    }

    fn scale(&self, asked: Move) -> i128 {
        let size = asked.most.unwrap_or_else(|| self.layer.value(asked.at)).saturating_abs();
        let mut scale = 1;
        while !self.layer.is_count && size / scale > LARGE {
            scale *= 10;
        }
        scale
    }

    fn solve(
        &self,
        members: &[CellNo],
        asked: Move,
        scale: i128,
        is_whole: bool,
    ) -> Result<Proposed, microlp::Error> {
        let direction =
            if asked.is_up { OptimizationDirection::Maximize } else { OptimizationDirection::Minimize };
        let mut problem = Problem::new(direction);
        let mut variables: Vec<Option<Variable>> = vec![None; self.ranges.len()];
        for at in members {
            let (mut low, mut high) = self.bounds(*at, scale);
            if asked.known == Some(self.layer.cell_of(*at)) {
                (low, high) = (0.0, 0.0);
            }
            if *at == asked.at
                && let Some(most) = asked.most
            {
                let most = number(most.div_euclid(scale) + i128::from(most.rem_euclid(scale) > 0));
                if asked.is_up { high = high.min(most) } else { low = low.max(-most) }
            }
            let weight = if *at == asked.at { 1.0 } else { 0.0 };
            let variable = if is_whole {
                problem.add_integer_var(weight, (integer(low), integer(high)))
            } else {
                problem.add_var(weight, (low, high))
            };
            if let Some(slot) = variables.get_mut(*at) {
                *slot = Some(variable);
            }
        }
        let of = |at: CellNo| variables.get(at).copied().flatten();
        for row in self.rows_of(asked.at) {
            constrain(&mut problem, self.layer, row, scale, of);
        }
        let solution = problem.solve()?.into_solution();
        let solution = solution.map_err(|_| microlp::Error::InternalError("interrupted".to_owned()))?;
        Ok(members.iter().filter_map(|at| Some((*at, solution.var_value(of(*at)?)))).collect())
    }

    fn rows_of(&self, at: CellNo) -> impl Iterator<Item = &'l Row> {
        let root = self.component.get(at).copied();
        let layer: &'l Layer = self.layer;
        layer.rows.iter().filter(move |row| {
            row.terms
                .iter()
                .any(|(term, _)| self.component.get(*term).copied() == root && self.is_unknown(*term))
        })
    }

    /// How far a cell can be below and above the truth.
    pub(crate) fn bounds(&self, at: CellNo, scale: i128) -> (f64, f64) {
        let Some(range) = self.ranges.get(at) else { return (0.0, 0.0) };
        let value = self.layer.value(at);
        let low = range.low.map_or(f64::NEG_INFINITY, |low| -number((value - low).max(0) / scale));
        let high = range.high.map_or(f64::INFINITY, |high| number((high - value).max(0) / scale));
        (low, high)
    }
}

/// Adds a row: the moves add up to nothing, or to no less than the truth leaves.
pub(crate) fn constrain(
    problem: &mut Problem,
    layer: &Layer,
    row: &Row,
    scale: i128,
    variable: impl Fn(CellNo) -> Option<Variable>,
) {
    let mut terms = LinearExpr::empty();
    let mut is_empty = true;
    for (at, sign) in &row.terms {
        if let Some(variable) = variable(*at) {
            terms.add(variable, f64::from(*sign));
            is_empty = false;
        }
    }
    if is_empty {
        return;
    }
    if row.is_exact {
        problem.add_constraint(terms, ComparisonOp::Eq, 0.0);
    } else {
        let slack: i128 = row.terms.iter().map(|(at, sign)| i128::from(*sign) * layer.value(*at)).sum();
        problem.add_constraint(terms, ComparisonOp::Ge, -number(slack.max(0) / scale));
    }
}

/// For each cell the lowest cell that relations over unknown cells link it with.
fn components(layer: &Layer, ranges: &[Range]) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..ranges.len()).collect();
    for row in &layer.rows {
        let is_unknown = |at: &usize| ranges.get(*at).is_some_and(|range| !range.is_point());
        let mut unknown = row.terms.iter().map(|(at, _)| *at).filter(is_unknown);
        let Some(first) = unknown.next() else { continue };
        for other in unknown {
            let (one, two) = (root(&mut parent, first), root(&mut parent, other));
            if let Some(slot) = parent.get_mut(one.max(two)) {
                *slot = one.min(two);
            }
        }
    }
    (0..parent.len()).map(|at| root(&mut parent, at)).collect()
}

fn root(parent: &mut [usize], mut at: usize) -> usize {
    while let Some(next) = parent.get(at).copied().filter(|next| *next != at) {
        let over = parent.get(next).copied().unwrap_or(next);
        if let Some(slot) = parent.get_mut(at) {
            *slot = over;
        }
        at = next;
    }
    at
}

#[expect(clippy::cast_precision_loss, reason = "what a solver proposes is checked again in whole numbers")]
pub(crate) const fn number(whole: i128) -> f64 {
    whole as f64
}

#[expect(clippy::cast_possible_truncation, reason = "clamped first")]
const fn integer(number: f64) -> i32 {
    number.clamp(-1.0e6, 1.0e6) as i32
}
