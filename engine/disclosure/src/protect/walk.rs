//! How far a cell can move, found by going from the truth one step after the other, in whole numbers alone.
//!
//! A step moves one cell that is not solved for, with all that follow it ([`Tableau`]), until one of them is at its end;
//! that one then changes places with the first. Where no cell is left whose moving would help, the cell is as far as
//! any table can have it, whole or not: each term of the sum that it is stands at its end. So this proves both what is
//! open and what is not. Every table that is handed out is checked like a solver's ([`Witness`]).
//!
//! The solved relations do not depend on what is hidden, so they serve all cells and all patterns of a layer.

use std::collections::BTreeMap;

use crate::family::CellNo;
use crate::protect::layer::{Layer, Range};
use crate::protect::system::{Move, System};
use crate::protect::tableau::{Column, Tableau};
use crate::protect::witness::Witness;

/// Steps of one walk; what is not settled then is left to the solver.
const STEPS: usize = 1_000;
/// Changes of one walk in a row that move nothing.
const IDLE: usize = 200;

/// Goes from the truth to other tables.
#[derive(Clone, Debug)]
pub(crate) struct Walker {
    /// None where the relations are too many, or their numbers grew too large.
    tableau: Option<Tableau>,
    limits: Vec<Limits>,
}

/// How far a column can go down and up from the truth; none is without end.
#[derive(Clone, Copy, Debug)]
struct Limits {
    down: Option<i128>,
    up: Option<i128>,
}

/// What came of a walk.
#[derive(Clone, Debug)]
pub(crate) enum Walked {
    /// So far, shown by a table; and whether no table has the cell farther.
    To(Witness, bool),
    /// Without end.
    Endless,
}

/// A solved column that stops another, and whether the two can change places.
#[derive(Clone, Copy)]
struct Stop {
    column: Column,
    is_one: bool,
}

impl Stop {
    /// Whether this one is to change places rather than another at the same step: always the first that can, so that
    /// changes that move nothing come to an end.
    fn is_before(self, other: Option<Self>) -> bool {
        self.is_one && other.is_some_and(|other| !other.is_one || self.column < other.column)
    }
}

/// What one step came to.
enum Step {
    /// The cell moved.
    Moved,
    /// Nothing moved, but other columns are solved for.
    Changed,
    /// The cell moves without end.
    Endless,
    /// No step is left in whole numbers.
    Stuck,
    /// Nothing that helps has any room.
    Farthest,
}

impl Limits {
    const NONE: Self = Self { down: Some(0), up: Some(0) };

    fn of(range: Range, value: i128) -> Self {
        let (low, high) = (range.low, range.high);
        Self { down: low.map(|low| (value - low).max(0)), up: high.map(|high| (high - value).max(0)) }
    }

    const fn is_none(self) -> bool {
        matches!((self.down, self.up), (Some(0), Some(0)))
    }

    /// What is left in a direction after a move; none is without end.
    fn left(self, moved: i128, is_up: bool) -> Option<i128> {
        if is_up { self.up.map(|up| up - moved) } else { self.down.map(|down| down + moved) }
    }

    /// How roomy it is in the narrower direction.
    fn least(self) -> i128 {
        self.down.unwrap_or(i128::MAX).min(self.up.unwrap_or(i128::MAX))
    }
}

impl Walker {
    pub(crate) fn new(layer: &Layer) -> Self {
        Self { tableau: Tableau::of(layer), limits: Vec::new() }
    }

    /// Makes ready for what is hidden now.
    pub(crate) fn begin(&mut self, system: &System<'_>) {
        let Some(tableau) = &mut self.tableau else { return };
        let ranges = system.ranges.iter().enumerate();
        let cells = ranges.map(|(at, range)| Limits::of(*range, system.layer.value(at)));
        let open = tableau.open.iter().map(|row| Limits { down: Some(system.slack(row)), up: None });
        self.limits = cells.chain(open).collect();
        // What is known moves nothing, so it is not what is solved for as far as that can be.
        let known: Vec<Column> =
            tableau.solved().filter(|column| of(&self.limits, *column).is_none()).collect();
        for column in known {
            let one = tableau.across(column).filter(|(_, by)| by.unsigned_abs() == 1);
            let free = one.map(|(other, _)| (of(&self.limits, other), other));
            let free = free.filter(|(limits, _)| !limits.is_none());
            let roomiest = free.max_by_key(|(limits, other)| (limits.least(), *other));
            if let Some((_, other)) = roomiest
                && !tableau.change(column, other)
            {
                self.tableau = None;
                return;
            }
        }
    }

    /// The farthest that the cell can be from the truth, or as far as is asked; none where this cannot tell.
    pub(crate) fn farthest(&mut self, system: &System<'_>, asked: Move) -> Option<Walked> {
        let tableau = self.tableau.as_mut()?;
        let known = asked.known.into_iter().flat_map(|known| system.layer.places_of(known));
        // One who knows a cell sees it where it is.
        let keep = |at: usize| Some((at, std::mem::replace(self.limits.get_mut(at)?, Limits::NONE)));
        let kept: Vec<(usize, Limits)> = known.filter_map(keep).collect();
        let mut walk = Walk { tableau, limits: &self.limits, asked, moves: vec![0; self.limits.len()] };
        let came = walk.go();
        let moves = walk.moves.into_iter().take(system.ranges.len()).enumerate();
        let moves: BTreeMap<CellNo, i128> = moves.filter(|(_, by)| *by != 0).collect();
        for (known, limits) in kept {
            if let Some(slot) = self.limits.get_mut(known) {
                *slot = limits;
            }
        }
        match came {
            None => {
                self.tableau = None;
                None
            }
            Some(Step::Endless) => Some(Walked::Endless),
            Some(step) => {
                let witness = Witness::of(system.layer, &system.ranges, moves)?;
                Some(Walked::To(witness, matches!(step, Step::Farthest)))
            }
        }
    }
}

/// One walk.
struct Walk<'w> {
    tableau: &'w mut Tableau,
    limits: &'w [Limits],
    asked: Move,
    moves: Vec<i128>,
}

impl Walk<'_> {
    /// Goes as far as it can; none where a number grew too large.
    fn go(&mut self) -> Option<Step> {
        let mut idle = 0;
        for _ in 0..STEPS {
            if self.asked.most.is_some_and(|most| self.gone() >= most) {
                return Some(Step::Moved);
            }
            // At its own end it is as far as it can be, whatever the others do.
            if self.left(self.asked.at, self.asked.is_up) == Some(0) {
                return Some(Step::Farthest);
            }
            match self.step()? {
                Step::Moved => idle = 0,
                Step::Changed if idle < IDLE => idle += 1,
                Step::Changed => return Some(Step::Stuck),
                last => return Some(last),
            }
        }
        Some(Step::Stuck)
    }

    /// How far the cell is from the truth.
    fn gone(&self) -> i128 {
        let moved = self.moves.get(self.asked.at).copied().unwrap_or(0);
        if self.asked.is_up { moved } else { -moved }
    }

    fn step(&mut self) -> Option<Step> {
        let helping = self.helping();
        if helping.is_empty() {
            return Some(Step::Farthest);
        }
        let mut idle: Option<(Column, Column)> = None;
        for (column, is_up, by) in helping {
            if idle.is_some() && self.is_stopped(column, is_up) {
                continue;
            }
            let (steps, stop) = self.room(column, is_up);
            match steps {
                None if self.asked.most.is_none() => return Some(Step::Endless),
                Some(0) => {
                    let stop = stop.filter(|stop| stop.is_one);
                    idle = idle.or_else(|| stop.map(|stop| (stop.column, column)));
                }
                steps => {
                    let left = self.asked.most.map(|most| {
                        let left = (most - self.gone()).max(1);
                        left / i128::from(by) + i128::from(left % i128::from(by) > 0)
                    });
                    let taken = steps.into_iter().chain(left).min()?;
                    self.go_along(column, if is_up { taken } else { -taken });
                    if let Some(Stop { column: stop, is_one: true }) = stop.filter(|_| steps == Some(taken)) {
                        self.tableau.change(stop, column).then_some(())?;
                    }
                    return Some(Step::Moved);
                }
            }
        }
        let Some((stop, column)) = idle else { return Some(Step::Stuck) };
        self.tableau.change(stop, column).then_some(Step::Changed)
    }

    /// The columns whose moving would move the cell the way that is asked, each with its way and by how much.
    fn helping(&self) -> Vec<(Column, bool, u32)> {
        let Move { at, is_up, .. } = self.asked;
        let own = (at, if is_up { 1 } else { -1 });
        let all: Vec<(Column, i32)> = if self.tableau.is_solved(at) {
            self.tableau.across(at).map(|(column, by)| (column, if is_up { by } else { -by })).collect()
        } else {
            vec![own]
        };
        let ways = all.into_iter().map(|(column, by)| (column, by > 0, by.unsigned_abs()));
        ways.filter(|(column, is_up, _)| self.left(*column, *is_up) != Some(0)).collect()
    }

    fn left(&self, column: Column, is_up: bool) -> Option<i128> {
        let moved = self.moves.get(column).copied().unwrap_or(0);
        of(self.limits, column).left(moved, is_up)
    }

    /// Whether a column can go no step.
    fn is_stopped(&self, column: Column, is_up: bool) -> bool {
        let is_stopping = |(solved, by): (Column, i32)| {
            let left = self.left(solved, (by > 0) == is_up);
            left.is_some_and(|left| left < i128::from(by.unsigned_abs()))
        };
        self.tableau.down(column).any(is_stopping)
    }

    /// How many steps a column can go, and which solved column stops it, where one does.
    fn room(&self, column: Column, is_up: bool) -> (Option<i128>, Option<Stop>) {
        let mut room = (self.left(column, is_up), None);
        for (solved, by) in self.tableau.down(column) {
            let Some(left) = self.left(solved, (by > 0) == is_up) else { continue };
            let stop = Stop { column: solved, is_one: by.unsigned_abs() == 1 };
            let left = left.max(0);
            let steps = if stop.is_one { left } else { left / i128::from(by.unsigned_abs()) };
            if room.0.is_none_or(|room| steps < room) || (room.0 == Some(steps) && stop.is_before(room.1)) {
                room = (Some(steps), Some(stop));
            }
        }
        room
    }

    fn go_along(&mut self, column: Column, steps: i128) {
        let along = self.tableau.down(column).map(|(solved, by)| (solved, i128::from(by)));
        for (at, by) in along.chain([(column, 1)]) {
            if let Some(slot) = self.moves.get_mut(at) {
                *slot += by * steps;
            }
        }
    }
}

fn of(limits: &[Limits], column: Column) -> Limits {
    limits.get(column).copied().unwrap_or(Limits::NONE)
}
