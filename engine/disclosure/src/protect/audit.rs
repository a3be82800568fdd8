//! Whether a reader can narrow a hidden cell further than the rule allows, under one pattern of hidden cells.

use crate::family::CellNo;
use crate::protect::certain;
use crate::protect::kernel;
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
    /// Begins with the tables that elimination finds.
    fn begin(&mut self, system: &System<'_>) {
        if self.0.is_empty() {
            self.0 = kernel::witnesses(system);
        }
    }

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
    pool.begin(&system);
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
///
/// `pool` has tables that are known to agree with what is shown.
pub(crate) fn interval(system: &System<'_>, at: CellNo, pool: Option<&Pool>) -> (Option<i128>, Option<i128>) {
    let value = system.layer.value(at);
    let need = system.layer.place(at).map(|place| place.need);
    let end = |is_up: bool| {
        let farthest = |most| system.farthest(Move { at, is_up, most, known: None });
        let Moved::To(witness) = farthest(None) else { return None };
        let (down, up) = pool.map_or((0, 0), |pool| pool.reach(at, None));
        let found = witness.shift(at).abs().max(if is_up { up } else { down });
        // The table that meets the demand may be farther than the farthest that was found in whole numbers.
        let asked = match need {
            Some(Need::Cover(_, high)) if is_up => high - value,
            Some(Need::Cover(low, _)) => value - low,
            Some(Need::Width(width)) => width,
            None => 0,
        };
        let again = || match farthest(Some(asked)) {
            Moved::To(witness) => witness.shift(at).abs(),
            Moved::Endless => 0,
        };
        let found = if found < asked { found.max(again()) } else { found };
        Some(if is_up { value + found } else { value - found })
    };
    (end(false), end(true))
}

/// The cells with a demand that no table meets, although the rules alone do not rule one out.
pub(crate) fn all_gaps(layer: &Layer, pattern: &Pattern, mut pool: Pool) -> Vec<CellNo> {
    let system = System::new(layer, |at| pattern.is_hidden(at));
    pool.begin(&system);
    let is_narrow = |demand: &Demand| {
        gap(&system, demand, &mut pool).is_some() && {
            let left = certain::range(layer, demand.at, demand.known);
            let demand = Demand { need: demand.need.within(left), ..*demand };
            gap(&system, &demand, &mut pool).is_some()
        }
    };
    demands(layer, pattern).into_iter().filter(is_narrow).map(|demand| demand.at).collect()
}
