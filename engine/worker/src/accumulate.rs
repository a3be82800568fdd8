//! Persons' contributions → cells and margins with what stands behind them.
//!
//! One person after the other: what a person adds to a cell is first summed over all their rows in it, for every
//! grouping set by itself, and only then added. So a cell's persons are distinct, and its largest contributors are
//! persons, in margins as in cells. Rows that meet different conditions are kept apart until then, since a person may
//! have rows inside and outside of a part. Arithmetic is checked, in 128 bits.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use engine_protocol::{Evidence, EvidenceAtom, EvidenceCell, EvidencePart, SumEvidence, WorkerFault};
use engine_vet::PlanShape;
use roaring::RoaringBitmap;

use crate::facility::Facilities;
use crate::quantile;
use crate::rows::Rows;
use crate::tally::{self, Own, Sum};

/// The cells of a bucket.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    cells: HashMap<Vec<u32>, Cell>,
}

/// A cell so far.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    /// The whole, then a part for each condition; a sum for each measure, of which those of the part are used.
    parts: Vec<Part>,
    /// The rows outside of each condition; a sum for each thing that is summed.
    outside: Vec<Part>,
    /// Where there are several conditions, the rows by which of them they meet, with the same sums.
    atoms: BTreeMap<u32, Part>,
    facilities: Facilities,
    /// Insurers and municipalities, in the order of the shape.
    units: Vec<Facilities>,
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
    sums: Vec<SumEvidence>,
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

    /// The cells of buckets as evidence, in order of their keys, on a second thread where there may be one; in each
    /// bucket are other persons.
    pub(crate) fn evidence(
        buckets: Vec<Self>,
        shape: &PlanShape,
        (most, threads): (u32, u32),
    ) -> Result<Evidence, WorkerFault> {
        let mut cells = by_key(buckets, most)?;
        let mut rest = cells.split_off(cells.len().div_ceil(2));
        let (first, second) = std::thread::scope(|scope| {
            let apart = || settled(std::mem::take(&mut rest), shape);
            let running = (threads > 1).then(|| std::thread::Builder::new().spawn_scoped(scope, apart));
            let first = settled(cells, shape);
            let running = running.and_then(Result::ok);
            (first, running.map(|running| running.join().unwrap_or(Err(WorkerFault::Panic))))
        });
        // What no thread took is still there.
        let second = second.unwrap_or_else(|| settled(rest, shape));
        let mut cells = first?;
        cells.extend(second?);
        Ok(Evidence { cells })
    }
}

/// What several buckets have of a cell, by its key.
type OfKey = (Vec<u32>, Vec<Cell>);

/// The cells of all buckets, in order of their keys.
fn by_key(buckets: Vec<Cells>, most: u32) -> Result<Vec<OfKey>, WorkerFault> {
    let mut found: HashMap<Vec<u32>, Vec<Cell>> = HashMap::new();
    for (key, cell) in buckets.into_iter().flat_map(|bucket| bucket.cells) {
        if let Some(known) = found.get_mut(&key) {
            known.push(cell);
            continue;
        }
        if found.len() >= most as usize {
            return Err(WorkerFault::TooLarge);
        }
        found.insert(key, vec![cell]);
    }
    let mut found: Vec<OfKey> = found.into_iter().collect();
    found.sort_unstable_by(|(one, _), (two, _)| one.cmp(two));
    Ok(found)
}

/// Cells of several buckets as one each.
fn settled(cells: Vec<OfKey>, shape: &PlanShape) -> Result<Vec<EvidenceCell>, WorkerFault> {
    let one = |(key, cells): OfKey| {
        let mut cells = cells.into_iter();
        let mut all = cells.next().ok_or(WorkerFault::Execution)?;
        cells.try_for_each(|cell| all.merge(cell))?;
        all.evidence(key, shape)
    };
    cells.into_iter().map(one).collect()
}

impl Cell {
    pub(crate) fn new(shape: &PlanShape) -> Self {
        let squared = |measure: &engine_vet::MeasureColumn| SumEvidence {
            squares: measure.squares.then_some(0),
            ..plain(shape)
        };
        let sums: Vec<SumEvidence> = shape.measures.iter().map(squared).collect();
        let part = Part { sums, ..Part::default() };
        let outside = vec![Part::of_summed(shape); shape.conditions.len()];
        Self { parts: vec![part; shape.parts()], outside, ..Self::default() }
    }

    /// Adds what the rows of one person in the cell are in sum.
    pub(crate) fn contribute(
        &mut self,
        person: u32,
        own: &[Own<'_>],
        shape: &PlanShape,
    ) -> Result<(), WorkerFault> {
        for (at, part) in self.parts.iter_mut().enumerate() {
            if part.count(person, own, |met| is_in(met, at))? {
                let measures = part.sums.iter_mut().zip(&shape.measures).enumerate();
                for (number, (sum, _)) in measures.filter(|(_, (_, measure))| measure.part == at) {
                    add(sum, &total(own, |own| own.sums.get(number).copied())?)?;
                }
            }
        }
        for (part, at) in self.outside.iter_mut().zip(1..) {
            part.take(person, own, |met| !is_in(met, at), shape)?;
        }
        if shape.conditions.len() > 1 {
            for met in own.iter().map(|own| own.met) {
                let atom = self.atoms.entry(met).or_insert_with(|| Part::of_summed(shape));
                atom.take(person, own, |other| other == met, shape)?;
            }
        }
        Ok(())
    }

    /// Takes all rows and their persons, in order, where nothing else is asked of the cell.
    pub(crate) fn count(&mut self, rows: u64, persons: Vec<u32>) {
        if let Some(whole) = self.parts.first_mut() {
            (whole.rows, whole.persons) = (rows, persons);
        }
    }

    /// Takes a value whose rank is asked.
    pub(crate) fn rank(&mut self, value: i128, person: u32, rows: u64) {
        self.ranked.push((value, person, rows));
    }

    pub(crate) fn keep_facilities(&mut self, facilities: Facilities) {
        self.facilities = facilities;
    }

    /// Takes who the next unit of the shape is in the cell.
    pub(crate) fn keep_units(&mut self, units: Facilities) {
        self.units.push(units);
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Part> {
        self.parts.iter_mut().chain(&mut self.outside).chain(self.atoms.values_mut())
    }

    /// Makes sets of the persons; none may come twice.
    fn settle(&mut self) -> Result<(), WorkerFault> {
        for part in self.all() {
            let persons = std::mem::take(&mut part.persons);
            part.known = RoaringBitmap::from_sorted_iter(persons).map_err(|_| WorkerFault::Execution)?;
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) -> Result<(), WorkerFault> {
        let parts = self.parts.iter_mut().zip(other.parts);
        for (known, part) in parts.chain(self.outside.iter_mut().zip(other.outside)) {
            known.merge(part)?;
        }
        for (met, part) in other.atoms {
            match self.atoms.entry(met) {
                Entry::Occupied(mut known) => known.get_mut().merge(part)?,
                Entry::Vacant(free) => {
                    free.insert(part);
                }
            }
        }
        self.ranked.extend(other.ranked);
        self.units.iter_mut().zip(other.units).try_for_each(|(known, units)| known.merge(units))?;
        self.facilities.merge(other.facilities)
    }

    fn evidence(self, key: Vec<u32>, shape: &PlanShape) -> Result<EvidenceCell, WorkerFault> {
        let (facilities, behind) = (&self.facilities, (&self.facilities, self.units.as_slice()));
        let mut cell = EvidenceCell { key, ..EvidenceCell::default() };
        for (at, part) in self.parts.into_iter().enumerate() {
            let tops = (0..part.sums.len()).map(|measure| facilities.largest_of_measure(measure)).collect();
            let found = part.evidence(behind, |met| is_in(met, at), tops, shape)?;
            let of_part = shape.measures.iter().zip(&found.sums).filter(|(measure, _)| measure.part == at);
            let sums = of_part.map(|(_, sum)| *sum).collect();
            let quantiles = shape.ranked.iter().filter(|ranked| ranked.part == at);
            let quantiles = quantiles.flat_map(|ranked| quantile::evidence(&self.ranked, ranked)).collect();
            cell.parts.push(EvidencePart { sums, quantiles, ..found });
        }
        let tops = |is_in: &dyn Fn(u32) -> bool| {
            (0..shape.summed()).map(|of| facilities.largest_of_summed(of, is_in, shape)).collect()
        };
        for (part, at) in self.outside.into_iter().zip(1..) {
            let is_outside = |met: u32| !is_in(met, at);
            cell.outside.push(part.evidence(behind, is_outside, tops(&is_outside), shape)?);
        }
        for (met, part) in self.atoms {
            let is_same = |other: u32| other == met;
            let rows = part.evidence(behind, is_same, tops(&is_same), shape)?;
            cell.atoms.push(EvidenceAtom { met, rows });
        }
        Ok(cell)
    }
}

impl Part {
    /// Nothing yet, with room for each thing that is summed.
    fn of_summed(shape: &PlanShape) -> Self {
        Self { sums: vec![plain(shape); shape.summed()], ..Self::default() }
    }

    /// Counts the person's rows that meet these conditions; whether there are any.
    fn count(
        &mut self,
        person: u32,
        own: &[Own<'_>],
        is_in: impl Fn(u32) -> bool,
    ) -> Result<bool, WorkerFault> {
        let mut here = own.iter().filter(|own| is_in(own.met)).map(|own| own.rows);
        let rows = here.try_fold(0_u64, u64::checked_add).ok_or(WorkerFault::Execution)?;
        if rows > 0 {
            self.rows = self.rows.checked_add(rows).ok_or(WorkerFault::Execution)?;
            self.persons.push(person);
        }
        Ok(rows > 0)
    }

    /// Counts the person's rows, and adds up everything that is summed in them.
    fn take(
        &mut self,
        person: u32,
        own: &[Own<'_>],
        is_in: impl Fn(u32) -> bool,
        shape: &PlanShape,
    ) -> Result<(), WorkerFault> {
        if self.count(person, own, &is_in)? {
            for (of, sum) in self.sums.iter_mut().enumerate() {
                let summed = |own: &Own<'_>| {
                    is_in(own.met).then(|| own.sums.get(measure(shape, of, own.met)?).copied()).flatten()
                };
                add(sum, &total(own, summed)?)?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, part: Self) -> Result<(), WorkerFault> {
        self.rows = self.rows.checked_add(part.rows).ok_or(WorkerFault::Execution)?;
        let persons = self.known.len() + part.known.len();
        self.known |= part.known;
        if self.known.len() != persons {
            return Err(WorkerFault::Execution);
        }
        for (sum, more) in self.sums.iter_mut().zip(&part.sums) {
            sum.sum = sum.sum.checked_add(more.sum).ok_or(WorkerFault::Execution)?;
            sum.values = sum.values.checked_add(more.values).ok_or(WorkerFault::Execution)?;
            sum.negatives += more.negatives;
            if let (Some(known), Some(more)) = (&mut sum.squares, more.squares) {
                *known = known.checked_add(more).ok_or(WorkerFault::Execution)?;
            }
            contribute(sum, more.top1);
            contribute(sum, more.top2);
        }
        Ok(())
    }

    /// As evidence, with the two largest totals of one facility for each sum.
    fn evidence(
        mut self,
        (facilities, units): (&Facilities, &[Facilities]),
        is_in: impl Fn(u32) -> bool,
        tops: Vec<(i128, i128)>,
        shape: &PlanShape,
    ) -> Result<EvidencePart, WorkerFault> {
        for (sum, tops) in self.sums.iter_mut().zip(tops).filter(|_| shape.has_facility) {
            sum.facility_tops = Some(tops);
        }
        let count = |of: &Facilities| u32::try_from(of.count(&is_in)).map_err(|_| WorkerFault::TooLarge);
        let facilities = count(facilities)?;
        Ok(EvidencePart {
            rows: self.rows,
            persons: bytes(&self.known)?,
            facilities: shape.has_facility.then_some(facilities),
            units: units.iter().map(count).collect::<Result<_, _>>()?,
            sums: self.sums,
            quantiles: Vec::new(),
        })
    }
}

/// Whether rows that meet these conditions are in a part.
pub(crate) const fn is_in(met: u32, part: usize) -> bool {
    part == 0 || met >> (part - 1) & 1 == 1
}

/// The number of the measure that has the value of what is summed in rows that meet these conditions.
pub(crate) fn measure(shape: &PlanShape, of: usize, met: u32) -> Option<usize> {
    shape.measures.iter().position(|measure| measure.of == of && is_in(met, measure.part))
}

fn plain(shape: &PlanShape) -> SumEvidence {
    SumEvidence { facility_tops: shape.has_facility.then_some((0, 0)), ..SumEvidence::default() }
}

fn total(own: &[Own<'_>], of: impl Fn(&Own<'_>) -> Option<Sum>) -> Result<Sum, WorkerFault> {
    let mut all = own.iter().filter_map(of);
    all.try_fold(Sum::default(), |total, sum| total.and(sum)).ok_or(WorkerFault::Execution)
}

fn bytes(persons: &RoaringBitmap) -> Result<Vec<u8>, WorkerFault> {
    let mut bytes = Vec::with_capacity(persons.serialized_size());
    persons.serialize_into(&mut bytes).map_err(|_| WorkerFault::Execution)?;
    Ok(bytes)
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
