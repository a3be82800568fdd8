//! Persons' contributions → cells and margins with what stands behind them.
//!
//! One person after the other: what a person adds to a cell is first summed over all their rows in it, for every
//! grouping set by itself, and only then added. So a cell's persons are distinct, and its largest contributors are
//! persons, in margins as in cells. Arithmetic is checked, in 128 bits.

use std::collections::HashMap;

use engine_protocol::{Evidence, EvidenceCell, EvidencePart, SumEvidence, WorkerFault};
use engine_vet::PlanShape;
use roaring::RoaringBitmap;

use crate::quantile;
use crate::rows::Rows;
use crate::tally::{self, Sum};

/// The cells of a query so far.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    cells: HashMap<Vec<u32>, Cell>,
}

/// A cell so far.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    parts: Vec<Part>,
    /// By facility, the total of each measure.
    facilities: HashMap<u32, Facility>,
    /// Values whose quantiles are asked: value, person, rows.
    ranked: Vec<(i128, u32, u64)>,
}

#[derive(Clone, Debug, Default)]
struct Part {
    rows: u64,
    /// Of this bucket, in order.
    persons: Vec<u32>,
    /// Of the buckets that came together.
    known: RoaringBitmap,
    /// One for each measure of the query; only those of the part are used.
    sums: Vec<SumEvidence>,
}

/// What one facility adds to one cell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facility {
    /// Rows of each part.
    rows: Vec<u64>,
    totals: Vec<i128>,
}

impl Cells {
    /// The cells of one bucket's rows; a person's rows are all there.
    pub(crate) fn of(rows: &Rows, shape: &PlanShape, most: u32) -> Result<Self, WorkerFault> {
        let (order, mut cells) = (rows.by_person(), HashMap::new());
        for set in shape.evidence_sets() {
            cells.extend(tally::cells(rows, &order, shape, set, most)?);
            if cells.len() > most as usize {
                return Err(WorkerFault::TooLarge);
            }
        }
        cells.values_mut().try_for_each(Cell::settle)?;
        Ok(Self { cells })
    }

    /// Adds the cells of other buckets, in which other persons are.
    pub(crate) fn merge(&mut self, other: Self, most: u32) -> Result<(), WorkerFault> {
        for (key, cell) in other.cells {
            let Some(known) = self.cells.get_mut(&key) else {
                if self.cells.len() >= most as usize {
                    return Err(WorkerFault::TooLarge);
                }
                self.cells.insert(key, cell);
                continue;
            };
            known.merge(cell)?;
        }
        Ok(())
    }

    /// The cells as evidence, in order of their keys.
    pub(crate) fn evidence(self, shape: &PlanShape) -> Result<Evidence, WorkerFault> {
        let mut cells = Vec::with_capacity(self.cells.len());
        for (key, cell) in self.cells {
            cells.push(EvidenceCell { key, parts: cell.evidence(shape)? });
        }
        cells.sort_unstable_by(|one, two| one.key.cmp(&two.key));
        Ok(Evidence { cells })
    }
}

impl Facility {
    pub(crate) fn new(shape: &PlanShape) -> Self {
        Self { rows: vec![0; shape.parts()], totals: vec![0; shape.measures.len()] }
    }

    pub(crate) fn add(&mut self, rows: &Rows, row: usize) -> Result<(), WorkerFault> {
        for (part, known) in self.rows.iter_mut().enumerate() {
            *known = known.checked_add(rows.part(part, row)).ok_or(WorkerFault::Execution)?;
        }
        for (known, measure) in self.totals.iter_mut().zip(rows.measures()) {
            *known = known.checked_add(measure.at(row).0).ok_or(WorkerFault::Execution)?;
        }
        Ok(())
    }
}

impl Cell {
    pub(crate) fn new(shape: &PlanShape) -> Self {
        let squared = |measure: &engine_vet::MeasureColumn| SumEvidence {
            squares: measure.squares.then_some(0),
            facility_tops: shape.has_facility.then_some((0, 0)),
            ..SumEvidence::default()
        };
        let sums: Vec<SumEvidence> = shape.measures.iter().map(squared).collect();
        let part = Part { sums, ..Part::default() };
        Self { parts: vec![part; shape.parts()], ..Self::default() }
    }

    /// Adds what the rows of one person in the cell are in sum.
    pub(crate) fn contribute(
        &mut self,
        person: u32,
        rows: &[u64],
        sums: &[Sum],
        shape: &PlanShape,
    ) -> Result<(), WorkerFault> {
        for ((at, part), rows) in self.parts.iter_mut().enumerate().zip(rows).filter(|(_, rows)| **rows > 0) {
            part.rows = part.rows.checked_add(*rows).ok_or(WorkerFault::Execution)?;
            part.persons.push(person);
            let measures = part.sums.iter_mut().zip(sums).zip(&shape.measures);
            for ((sum, own), _) in measures.filter(|(_, measure)| measure.part == at) {
                add(sum, own)?;
            }
        }
        Ok(())
    }

    /// Takes a value whose rank is asked.
    pub(crate) fn rank(&mut self, value: i128, person: u32, rows: u64) {
        self.ranked.push((value, person, rows));
    }

    pub(crate) fn keep_facility(&mut self, number: u32, facility: Facility) {
        self.facilities.insert(number, facility);
    }

    /// Makes sets of the persons; none may come twice.
    fn settle(&mut self) -> Result<(), WorkerFault> {
        for part in &mut self.parts {
            let persons = std::mem::take(&mut part.persons);
            part.known = RoaringBitmap::from_sorted_iter(persons).map_err(|_| WorkerFault::Execution)?;
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) -> Result<(), WorkerFault> {
        for (known, part) in self.parts.iter_mut().zip(other.parts) {
            known.rows = known.rows.checked_add(part.rows).ok_or(WorkerFault::Execution)?;
            let persons = known.known.len() + part.known.len();
            known.known |= part.known;
            if known.known.len() != persons {
                return Err(WorkerFault::Execution);
            }
            for (sum, more) in known.sums.iter_mut().zip(&part.sums) {
                sum.sum = sum.sum.checked_add(more.sum).ok_or(WorkerFault::Execution)?;
                sum.values = sum.values.checked_add(more.values).ok_or(WorkerFault::Execution)?;
                sum.negatives += more.negatives;
                if let (Some(known), Some(more)) = (&mut sum.squares, more.squares) {
                    *known = known.checked_add(more).ok_or(WorkerFault::Execution)?;
                }
                contribute(sum, more.top1);
                contribute(sum, more.top2);
            }
        }
        self.ranked.extend(other.ranked);
        for (number, more) in other.facilities {
            let Some(known) = self.facilities.get_mut(&number) else {
                self.facilities.insert(number, more);
                continue;
            };
            for (rows, more) in known.rows.iter_mut().zip(&more.rows) {
                *rows = rows.checked_add(*more).ok_or(WorkerFault::Execution)?;
            }
            for (total, more) in known.totals.iter_mut().zip(&more.totals) {
                *total = total.checked_add(*more).ok_or(WorkerFault::Execution)?;
            }
        }
        Ok(())
    }

    fn evidence(self, shape: &PlanShape) -> Result<Vec<EvidencePart>, WorkerFault> {
        let mut parts = Vec::with_capacity(self.parts.len());
        for (at, mut part) in self.parts.into_iter().enumerate() {
            for (measure, sum) in part.sums.iter_mut().enumerate() {
                if sum.facility_tops.is_some() {
                    sum.facility_tops = Some(largest(&self.facilities, measure));
                }
            }
            let of_part = shape.measures.iter().zip(&part.sums).filter(|(measure, _)| measure.part == at);
            let is_at = |facility: &&Facility| facility.rows.get(at).is_some_and(|rows| *rows > 0);
            let facilities = u32::try_from(self.facilities.values().filter(is_at).count());
            let quantiles = shape.ranked.iter().filter(|ranked| ranked.part == at);
            parts.push(EvidencePart {
                rows: part.rows,
                persons: bytes(&part.known)?,
                facilities: facilities.ok().filter(|_| shape.has_facility),
                sums: of_part.map(|(_, sum)| *sum).collect(),
                quantiles: quantiles.flat_map(|ranked| quantile::evidence(&self.ranked, ranked)).collect(),
            });
        }
        Ok(parts)
    }
}

fn bytes(persons: &RoaringBitmap) -> Result<Vec<u8>, WorkerFault> {
    let mut bytes = Vec::with_capacity(persons.serialized_size());
    persons.serialize_into(&mut bytes).map_err(|_| WorkerFault::Execution)?;
    Ok(bytes)
}

/// The two largest totals of one facility.
fn largest(facilities: &HashMap<u32, Facility>, measure: usize) -> (i128, i128) {
    let totals = facilities.values().filter_map(|facility| facility.totals.get(measure)).copied();
    totals.fold((0, 0), |(top1, top2), total| match total {
        total if total > top1 => (total, top1),
        total if total > top2 => (top1, total),
        _ => (top1, top2),
    })
}

fn add(sum: &mut SumEvidence, own: &Sum) -> Result<(), WorkerFault> {
    sum.sum = sum.sum.checked_add(own.total).ok_or(WorkerFault::Execution)?;
    sum.values = sum.values.checked_add(own.values).ok_or(WorkerFault::Execution)?;
    sum.negatives += u64::from(own.total < 0);
    if let Some(squares) = &mut sum.squares {
        *squares = squares.checked_add(own.square).ok_or(WorkerFault::Execution)?;
    }
    contribute(sum, own.total);
    Ok(())
}

fn contribute(sum: &mut SumEvidence, total: i128) {
    if total > sum.top1 {
        sum.top2 = sum.top1;
        sum.top1 = total;
    } else if total > sum.top2 {
        sum.top2 = total;
    }
}
