//! The table that is protected: every cell and margin with the persons behind it.

use std::collections::BTreeMap;

use catalog_model::CountedUnit;
use engine_protocol::{Evidence, EvidenceCell, EvidencePart, QuantileEvidence, SumEvidence, TOTAL};
use roaring::RoaringBitmap;

use crate::amounts;
use crate::both::both;
use crate::conditions;
use crate::shape::{PartShape, Shape};

/// A cell or margin.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cell {
    /// The whole, then the part of each condition.
    pub(crate) parts: Vec<Part>,
    /// The rows outside of each condition, with a sum for each thing that is summed.
    pub(crate) outside: Vec<Part>,
    /// Where there are several conditions, the rows that meet exactly these of them.
    pub(crate) atoms: Vec<(u32, Part)>,
}

/// What stands behind one part of a cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Part {
    pub(crate) rows: u64,
    pub(crate) persons: RoaringBitmap,
    pub(crate) facilities: Option<u32>,
    /// One number for each unit of the shape; none in a cell that nobody is in.
    pub(crate) units: Vec<u32>,
    pub(crate) sums: Vec<SumEvidence>,
    pub(crate) quantiles: Vec<QuantileEvidence>,
}

/// Cells and margins by key; a key has one number for each group key.
pub(crate) type Cells = BTreeMap<Vec<u32>, Cell>;

/// Why evidence cannot be used: the worker is not trusted to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadEvidence {
    #[error("a cell has a key of another length than the query")]
    KeyLength,
    #[error("a cell has a key value outside its domain")]
    KeyValue,
    #[error("two cells have the same key")]
    Twice,
    #[error("a cell's persons are not a bitmap")]
    Bitmap,
    #[error("a cell has fewer rows than persons")]
    Rows,
    #[error("a cell has another number of parts, sums or quantiles than the query")]
    Parts,
    #[error(
        "a cell has no facilities or units where its rows name them, or its largest contributions are not in order"
    )]
    Contributors,
    #[error("a part has persons or rows that its cell has not")]
    NotWithin,
    #[error("more persons stand behind the cells than the snapshot has")]
    Persons,
    #[error("a cell has more facilities, insurers or municipalities than rows")]
    Facilities,
    #[error(
        "a sum has more values than rows, more negative ones than values, or is beyond what its values give"
    )]
    Sums,
    #[error("the intervals of a quantile do not grow around one value that somebody has")]
    Quantiles,
    #[error("the rows by the conditions that they meet do not add up to those of a cell's parts")]
    Conditions,
}

/// Cells from which on two threads read them.
const APART: usize = 512;

/// Reads the worker's evidence: the cells of the grouping sets that are released.
pub(crate) fn read(evidence: &Evidence, shape: &Shape) -> Result<Cells, BadEvidence> {
    let all = evidence.cells.len();
    let (first, second) = evidence.cells.split_at(if all < APART { all } else { all / 2 });
    let (second, first) = if second.is_empty() {
        (Share::default(), Share::of(first, shape))
    } else {
        both(|| Share::of(second, shape), || Share::of(first, shape))
    };
    let (mut cells, mut everybody) = (Cells::new(), first.everybody);
    everybody |= second.everybody;
    for (found, fault) in [(first.cells, first.fault), (second.cells, second.fault)] {
        for (key, cell) in found {
            if cells.insert(key.clone(), cell).is_some() {
                return Err(BadEvidence::Twice);
            }
        }
        fault.map_or(Ok(()), Err)?;
    }
    if shape.persons.is_some_and(|most| everybody.len() > most) {
        return Err(BadEvidence::Persons);
    }
    Ok(cells)
}

/// Some of the cells, as far as they can be used.
#[derive(Default)]
struct Share<'e> {
    /// Those of the grouping sets that are released.
    cells: Vec<(&'e Vec<u32>, Cell)>,
    everybody: RoaringBitmap,
    /// Why the next one cannot be used.
    fault: Option<BadEvidence>,
}

impl<'e> Share<'e> {
    fn of(cells: &'e [EvidenceCell], shape: &Shape) -> Self {
        let mut share = Self::default();
        let taken = cells.iter().try_for_each(|cell| share.take(cell, shape));
        Self { fault: taken.err(), ..share }
    }

    fn take(&mut self, cell: &'e EvidenceCell, shape: &Shape) -> Result<(), BadEvidence> {
        check_key(cell, shape)?;
        if cell.parts.len() != shape.parts.len() {
            return Err(BadEvidence::Parts);
        }
        let read = read_cell(cell, shape)?;
        check_parts(&read.parts)?;
        check_contributors(&read, shape)?;
        amounts::check(&read, shape)?;
        conditions::check(&read, shape)?;
        if let (Some(whole), Some(_)) = (read.parts.first(), shape.persons) {
            self.everybody |= &whole.persons;
        }
        if shape.sets.contains(&set_of(&cell.key)) {
            self.cells.push((&cell.key, read));
        }
        Ok(())
    }
}

fn read_cell(cell: &EvidenceCell, shape: &Shape) -> Result<Cell, BadEvidence> {
    let parts = cell.parts.iter().zip(&shape.parts);
    let parts = parts.map(|(part, shape)| read_part(part, (shape.sums.len(), shape.quantiles)));
    let rows = |part: &EvidencePart| read_part(part, (shape.summed(), 0));
    Ok(Cell {
        parts: parts.collect::<Result<_, _>>()?,
        outside: cell.outside.iter().map(rows).collect::<Result<_, _>>()?,
        atoms: cell.atoms.iter().map(|atom| Ok((atom.met, rows(&atom.rows)?))).collect::<Result<_, _>>()?,
    })
}

fn read_part(part: &EvidencePart, (sums, quantiles): (usize, usize)) -> Result<Part, BadEvidence> {
    let persons =
        RoaringBitmap::deserialize_from(part.persons.as_slice()).map_err(|_| BadEvidence::Bitmap)?;
    if part.rows < persons.len() || (part.rows > 0 && persons.is_empty()) {
        return Err(BadEvidence::Rows);
    }
    if part.sums.len() != sums || part.quantiles.len() != quantiles {
        return Err(BadEvidence::Parts);
    }
    let (units, sums, quantiles) = (part.units.clone(), part.sums.clone(), part.quantiles.clone());
    Ok(Part { rows: part.rows, persons, facilities: part.facilities, units, sums, quantiles })
}

/// A cell is there because somebody is in it, and its parts are parts of it.
fn check_parts(parts: &[Part]) -> Result<(), BadEvidence> {
    let Some((whole, parts)) = parts.split_first() else { return Err(BadEvidence::Parts) };
    if whole.persons.is_empty() {
        return Err(BadEvidence::Rows);
    }
    let is_within = |part: &Part| part.rows <= whole.rows && part.persons.is_subset(&whole.persons);
    if parts.iter().all(is_within) { Ok(()) } else { Err(BadEvidence::NotWithin) }
}

/// Rules on facilities, units and the largest contributors are not to be switched off by leaving them out.
fn check_contributors(cell: &Cell, shape: &Shape) -> Result<(), BadEvidence> {
    let is_whole = |part: &Part| {
        let has = |is_there: bool| is_there || !shape.has_facility;
        let of_sum = |sum: &SumEvidence| has(sum.facility_tops.is_some()) && sum.top1 >= sum.top2;
        let is_counted = has(part.facilities.is_some()) && part.units.len() == shape.units.len();
        is_counted && part.sums.iter().all(of_sum)
    };
    let atoms = cell.atoms.iter().map(|(_, part)| part);
    let mut all = cell.parts.iter().chain(&cell.outside).chain(atoms);
    if all.all(is_whole) { Ok(()) } else { Err(BadEvidence::Contributors) }
}

/// The insurers and municipalities behind a part, each with its number, as far as a row is of a table that names one.
pub(crate) fn units(part: &Part, shape: &Shape) -> Vec<(CountedUnit, u64)> {
    let counts = shape.units.iter().copied().zip(part.units.iter().copied().map(u64::from));
    counts.filter(|(_, count)| is_named(*count, shape)).collect()
}

/// The number of facilities behind a part, where a row is of a table that names one.
pub(crate) fn facilities(part: &Part, shape: &Shape) -> Option<u64> {
    part.facilities.map(u64::from).filter(|count| is_named(*count, shape))
}

const fn is_named(count: u64, shape: &Shape) -> bool {
    count > 0 || !shape.has_gaps
}

fn check_key(cell: &EvidenceCell, shape: &Shape) -> Result<(), BadEvidence> {
    if cell.key.len() != shape.keys.len() {
        return Err(BadEvidence::KeyLength);
    }
    // The number after the last value stands for "other".
    let mut values = cell.key.iter().zip(&shape.keys);
    let is_declared = values.all(|(value, key)| *value == TOTAL || *value as usize <= key.values.len());
    if is_declared { Ok(()) } else { Err(BadEvidence::KeyValue) }
}

/// The grouping set of a key: the keys that are not totals.
pub(crate) fn set_of(key: &[u32]) -> u32 {
    key.iter().zip(0_u32..32).fold(0, |set, (value, at)| if *value == TOTAL { set } else { set | 1 << at })
}

/// How many keys a margin is a total over.
pub(crate) fn breadth(key: &[u32]) -> u32 {
    key.iter().fold(0, |breadth, value| breadth + u32::from(*value == TOTAL))
}

/// The grouping sets with all that two of them have in common: what adds up to the same margin.
pub(crate) fn linked(sets: &[u32]) -> Vec<u32> {
    let mut all: Vec<u32> = Vec::new();
    for set in sets {
        let common: Vec<u32> = all.iter().map(|known| known & set).chain([*set]).collect();
        all.extend(common);
        all.sort_unstable_by_key(|set: &u32| (std::cmp::Reverse(set.count_ones()), *set));
        all.dedup();
    }
    all
}

/// The key in a coarser grouping set.
pub(crate) fn projected(key: &[u32], set: u32) -> Vec<u32> {
    key.iter().zip(0_u32..32).map(|(value, at)| if set >> at & 1 == 1 { *value } else { TOTAL }).collect()
}

/// Adds empty cells for the declared values that nobody has, and says so, where the whole table has at most `most`
/// cells; a query without groups always has its one cell.
pub(crate) fn fill(cells: &mut Cells, shape: &Shape, most: usize) -> bool {
    let mut keys = Vec::new();
    for set in &shape.sets {
        let Some(found) = declared(shape, *set, most.saturating_sub(keys.len())) else { return false };
        keys.extend(found);
    }
    let nothing = |sums: usize, quantiles: usize| Part {
        sums: vec![SumEvidence::default(); sums],
        quantiles: vec![QuantileEvidence::default(); quantiles],
        ..Part::default()
    };
    let of_part = |part: &PartShape| nothing(part.sums.len(), part.quantiles);
    let empty = Cell {
        parts: shape.parts.iter().map(of_part).collect(),
        outside: vec![nothing(shape.summed(), 0); shape.parts.len().saturating_sub(1)],
        atoms: Vec::new(),
    };
    for key in keys {
        cells.entry(key).or_insert_with(|| empty.clone());
    }
    true
}

/// The keys of a grouping set over declared values, where there are at most so many.
fn declared(shape: &Shape, set: u32, most: usize) -> Option<Vec<Vec<u32>>> {
    let mut keys = vec![Vec::new()];
    for (key, at) in shape.keys.iter().zip(0_u32..32) {
        let values: Vec<u32> = if set >> at & 1 == 1 {
            (0..u32::try_from(key.values.len()).unwrap_or(0)).collect()
        } else {
            vec![TOTAL]
        };
        if keys.len().checked_mul(values.len())? > most {
            return None;
        }
        keys = keys
            .into_iter()
            .flat_map(|begun: Vec<u32>| {
                values.clone().into_iter().map(move |value| begun.iter().copied().chain([value]).collect())
            })
            .collect();
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use engine_protocol::{Evidence, EvidenceCell, EvidencePart};
    use roaring::RoaringBitmap;

    use super::{APART, BadEvidence, read};
    use crate::shape::{KeyLabel, KeyShape, PartShape, Shape};

    fn cell(key: u32) -> EvidenceCell {
        let mut persons = Vec::new();
        RoaringBitmap::from_iter([key]).serialize_into(&mut persons).unwrap();
        let part = EvidencePart { rows: 1, persons, ..EvidencePart::default() };
        EvidenceCell { key: vec![key], parts: vec![part], ..EvidenceCell::default() }
    }

    #[test]
    fn two_threads_read_what_one_reads() {
        let label = || KeyLabel { code: String::new(), ja: String::new(), en: String::new() };
        let shape = Shape {
            keys: vec![KeyShape { values: (0..APART).map(|_| label()).collect() }],
            sets: vec![1],
            parts: vec![PartShape::default()],
            persons: Some(APART as u64),
            ..Shape::default()
        };
        let with = |changes: &[(usize, EvidenceCell)]| {
            let mut cells: Vec<EvidenceCell> = (0..).take(APART).map(cell).collect();
            changes.iter().for_each(|(at, cell)| cells[*at] = cell.clone());
            read(&Evidence { cells }, &shape).map(|cells| cells.len())
        };
        let (known, bad) = (cell(3), EvidenceCell { key: Vec::new(), ..cell(0) });
        assert_eq!(with(&[]), Ok(APART));
        assert_eq!(with(&[(400, known.clone())]), Err(BadEvidence::Twice));
        // The first that is found in the order of the cells is told.
        assert_eq!(with(&[(100, known.clone()), (400, bad.clone())]), Err(BadEvidence::Twice));
        assert_eq!(with(&[(100, bad.clone()), (400, known.clone())]), Err(BadEvidence::KeyLength));
        assert_eq!(with(&[(400, bad), (450, known)]), Err(BadEvidence::KeyLength));
        // Each half is within the snapshot, both are not.
        let mut two = EvidencePart { rows: 2, ..EvidencePart::default() };
        RoaringBitmap::from_iter([3, 900]).serialize_into(&mut two.persons).unwrap();
        assert_eq!(with(&[(3, EvidenceCell { parts: vec![two], ..cell(3) })]), Err(BadEvidence::Persons));
    }
}
