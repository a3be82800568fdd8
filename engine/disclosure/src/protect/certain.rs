//! What the rules alone tell a reader of a cell, however much is hidden.
//!
//! Bounds are carried along the relations in whole numbers, with everything hidden but what is nothing. So a demand is
//! taken back only where it is proved that no pattern could meet it; that a solver found no table proves nothing.

use crate::family::{CellNo, Row};
use crate::protect::layer::{Layer, Range};

/// Times that bounds are carried along every relation; each time they hold, so fewer only prove less.
const ROUNDS: usize = 12;

/// Where the cell lies as far as the rules tell; `known` is a cell that the reader knows, being alone in it.
pub(crate) fn range(layer: &Layer, at: CellNo, known: Option<CellNo>) -> Range {
    let place = |(number, place): (usize, &crate::protect::layer::Place)| {
        let is_given = place.is_nothing() || known == Some(number);
        if is_given { Range::of(place.value, place.value) } else { place.hidden }
    };
    let mut ranges: Vec<Range> = layer.places.iter().enumerate().map(place).collect();
    for _ in 0..ROUNDS {
        let before = ranges.clone();
        layer.rows.iter().for_each(|row| carry(row, &mut ranges));
        if ranges == before {
            break;
        }
    }
    ranges.get(at).copied().unwrap_or(Range { low: None, high: None })
}

/// Carries the bounds of all other terms of a row to each of its terms.
fn carry(row: &Row, ranges: &mut [Range]) {
    for (at, sign) in &row.terms {
        let others = row.terms.iter().filter(|(other, _)| other != at);
        let (least, most) = others.fold((Some(0), Some(0)), |(least, most), (other, sign)| {
            let (low, high) = signed(ranges.get(*other).copied(), *sign);
            (plus(least, low), plus(most, high))
        });
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

fn plus(one: Option<i128>, two: Option<i128>) -> Option<i128> {
    one?.checked_add(two?)
}

/// The bounds of a term with its sign.
fn signed(range: Option<Range>, sign: i8) -> (Option<i128>, Option<i128>) {
    let range = range.unwrap_or(Range { low: None, high: None });
    if sign > 0 { (range.low, range.high) } else { (range.high.map(|high| -high), range.low.map(|low| -low)) }
}
