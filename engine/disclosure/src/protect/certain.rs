//! What the rules alone tell a reader of a cell, however much is hidden.
//!
//! Bounds are carried along the relations in whole numbers, with everything hidden but what is nothing; where they say
//! too little, values are tried out one after the other. So a demand is taken back only where it is proved that no
//! pattern could meet it; that a solver found no table proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::family::{CellNo, Row};
use crate::protect::layer::{Layer, Range};

/// Times that bounds are carried along every relation; each time they hold, so fewer only prove less.
const ROUNDS: usize = 12;
/// Values that are tried out for one question; after so many nothing is proved.
const TRIED: usize = 2_000;
/// Relations up to which values are tried out.
const AROUND: usize = 400;

/// Where the cell lies as far as the rules tell; `known` is a cell that the reader knows, being alone in it.
pub(crate) fn range(layer: &Layer, at: CellNo, known: Option<CellNo>) -> Range {
    let mut ranges = ranges(layer, known);
    carried(&layer.rows, &mut ranges);
    ranges.get(at).copied().unwrap_or(Range { low: None, high: None })
}

/// The same of a count that should go so far up or down from the truth, with values tried out.
pub(crate) fn tried_range(layer: &Layer, at: CellNo, (down, up): (i128, i128)) -> Range {
    let Some((rows, ranges, here)) = around(layer, at) else { return Range { low: None, high: None } };
    let value = layer.value(at);
    let is_out = |low: Option<i128>, high: Option<i128>| {
        let mut ranges = ranges.clone();
        if let Some(range) = ranges.get_mut(here) {
            range.low = range.low.into_iter().chain(low).max();
            range.high = range.high.into_iter().chain(high).min();
        }
        let mut tries = TRIED;
        !may_be(&rows, ranges, &mut tries)
    };
    let high = (1..=up).find(|by| is_out(Some(value + by), None)).map(|by| value + by - 1);
    let low = (1..=down).find(|by| is_out(None, Some(value - by))).map(|by| value - by + 1);
    Range { low, high }
}

fn ranges(layer: &Layer, known: Option<CellNo>) -> Vec<Range> {
    let place = |(number, place): (usize, &crate::protect::layer::Place)| {
        let is_given = place.is_nothing() || known == Some(layer.cell_of(number));
        if is_given { Range::of(place.value, place.value) } else { place.hidden }
    };
    layer.places.iter().enumerate().map(place).collect()
}

/// The cell and what it hangs together with over cells that are not known, with numbers of its own; none where that is
/// too much.
fn around(layer: &Layer, at: CellNo) -> Option<(Vec<Row>, Vec<Range>, CellNo)> {
    let ranges = ranges(layer, None);
    let is_open = |at: &CellNo| ranges.get(*at).is_some_and(|range| !range.is_point());
    let mut rows_of: Vec<Vec<&Row>> = vec![Vec::new(); layer.places.len()];
    for (row, (at, _)) in layer.rows.iter().flat_map(|row| row.terms.iter().map(move |term| (row, term))) {
        rows_of.get_mut(*at)?.push(row);
    }
    let mut number = BTreeMap::from([(at, 0)]);
    let (mut rows, mut reached, mut open) = (Vec::new(), vec![ranges.get(at).copied()?], vec![at]);
    let mut is_taken = BTreeSet::new();
    while let Some(at) = open.pop() {
        for row in rows_of.get(at)? {
            if !is_taken.insert(std::ptr::from_ref(*row)) {
                continue;
            }
            let mut terms = Vec::new();
            for (at, sign) in &row.terms {
                let next = number.len();
                let known = *number.entry(*at).or_insert(next);
                if known == next {
                    reached.push(ranges.get(*at).copied()?);
                    open.extend(is_open(at).then_some(*at));
                }
                terms.push((known, *sign));
            }
            rows.push(Row { terms, is_exact: row.is_exact });
        }
        if rows.len() > AROUND {
            return None;
        }
    }
    Some((rows, reached, 0))
}

/// Whether some values may lie in the ranges; only a no is proved.
fn may_be(rows: &[Row], mut ranges: Vec<Range>, tries: &mut usize) -> bool {
    carried(rows, &mut ranges);
    let width = |range: &Range| range.high?.checked_sub(range.low?);
    if ranges.iter().filter_map(width).any(|width| width < 0) {
        return false;
    }
    let terms = rows.iter().flat_map(|row| &row.terms).map(|(at, _)| *at);
    let open = terms.filter_map(|at| Some((width(ranges.get(at)?).filter(|width| *width > 0)?, at)));
    let Some(range) = open.min().and_then(|(_, at)| Some((at, *ranges.get(at)?))) else { return true };
    let (at, Range { low: Some(low), high: Some(high) }) = range else { return true };
    (low..=high).any(|value| {
        if *tries == 0 {
            return true;
        }
        *tries -= 1;
        let mut tried = ranges.clone();
        if let Some(range) = tried.get_mut(at) {
            *range = Range::of(value, value);
        }
        may_be(rows, tried, tries)
    })
}

/// Carries bounds until nothing moves, or often enough.
fn carried(rows: &[Row], ranges: &mut Vec<Range>) {
    for _ in 0..ROUNDS {
        let before = ranges.clone();
        rows.iter().for_each(|row| carry(row, ranges));
        if *ranges == before {
            break;
        }
    }
}

/// Carries the bounds of all other terms of a row to each of its terms.
fn carry(row: &Row, ranges: &mut [Range]) {
    let ends: Vec<(Option<i128>, Option<i128>)> =
        row.terms.iter().map(|(at, sign)| signed(ranges.get(*at).copied(), *sign)).collect();
    let (least, most) =
        (Total::of(ends.iter().map(|(low, _)| *low)), Total::of(ends.iter().map(|(_, high)| *high)));
    for ((at, sign), (own_least, own_most)) in row.terms.iter().zip(ends) {
        let (least, most) = (least.without(own_least), most.without(own_most));
        // The term is at least what the others take away at most, and where the row is exact the other way as well.
        let low = most.map(|most| -most);
        let high = least.filter(|_| row.is_exact).map(|least| -least);
        let (low, high) = if *sign > 0 { (low, high) } else { (high.map(|high| -high), low.map(|low| -low)) };
        if let Some(range) = ranges.get_mut(*at) {
            range.low = range.low.into_iter().chain(low).max();
            range.high = range.high.into_iter().chain(high).min();
        }
    }
}

/// A sum of ends, of which some are open.
struct Total {
    sum: Option<i128>,
    open: usize,
}

impl Total {
    fn of(ends: impl Iterator<Item = Option<i128>> + Clone) -> Self {
        let open = ends.clone().filter(Option::is_none).count();
        Self { sum: ends.flatten().try_fold(0_i128, i128::checked_add), open }
    }

    /// The sum of all but one of them, where none of these is open.
    fn without(&self, own: Option<i128>) -> Option<i128> {
        let is_closed = self.open == usize::from(own.is_none());
        self.sum.filter(|_| is_closed)?.checked_sub(own.unwrap_or(0))
    }
}

/// The bounds of a term with its sign.
fn signed(range: Option<Range>, sign: i8) -> (Option<i128>, Option<i128>) {
    let range = range.unwrap_or(Range { low: None, high: None });
    if sign > 0 { (range.low, range.high) } else { (range.high.map(|high| -high), range.low.map(|low| -low)) }
}
