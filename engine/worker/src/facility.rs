//! What each facility adds to a cell, by the conditions that its rows meet.

use std::collections::HashMap;

use engine_protocol::WorkerFault;
use engine_vet::PlanShape;

use crate::accumulate::measure;
use crate::rows::Rows;

/// What one facility adds to one cell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facility {
    by_met: Vec<Met>,
}

/// Rows that meet the same conditions.
#[derive(Clone, Debug)]
struct Met {
    met: u32,
    rows: u64,
    /// One for each measure.
    totals: Vec<i128>,
}

impl Facility {
    pub(crate) fn add(&mut self, rows: &Rows, row: usize) -> Result<(), WorkerFault> {
        let (met, measures) = (rows.met(row), rows.measures());
        let at = match self.by_met.iter().position(|known| known.met == met) {
            Some(at) => at,
            None => {
                self.by_met.push(Met { met, rows: 0, totals: vec![0; measures.len()] });
                self.by_met.len() - 1
            }
        };
        let known = self.by_met.get_mut(at).ok_or(WorkerFault::Execution)?;
        known.rows = known.rows.checked_add(rows.part(0, row)).ok_or(WorkerFault::Execution)?;
        for (known, measure) in known.totals.iter_mut().zip(measures) {
            *known = known.checked_add(measure.at(row).0).ok_or(WorkerFault::Execution)?;
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) -> Result<(), WorkerFault> {
        for more in other.by_met {
            let Some(known) = self.by_met.iter_mut().find(|known| known.met == more.met) else {
                self.by_met.push(more);
                continue;
            };
            known.rows = known.rows.checked_add(more.rows).ok_or(WorkerFault::Execution)?;
            for (total, more) in known.totals.iter_mut().zip(&more.totals) {
                *total = total.checked_add(*more).ok_or(WorkerFault::Execution)?;
            }
        }
        Ok(())
    }
}

/// The facilities of a cell by number.
#[derive(Debug, Default)]
pub(crate) struct Facilities(HashMap<u32, Facility>);

impl Facilities {
    pub(crate) fn put(&mut self, number: u32, facility: Facility) {
        self.0.insert(number, facility);
    }

    pub(crate) fn merge(&mut self, other: Self) -> Result<(), WorkerFault> {
        for (number, more) in other.0 {
            match self.0.get_mut(&number) {
                Some(known) => known.merge(more)?,
                None => drop(self.0.insert(number, more)),
            }
        }
        Ok(())
    }

    /// How many have a row that meets these conditions.
    pub(crate) fn count(&self, is_in: impl Fn(u32) -> bool) -> usize {
        let has = |facility: &&Facility| facility.by_met.iter().any(|met| met.rows > 0 && is_in(met.met));
        self.0.values().filter(has).count()
    }

    /// The two largest totals of a measure, which has no value in rows outside of its part.
    pub(crate) fn largest_of_measure(&self, measure: usize) -> (i128, i128) {
        self.largest(|met| met.totals.get(measure).copied())
    }

    /// The two largest totals of what is summed in rows that meet these conditions.
    pub(crate) fn largest_of_summed(
        &self,
        of: usize,
        is_in: &dyn Fn(u32) -> bool,
        shape: &PlanShape,
    ) -> (i128, i128) {
        self.largest(|met| {
            is_in(met.met).then(|| met.totals.get(measure(shape, of, met.met)?).copied()).flatten()
        })
    }

    fn largest(&self, of: impl Fn(&Met) -> Option<i128>) -> (i128, i128) {
        let totals = self
            .0
            .values()
            .map(|facility| facility.by_met.iter().filter_map(&of).fold(0_i128, i128::saturating_add));
        totals.fold((0, 0), |(top1, top2), total| match total {
            total if total > top1 => (total, top1),
            total if total > top2 => (top1, total),
            _ => (top1, top2),
        })
    }
}
