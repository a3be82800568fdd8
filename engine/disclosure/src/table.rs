//! The table that is protected: every cell and margin with the persons behind it.

use std::collections::BTreeMap;

use engine_protocol::{Evidence, EvidenceCell, SumEvidence};
use roaring::RoaringBitmap;

use crate::shape::Shape;

/// Stands for "all values" in a margin's key.
pub(crate) const TOTAL: u32 = u32::MAX;

/// A cell or margin.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cell {
    pub(crate) rows: u64,
    pub(crate) persons: RoaringBitmap,
    pub(crate) sums: Vec<SumEvidence>,
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
    #[error("a cell has another number of sums than the query")]
    Sums,
    #[error("a sum is too large")]
    Overflow,
}

/// Reads the worker's evidence.
pub(crate) fn read(evidence: &Evidence, shape: &Shape) -> Result<Cells, BadEvidence> {
    let mut cells = Cells::new();
    for cell in &evidence.cells {
        check_key(cell, shape)?;
        let persons =
            RoaringBitmap::deserialize_from(cell.persons.as_slice()).map_err(|_| BadEvidence::Bitmap)?;
        if cell.rows < persons.len() || persons.is_empty() {
            return Err(BadEvidence::Rows);
        }
        if cell.sums.len() != shape.measures {
            return Err(BadEvidence::Sums);
        }
        let read = Cell { rows: cell.rows, persons, sums: cell.sums.clone() };
        if cells.insert(cell.key.clone(), read).is_some() {
            return Err(BadEvidence::Twice);
        }
    }
    Ok(cells)
}

fn check_key(cell: &EvidenceCell, shape: &Shape) -> Result<(), BadEvidence> {
    if cell.key.len() != shape.keys.len() {
        return Err(BadEvidence::KeyLength);
    }
    // The number after the last value stands for "other".
    let is_declared =
        cell.key.iter().zip(&shape.keys).all(|(value, key)| *value as usize <= key.values.len());
    if is_declared { Ok(()) } else { Err(BadEvidence::KeyValue) }
}

/// Adds empty cells for the declared values that nobody has, and says so, where the whole table has at most `most`
/// cells; a query without groups always has its one cell.
pub(crate) fn fill(cells: &mut Cells, shape: &Shape, most: usize) -> bool {
    let whole = shape.keys.iter().try_fold(1_usize, |product, key| product.checked_mul(key.values.len()));
    if whole.is_none_or(|whole| whole > most) {
        return false;
    }
    let mut keys = vec![Vec::new()];
    for key in &shape.keys {
        let values = 0..u32::try_from(key.values.len()).unwrap_or(0);
        keys = keys
            .into_iter()
            .flat_map(|begun: Vec<u32>| {
                values.clone().map(move |value| begun.iter().copied().chain([value]).collect())
            })
            .collect();
    }
    let empty = Cell { sums: vec![SumEvidence::default(); shape.measures], ..Cell::default() };
    for key in keys {
        cells.entry(key).or_insert_with(|| empty.clone());
    }
    true
}

/// Adds the margins of a roll-up: for each cell, the totals over its last keys.
pub(crate) fn roll_up(cells: &mut Cells, keys: usize) -> Result<(), BadEvidence> {
    for width in (0..keys).rev() {
        let level: Vec<(Vec<u32>, Cell)> = cells
            .iter()
            .filter(|(key, _)| level_of(key) == width + 1)
            .map(|(key, cell)| (key.clone(), cell.clone()))
            .collect();
        for (key, cell) in level {
            let parent = parent_of(&key, width);
            let empty = || Cell { sums: vec![SumEvidence::default(); cell.sums.len()], ..Cell::default() };
            cells.entry(parent).or_insert_with(empty).add(&cell)?;
        }
    }
    Ok(())
}

/// The number of keys that are not totals.
pub(crate) fn level_of(key: &[u32]) -> usize {
    key.iter().take_while(|value| **value != TOTAL).count()
}

/// The margin over all but the first `width` keys.
pub(crate) fn parent_of(key: &[u32], width: usize) -> Vec<u32> {
    key.iter().enumerate().map(|(at, value)| if at < width { *value } else { TOTAL }).collect()
}

impl Cell {
    fn add(&mut self, other: &Self) -> Result<(), BadEvidence> {
        self.rows = self.rows.checked_add(other.rows).ok_or(BadEvidence::Overflow)?;
        self.persons |= &other.persons;
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            sum.sum = sum.sum.checked_add(more.sum).ok_or(BadEvidence::Overflow)?;
            sum.values = sum.values.checked_add(more.values).ok_or(BadEvidence::Overflow)?;
        }
        Ok(())
    }
}
