//! The relations of a layer, solved for some of its cells in terms of the others, in whole numbers.
//!
//! Moves of cells that satisfy every relation are what one gets by moving the cells that are not solved for and
//! reading off the others. Which cells are solved for can be changed one by one; only where the number between two
//! cells is one or minus one, so that all numbers stay whole and every step is exact. A relation that is not exact has
//! what it leaves as one column more.
//!
//! Most numbers are nothing, so only where the others are is looked ([`Marks`]).

use crate::family::Row;
use crate::protect::layer::Layer;
use crate::protect::marks::Marks;

/// Numbers up to which relations are solved; larger families are left to the solver.
const MOST: usize = 16_000_000;
/// No number grows beyond this, so that the product of two fits.
const LARGE: u32 = 1 << 14;

/// A column: a cell, or what the truth leaves of a relation that is not exact.
pub(super) type Column = usize;

/// A column with a number.
type Term = (Column, i32);

/// Relations solved for some columns.
#[derive(Clone, Debug)]
pub(super) struct Tableau {
    rows: Vec<Solved>,
    /// The row in which a column is solved for.
    row_of: Vec<Option<usize>>,
    /// The relation that is not exact behind each column that is no cell.
    pub(super) open: Vec<Row>,
    /// For each row the columns with a number in it, and for each column the rows.
    across: Marks,
    down: Marks,
}

/// One column as a sum of others.
#[derive(Clone, Debug)]
struct Solved {
    column: Column,
    numbers: Vec<i32>,
}

impl Tableau {
    /// The relations of a layer; none where they are too many, or cannot be solved in whole numbers.
    pub(super) fn of(layer: &Layer) -> Option<Self> {
        let open: Vec<Row> = layer.rows.iter().filter(|row| !row.is_exact).cloned().collect();
        let (rows, width) = (layer.rows.len(), layer.places.len() + open.len());
        if rows.checked_mul(width)? > MOST {
            return None;
        }
        let (across, down) = (Marks::none(rows, width), Marks::none(width, rows));
        let mut tableau = Self { rows: Vec::new(), row_of: vec![None; width], open, across, down };
        for row in layer.rows.iter().filter(|row| row.is_exact) {
            tableau.solve(row)?;
        }
        for at in 0..tableau.open.len() {
            let terms = tableau.sum(tableau.open.get(at)?)?;
            tableau.push(layer.places.len() + at, &terms);
        }
        Some(tableau)
    }

    pub(super) const fn width(&self) -> usize {
        self.row_of.len()
    }

    /// Whether the column is solved for.
    pub(super) fn is_solved(&self, column: Column) -> bool {
        self.row_of.get(column).is_some_and(Option::is_some)
    }

    /// The columns that are solved for.
    pub(super) fn solved(&self) -> impl Iterator<Item = Column> {
        self.rows.iter().map(|row| row.column)
    }

    /// By how much a solved column moves with each other one, where it does.
    pub(super) fn across(&self, column: Column) -> impl Iterator<Item = Term> {
        let row = self.row_of.get(column).copied().flatten();
        row.into_iter().flat_map(|row| self.terms(row))
    }

    /// By how much each solved column moves with another, where it does.
    pub(super) fn down(&self, column: Column) -> impl Iterator<Item = Term> {
        let rows = self.down.each(column).filter_map(|row| self.rows.get(row));
        rows.map(move |row| (row.column, row.numbers.get(column).copied().unwrap_or(0)))
    }

    /// Solves for one column instead of another; whether it could.
    pub(super) fn change(&mut self, from: Column, to: Column) -> bool {
        let Some(row) = self.row_of.get(from).copied().flatten() else { return false };
        let number = self.number(row, to);
        if number.unsigned_abs() != 1 {
            return false;
        }
        self.put(row, to, 0);
        let others = self.terms(row).map(|(column, other)| (column, -number * other));
        let turned: Vec<Term> = others.chain([(from, number)]).collect();
        turned.iter().for_each(|(column, other)| self.put(row, *column, *other));
        if let Some(slot) = self.rows.get_mut(row) {
            slot.column = to;
        }
        self.note(from, None);
        self.note(to, Some(row));
        self.replace(to, &turned)
    }

    /// Adds an exact relation.
    fn solve(&mut self, row: &Row) -> Option<()> {
        let mut terms = self.sum(row)?;
        if terms.is_empty() {
            return Some(());
        }
        // The whole, where it is free, so that totals are sums of their parts.
        let is_one = |at: &Column| terms.iter().any(|(column, by)| column == at && by.unsigned_abs() == 1);
        let own = row.terms.iter().map(|(at, _)| *at).find(is_one);
        let column = own.or_else(|| terms.iter().map(|(column, _)| *column).find(is_one))?;
        let number = terms.iter().find(|(at, _)| *at == column).map(|(_, number)| *number)?;
        terms.retain(|(at, _)| *at != column);
        terms.iter_mut().for_each(|(_, other)| *other *= -number);
        self.replace(column, &terms).then_some(())?;
        self.push(column, &terms);
        Some(())
    }

    fn push(&mut self, column: Column, terms: &[Term]) {
        let row = self.rows.len();
        self.note(column, Some(row));
        self.rows.push(Solved { column, numbers: vec![0; self.width()] });
        terms.iter().for_each(|(at, number)| self.put(row, *at, *number));
    }

    fn note(&mut self, column: Column, row: Option<usize>) {
        if let Some(slot) = self.row_of.get_mut(column) {
            *slot = row;
        }
    }

    /// The terms of a relation in the columns that are not solved for.
    fn sum(&self, row: &Row) -> Option<Vec<Term>> {
        let mut sum = vec![0_i32; self.width()];
        for (at, sign) in &row.terms {
            match *self.row_of.get(*at)? {
                Some(solved) => {
                    for (column, number) in self.terms(solved) {
                        let slot = sum.get_mut(column)?;
                        *slot += i32::from(*sign) * number;
                        (slot.unsigned_abs() <= LARGE).then_some(())?;
                    }
                }
                None => *sum.get_mut(*at)? += i32::from(*sign),
            }
        }
        Some(sum.into_iter().enumerate().filter(|(_, number)| *number != 0).collect())
    }

    /// The columns with a number in a row.
    fn terms(&self, row: usize) -> impl Iterator<Item = Term> {
        let numbers = self.rows.get(row).map_or(&[][..], |row| &row.numbers);
        self.across.each(row).filter_map(move |column| Some((column, *numbers.get(column)?)))
    }

    fn number(&self, row: usize, column: Column) -> i32 {
        self.rows.get(row).and_then(|row| row.numbers.get(column)).copied().unwrap_or(0)
    }

    fn put(&mut self, row: usize, column: Column, number: i32) {
        let Some(slot) = self.rows.get_mut(row).and_then(|row| row.numbers.get_mut(column)) else { return };
        if (*slot == 0) != (number == 0) {
            self.across.set(row, column, number != 0);
            self.down.set(column, row, number != 0);
        }
        *slot = number;
    }

    /// Writes others in the place of a column wherever it stands; whether all numbers stay small.
    fn replace(&mut self, column: Column, others: &[Term]) -> bool {
        let rows: Vec<usize> = self.down.each(column).collect();
        rows.into_iter().all(|row| {
            let by = self.number(row, column);
            self.put(row, column, 0);
            self.add(row, others, by)
        })
    }

    /// Adds a multiple to a row; whether all numbers stay small.
    fn add(&mut self, row: usize, others: &[Term], by: i32) -> bool {
        let Some(solved) = self.rows.get_mut(row) else { return true };
        let mut largest = 0;
        for (at, number) in others {
            let Some(slot) = solved.numbers.get_mut(*at) else { continue };
            let before = *slot;
            // INVARIANT: both factors and the slot are at most LARGE, so nothing wraps around.
            *slot = before.wrapping_add(by.wrapping_mul(*number));
            largest = largest.max(slot.unsigned_abs());
            if (before == 0) != (*slot == 0) {
                self.across.set(row, *at, before == 0);
                self.down.set(*at, row, before == 0);
            }
        }
        largest <= LARGE
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Tableau;
    use crate::family::Row;
    use crate::protect::layer::{Layer, Need, Place, Range};

    fn layer(cells: usize, rows: Vec<Row>) -> Layer {
        let place = Place { value: 5, shown: Range::of(5, 5), hidden: Range::from(0), need: Need::Width(1) };
        Layer::of(vec![place; cells], rows)
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let row = (prop::collection::btree_map(0_usize..9, any::<bool>(), 2..5), any::<bool>());
        let row = row.prop_map(|(terms, is_exact)| Row {
            terms: terms.into_iter().map(|(at, plus)| (at, if plus { 1 } else { -1 })).collect(),
            is_exact,
        });
        prop::collection::vec(row, 1..6)
    }

    proptest! {
        #[test]
        fn every_move_of_it_satisfies_every_relation(
            rows in rows(), moves in prop::collection::vec(-5_i32..6, 15),
            changes in prop::collection::vec((0_usize..15, 0_usize..15), 0..12),
        ) {
            let layer = layer(9, rows);
            let Some(mut tableau) = Tableau::of(&layer) else { return Ok(()) };
            for (from, to) in changes {
                tableau.change(from, to);
            }
            let free = |column: usize| if tableau.is_solved(column) { 0 } else { moves[column] };
            let by = |column: usize| {
                free(column) + tableau.across(column).map(|(other, by)| by * free(other)).sum::<i32>()
            };
            let mut open = 9;
            for row in &layer.rows {
                let sum: i32 = row.terms.iter().map(|(at, sign)| i32::from(*sign) * by(*at)).sum();
                if row.is_exact {
                    prop_assert_eq!(sum, 0);
                }
            }
            for row in &tableau.open {
                let sum: i32 = row.terms.iter().map(|(at, sign)| i32::from(*sign) * by(*at)).sum();
                prop_assert_eq!(sum, by(open));
                open += 1;
            }
        }
    }
}
