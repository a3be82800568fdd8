//! The rows of one bucket → its cells.
//!
//! Persons come one after the other, and all rows of a person are there. What a person adds to a cell is summed over
//! their rows first, in numbered places that are used again for the next person, and only then added to the cell.

use engine_protocol::WorkerFault;
use engine_vet::PlanShape;

use crate::accumulate::{Cell, Facility};
use crate::numbering::{Known, NEW, Numbering};
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
    let mut own = Own::new(shape, cells.len());
    let mut facilities = Facilities::new(cells.len(), rows.facilities());
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
        own.add(number, rows, row)?;
        facilities.add(number, rows, row, shape)?;
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
    facilities.settle(&mut cells);
    Ok(numbering.keys.into_iter().zip(cells).collect())
}

/// What the present person adds to each cell that they are in.
struct Own {
    parts: usize,
    measures: usize,
    /// The place of each cell among the person's, if it has one.
    place: Vec<u32>,
    /// The person's cells in the order of their places.
    cells: Vec<u32>,
    rows: Vec<u64>,
    sums: Vec<Sum>,
}

/// What the rows of a person add to a measure.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    pub(crate) total: i128,
    pub(crate) values: u64,
    pub(crate) square: i128,
}

/// The cell is not among the person's.
const NOWHERE: u32 = u32::MAX;

impl Own {
    fn new(shape: &PlanShape, cells: usize) -> Self {
        Self {
            parts: shape.parts(),
            measures: shape.measures.len(),
            place: vec![NOWHERE; cells],
            cells: Vec::new(),
            rows: Vec::new(),
            sums: Vec::new(),
        }
    }

    fn add(&mut self, cell: u32, rows: &Rows, row: usize) -> Result<(), WorkerFault> {
        let place = self.place.get_mut(cell as usize).ok_or(WorkerFault::Execution)?;
        if *place == NOWHERE {
            *place = u32::try_from(self.cells.len()).map_err(|_| WorkerFault::TooLarge)?;
            self.cells.push(cell);
            self.rows.resize(self.rows.len() + self.parts, 0);
            self.sums.resize(self.sums.len() + self.measures, Sum::default());
        }
        let place = *place as usize;
        let known = self.rows.iter_mut().skip(place * self.parts);
        for (part, known) in known.take(self.parts).enumerate() {
            *known = known.checked_add(rows.part(part, row)).ok_or(WorkerFault::Execution)?;
        }
        let known = self.sums.iter_mut().skip(place * self.measures);
        for (known, measure) in known.zip(rows.measures()) {
            let (total, values, square) = measure.at(row);
            known.total = known.total.checked_add(total).ok_or(WorkerFault::Execution)?;
            known.values = known.values.checked_add(values).ok_or(WorkerFault::Execution)?;
            known.square = known.square.checked_add(square).ok_or(WorkerFault::Execution)?;
        }
        Ok(())
    }

    /// Adds what is there to the cells, and makes room for the next person.
    fn flush(&mut self, person: u32, cells: &mut [Cell], shape: &PlanShape) -> Result<(), WorkerFault> {
        for (place, number) in self.cells.iter().enumerate() {
            let rows = self.rows.get(place * self.parts..(place + 1) * self.parts);
            let sums = self.sums.get(place * self.measures..(place + 1) * self.measures);
            if let Some(cell) = cells.get_mut(*number as usize) {
                cell.contribute(person, rows.unwrap_or_default(), sums.unwrap_or_default(), shape)?;
            }
            if let Some(place) = self.place.get_mut(*number as usize) {
                *place = NOWHERE;
            }
        }
        self.cells.clear();
        self.rows.clear();
        self.sums.clear();
        Ok(())
    }
}

/// Cells times facilities that are looked up in a plain table; more of them in a map.
const PLAIN: usize = 1 << 20;

/// What each facility adds to each cell.
struct Facilities {
    places: Known,
    all: Vec<(u32, u32, Facility)>,
}

impl Facilities {
    /// For so many cells, and facilities with numbers below `most`.
    fn new(cells: usize, most: usize) -> Self {
        Self { places: Known::new(cells, most, PLAIN), all: Vec::new() }
    }

    fn add(&mut self, cell: u32, rows: &Rows, row: usize, shape: &PlanShape) -> Result<(), WorkerFault> {
        let Some(number) = rows.facility(row) else { return Ok(()) };
        let place = self.places.slot(cell, number);
        if *place == NEW {
            *place = u32::try_from(self.all.len()).map_err(|_| WorkerFault::TooLarge)?;
            self.all.push((cell, number, Facility::new(shape)));
        }
        let (.., facility) = self.all.get_mut(*place as usize).ok_or(WorkerFault::Execution)?;
        facility.add(rows, row)
    }

    fn settle(self, cells: &mut [Cell]) {
        for (cell, number, facility) in self.all {
            if let Some(cell) = cells.get_mut(cell as usize) {
                cell.keep_facility(number, facility);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use engine_protocol::{Evidence, SumEvidence, TOTAL, WorkerFault};
    use engine_vet::{DomainValue, KeyColumn, KeyDomain, KeyKind, MeasureColumn, PlanShape};
    use proptest::prelude::*;
    use roaring::RoaringBitmap;

    use crate::accumulate::Cells;
    use crate::rows::{Rows, TestRow};

    /// Keys of these sizes; one measure of the whole cell and one of its only condition, whose squares are asked.
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
        let measure = |part: usize| MeasureColumn {
            column: String::new(),
            part,
            scale: 0,
            largest: 1_000,
            squares: part == 1,
            unit: None,
        };
        PlanShape {
            keys: sizes.iter().map(key).collect(),
            sets,
            conditions: vec![String::new()],
            measures: vec![measure(0), measure(1)],
            has_facility: true,
            ..PlanShape::default()
        }
    }

    /// A part of a cell as somebody would count it by hand.
    #[derive(Debug, Default, PartialEq)]
    struct ByHand {
        rows: u64,
        persons: BTreeSet<u32>,
        facilities: u32,
        sum: SumEvidence,
    }

    fn by_hand(rows: &[TestRow], shape: &PlanShape) -> BTreeMap<(Vec<u32>, usize), ByHand> {
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
            for part in 0..2 {
                let here = || rows.iter().filter(|row| row.parts[part] > 0);
                let mut found =
                    ByHand { rows: rows.iter().map(|row| row.parts[part]).sum(), ..ByHand::default() };
                found.persons = here().map(|row| row.person).collect();
                let facilities: BTreeSet<u32> = here().map(|row| row.facility).collect();
                found.facilities = facilities.len().try_into().unwrap();
                // What counts is who has a row of the part; all their rows of the cell stand behind the measure.
                let whole = || rows.iter().filter(|row| found.persons.contains(&row.person));
                let totals = |of: fn(&TestRow) -> u32, rows: &mut dyn Iterator<Item = &&TestRow>| {
                    let mut totals: BTreeMap<u32, i128> = BTreeMap::new();
                    rows.for_each(|row| *totals.entry(of(row)).or_default() += i128::from(row.values[part]));
                    let mut totals: Vec<i128> = totals.into_values().collect();
                    totals.sort_unstable_by(|one, two| two.cmp(one));
                    totals
                };
                let persons = totals(|row| row.person, &mut whole());
                let facilities = totals(|row| row.facility, &mut rows.iter());
                let top = |totals: &[i128], at: usize| totals.get(at).copied().unwrap_or(0).max(0);
                found.sum = SumEvidence {
                    sum: persons.iter().sum(),
                    values: whole().count() as u64,
                    negatives: persons.iter().filter(|total| **total < 0).count() as u64,
                    squares: (part == 1)
                        .then(|| whole().map(|row| i128::from(row.values[part]).pow(2)).sum()),
                    top1: top(&persons, 0),
                    top2: top(&persons, 1),
                    facility_tops: Some((top(&facilities, 0), top(&facilities, 1))),
                };
                parts.insert((key.clone(), part), found);
            }
        }
        parts
    }

    fn counted(evidence: &Evidence) -> BTreeMap<(Vec<u32>, usize), ByHand> {
        let cells = evidence.cells.iter();
        let parts = cells.flat_map(|cell| cell.parts.iter().enumerate().map(move |part| (&cell.key, part)));
        parts
            .map(|(key, (at, part))| {
                let persons = RoaringBitmap::deserialize_from(part.persons.as_slice()).unwrap();
                let facilities = part.facilities.unwrap();
                let (rows, sum) = (part.rows, part.sums[0]);
                ((key.clone(), at), ByHand { rows, persons: persons.iter().collect(), facilities, sum })
            })
            .collect()
    }

    fn row() -> impl Strategy<Value = TestRow> {
        let values = [-5_i64..40, -5_i64..40];
        (0_u32..12, 0_u32..4, [0_u32..4, 0_u32..3], 1_u64..3, 0_u64..3, values).prop_map(
            |(person, facility, keys, rows, of_part, values)| TestRow {
                person,
                facility,
                keys: keys.to_vec(),
                parts: vec![rows, of_part.min(rows)],
                values: values.to_vec(),
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
            prop_assert_eq!(counted(&found.evidence(&shape).unwrap()), by_hand(&rows, &shape));
        }

        #[test]
        fn buckets_come_together_as_if_they_were_one(rows in prop::collection::vec(row(), 0..60)) {
            let shape = shape(&[3, 2], vec![3, 1, 0]);
            let mut all = Cells::default();
            for bucket in 0..3 {
                let here: Vec<TestRow> =
                    rows.iter().filter(|row| row.person % 3 == bucket).cloned().collect();
                all.merge(Cells::of(&Rows::of(&here, &shape), &shape, 1_000).unwrap(), 1_000).unwrap();
            }
            let together = Cells::of(&Rows::of(&rows, &shape), &shape, 1_000).unwrap();
            prop_assert_eq!(all.evidence(&shape).unwrap(), together.evidence(&shape).unwrap());
        }
    }

    #[test]
    fn more_cells_than_allowed_are_refused() {
        let shape = shape(&[3, 2], vec![3]);
        let row = |person: u32| TestRow {
            person,
            facility: 0,
            keys: vec![person % 3, person % 2],
            parts: vec![1, 0],
            values: vec![1, 1],
        };
        let rows = Rows::of(&(0..6).map(row).collect::<Vec<_>>(), &shape);
        assert!(Cells::of(&rows, &shape, 6).is_ok());
        assert_eq!(Cells::of(&rows, &shape, 5).unwrap_err(), WorkerFault::TooLarge);
    }
}
