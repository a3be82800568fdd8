//! Which further cells must be hidden, over a whole family of tables.
//!
//! Three steps. Elimination hides what would give a sensitive cell exactly. The audit asks, for every hidden cell and
//! every published quantity, from where to where a reader must hold its value possible, and where that is narrower than
//! the rule demands the cheapest further cells are hidden. In small families cells that turn out not to be needed are
//! shown again. What is left is proved open by tables that agree with everything shown ([`witness`]).

mod audit;
mod block;
mod certain;
mod eliminate;
mod exchange;
mod field;
mod layer;
mod least;
mod marks;
mod narrowed;
mod pattern;
mod system;
mod tableau;
#[cfg(test)]
mod tests;
mod vector;
mod walk;
mod widen;
mod witness;

pub(crate) use block::{Block, blocks};
pub(crate) use field::Residue;
pub(crate) use layer::{Layer, Need, Place, Range, known, unknown};
#[cfg(test)]
pub(crate) use narrowed::intervals;
pub(crate) use narrowed::{is_narrowed, is_open};

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::{CellRules, Rounding};

use crate::family::{Cell, CellNo, Family, Seen};
use crate::protect::audit::{Gap, Pool, Side};
use crate::protect::pattern::Pattern;

/// Families up to this size are tidied: cells that need not be hidden are shown again, and what is hidden besides is
/// solved for rather than exchanged.
const TIDY: usize = 400;

/// Hiding everything that may be hidden is not enough: what is out already gives a cell away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cell {0} cannot be protected any more")]
pub(crate) struct Exposed(pub(crate) CellNo);

/// From where to where a reader must hold a hidden value possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) low: Option<i128>,
    pub(crate) high: Option<i128>,
}

/// What an audit finds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audited {
    /// For each hidden cell the interval of each published quantity: persons, rows if shown, then the sums.
    pub(crate) intervals: Vec<(CellNo, Vec<Interval>)>,
    /// The hidden cells with an interval that is narrower than the rule demands.
    pub(crate) narrow: BTreeSet<CellNo>,
}

/// What is hidden, with the tables that show it open.
#[derive(Debug, Default)]
pub(crate) struct Shield {
    pub(crate) hidden: BTreeSet<CellNo>,
    pools: Vec<Pool>,
}

impl Shield {
    /// These cells hidden, without any table that shows them open.
    pub(crate) const fn of(hidden: BTreeSet<CellNo>) -> Self {
        Self { hidden, pools: Vec::new() }
    }

    /// How far apart the values of a place are, at least, between which a reader cannot tell: in the layer of this number
    /// ([`Layer::counts`]), by the tables that were found.
    pub(crate) fn width(&self, layer: usize, at: usize) -> i128 {
        let (down, up) = self.pools.get(layer).map_or((0, 0), |pool| pool.reach(at));
        down + up
    }
}

/// Everything that is hidden once the family is protected.
///
/// `sensitive` are the cells that a rule hides by themselves.
///
/// # Errors
///
/// What is out already gives a cell away.
pub(crate) fn protect(
    family: &Family,
    sensitive: &BTreeSet<CellNo>,
    rules: &CellRules,
) -> Result<Shield, Exposed> {
    let is_guarded = |at: &CellNo| family.cell(*at).is_some_and(|cell| cell.seen == Seen::Guarded);
    let guarded: Vec<CellNo> = (0..family.cells.len()).filter(is_guarded).collect();
    if sensitive.is_empty() && guarded.is_empty() {
        return Ok(Shield::default());
    }
    let mut sides = sides(family, rules, None);
    // An exact zero that is shown tells nothing by being hidden.
    let may_hide = |cell: &Cell| cell.persons > 0 || !rules.zero_shown || cell.is_rest;
    let start = Pattern::new(family, sensitive, may_hide);
    let secret: Vec<CellNo> = sensitive.iter().copied().chain(guarded).collect();
    let mut best = eliminated(family, &secret, &start);
    let mut pools = vec![Pool::default(); sides.len()];
    repair(&mut sides, &mut best, &mut pools)?;
    if family.cells.len() <= TIDY {
        tidy(&mut sides, sensitive, &mut best, &mut pools);
        close(family, &secret, &mut sides, &mut best, &mut pools)?;
        // Where lines are short, going from gap to gap alone can be cheaper.
        let (mut other, mut found) = (start, vec![Pool::default(); sides.len()]);
        repair(&mut sides, &mut other, &mut found)?;
        tidy(&mut sides, sensitive, &mut other, &mut found);
        close(family, &secret, &mut sides, &mut other, &mut found)?;
        if other.cost(sensitive) < best.cost(sensitive) {
            (best, pools) = (other, found);
        }
    } else {
        spare(&sides, sensitive, &mut best, &mut pools);
        close(family, &secret, &mut sides, &mut best, &mut pools)?;
    }
    let hidden = best.hidden().filter(|at| sensitive.contains(at) || !family.is_unseen(*at));
    Ok(Shield { hidden: hidden.collect(), pools })
}

/// What a reader can derive under a pattern.
pub(crate) fn audit_shield(
    family: &Family,
    sensitive: &BTreeSet<CellNo>,
    shield: &Shield,
    rules: &CellRules,
    rounding: Option<&Rounding>,
) -> Audited {
    let hidden = &shield.hidden;
    let pattern = Pattern::given(family, sensitive, hidden);
    let mut sides = sides(family, rules, rounding);
    let mut audited = Audited::default();
    let mut intervals: BTreeMap<CellNo, Vec<Interval>> = BTreeMap::new();
    // What persons and rows tell together is no less than what they tell apart.
    let first = sides.iter().position(|side| side.layer.is_joint()).unwrap_or(0);
    for (number, side) in sides.iter_mut().enumerate().skip(first) {
        let pool = shield.pools.get(number);
        for (at, (low, high)) in audit::intervals(side, &pattern, pool) {
            // Of a total that is hidden for its few persons as well, a reader may know that they are few.
            let few = side.layer.place(at).and_then(|place| match place.need {
                Need::Cover(_, few) if side.layer.is_count => Some(few),
                _ => None,
            });
            let high = high.into_iter().chain(few).min();
            intervals.entry(side.layer.cell_of(at)).or_default().push(Interval { low, high });
        }
        let gaps = audit::all_gaps(side, &pattern, pool.cloned().unwrap_or_default());
        audited.narrow.extend(gaps.into_iter().map(|at| side.layer.cell_of(at)));
    }
    audited.intervals = intervals.into_iter().collect();
    audited
}

fn sides(family: &Family, rules: &CellRules, rounding: Option<&Rounding>) -> Vec<Side> {
    let sums = (0..family.measures()).map(|measure| Layer::sums(family, measure, rules));
    Layer::counts(family, rules, rounding).into_iter().chain(sums).map(Side::new).collect()
}

/// Hides what elimination hides besides, and what that takes, until nothing is added.
///
/// Where a demand was taken back, since the rules tell as much to somebody who knows them all, intervals no longer keep
/// the cell from plain subtraction; this does.
fn close(
    family: &Family,
    secret: &[CellNo],
    sides: &mut [Side],
    pattern: &mut Pattern,
    pools: &mut [Pool],
) -> Result<(), Exposed> {
    loop {
        let closed = eliminated(family, secret, pattern);
        if closed.hidden().eq(pattern.hidden()) {
            return Ok(());
        }
        *pattern = closed;
        repair(sides, pattern, pools)?;
    }
}

/// The pattern with what elimination hides besides. `secret` are the sensitive cells and those that nobody may work out.
fn eliminated(family: &Family, secret: &[CellNo], start: &Pattern) -> Pattern {
    let mut order: Vec<(u64, CellNo)> = (0..family.cells.len())
        .filter(|at| !start.is_hidden(*at))
        .filter_map(|at| Some((start.price(at)?, at)))
        .collect();
    order.sort_unstable_by(|one, two| two.cmp(one));
    let order: Vec<CellNo> = order.into_iter().map(|(_, at)| at).collect();
    let mut pattern = start.clone();
    for at in eliminate::secondary(family, secret, start, &order) {
        pattern.set(at, true);
    }
    pattern
}

/// Hides more until every interval is as wide as it must be. Each round hides at least one cell, or proves that the
/// rules alone tell a reader more than a demand allows, however much is hidden. Where neither is left the family is not
/// protected: that no table was found is never taken for a proof that there is none.
fn repair(sides: &mut [Side], pattern: &mut Pattern, pools: &mut [Pool]) -> Result<(), Exposed> {
    // What trying proves does not follow from the pattern.
    let mut tried = BTreeSet::new();
    loop {
        let Some((number, gap)) = first_gap(sides, pattern, pools) else { return Ok(()) };
        let (Some(side), Some(pool)) = (sides.get_mut(number), pools.get_mut(number)) else {
            return Err(Exposed(gap.at));
        };
        let Some(mut more) = widened(&side.layer, pattern, &gap, pool) else { continue };
        if more.is_empty() {
            let is_new = gap.known.is_none() && tried.insert((number, gap.at));
            if take_back(&mut side.layer, pattern, &gap) || (is_new && take_back_tried(&mut side.layer, &gap))
            {
                continue;
            }
            more.extend(neighbour(&side.layer, pattern, gap.at));
        }
        if more.is_empty() {
            return Err(Exposed(side.layer.cell_of(gap.at)));
        }
        for at in more {
            pattern.set(at, true);
        }
    }
}

/// The first gap, with the number of its side. Persons and rows together come after each alone, and demand no more than
/// these do.
fn first_gap(sides: &mut [Side], pattern: &Pattern, pools: &mut [Pool]) -> Option<(usize, Gap)> {
    for number in 0..sides.len() {
        let (Some((apart, [side, ..])), Some((found, [pool, ..]))) =
            (sides.split_at_mut_checked(number), pools.split_at_mut_checked(number))
        else {
            continue;
        };
        if side.layer.is_joint() {
            for (quantity, apart) in apart.iter().enumerate() {
                side.layer.relax_as(quantity, &apart.layer);
            }
            pool.take(found, &side.layer, pattern);
        }
        if let Some(gap) = audit::first_gap(side, pattern, pool) {
            return Some((number, gap));
        }
    }
    None
}

/// The cells to hide for a gap; none where a table was found that needs none.
fn widened(layer: &Layer, pattern: &Pattern, gap: &Gap, pool: &mut Pool) -> Option<Vec<CellNo>> {
    let is_small = layer.places.len() <= TIDY;
    let solved = if is_small { widen::cells(layer, pattern, gap) } else { Vec::new() };
    if !solved.is_empty() {
        return Some(solved);
    }
    match exchange::cells(layer, pattern, gap) {
        Some((more, witness)) => {
            pool.push(witness);
            (!more.is_empty()).then_some(more)
        }
        None if is_small || layer.is_joint() => Some(Vec::new()),
        None => Some(widen::cells(layer, pattern, gap)),
    }
}

/// Takes back what no pattern could meet, where the rules prove it; whether something was.
fn take_back(layer: &mut Layer, pattern: &mut Pattern, gap: &Gap) -> bool {
    let left = certain::range(layer, gap.at, gap.known);
    match gap.known {
        Some(known) if left.is_point() => {
            pattern.forget(layer.cell_of(gap.at), known);
            true
        }
        Some(_) => false,
        None => layer.relax(gap.at, left),
    }
}

/// The same of a count where bounds say too little.
fn take_back_tried(layer: &mut Layer, gap: &Gap) -> bool {
    let Some(place) = layer.place(gap.at).filter(|_| layer.is_count) else { return false };
    let asked = match place.need {
        Need::Cover(low, high) => ((place.value - low).max(0), (high - place.value).max(0)),
        Need::Width(width) => (width, width),
    };
    let left = certain::tried_range(layer, gap.at, asked);
    layer.relax(gap.at, left)
}

/// The cheapest cell in a line with this one; otherwise the cheapest of all.
fn neighbour(layer: &Layer, pattern: &Pattern, at: usize) -> Option<CellNo> {
    let is_free = |other: &CellNo| !pattern.is_hidden(*other) && pattern.price(*other).is_some();
    let lines = layer.rows.iter().filter(|row| row.terms.iter().any(|(term, _)| *term == at));
    let near = lines.flat_map(|row| row.terms.iter().map(|(term, _)| layer.cell_of(*term))).filter(is_free);
    let cheapest = |other: &CellNo| (pattern.price(*other), *other);
    near.min_by_key(cheapest).or_else(|| (0..layer.places.len()).filter(is_free).min_by_key(cheapest))
}

/// The cells hidden besides the sensitive ones, the dearest first.
fn besides(sensitive: &BTreeSet<CellNo>, pattern: &Pattern) -> Vec<CellNo> {
    let is_besides = |at: &CellNo| !sensitive.contains(at) && pattern.price(*at).is_some();
    let mut besides: Vec<CellNo> = pattern.hidden().filter(is_besides).collect();
    besides.sort_by_key(|at| std::cmp::Reverse((pattern.price(*at), *at)));
    besides
}

/// Shows cells again without which the tables found meet every demand, the dearest first; no table is looked for.
fn spare(sides: &[Side], sensitive: &BTreeSet<CellNo>, pattern: &mut Pattern, pools: &mut [Pool]) {
    for at in besides(sensitive, pattern) {
        if sides.iter().zip(pools.iter()).all(|(side, pool)| pool.is_enough_without(at, side, pattern)) {
            pattern.set(at, false);
            for (side, pool) in sides.iter().zip(pools.iter_mut()) {
                *pool = pool.keeping(&side.layer, at);
            }
        }
    }
}

/// Shows cells again that are not needed, the dearest first.
fn tidy(sides: &mut [Side], sensitive: &BTreeSet<CellNo>, pattern: &mut Pattern, pools: &mut [Pool]) {
    for at in besides(sensitive, pattern) {
        let mut tried = pattern.clone();
        tried.set(at, false);
        let all = sides.iter().zip(pools.iter());
        let mut kept: Vec<Pool> = all.map(|(side, pool)| pool.keeping(&side.layer, at)).collect();
        let mut all = sides.iter_mut().zip(&mut kept);
        let is_open = all.all(|(side, pool)| audit::first_gap(side, &tried, pool).is_none());
        if is_open {
            *pattern = tried;
            pools.clone_from_slice(&kept);
        }
    }
}
