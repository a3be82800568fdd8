//! The rows of one bucket → its cells.
//!
//! Persons come one after the other, and all rows of a person are there. What a person adds to a cell is summed over
//! their rows first, in numbered places that are used again for the next person, and only then added to the cell.

use engine_protocol::WorkerFault;
use engine_vet::PlanShape;

use crate::accumulate::Cell;
use crate::facility::Gathering;
use crate::numbering::Numbering;
use crate::rows::Rows;

/// The cells of one grouping set, with their keys.
pub(crate) fn cells(
    rows: &Rows,
    order: &[u32],
    shape: &PlanShape,
    set: u32,
    most: u32,
) -> Result<Vec<(Vec<u32>, Cell)>, WorkerFault> {
    let sizes: Vec<usize> = shape.keys.iter().map(|key| key.domain.values.len()).collect();
    let numbering = Numbering::new(rows, set, &sizes, most)?;
    let mut cells: Vec<Cell> = numbering.keys.iter().map(|_| Cell::new(shape)).collect();
    let mut own = Adding::new(shape, cells.len());
    let mut facilities = Gathering::new(cells.len(), rows, shape);
    let mut units = Gathering::of_units(cells.len(), rows, shape);
    let mut last = None;
    for row in order.iter().map(|row| *row as usize) {
        let person = rows.person(row);
        if last != Some(person) {
            if let Some(person) = last {
                own.flush(person, &mut cells, shape)?;
            }
            last = Some(person);
        }
        let number = numbering.of_row.get(row).copied().ok_or(WorkerFault::Execution)?;
        own.add((person, number), rows, row)?;
        facilities.add(number, row)?;
        units.iter_mut().try_for_each(|unit| unit.add(number, row))?;
        if let (Some(ranked), Some(value)) = (&shape.ranked, rows.ranked(row)) {
            let count = rows.part(ranked.part, row);
            if let Some(cell) = cells.get_mut(number as usize).filter(|_| count > 0) {
                cell.rank(value, person, count);
            }
        }
    }
    if let Some(person) = last {
        own.flush(person, &mut cells, shape)?;
    }
    own.settle(&mut cells);
    let facilities = facilities.settle(cells.len());
    cells.iter_mut().zip(facilities).for_each(|(cell, facilities)| cell.keep_facilities(facilities));
    for unit in units {
        let of_cells = unit.settle(cells.len());
        cells.iter_mut().zip(of_cells).for_each(|(cell, units)| cell.keep_units(units));
    }
    Ok(numbering.keys.into_iter().zip(cells).collect())
}

/// What the rows of a person that meet the same conditions add to a cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own<'s> {
    pub(crate) met: u32,
    pub(crate) rows: u64,
    /// One for each measure.
    pub(crate) sums: &'s [Sum],
}

/// What the rows of a person add to a measure.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    pub(crate) total: i128,
    pub(crate) values: u64,
    pub(crate) square: i128,
}

impl Sum {
    pub(crate) fn and(self, other: Self) -> Option<Self> {
        Some(Self {
            total: self.total.checked_add(other.total)?,
            values: self.values.checked_add(other.values)?,
            square: self.square.checked_add(other.square)?,
        })
    }
}

/// How what persons add comes to the cells.
enum Adding {
    /// Row by row, since nothing is summed and no condition tells rows apart.
    Counted(Vec<Counted>),
    /// All of a person's rows together.
    Summed(Present),
}

/// The rows of a cell and their persons, in order.
#[derive(Clone, Default)]
struct Counted {
    rows: u64,
    persons: Vec<u32>,
}

impl Adding {
    fn new(shape: &PlanShape, cells: usize) -> Self {
        if shape.measures.is_empty() && shape.conditions.is_empty() {
            Self::Counted(vec![Counted::default(); cells])
        } else {
            Self::Summed(Present::new(shape, cells))
        }
    }

    fn add(&mut self, (person, cell): (u32, u32), rows: &Rows, row: usize) -> Result<(), WorkerFault> {
        match self {
            Self::Counted(cells) => {
                let cell = cells.get_mut(cell as usize).ok_or(WorkerFault::Execution)?;
                cell.add(person, rows.part(0, row))
            }
            Self::Summed(present) => present.add(cell, rows, row),
        }
    }

    /// Adds what a person whose rows are all there adds.
    fn flush(&mut self, person: u32, cells: &mut [Cell], shape: &PlanShape) -> Result<(), WorkerFault> {
        match self {
            Self::Counted(_) => Ok(()),
            Self::Summed(present) => present.flush(person, cells, shape),
        }
    }

    fn settle(self, cells: &mut [Cell]) {
        if let Self::Counted(counted) = self {
            let both = cells.iter_mut().zip(counted);
            both.for_each(|(cell, counted)| cell.count(counted.rows, counted.persons));
        }
    }
}

impl Counted {
    /// Persons come one after the other.
    fn add(&mut self, person: u32, rows: u64) -> Result<(), WorkerFault> {
        self.rows = self.rows.checked_add(rows).ok_or(WorkerFault::Execution)?;
        if rows > 0 && self.persons.last() != Some(&person) {
            self.persons.push(person);
        }
        Ok(())
    }
}

/// What the present person adds to each cell that they are in.
struct Present {
    measures: usize,
    /// The last entry of each cell, if it has one.
    last: Vec<u32>,
    /// The person's cells in the order in which they come.
    cells: Vec<u32>,
    entries: Vec<Entry>,
    /// The sums of the entries, one after the other.
    sums: Vec<Sum>,
}

/// Rows of the person in one cell that meet the same conditions.
#[derive(Clone, Copy)]
struct Entry {
    met: u32,
    rows: u64,
    /// The entry before in the same cell.
    before: u32,
}

/// There is no entry.
const NOWHERE: u32 = u32::MAX;

impl Present {
    fn new(shape: &PlanShape, cells: usize) -> Self {
        Self {
            measures: shape.measures.len(),
            last: vec![NOWHERE; cells],
            cells: Vec::new(),
            entries: Vec::new(),
            sums: Vec::new(),
        }
    }

    fn add(&mut self, cell: u32, rows: &Rows, row: usize) -> Result<(), WorkerFault> {
        let at = self.entry(cell, rows.met(row))?;
        let entry = self.entries.get_mut(at).ok_or(WorkerFault::Execution)?;
        entry.rows = entry.rows.checked_add(rows.part(0, row)).ok_or(WorkerFault::Execution)?;
        let known = self.sums.iter_mut().skip(at * self.measures);
        for (known, measure) in known.zip(rows.measures()) {
            let (total, values, square) = measure.at(row);
            *known = known.and(Sum { total, values, square }).ok_or(WorkerFault::Execution)?;
        }
        Ok(())
    }

    /// The entry of a cell for rows that meet these conditions; a new one where there is none.
    fn entry(&mut self, cell: u32, met: u32) -> Result<usize, WorkerFault> {
        let last = self.last.get_mut(cell as usize).ok_or(WorkerFault::Execution)?;
        let mut at = *last;
        while let Some(entry) = self.entries.get(at as usize) {
            if entry.met == met {
                return Ok(at as usize);
            }
            at = entry.before;
        }
        if *last == NOWHERE {
            self.cells.push(cell);
        }
        let next = self.entries.len();
        self.entries.push(Entry { met, rows: 0, before: *last });
        self.sums.resize(self.sums.len() + self.measures, Sum::default());
        *last = u32::try_from(next).map_err(|_| WorkerFault::TooLarge)?;
        Ok(next)
    }

    fn own(&self, at: u32) -> Option<(Own<'_>, u32)> {
        let entry = self.entries.get(at as usize)?;
        let from = at as usize * self.measures;
        let sums = self.sums.get(from..from + self.measures)?;
        Some((Own { met: entry.met, rows: entry.rows, sums }, entry.before))
    }

    /// Adds what is there to the cells, and makes room for the next person.
    fn flush(&mut self, person: u32, cells: &mut [Cell], shape: &PlanShape) -> Result<(), WorkerFault> {
        for number in &self.cells {
            let last = self.last.get(*number as usize).copied().unwrap_or(NOWHERE);
            let (Some(cell), Some((own, before))) = (cells.get_mut(*number as usize), self.own(last)) else {
                return Err(WorkerFault::Execution);
            };
            if before == NOWHERE {
                cell.contribute(person, &[own], shape)?;
                continue;
            }
            let (mut all, mut at) = (vec![own], before);
            while let Some((own, before)) = self.own(at) {
                all.push(own);
                at = before;
            }
            cell.contribute(person, &all, shape)?;
        }
        for number in self.cells.drain(..) {
            if let Some(last) = self.last.get_mut(number as usize) {
                *last = NOWHERE;
            }
        }
        self.entries.clear();
        self.sums.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use catalog_model::CountedUnit;
    use engine_protocol::{Evidence, EvidencePart, SumEvidence, TOTAL, WorkerFault};
    use engine_vet::{DomainValue, KeyColumn, KeyDomain, KeyKind, MeasureColumn, PlanShape};
    use proptest::prelude::*;
    use roaring::RoaringBitmap;

    use crate::accumulate::Cells;
    use crate::rows::{Rows, TestRow};

    /// Keys of these sizes; one measure of the whole cell and the same of a condition, whose squares are asked; a second
    /// condition, and a measure of it.
    fn shape(sizes: &[usize], sets: Vec<u32>) -> PlanShape {
        let key = |size: &usize| KeyColumn {
            name: String::new(),
            domain: KeyDomain {
                kind: KeyKind::Text,
                values: vec![
                    DomainValue {
                        code: String::new(),
                        ja: String::new(),
                        en: String::new(),
                        days: None
                    };
                    *size
                ],
            },
        };
        let measure = |(part, of): (usize, usize)| MeasureColumn {
            column: String::new(),
            part,
            of,
            scale: 0,
            largest: 1_000,
            squares: part == 1,
            unit: None,
        };
        PlanShape {
            keys: sizes.iter().map(key).collect(),
            sets,
            conditions: vec![String::new(); 2],
            measures: [(0, 0), (1, 0), (2, 1)].map(measure).into(),
            has_facility: true,
            units: CountedUnit::ALL.to_vec(),
            ..PlanShape::default()
        }
    }

    /// What stands behind some rows of a cell, as somebody would count it by hand.
    #[derive(Debug, Default, PartialEq)]
    struct ByHand {
        rows: u64,
        persons: BTreeSet<u32>,
        facilities: u32,
        units: Vec<u32>,
        sums: Vec<SumEvidence>,
    }

    /// Which rows of a cell: a part, what is outside of a condition, or those that meet exactly some.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    enum Which {
        Part(usize),
        Outside(usize),
        Atom(u32),
    }

    fn met(row: &TestRow) -> u32 {
        u32::from(row.parts[1] > 0) | u32::from(row.parts[2] > 0) << 1
    }

    /// The value of what is summed, where a part that asks it has the row.
    fn value(row: &TestRow, of: usize) -> Option<i128> {
        let is_known = of == 0 || row.parts[2] > 0;
        is_known.then(|| row.values[if of == 0 { 0 } else { 2 }].map(i128::from).unwrap())
    }

    fn counted_by_hand(rows: &[&TestRow], of: &[(usize, bool)]) -> ByHand {
        let mut found = ByHand { rows: rows.iter().map(|row| row.parts[0]).sum(), ..ByHand::default() };
        found.persons = rows.iter().map(|row| row.person).collect();
        let facilities: BTreeSet<u32> = rows.iter().map(|row| row.facility).collect();
        found.facilities = facilities.len().try_into().unwrap();
        let unit = |at: usize| rows.iter().filter_map(|row| row.units[at]).collect::<BTreeSet<u32>>();
        found.units = [unit(0), unit(1)].map(|units| u32::try_from(units.len()).unwrap()).to_vec();
        let sum = |(of, squares): &(usize, bool)| {
            let values = || rows.iter().filter_map(|row| Some((row, value(row, *of)?)));
            let totals = |by: fn(&TestRow) -> u32| {
                let mut totals: BTreeMap<u32, i128> = BTreeMap::new();
                values().for_each(|(row, value)| *totals.entry(by(row)).or_default() += value);
                let mut totals: Vec<i128> = totals.into_values().collect();
                totals.sort_unstable_by(|one, two| two.cmp(one));
                totals
            };
            let (persons, facilities) = (totals(|row| row.person), totals(|row| row.facility));
            let top = |totals: &[i128], at: usize| totals.get(at).copied().unwrap_or(0).max(0);
            SumEvidence {
                sum: persons.iter().sum(),
                values: values().count() as u64,
                negatives: persons.iter().filter(|total| **total < 0).count() as u64,
                squares: squares.then(|| values().map(|(_, value)| value.pow(2)).sum()),
                top1: top(&persons, 0),
                top2: top(&persons, 1),
                facility_tops: Some((top(&facilities, 0), top(&facilities, 1))),
            }
        };
        found.sums = of.iter().map(sum).collect();
        found
    }

    fn by_hand(rows: &[TestRow], shape: &PlanShape) -> BTreeMap<(Vec<u32>, Which), ByHand> {
        let mut groups: BTreeMap<Vec<u32>, Vec<&TestRow>> = BTreeMap::new();
        for set in shape.evidence_sets() {
            for row in rows {
                let key = row.keys.iter().enumerate();
                let key = key.map(|(at, value)| if set >> at & 1 == 1 { *value } else { TOTAL }).collect();
                groups.entry(key).or_default().push(row);
            }
        }
        let mut parts = BTreeMap::new();
        for (key, rows) in groups {
            let mut put = |which: Which, of: &[(usize, bool)], is_in: &dyn Fn(&TestRow) -> bool| {
                let here: Vec<&TestRow> = rows.iter().copied().filter(|row| is_in(row)).collect();
                parts.insert((key.clone(), which), counted_by_hand(&here, of));
            };
            for (part, of) in [(0, (0, false)), (1, (0, true)), (2, (1, false))] {
                put(Which::Part(part), &[of], &|row| row.parts[part] > 0);
            }
            let all = [(0, false), (1, false)];
            for part in [1, 2] {
                put(Which::Outside(part), &all, &|row| row.parts[part] == 0);
            }
            for met in rows.iter().map(|row| met(row)).collect::<BTreeSet<u32>>() {
                put(Which::Atom(met), &all, &|row| self::met(row) == met);
            }
        }
        parts
    }

    fn counted(evidence: &Evidence) -> BTreeMap<(Vec<u32>, Which), ByHand> {
        let mut found = BTreeMap::new();
        let read = |part: &EvidencePart| ByHand {
            rows: part.rows,
            persons: RoaringBitmap::deserialize_from(part.persons.as_slice()).unwrap().iter().collect(),
            facilities: part.facilities.unwrap(),
            units: part.units.clone(),
            sums: part.sums.clone(),
        };
        for cell in &evidence.cells {
            let parts = cell.parts.iter().enumerate().map(|(at, part)| (Which::Part(at), part));
            let outside = cell.outside.iter().zip(1..).map(|(part, at)| (Which::Outside(at), part));
            let atoms = cell.atoms.iter().map(|atom| (Which::Atom(atom.met), &atom.rows));
            let all = parts.chain(outside).chain(atoms);
            found.extend(all.map(|(which, part)| ((cell.key.clone(), which), read(part))));
        }
        found
    }

    /// Rows of a person and facility that meet the same conditions; a measure is nothing outside of its part.
    fn row() -> impl Strategy<Value = TestRow> {
        let values = [-5_i64..40, -5_i64..40];
        let met = [any::<bool>(), any::<bool>()];
        let units = [prop::option::of(0_u32..3), prop::option::of(0_u32..5)];
        let of = (0_u32..12, 0_u32..4, units);
        (of, [0_u32..4, 0_u32..3], 1_u64..3, met, values).prop_map(
            |((person, facility, units), keys, rows, met, [value, other])| TestRow {
                person,
                facility,
                units: units.to_vec(),
                keys: keys.to_vec(),
                parts: vec![rows, if met[0] { rows } else { 0 }, if met[1] { rows } else { 0 }],
                values: vec![Some(value), met[0].then_some(value), met[1].then_some(other)],
            },
        )
    }

    proptest! {
        #[test]
        fn cells_are_what_somebody_would_count_by_hand(
            rows in prop::collection::vec(row(), 0..60),
            // The second key has values beyond its declared domain, and a map is used where the first is large.
            first in prop::sample::select(vec![3_usize, 70_000]),
            has_margins in any::<bool>(),
        ) {
            let shape = shape(&[first, 1], if has_margins { vec![3, 1, 0] } else { vec![3] });
            let found = Cells::of(&Rows::of(&rows, &shape), &shape, 1_000).unwrap();
            let evidence = Cells::evidence(vec![found], &shape, (1_000, 1)).unwrap();
            prop_assert_eq!(counted(&evidence), by_hand(&rows, &shape));
        }

        #[test]
        fn what_is_counted_alone_is_what_is_counted_beside_sums(
            rows in prop::collection::vec(row(), 0..60),
            has_margins in any::<bool>(),
        ) {
            let full = shape(&[3, 2], if has_margins { vec![3, 1, 0] } else { vec![3] });
            let plain = PlanShape { conditions: Vec::new(), measures: Vec::new(), ..full.clone() };
            let counted = |shape: &PlanShape| {
                let found = Cells::of(&Rows::of(&rows, shape), shape, 1_000).unwrap();
                let cells = Cells::evidence(vec![found], shape, (1_000, 1)).unwrap().cells.into_iter();
                let whole = |part: &EvidencePart| (part.rows, part.persons.clone(), part.facilities, part.units.clone());
                cells.map(|cell| (whole(&cell.parts[0]), cell.key)).collect::<Vec<_>>()
            };
            prop_assert_eq!(counted(&plain), counted(&full));
        }

        #[test]
        fn buckets_come_together_as_if_they_were_one(rows in prop::collection::vec(row(), 0..60)) {
            let shape = shape(&[3, 2], vec![3, 1, 0]);
            let bucket = |bucket: u32| {
                let here: Vec<TestRow> =
                    rows.iter().filter(|row| row.person % 3 == bucket).cloned().collect();
                Cells::of(&Rows::of(&here, &shape), &shape, 1_000).unwrap()
            };
            let together = Cells::of(&Rows::of(&rows, &shape), &shape, 1_000).unwrap();
            let together = Cells::evidence(vec![together], &shape, (1_000, 1)).unwrap();
            for threads in [1, 2] {
                let buckets: Vec<Cells> = (0..3).map(bucket).collect();
                let found = Cells::evidence(buckets, &shape, (1_000, threads)).unwrap();
                prop_assert_eq!(&found, &together);
            }
        }
    }

    #[test]
    fn more_cells_than_allowed_are_refused() {
        let shape = shape(&[3, 2], vec![3]);
        let row = |person: u32| TestRow {
            person,
            facility: 0,
            units: vec![None; 2],
            keys: vec![person % 3, person % 2],
            parts: vec![1, 0, 0],
            values: vec![Some(1), None, None],
        };
        let rows = Rows::of(&(0..6).map(row).collect::<Vec<_>>(), &shape);
        assert!(Cells::of(&rows, &shape, 6).is_ok());
        assert_eq!(Cells::of(&rows, &shape, 5).unwrap_err(), WorkerFault::TooLarge);
        let both = || -> Vec<Cells> { (0..2).map(|_| Cells::of(&rows, &shape, 6).unwrap()).collect() };
        assert_eq!(Cells::evidence(both(), &shape, (5, 2)).unwrap_err(), WorkerFault::TooLarge);
        // Nobody is in two buckets.
        assert_eq!(Cells::evidence(both(), &shape, (6, 2)).unwrap_err(), WorkerFault::Execution);
    }
}
