//! Whether a reader can narrow a hidden cell further than the rule allows, under one pattern of hidden cells.

use crate::family::CellNo;
use crate::protect::layer::{Layer, Need};
use crate::protect::pattern::Pattern;
use crate::protect::system::{Move, Moved, System};
use crate::protect::witness::Witness;

/// Something that must stay open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) at: CellNo,
    pub(crate) need: Need,
    /// A cell that the reader knows, being alone in it.
    pub(crate) known: Option<CellNo>,
}

/// A demand that is not met: the cell must be able to move so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) at: CellNo,
    pub(crate) is_up: bool,
    pub(crate) by: i128,
    pub(crate) known: Option<CellNo>,
}

/// The tables found so far that a reader cannot tell from the true one, for one layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool(Vec<Witness>);

impl Pool {
    /// Adds a table.
    pub(crate) fn push(&mut self, witness: Witness) {
        self.0.push(witness);
    }

    /// Without the tables in which this cell differs: it is to be shown.
    pub(crate) fn keeping(&self, at: CellNo) -> Self {
        Self(self.0.iter().filter(|witness| witness.keeps(at)).cloned().collect())
    }

    /// How far down and up the cell goes in the tables found.
    fn reach(&self, at: CellNo, known: Option<CellNo>) -> (i128, i128) {
        let tables = self.0.iter().filter(|witness| known.is_none_or(|known| witness.keeps(known)));
        tables.fold((0, 0), |(down, up), witness| {
            let shift = witness.shift(at);
            (down.max(-shift), up.max(shift))
        })
    }
}

/// Everything that must stay open in a layer: each hidden cell, and each sensitive one for the one who is alone beside
/// it.
pub(crate) fn demands(layer: &Layer, pattern: &Pattern) -> Vec<Demand> {
    let of_cell = |at: CellNo| layer.place(at).map(|place| Demand { at, need: place.need, known: None });
    let hidden = pattern.hidden().filter(|at| layer.is_linked(*at)).filter_map(of_cell);
    let beside = pattern.beside().iter().filter(|(at, known)| pattern.is_hidden(*at) && at != known);
    let owners = beside.map(|(at, known)| Demand { at: *at, need: Need::Width(1), known: Some(*known) });
    hidden.chain(owners).collect()
}

/// The first demand that no table meets. Tables that are found on the way go into the pool.
pub(crate) fn first_gap(layer: &Layer, pattern: &Pattern, pool: &mut Pool) -> Option<Gap> {
    let demands = demands(layer, pattern);
    if demands.is_empty() {
        return None;
    }
    let system = System::new(layer, |at| pattern.is_hidden(at));
    demands.iter().find_map(|demand| gap(&system, demand, pool))
}

fn gap(system: &System<'_>, demand: &Demand, pool: &mut Pool) -> Option<Gap> {
    let value = system.layer.value(demand.at);
    let mut missing = |is_up: bool, most: i128| {
        let (down, up) = pool.reach(demand.at, demand.known);
        let reached = if is_up { up } else { down };
        if reached >= most {
            return None;
        }
        let asked = Move { at: demand.at, is_up, most: Some(most), known: demand.known };
        let reached = match system.farthest(asked) {
            Moved::Endless => return None,
            Moved::To(witness) => {
                let shift = witness.shift(demand.at);
                pool.push(witness);
                if is_up { shift } else { -shift }
            }
        };
        (reached < most).then_some(reached)
    };
    let gap = |is_up, by| Some(Gap { at: demand.at, is_up, by, known: demand.known });
    match demand.need {
        Need::Cover(low, high) => {
            let (down, up) = ((value - low).max(0), (high - value).max(0));
            if missing(true, up).is_some() {
                return gap(true, up);
            }
            missing(false, down).and_then(|_| gap(false, down))
        }
        Need::Width(width) => {
            let up = match missing(true, width) {
                None => return None,
                Some(up) => up.max(0),
            };
            let down = missing(false, width - up)?;
            let down = down.max(0);
            let high = system.layer.place(demand.at).and_then(|place| place.hidden.high);
            let has_room = high.is_none_or(|high| high - value >= width - down);
            if has_room { gap(true, width - down) } else { gap(false, width - up) }
        }
    }
}

/// The lowest and highest value that a reader must hold possible; none is no limit.
pub(crate) fn interval(system: &System<'_>, at: CellNo) -> (Option<i128>, Option<i128>) {
    let value = system.layer.value(at);
    let end = |is_up: bool| match system.farthest(Move { at, is_up, most: None, known: None }) {
        Moved::Endless => None,
        Moved::To(witness) => Some(value + witness.shift(at)),
    };
    (end(false), end(true))
}

/// The cells with a demand that no table meets, although the rules alone would let one.
pub(crate) fn all_gaps(layer: &Layer, pattern: &Pattern) -> Vec<CellNo> {
    let system = System::new(layer, |at| pattern.is_hidden(at));
    let mut pool = Pool::default();
    let mut gaps: Vec<Gap> = Vec::new();
    for demand in demands(layer, pattern) {
        gaps.extend(gap(&system, &demand, &mut pool));
    }
    gaps.iter().filter(|gap| is_avoidable(layer, &system, gap)).map(|gap| gap.at).collect()
}

/// Whether the cell could move farther if more were hidden.
fn is_avoidable(layer: &Layer, system: &System<'_>, gap: &Gap) -> bool {
    let asked = Move { at: gap.at, is_up: gap.is_up, most: Some(gap.by), known: gap.known };
    match system.farthest(asked) {
        Moved::Endless => false,
        Moved::To(witness) => witness.shift(gap.at).abs() < limit(layer, gap),
    }
}

/// How far the cell can move if everything is hidden but what is nothing: what the rules alone leave.
pub(crate) fn limit(layer: &Layer, gap: &Gap) -> i128 {
    let system = System::new(layer, |at| layer.place(at).is_some_and(|place| !place.is_nothing()));
    let asked = Move { at: gap.at, is_up: gap.is_up, most: Some(gap.by), known: gap.known };
    match system.farthest(asked) {
        Moved::Endless => gap.by,
        Moved::To(witness) => witness.shift(gap.at).abs().min(gap.by),
    }
}
