//! A second table that a reader cannot tell from the true one, checked in whole numbers.
//!
//! Everything that is said to be open rests on such a table: it agrees with everything that is shown and with every
//! relation, and has another value in the hidden cell. The solver only proposes it. So a wrong answer of the solver
//! can make more be hidden, never less.

use std::collections::BTreeMap;

use crate::family::{CellNo, Row};
use crate::protect::layer::{Layer, Range};

/// By how much each cell differs from the truth, in parts of `unit`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness {
    moves: BTreeMap<CellNo, i128>,
    unit: i128,
}

impl Witness {
    /// Accepts what a solver proposes, if it holds exactly; counts must be whole numbers.
    ///
    /// `ranges` is what a reader knows of each cell without arithmetic.
    pub(crate) fn accept(
        layer: &Layer,
        ranges: &[Range],
        proposed: &[(CellNo, f64)],
        scale: i128,
    ) -> Option<Self> {
        let units: &[i128] = if layer.is_count { &[1] } else { &[1, 2, 3, 4, 6] };
        units.iter().find_map(|unit| {
            let moves = proposed.iter().map(|(at, by)| Some((*at, whole(*by, *unit)?.checked_mul(scale)?)));
            let moves: BTreeMap<CellNo, i128> =
                moves.collect::<Option<Vec<_>>>()?.into_iter().filter(|(_, by)| *by != 0).collect();
            let witness = Self { moves, unit: *unit };
            witness.holds(layer, ranges).then_some(witness)
        })
    }

    /// A table with these moves, if it holds.
    pub(crate) fn of(layer: &Layer, ranges: &[Range], moves: BTreeMap<CellNo, i128>) -> Option<Self> {
        let witness = Self { moves, unit: 1 };
        witness.holds(layer, ranges).then_some(witness)
    }

    /// By how much the cell is higher than in truth, rounded towards the truth.
    pub(crate) fn shift(&self, at: CellNo) -> i128 {
        self.moves.get(&at).map_or(0, |by| by / self.unit.max(1))
    }

    /// The cells that are not as in truth.
    pub(crate) fn cells(&self) -> impl Iterator<Item = CellNo> {
        self.moves.keys().copied()
    }

    /// Whether everything of the cell is as in truth.
    pub(crate) fn keeps(&self, layer: &Layer, cell: CellNo) -> bool {
        layer.places_of(cell).all(|at| !self.moves.contains_key(&at))
    }

    fn holds(&self, layer: &Layer, ranges: &[Range]) -> bool {
        let in_range = |(at, by): (&CellNo, &i128)| {
            let (Some(range), Some(place)) = (ranges.get(*at), layer.place(*at)) else { return false };
            let Some(moved) = place.value.checked_mul(self.unit).and_then(|value| value.checked_add(*by))
            else {
                return false;
            };
            range.low.is_none_or(|low| low.saturating_mul(self.unit) <= moved)
                && range.high.is_none_or(|high| moved <= high.saturating_mul(self.unit))
        };
        if !self.moves.iter().all(in_range) {
            return false;
        }
        let mut sums = vec![0_i128; layer.rows.len()];
        for (at, by) in &self.moves {
            for (row, sign) in layer.lines(*at) {
                sums.get_mut(*row).into_iter().for_each(|sum| *sum += i128::from(*sign) * by);
            }
        }
        let satisfies = |(number, (row, moved)): (usize, (&Row, &i128))| {
            let left = || layer.slack(number).saturating_mul(self.unit) + moved;
            if row.is_exact { *moved == 0 } else { left() >= 0 }
        };
        layer.rows.iter().zip(&sums).enumerate().all(satisfies)
    }
}

/// The whole number of units next to a number, if it is next to one.
#[expect(clippy::cast_possible_truncation, reason = "a number beyond 2^53 is refused first")]
fn whole(number: f64, unit: i128) -> Option<i128> {
    let scaled = number * f64::from(i16::try_from(unit).ok()?);
    let rounded = scaled.round();
    (rounded.abs() < 9.0e15 && (scaled - rounded).abs() < 1e-4).then_some(rounded as i128)
}
