//! What each facility adds to a cell, by the conditions that its rows meet. Insurers and municipalities are counted the
//! same way, and nothing is added up for them.
//!
//! A question has many cells, and each of them many facilities. So nothing is allocated for one facility of one cell:
//! while rows are read they have places in one list for all cells, and from then on a sorted list for each cell.

use std::cmp::Ordering;

use engine_protocol::WorkerFault;
use engine_vet::PlanShape;

use crate::accumulate::measure;
use crate::numbering::{Known, NEW};
use crate::rows::Rows;

/// Rows of one facility that meet the same conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    facility: u32,
    met: u32,
}

/// The facilities of a cell, in order.
#[derive(Debug, Default)]
pub(crate) struct Facilities {
    entries: Vec<Entry>,
    measures: usize,
    /// The totals of the entries, one for each measure, one after the other.
    totals: Vec<i128>,
}

impl Facilities {
    fn push(&mut self, entry: Entry, totals: &[i128]) {
        self.entries.push(entry);
        self.totals.extend_from_slice(totals);
    }

    fn each(&self) -> impl Iterator<Item = (Entry, &[i128])> {
        self.entries
            .iter()
            .enumerate()
            .map(|(at, entry)| (*entry, totals_of(&self.totals, at, self.measures)))
    }

    /// Adds those of other buckets.
    pub(crate) fn merge(&mut self, other: Self) -> Result<(), WorkerFault> {
        *self = if self.entries.is_empty() { other } else { Self::of_both(self, &other)? };
        Ok(())
    }

    fn of_both(one: &Self, other: &Self) -> Result<Self, WorkerFault> {
        let mut all = Self { measures: one.measures, ..Self::default() };
        let (mut one, mut other) = (one.each().peekable(), other.each().peekable());
        loop {
            let order = match (one.peek(), other.peek()) {
                (Some((entry, _)), Some((next, _))) => entry.cmp(next),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return Ok(all),
            };
            match (one.next_if(|_| order.is_le()), other.next_if(|_| order.is_ge())) {
                (Some((entry, totals)), Some((_, more))) => {
                    let before = all.totals.len();
                    all.push(entry, totals);
                    for (total, more) in all.totals.iter_mut().skip(before).zip(more) {
                        *total = total.checked_add(*more).ok_or(WorkerFault::Execution)?;
                    }
                }
                (Some((entry, totals)), None) | (None, Some((entry, totals))) => all.push(entry, totals),
                (None, None) => {}
            }
        }
    }

    /// How many have a row that meets these conditions.
    pub(crate) fn count(&self, is_in: impl Fn(u32) -> bool) -> usize {
        let (mut count, mut last) = (0, None);
        for entry in self.entries.iter().filter(|entry| is_in(entry.met)) {
            count += usize::from(last != Some(entry.facility));
            last = Some(entry.facility);
        }
        count
    }

    /// The two largest totals of a measure, which has no value in rows outside of its part.
    pub(crate) fn largest_of_measure(&self, measure: usize) -> (i128, i128) {
        self.largest(|_, totals| totals.get(measure).copied())
    }

    /// The two largest totals of what is summed in rows that meet these conditions.
    pub(crate) fn largest_of_summed(
        &self,
        of: usize,
        is_in: &dyn Fn(u32) -> bool,
        shape: &PlanShape,
    ) -> (i128, i128) {
        self.largest(|met, totals| {
            is_in(met).then(|| totals.get(measure(shape, of, met)?).copied()).flatten()
        })
    }

    fn largest(&self, of: impl Fn(u32, &[i128]) -> Option<i128>) -> (i128, i128) {
        let (mut tops, mut facility, mut total) = ((0, 0), None, 0_i128);
        for (entry, totals) in self.each() {
            if facility != Some(entry.facility) {
                tops = beside(tops, total);
                (facility, total) = (Some(entry.facility), 0);
            }
            total = total.saturating_add(of(entry.met, totals).unwrap_or_default());
        }
        beside(tops, total)
    }
}

/// The two largest of three.
fn beside((top1, top2): (i128, i128), total: i128) -> (i128, i128) {
    match total {
        total if total > top1 => (total, top1),
        total if total > top2 => (top1, total),
        _ => (top1, top2),
    }
}

fn totals_of(totals: &[i128], at: usize, measures: usize) -> &[i128] {
    let from = at * measures;
    totals.get(from..from + measures).unwrap_or_default()
}

/// So many places of cells and facilities lie in a plain table; more of them where there are as many rows, else in a
/// map.
const PLAIN: usize = 1 << 20;
/// So many are marked by a bit each.
const MARKS: usize = 1 << 28;

/// What each facility adds to each cell, while rows are read.
pub(crate) struct Gathering<'r> {
    rows: &'r Rows,
    /// The facility, or another unit, behind each row.
    of_row: &'r [Option<u32>],
    places: Places,
    measures: usize,
    all: Vec<Placed>,
    /// The totals of all entries, as in [`Facilities`].
    totals: Vec<i128>,
}

/// An entry of a cell.
#[derive(Clone, Copy)]
struct Placed {
    cell: u32,
    entry: Entry,
    /// The entry before of the same cell and facility; [`NEW`] where there is none.
    before: u32,
}

/// Where the entries of a cell and facility are.
enum Places {
    /// The last of them.
    Last(Known),
    /// Whether there is one, where nothing is added up and no row meets a condition: a bit for each.
    Marked { bits: Vec<u64>, facilities: usize },
}

impl<'r> Gathering<'r> {
    /// What facilities add to so many cells of these rows.
    pub(crate) fn new(cells: usize, rows: &'r Rows, shape: &PlanShape) -> Self {
        Self::of(cells, rows, rows.facilities(), (shape, shape.measures.len()))
    }

    /// Of each other unit of the shape how many there are, with nothing added up.
    pub(crate) fn of_units(cells: usize, rows: &'r Rows, shape: &PlanShape) -> Vec<Self> {
        let units = rows.units().iter();
        units.map(|of_row| Self::of(cells, rows, of_row, (shape, 0))).collect()
    }

    fn of(
        cells: usize,
        rows: &'r Rows,
        of_row: &'r [Option<u32>],
        (shape, measures): (&PlanShape, usize),
    ) -> Self {
        // One more than the largest number.
        let facilities = of_row.iter().flatten().max().map_or(0, |largest| *largest as usize + 1);
        let marks = cells.checked_mul(facilities).filter(|marks| *marks <= MARKS);
        let is_counted = measures == 0 && shape.conditions.is_empty();
        let places = match marks.filter(|_| is_counted) {
            Some(marks) => Places::Marked { bits: vec![0; marks.div_ceil(64)], facilities },
            None => Places::Last(Known::new(cells, facilities, PLAIN.max(2 * rows.len()))),
        };
        Self { rows, of_row, places, measures, all: Vec::new(), totals: Vec::new() }
    }

    /// Adds a row of a cell.
    pub(crate) fn add(&mut self, cell: u32, row: usize) -> Result<(), WorkerFault> {
        let Some(facility) = self.of_row.get(row).copied().flatten() else { return Ok(()) };
        match &mut self.places {
            Places::Marked { bits, facilities } => {
                let at = cell as usize * *facilities + facility as usize;
                let word = bits.get_mut(at / 64).ok_or(WorkerFault::Execution)?;
                let bit = 1_u64 << (at % 64);
                if *word & bit == 0 {
                    *word |= bit;
                    self.all.push(Placed { cell, entry: Entry { facility, met: 0 }, before: NEW });
                }
                Ok(())
            }
            Places::Last(known) => {
                let (last, met) = (known.slot(cell, facility), self.rows.met(row));
                let mut at = *last;
                while let Some(other) = self.all.get(at as usize).filter(|one| one.entry.met != met) {
                    at = other.before;
                }
                if at == NEW {
                    at = u32::try_from(self.all.len()).map_err(|_| WorkerFault::TooLarge)?;
                    self.all.push(Placed { cell, entry: Entry { facility, met }, before: *last });
                    self.totals.resize(self.totals.len() + self.measures, 0);
                    *last = at;
                }
                let own = self.totals.iter_mut().skip(at as usize * self.measures);
                for (total, measure) in own.zip(self.rows.measures()) {
                    *total = total.checked_add(measure.at(row).0).ok_or(WorkerFault::Execution)?;
                }
                Ok(())
            }
        }
    }

    /// The facilities of each of so many cells.
    pub(crate) fn settle(self, cells: usize) -> Vec<Facilities> {
        let mut of_cells: Vec<Vec<(Entry, usize)>> = vec![Vec::new(); cells];
        for (at, placed) in self.all.iter().enumerate() {
            if let Some(of_cell) = of_cells.get_mut(placed.cell as usize) {
                of_cell.push((placed.entry, at));
            }
        }
        let sorted = |mut of_cell: Vec<(Entry, usize)>| {
            of_cell.sort_unstable();
            let mut facilities = Facilities { measures: self.measures, ..Facilities::default() };
            for (entry, at) in of_cell {
                facilities.push(entry, totals_of(&self.totals, at, self.measures));
            }
            facilities
        };
        of_cells.into_iter().map(sorted).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use catalog_model::CountedUnit;
    use engine_vet::PlanShape;
    use proptest::prelude::*;

    use super::Gathering;
    use crate::rows::{Rows, TestRow};

    proptest! {
        /// What is added up is tried with the cells; here nothing is.
        #[test]
        fn facilities_are_counted_once_where_nothing_is_added_up(
            rows in prop::collection::vec((0_u32..3, 0_u32..200), 0..80),
            split in any::<prop::sample::Index>(),
        ) {
            let units = vec![CountedUnit::Municipality];
            let shape = PlanShape { has_facility: true, units, ..PlanShape::default() };
            let row = |(_, facility): &(u32, u32)| TestRow {
                person: 0,
                facility: *facility,
                units: vec![facility.checked_sub(100)],
                keys: Vec::new(),
                parts: vec![1],
                values: Vec::new(),
            };
            let of_cells = |rows: &[(u32, u32)]| {
                let listed = Rows::of(&rows.iter().map(row).collect::<Vec<_>>(), &shape);
                let mut units = Gathering::of_units(3, &listed, &shape);
                let mut all = vec![Gathering::new(3, &listed, &shape), units.remove(0)];
                for (at, (cell, _)) in rows.iter().enumerate() {
                    all.iter_mut().for_each(|gathering| gathering.add(*cell, at).unwrap());
                }
                all.into_iter().map(|gathering| gathering.settle(3)).collect::<Vec<_>>()
            };
            let (one, other) = rows.split_at(split.index(rows.len() + 1));
            // Of the second unit rows may have none.
            for (from, (one, other)) in [0, 100].into_iter().zip(of_cells(one).into_iter().zip(of_cells(other))) {
                for (cell, (mut found, more)) in (0_u32..).zip(one.into_iter().zip(other)) {
                    found.merge(more).unwrap();
                    let there = rows.iter().filter(|(of, unit)| *of == cell && *unit >= from);
                    let there: BTreeSet<u32> = there.map(|(_, unit)| *unit).collect();
                    prop_assert_eq!(found.count(|_| true), there.len());
                    prop_assert_eq!(found.count(|_| false), 0);
                    prop_assert_eq!(found.largest_of_measure(0), (0, 0));
                }
            }
        }
    }
}
