//! Tables near the true one, found by elimination instead of a solver.
//!
//! Which unknown cells can move together, and by how much each for one step, are the solutions of the relations with
//! nothing on the right. Elimination gives one solution for each cell that is not a pivot; with the roomiest cells as
//! pivots that is one for nearly every small cell. Each is walked as far as the ranges let it, in both directions, and
//! is checked like everything that a solver proposes. What is not found here the solver is asked for.

use std::collections::BTreeMap;

use crate::family::CellNo;
use crate::protect::eliminate::{Known, Vector, add};
use crate::protect::field::Residue;
use crate::protect::system::System;
use crate::protect::witness::Witness;

/// Unknown cells beyond which elimination is not cheaper any more.
const MOST: usize = 3_000;
/// Steps that one solution is walked at most: no demand on a count is wider.
const STEPS: i128 = 1_000;

/// Tables that agree with everything shown.
pub(crate) fn witnesses(system: &System<'_>) -> Vec<Witness> {
    let mut cells: Vec<CellNo> = (0..system.ranges.len()).filter(|at| system.is_unknown(*at)).collect();
    if cells.len() > MOST || !system.layer.is_count {
        return Vec::new();
    }
    // The roomiest first: the first cell of a row becomes its pivot.
    cells.sort_by_key(|at| std::cmp::Reverse(least_room(system, *at)));
    let solutions = solutions(system, &cells);
    let walk = |solution: &BTreeMap<CellNo, i128>| {
        [1, -1].map(|direction| {
            let steps = solution.iter().map(|(at, by)| room(system, *at, by * direction) / by.abs());
            let steps = steps.min().unwrap_or(0).min(STEPS);
            let moves = solution.iter().map(|(at, by)| (*at, by * direction * steps)).collect();
            (steps > 0).then(|| Witness::of(system.layer, &system.ranges, moves)).flatten()
        })
    };
    solutions.iter().flat_map(walk).flatten().collect()
}

/// For each cell that is no pivot the solution in which it moves by one and no other such cell does.
fn solutions(system: &System<'_>, cells: &[CellNo]) -> Vec<BTreeMap<CellNo, i128>> {
    let rank: BTreeMap<CellNo, usize> = cells.iter().enumerate().map(|(rank, at)| (*at, rank)).collect();
    let (mut known, mut rows) = (Known::default(), Vec::new());
    for row in system.layer.rows.iter() {
        let mut vector = Vector::new();
        for (at, sign) in &row.terms {
            if let Some(rank) = rank.get(at) {
                add(&mut vector, *rank, if *sign > 0 { Residue::ONE } else { Residue::ONE.negated() });
            }
        }
        rows.extend(known.add(known.reduced(vector)));
    }
    // A row has no pivots of earlier rows, so the last are settled first.
    let mut settled: BTreeMap<usize, Vector> = BTreeMap::new();
    let mut found: BTreeMap<usize, BTreeMap<CellNo, i128>> = BTreeMap::new();
    for (pivot, row) in rows.iter().rev() {
        let mut own = Vector::new();
        for (rank, value) in row.iter().filter(|(rank, _)| *rank != pivot) {
            let minus = value.negated();
            match settled.get(rank) {
                Some(of) => of.iter().for_each(|(free, by)| add(&mut own, *free, by.times(minus))),
                None => add(&mut own, *rank, minus),
            }
        }
        settled.insert(*pivot, own);
    }
    let free = (0..cells.len()).filter(|rank| !settled.contains_key(rank));
    for rank in free {
        found.entry(rank).or_default().extend(cells.get(rank).map(|at| (*at, 1)));
    }
    for (pivot, of) in &settled {
        for (free, by) in of {
            let (Some(at), Some(solution)) = (cells.get(*pivot), found.get_mut(free)) else { continue };
            // A number that is not small is kept as one that no range has room for.
            solution.insert(*at, by.small().unwrap_or(i128::MAX / 4));
        }
    }
    let is_small = |solution: &BTreeMap<CellNo, i128>| solution.values().all(|by| by.abs() <= 8);
    found.into_values().filter(is_small).collect()
}

/// How far a cell can go in a direction.
fn room(system: &System<'_>, at: CellNo, direction: i128) -> i128 {
    let Some(range) = system.ranges.get(at) else { return 0 };
    let value = system.layer.value(at);
    let room =
        if direction > 0 { range.high.map(|high| high - value) } else { range.low.map(|low| value - low) };
    room.unwrap_or(i128::MAX / 4).max(0)
}

fn least_room(system: &System<'_>, at: CellNo) -> i128 {
    room(system, at, 1).min(room(system, at, -1))
}
