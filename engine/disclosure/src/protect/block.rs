//! A layer cut into blocks that tell nothing of each other.
//!
//! What is shown exactly is the same in every table, so it links nothing: two hidden cells are in one block where
//! relations link them over cells that may differ. Any table of one block goes with any table of another, so what a
//! reader can derive of a cell follows from its own block.

use std::collections::{BTreeMap, BTreeSet};

use crate::family::{CellNo, Row};
use crate::protect::layer::Layer;
use crate::protect::system::System;

/// A part of a layer that stands by itself.
#[derive(Debug)]
pub(crate) struct Block {
    /// Its cells, those that may differ and what is shown beside them, with numbers of their own.
    pub(crate) layer: Layer,
    /// The number of each cell in the whole.
    pub(crate) numbers: Vec<CellNo>,
    /// How many of them may differ.
    pub(crate) unknown: usize,
}

/// The blocks of a layer in which some relation holds. A cell that stands in none is in no block.
pub(crate) fn blocks(layer: &Layer, is_hidden: impl Fn(CellNo) -> bool) -> Vec<Block> {
    let system = System::new(layer, is_hidden);
    let mut rows: BTreeMap<CellNo, Vec<&Row>> = BTreeMap::new();
    for row in &layer.rows {
        let root =
            row.terms.iter().find(|(at, _)| system.is_unknown(*at)).and_then(|(at, _)| system.root(*at));
        if let Some(root) = root {
            rows.entry(root).or_default().push(row);
        }
    }
    rows.into_values().map(|rows| Block::of(&system, &rows)).collect()
}

impl Block {
    fn of(system: &System<'_>, rows: &[&Row]) -> Self {
        let cells: BTreeSet<CellNo> = rows.iter().flat_map(|row| &row.terms).map(|(at, _)| *at).collect();
        let known = cells.into_iter().filter_map(|at| Some((at, *system.layer.place(at)?)));
        let (numbers, places): (Vec<CellNo>, Vec<_>) = known.unzip();
        let own: BTreeMap<CellNo, CellNo> = numbers.iter().enumerate().map(|(to, at)| (*at, to)).collect();
        let row = |row: &&Row| Row {
            terms: row.terms.iter().filter_map(|(at, sign)| Some((*own.get(at)?, *sign))).collect(),
            is_exact: row.is_exact,
        };
        let mut layer = Layer::of(places, rows.iter().map(row).collect());
        layer.is_count = system.layer.is_count;
        let unknown = numbers.iter().filter(|at| system.is_unknown(**at)).count();
        Self { layer, numbers, unknown }
    }
}
