//! The relations of a layer, solved for some of its cells in terms of the others, in whole numbers.
//!
//! Moves of cells that satisfy every relation are what one gets by moving the cells that are not solved for and
//! reading off the others. Which cells are solved for can be changed one by one; only where the number between two
//! cells is one or minus one, so that all numbers stay whole and every step is exact. A relation that is not exact has
//! what it leaves as one column more.

use crate::family::Row;
use crate::protect::layer::Layer;

/// Numbers up to which relations are solved; larger families are left to the solver.
const MOST: usize = 16_000_000;
/// No number grows beyond this, so that the product of two fits.
const LARGE: u32 = 1 << 14;

/// A column: a cell, or what the truth leaves of a relation that is not exact.
pub(super) type Column = usize;

/// Relations solved for some columns.
#[derive(Clone, Debug)]
pub(super) struct Tableau {
    rows: Vec<Solved>,
    /// The row in which a column is solved for.
    row_of: Vec<Option<usize>>,
    /// The relation that is not exact behind each column that is no cell.
    pub(super) open: Vec<Row>,
}

/// One column as a sum of others.
#[derive(Clone, Debug, Default)]
struct Solved {
    column: Column,
    numbers: Vec<i32>,
}

impl Tableau {
    /// The relations of a layer; none where they are too many, or cannot be solved in whole numbers.
    pub(super) fn of(layer: &Layer) -> Option<Self> {
        let open: Vec<Row> = layer.rows.iter().filter(|row| !row.is_exact).cloned().collect();
        let width = layer.places.len() + open.len();
        if layer.rows.len().checked_mul(width)? > MOST {
            return None;
        }
        let mut tableau = Self { rows: Vec::new(), row_of: vec![None; width], open };
        for row in layer.rows.iter().filter(|row| row.is_exact) {
            tableau.solve(row)?;
        }
        for at in 0..tableau.open.len() {
            let numbers = tableau.sum(tableau.open.get(at)?)?;
            tableau.push(layer.places.len() + at, numbers);
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
    pub(super) fn across(&self, column: Column) -> impl Iterator<Item = (Column, i32)> {
        let row = self.row_of.get(column).copied().flatten().and_then(|row| self.rows.get(row));
        let numbers = row.map_or(&[][..], |row| &row.numbers).iter().copied();
        numbers.enumerate().filter(|(_, by)| *by != 0)
    }

    /// By how much each solved column moves with another, where it does.
    pub(super) fn down(&self, column: Column) -> impl Iterator<Item = (Column, i32)> {
        let of_row = move |row: &Solved| row.numbers.get(column).map(|by| (row.column, *by));
        self.rows.iter().filter_map(of_row).filter(|(_, by)| *by != 0)
    }

    /// Solves for one column instead of another; whether it could.
    pub(super) fn change(&mut self, from: Column, to: Column) -> bool {
        let Some(row) = self.row_of.get(from).copied().flatten() else { return false };
        let Some(slot) = self.rows.get_mut(row) else { return false };
        let number = slot.numbers.get(to).copied().unwrap_or(0);
        if number.unsigned_abs() != 1 {
            return false;
        }
        let mut turned = std::mem::take(slot);
        turned.numbers.iter_mut().for_each(|other| *other *= -number);
        put(&mut turned.numbers, from, number);
        put(&mut turned.numbers, to, 0);
        turned.column = to;
        let is_small = self.rows.iter_mut().all(|other| replace(other, to, &turned.numbers));
        if let Some(slot) = self.rows.get_mut(row) {
            *slot = turned;
        }
        self.note(from, None);
        self.note(to, Some(row));
        is_small
    }

    /// Adds an exact relation.
    fn solve(&mut self, row: &Row) -> Option<()> {
        let mut numbers = self.sum(row)?;
        if numbers.iter().all(|number| *number == 0) {
            return Some(());
        }
        // The whole, where it is free, so that totals are sums of their parts.
        let is_one = |column: &Column| numbers.get(*column).is_some_and(|number| number.unsigned_abs() == 1);
        let own = row.terms.iter().map(|(at, _)| *at).find(is_one);
        let column = own.or_else(|| (0..numbers.len()).find(is_one))?;
        let number = numbers.get(column).copied()?;
        numbers.iter_mut().for_each(|other| *other *= -number);
        put(&mut numbers, column, 0);
        self.rows.iter_mut().all(|other| replace(other, column, &numbers)).then_some(())?;
        self.push(column, numbers);
        Some(())
    }

    fn push(&mut self, column: Column, numbers: Vec<i32>) {
        self.note(column, Some(self.rows.len()));
        self.rows.push(Solved { column, numbers });
    }

    fn note(&mut self, column: Column, row: Option<usize>) {
        if let Some(slot) = self.row_of.get_mut(column) {
            *slot = row;
        }
    }

    /// The terms of a relation in the columns that are not solved for.
    fn sum(&self, row: &Row) -> Option<Vec<i32>> {
        let mut sum = vec![0_i32; self.width()];
        for (at, sign) in &row.terms {
            match self.row_of.get(*at)?.and_then(|row| self.rows.get(row)) {
                Some(solved) => add(&mut sum, &solved.numbers, i32::from(*sign)).then_some(())?,
                None => *sum.get_mut(*at)? += i32::from(*sign),
            }
        }
        Some(sum)
    }
}

/// Writes the other columns in the place of one; whether all numbers stay small.
fn replace(row: &mut Solved, column: Column, numbers: &[i32]) -> bool {
    let by = row.numbers.get(column).copied().unwrap_or(0);
    if by == 0 {
        return true;
    }
    put(&mut row.numbers, column, 0);
    add(&mut row.numbers, numbers, by)
}

fn put(numbers: &mut [i32], column: Column, number: i32) {
    if let Some(slot) = numbers.get_mut(column) {
        *slot = number;
    }
}

/// Adds a multiple; whether all numbers stay small.
fn add(sum: &mut [i32], numbers: &[i32], by: i32) -> bool {
    let mut largest = 0;
    for (slot, number) in sum.iter_mut().zip(numbers) {
        // INVARIANT: both factors and the slot are at most LARGE, so nothing wraps around.
        *slot = slot.wrapping_add(by.wrapping_mul(*number));
        largest = largest.max(slot.unsigned_abs());
    }
    largest <= LARGE
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
