//! Whether a reader can narrow a hidden cell further than the rule allows, under one pattern of hidden cells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::family::CellNo;
use crate::protect::certain;
use crate::protect::layer::{Layer, Need};
use crate::protect::pattern::Pattern;
use crate::protect::system::{Move, Moved, System};
use crate::protect::walk::{Walked, Walker};
use crate::protect::witness::Witness;

/// Places up to which persons and rows together are asked of the solver where walking does not settle them. In more,
/// what is walked to stands for it, so that more may be hidden.
const SOLVED: usize = 400;

/// Places up to which tables are looked for in every round.
const SMALL: usize = 400;

/// Something that must stay open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) at: CellNo,
    pub(crate) need: Need,
    /// A cell that the reader knows, being alone in it.
    pub(crate) known: Option<CellNo>,
}

impl Demand {
    /// Whether it is met where the cell goes so far down and up from its value.
    fn is_met(&self, value: i128, (down, up): (i128, i128)) -> bool {
        match self.need {
            Need::Cover(low, high) => value - low <= down && high - value <= up,
            Need::Width(width) => width <= down + up,
        }
    }
}

/// A demand that is not met: the cell must be able to move so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) at: CellNo,
    pub(crate) is_up: bool,
    pub(crate) by: i128,
    pub(crate) known: Option<CellNo>,
}

/// A layer, with what finds other tables of it.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) layer: Layer,
    walker: Walker,
}

impl Side {
    pub(crate) fn new(layer: Layer) -> Self {
        Self { walker: Walker::new(&layer), layer }
    }
}

/// The tables found so far that a reader cannot tell from the true one, for one layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    tables: Vec<Arc<Witness>>,
    /// How many tables of persons, and how many of rows, were tried for both together.
    taken: [usize; 2],
    /// How far down and up each place goes, and in which tables.
    reach: BTreeMap<CellNo, Reach>,
}

#[derive(Clone, Debug, Default)]
struct Reach {
    down: i128,
    up: i128,
    /// The tables in which the cell differs, each with by how much.
    tables: Vec<(usize, i128)>,
}

impl Pool {
    /// Adds a table.
    pub(crate) fn push(&mut self, witness: impl Into<Arc<Witness>>) {
        let witness = witness.into();
        for at in witness.cells() {
            let (shift, reach) = (witness.shift(at), self.reach.entry(at).or_default());
            reach.down = reach.down.max(-shift);
            reach.up = reach.up.max(shift);
            reach.tables.push((self.tables.len(), shift));
        }
        self.tables.push(witness);
    }

    /// Adds what tables of persons and of rows are of both together: those that hold where the one moves alone, or both
    /// alike.
    pub(crate) fn take(&mut self, apart: &[Self], layer: &Layer, pattern: &Pattern) {
        let mut taken = self.taken;
        if apart.iter().zip(taken).all(|(pool, taken)| pool.tables.len() == taken) {
            return;
        }
        let ranges = system(layer, pattern).ranges;
        for (number, (pool, taken)) in apart.iter().zip(&mut taken).enumerate() {
            for table in pool.tables.iter().skip(*taken) {
                let of_cell = |cell: CellNo| layer.places_of(cell).map(move |at| (at, table.shift(cell)));
                let both: BTreeMap<usize, i128> = table.cells().flat_map(of_cell).collect();
                let alone: BTreeMap<usize, i128> =
                    table.cells().filter_map(|cell| of_cell(cell).nth(number)).collect();
                let of = |moves| Witness::of(layer, &ranges, moves);
                [both, alone].into_iter().filter_map(of).for_each(|witness| self.push(witness));
            }
            *taken = pool.tables.len();
        }
        self.taken = taken;
    }

    /// Without the tables in which this cell differs: it is to be shown.
    pub(crate) fn keeping(&self, layer: &Layer, at: CellNo) -> Self {
        let mut kept = Self::default();
        for witness in self.tables.iter().filter(|witness| witness.keeps(layer, at)) {
            kept.push(Arc::clone(witness));
        }
        kept
    }

    /// Whether every demand is met without the tables in which this cell differs.
    pub(crate) fn is_enough_without(&self, at: CellNo, side: &Side, pattern: &Pattern) -> bool {
        let gone = side.layer.places_of(at).filter_map(|place| self.reach.get(&place));
        let gone: BTreeSet<usize> = gone.flat_map(|reach| &reach.tables).map(|(number, _)| *number).collect();
        let mut is_in = vec![true; self.tables.len()];
        let mut is_touched = vec![false; side.layer.places.len()];
        for number in gone {
            mark(&mut is_in, number, false);
            let cells = self.tables.get(number).into_iter().flat_map(|witness| witness.cells());
            cells.for_each(|cell| mark(&mut is_touched, cell, true));
        }
        let is_in = |number: usize| is_in.get(number).copied().unwrap_or(false);
        let demands = demands(&side.layer, pattern).into_iter();
        let touched = demands.filter(|demand| is_touched.get(demand.at).copied().unwrap_or(false));
        touched.filter(|demand| side.layer.cell_of(demand.at) != at).all(|demand| {
            demand.is_met(side.layer.value(demand.at), self.reach_in(&side.layer, &demand, is_in))
        })
    }

    /// How far down and up the place goes in the tables found.
    pub(crate) fn reach(&self, at: usize) -> (i128, i128) {
        self.reach.get(&at).map_or((0, 0), |reach| (reach.down, reach.up))
    }

    /// The same for what is demanded.
    fn reach_of(&self, layer: &Layer, demand: &Demand) -> (i128, i128) {
        match demand.known {
            None => self.reach(demand.at),
            Some(_) => self.reach_in(layer, demand, |_| true),
        }
    }

    /// Whether the tables found meet a demand.
    fn meets(&self, layer: &Layer, demand: &Demand) -> bool {
        demand.is_met(layer.value(demand.at), self.reach_of(layer, demand))
    }

    /// The same as [`Self::reach_of`], in some of the tables.
    fn reach_in(&self, layer: &Layer, demand: &Demand, is_in: impl Fn(usize) -> bool) -> (i128, i128) {
        let keeps =
            |number: usize, known| self.tables.get(number).is_some_and(|table| table.keeps(layer, known));
        let tables = self.reach.get(&demand.at).map_or(&[][..], |reach| &reach.tables).iter();
        let tables = tables.filter(|(number, _)| is_in(*number));
        let tables = tables.filter(|(number, _)| demand.known.is_none_or(|known| keeps(*number, known)));
        tables.fold((0, 0), |(down, up), (_, shift)| (down.max(-*shift), up.max(*shift)))
    }
}

fn mark(marks: &mut [bool], at: usize, mark: bool) {
    if let Some(slot) = marks.get_mut(at) {
        *slot = mark;
    }
}

/// Everything that must stay open in a layer: each hidden cell, and each sensitive one for the one who is alone beside
/// it.
pub(crate) fn demands(layer: &Layer, pattern: &Pattern) -> Vec<Demand> {
    let of_place = |at: usize| layer.place(at).map(|place| Demand { at, need: place.need, known: None });
    let hidden = hidden_places(layer, pattern).filter(|at| layer.is_linked(*at)).filter_map(of_place);
    let beside = pattern.beside().iter().filter(|(at, known)| pattern.is_hidden(*at) && at != known);
    let places = beside.flat_map(|(cell, known)| layer.places_of(*cell).map(move |at| (at, *known)));
    let owners = places.map(|(at, known)| Demand { at, need: Need::Width(1), known: Some(known) });
    hidden.chain(owners).collect()
}

fn hidden_places(layer: &Layer, pattern: &Pattern) -> impl Iterator<Item = usize> {
    pattern.hidden().flat_map(move |cell| layer.places_of(cell))
}

fn system<'l>(layer: &'l Layer, pattern: &Pattern) -> System<'l> {
    System::new(layer, |at| pattern.is_hidden(layer.cell_of(at)))
}

/// The first demand that no table meets. Tables that are found on the way go into the pool.
pub(crate) fn first_gap(side: &mut Side, pattern: &Pattern, pool: &mut Pool) -> Option<Gap> {
    let mut demands = demands(&side.layer, pattern);
    demands.retain(|demand| !is_left(&side.layer, demand, pool));
    if demands.is_empty() {
        return None;
    }
    let system = system(&side.layer, pattern);
    side.walker.begin(&system);
    demands.iter().find_map(|demand| gap(&system, &mut side.walker, demand, pool))
}

/// Whether nothing more is looked for, since the tables found meet the demand. In small layers more tables are, which may
/// meet others' demands as well.
fn is_left(layer: &Layer, demand: &Demand, pool: &Pool) -> bool {
    layer.places.len() > SMALL && pool.meets(layer, demand)
}

/// How far a cell goes from the truth, the way that is asked: walked where that settles it, otherwise solved for.
fn farthest(system: &System<'_>, walker: &mut Walker, asked: Move) -> Moved {
    let reached = |witness: &Witness| {
        let shift = witness.shift(asked.at);
        if asked.is_up { shift } else { -shift }
    };
    let walked = match walker.farthest(system, asked) {
        Some(Walked::Endless) => return Moved::Endless,
        Some(Walked::To(witness, is_farthest)) => {
            if is_farthest || asked.most.is_some_and(|most| reached(&witness) >= most) {
                return Moved::To(witness);
            }
            Some(witness)
        }
        None => None,
    };
    if system.layer.is_joint() && system.layer.places.len() > SOLVED {
        return Moved::To(walked.unwrap_or_default());
    }
    match (system.farthest(asked, walked.as_ref().map_or(0, reached)), walked) {
        (Moved::To(solved), Some(walked)) if reached(&solved) < reached(&walked) => Moved::To(walked),
        (moved, _) => moved,
    }
}

fn gap(system: &System<'_>, walker: &mut Walker, demand: &Demand, pool: &mut Pool) -> Option<Gap> {
    if is_left(system.layer, demand, pool) {
        return None;
    }
    let value = system.layer.value(demand.at);
    let mut missing = |is_up: bool, most: i128| {
        let (down, up) = pool.reach_of(system.layer, demand);
        let known = if is_up { up } else { down };
        if known >= most {
            return None;
        }
        let asked = Move { at: demand.at, is_up, most: Some(most), known: demand.known };
        let reached = match farthest(system, walker, asked) {
            Moved::Endless => return None,
            Moved::To(witness) => {
                let shift = witness.shift(demand.at);
                pool.push(witness);
                // What is walked to may be nearer than a table that was found before.
                known.max(if is_up { shift } else { -shift })
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

/// The lowest and highest value; none is no limit.
type Ends = (Option<i128>, Option<i128>);

/// The lowest and highest value that a reader must hold possible.
///
/// `pool` has tables that are known to agree with what is shown.
fn interval(system: &System<'_>, walker: &mut Walker, at: CellNo, pool: Option<&Pool>) -> Ends {
    let value = system.layer.value(at);
    let need = system.layer.place(at).map(|place| place.need);
    let mut end = |is_up: bool| {
        let mut farthest = |most| farthest(system, walker, Move { at, is_up, most, known: None });
        let Moved::To(witness) = farthest(None) else { return None };
        let (down, up) = pool.map_or((0, 0), |pool| pool.reach(at));
        let found = witness.shift(at).abs().max(if is_up { up } else { down });
        // The table that meets the demand may be farther than the farthest that was found in whole numbers.
        let asked = match need {
            Some(Need::Cover(_, high)) if is_up => high - value,
            Some(Need::Cover(low, _)) => value - low,
            Some(Need::Width(width)) => width,
            None => 0,
        };
        let mut again = || match farthest(Some(asked)) {
            Moved::To(witness) => witness.shift(at).abs(),
            Moved::Endless => 0,
        };
        let found = if found < asked { found.max(again()) } else { found };
        Some(if is_up { value + found } else { value - found })
    };
    (end(false), end(true))
}

/// The places with a demand that no table meets, although the rules alone do not rule one out.
pub(crate) fn all_gaps(side: &mut Side, pattern: &Pattern, mut pool: Pool) -> Vec<usize> {
    let Side { layer, walker } = side;
    let system = system(layer, pattern);
    walker.begin(&system);
    let is_narrow = |demand: &Demand| {
        gap(&system, walker, demand, &mut pool).is_some() && {
            let left = certain::range(layer, demand.at, demand.known);
            let demand = Demand { need: demand.need.within(left), ..*demand };
            gap(&system, walker, &demand, &mut pool).is_some()
        }
    };
    demands(layer, pattern).into_iter().filter(is_narrow).map(|demand| demand.at).collect()
}

/// For each place of a hidden cell the lowest and highest value, as far as an interval says.
pub(crate) fn intervals(side: &mut Side, pattern: &Pattern, pool: Option<&Pool>) -> Vec<(usize, Ends)> {
    let Side { layer, walker } = side;
    let system = system(layer, pattern);
    walker.begin(&system);
    hidden_places(layer, pattern).map(|at| (at, interval(&system, walker, at, pool))).collect()
}

/// How many values more than one a reader must hold possible of a hidden cell; none is without end.
pub(crate) fn width(side: &mut Side, pattern: &Pattern, at: CellNo) -> Option<i128> {
    let Side { layer, walker } = side;
    let system = system(layer, pattern);
    walker.begin(&system);
    let (low, high) = interval(&system, walker, at, None);
    Some(high? - low?)
}
