//! The cheapest cells to hide so that a hidden one can move, where all that move do so by the same number.
//!
//! One more here is one less there: in a table of two dimensions four cells at the corners of a rectangle exchange
//! persons, in one of three the eight corners of a box, and a total stands for a line. Found by closing relations one
//! after the other, cheapest cells first, so it knows nothing of dimensions: hierarchies, conditional parts and linked
//! tables are relations like others. In large families this is many times cheaper than solving for the best
//! pattern ([`crate::protect::widen`]), which is asked where nothing is found here.

use std::collections::BTreeSet;

use crate::family::CellNo;
use crate::protect::audit::Gap;
use crate::protect::layer::{Layer, Range};
use crate::protect::pattern::Pattern;
use crate::protect::witness::Witness;

/// Cells that are tried in one search.
const TRIED: usize = 1_500;
/// Cells that are tried in one relation, the cheapest first.
const BRANCHES: usize = 6;
/// Cells of one exchange.
const CELLS: usize = 40;
/// What a cell costs that is hidden anyway: so little that exchanges stay small.
const FREE: u64 = 1;

/// The cells to hide, with the table that shows the cell as far as asked; none where none is found.
pub(crate) fn cells(layer: &Layer, pattern: &Pattern, gap: &Gap) -> Option<(Vec<CellNo>, Witness)> {
    let mut search = Search::new(layer, pattern, gap);
    search.put(gap.at, if gap.is_up { 1 } else { -1 });
    search.close(0);
    let (_, moves) = search.best?;
    let moved = moves.iter().map(|(at, _)| layer.cell_of(*at));
    let shown = moved.filter(|cell| !pattern.is_hidden(*cell) && pattern.price(*cell).is_some());
    let more: Vec<CellNo> = shown.collect();
    let is_hidden = |at: usize| {
        let cell = layer.cell_of(at);
        pattern.is_hidden(cell) || more.contains(&cell)
    };
    let places = layer.places.iter().enumerate();
    let ranges: Vec<Range> =
        places.map(|(at, place)| if is_hidden(at) { place.hidden } else { place.shown }).collect();
    let moves = moves.into_iter().map(|(at, sign)| (at, i128::from(sign) * gap.by)).collect();
    Some((more, Witness::of(layer, &ranges, moves)?))
}

/// A cell that may close a relation, with its sign, and what that does to the relations.
#[derive(Clone, Copy)]
struct Candidate {
    at: CellNo,
    sign: i32,
    /// Relations that it closes less those that it opens.
    closes: i32,
    price: u64,
}

/// The search for the cheapest exchange.
struct Search<'s> {
    layer: &'s Layer,
    pattern: &'s Pattern,
    gap: &'s Gap,
    moves: Vec<(CellNo, i32)>,
    is_moved: Vec<bool>,
    /// What the moves add up to in each relation, and the relations where that is not nothing.
    sums: Vec<i32>,
    touched: BTreeSet<usize>,
    best: Option<(u64, Vec<(CellNo, i32)>)>,
    left: usize,
}

impl<'s> Search<'s> {
    fn new(layer: &'s Layer, pattern: &'s Pattern, gap: &'s Gap) -> Self {
        Self {
            layer,
            pattern,
            gap,
            moves: Vec::new(),
            is_moved: vec![false; layer.places.len()],
            sums: vec![0; layer.rows.len()],
            touched: BTreeSet::new(),
            best: None,
            left: TRIED,
        }
    }

    /// Closes what is open, at a price so far.
    fn close(&mut self, price: u64) {
        if self.best.as_ref().is_some_and(|(best, _)| *best <= price) || self.left == 0 {
            return;
        }
        self.left -= 1;
        let open: Vec<usize> =
            self.touched.iter().copied().filter(|row| self.is_open(*row, self.sum(*row))).collect();
        if open.is_empty() {
            self.best = Some((price, self.moves.clone()));
            return;
        }
        if self.moves.len() >= CELLS {
            return;
        }
        for candidate in self.candidates(&open) {
            self.put(candidate.at, candidate.sign);
            self.close(price + candidate.price);
            self.take(candidate.at, candidate.sign);
        }
    }

    /// The cells to try next: one that closes most where that is more than one relation, otherwise the cheapest of the
    /// relation with the fewest.
    fn candidates(&self, open: &[usize]) -> Vec<Candidate> {
        let mut next: Option<Vec<Candidate>> = None;
        let mut closing: Option<Candidate> = None;
        for row in open {
            let found = self.of_row(*row);
            let best = found.iter().copied().min_by_key(|found| (-found.closes, found.price, found.at));
            closing = best.into_iter().chain(closing).min_by_key(|one| (-one.closes, one.price, one.at));
            if next.as_ref().is_none_or(|next| found.len() < next.len()) {
                next = Some(found);
            }
        }
        let mut next = next.unwrap_or_default();
        match closing {
            // A relation that nothing closes ends this way.
            Some(closing) if closing.closes > 0 && !next.is_empty() => vec![closing],
            _ => {
                next.sort_by_key(|one| (one.price, -one.closes, one.at));
                next.truncate(BRANCHES);
                next
            }
        }
    }

    /// The cells that close a relation.
    fn of_row(&self, row: usize) -> Vec<Candidate> {
        let sum = self.sum(row);
        let terms = self.layer.rows.get(row).map_or(&[][..], |row| &row.terms);
        terms.iter().filter_map(|(at, sign)| self.candidate(*at, -sum.signum() * i32::from(*sign))).collect()
    }

    fn candidate(&self, at: CellNo, sign: i32) -> Option<Candidate> {
        let cell = self.layer.cell_of(at);
        if self.is_moved.get(at).copied().unwrap_or(true) || self.gap.known == Some(cell) {
            return None;
        }
        let place = self.layer.place(at)?;
        // Where the one quantity is hidden so is the other.
        let is_paid = |at: usize| self.is_moved.get(at).copied().unwrap_or(false);
        let is_hidden = self.pattern.is_hidden(cell);
        let (range, price) = match self.pattern.price(cell) {
            _ if is_hidden => (place.hidden, FREE),
            Some(_) if self.layer.places_of(cell).any(is_paid) => (place.hidden, FREE),
            Some(price) => (place.hidden, price),
            None => (place.shown, FREE),
        };
        let by = i128::from(sign) * self.gap.by;
        let moved = place.value.checked_add(by)?;
        let fits = range.low.is_none_or(|low| low <= moved) && range.high.is_none_or(|high| moved <= high);
        if !fits {
            return None;
        }
        let closes = |(row, own): &(usize, i8)| {
            let before = self.sum(*row);
            let after = before + i32::from(*own) * sign;
            i32::from(self.is_open(*row, before)) - i32::from(self.is_open(*row, after))
        };
        let closes = self.layer.lines(at).iter().map(closes).sum();
        Some(Candidate { at, sign, closes, price })
    }

    /// Whether moves that add up to so many times the number asked break a relation.
    fn is_open(&self, row: usize, sum: i32) -> bool {
        let is_exact = self.layer.rows.get(row).is_some_and(|row| row.is_exact);
        let is_broken = || self.layer.slack(row) + i128::from(sum).saturating_mul(self.gap.by) < 0;
        if is_exact { sum != 0 } else { sum < 0 && is_broken() }
    }

    fn sum(&self, row: usize) -> i32 {
        self.sums.get(row).copied().unwrap_or(0)
    }

    fn put(&mut self, at: CellNo, sign: i32) {
        self.moves.push((at, sign));
        self.add(at, sign, true);
    }

    fn take(&mut self, at: CellNo, sign: i32) {
        self.moves.pop();
        self.add(at, -sign, false);
    }

    fn add(&mut self, at: CellNo, sign: i32, is_moved: bool) {
        if let Some(slot) = self.is_moved.get_mut(at) {
            *slot = is_moved;
        }
        for (row, own) in self.layer.lines(at) {
            let Some(sum) = self.sums.get_mut(*row) else { continue };
            *sum += i32::from(*own) * sign;
            if *sum == 0 {
                self.touched.remove(row);
            } else {
                self.touched.insert(*row);
            }
        }
    }
}
