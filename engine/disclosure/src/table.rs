//! The table that is protected: every cell and margin with the persons behind it.

use std::collections::BTreeMap;

use engine_protocol::{Evidence, EvidenceCell, EvidencePart, QuantileEvidence, SumEvidence, TOTAL};
use roaring::RoaringBitmap;

use crate::shape::{PartShape, Shape};

/// A cell or margin: the whole, then the part of each condition.
pub(crate) type Cell = Vec<Part>;

/// What stands behind one part of a cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Part {
    pub(crate) rows: u64,
    pub(crate) persons: RoaringBitmap,
    pub(crate) facilities: Option<u32>,
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
        "a cell has no facilities where its rows name them, or its largest contributions are not in order"
    )]
    Contributors,
    #[error("a part has persons or rows that its cell has not")]
    NotWithin,
}

/// Reads the worker's evidence: the cells of the grouping sets that are released.
pub(crate) fn read(evidence: &Evidence, shape: &Shape) -> Result<Cells, BadEvidence> {
    let mut cells = Cells::new();
    for cell in &evidence.cells {
        check_key(cell, shape)?;
        if cell.parts.len() != shape.parts.len() {
            return Err(BadEvidence::Parts);
        }
        let parts = cell.parts.iter().zip(&shape.parts).map(|(part, shape)| read_part(part, *shape));
        let parts = parts.collect::<Result<Cell, _>>()?;
        check_parts(&parts)?;
        check_contributors(&parts, shape)?;
        if shape.sets.contains(&set_of(&cell.key)) && cells.insert(cell.key.clone(), parts).is_some() {
            return Err(BadEvidence::Twice);
        }
    }
    Ok(cells)
}

fn read_part(part: &EvidencePart, shape: PartShape) -> Result<Part, BadEvidence> {
    let persons =
        RoaringBitmap::deserialize_from(part.persons.as_slice()).map_err(|_| BadEvidence::Bitmap)?;
    if part.rows < persons.len() || (part.rows > 0 && persons.is_empty()) {
        return Err(BadEvidence::Rows);
    }
    if part.sums.len() != shape.sums || part.quantiles.len() != shape.quantiles {
        return Err(BadEvidence::Parts);
    }
    let (sums, quantiles) = (part.sums.clone(), part.quantiles.clone());
    Ok(Part { rows: part.rows, persons, facilities: part.facilities, sums, quantiles })
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

/// Rules on facilities and on the largest contributors are not to be switched off by leaving them out.
fn check_contributors(parts: &[Part], shape: &Shape) -> Result<(), BadEvidence> {
    let is_whole = |part: &Part| {
        let has = |is_there: bool| is_there || !shape.has_facility;
        let of_sum = |sum: &SumEvidence| has(sum.facility_tops.is_some()) && sum.top1 >= sum.top2;
        has(part.facilities.is_some()) && part.sums.iter().all(of_sum)
    };
    if parts.iter().all(is_whole) { Ok(()) } else { Err(BadEvidence::Contributors) }
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
    let empty = |part: &PartShape| Part {
        sums: vec![SumEvidence::default(); part.sums],
        quantiles: vec![QuantileEvidence::default(); part.quantiles],
        ..Part::default()
    };
    let empty: Cell = shape.parts.iter().map(empty).collect();
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
