//! Which cells are hidden, and who knows one of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::family::{Cell, CellNo, Family};

/// A pattern of hidden cells.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    is_hidden: Vec<bool>,
    /// Sensitive cells, each with a cell in the same line that somebody is alone in.
    beside: Vec<(CellNo, CellNo)>,
    price: Vec<Option<u64>>,
}

impl Pattern {
    /// The pattern with only the sensitive cells hidden, and what nobody asks for.
    ///
    /// `may_hide` says which others can be hidden at all.
    pub(crate) fn new(
        family: &Family,
        sensitive: &BTreeSet<CellNo>,
        may_hide: impl Fn(&Cell) -> bool,
    ) -> Self {
        let near = near(family, sensitive);
        let cells = family.cells.iter().zip(near);
        let is_hidden = |at: CellNo| sensitive.contains(&at) || family.is_unseen(at);
        let is_hidden = (0..family.cells.len()).map(is_hidden).collect();
        let may_hide = |cell: &Cell| !cell.is_out && !cell.is_unseen() && may_hide(cell);
        let price = cells.map(|(cell, near)| may_hide(cell).then(|| price(cell, near))).collect();
        Self { is_hidden, beside: beside(family, sensitive), price }
    }

    /// Exactly these cells hidden.
    pub(crate) fn given(family: &Family, sensitive: &BTreeSet<CellNo>, hidden: &BTreeSet<CellNo>) -> Self {
        let mut pattern = Self::new(family, sensitive, |_| false);
        let is_hidden = |at: CellNo| hidden.contains(&at) || family.is_unseen(at);
        pattern.is_hidden = (0..family.cells.len()).map(is_hidden).collect();
        pattern
    }

    /// Exactly these numbers hidden, of which nothing else is known.
    pub(crate) const fn hiding(is_hidden: Vec<bool>) -> Self {
        Self { is_hidden, beside: Vec::new(), price: Vec::new() }
    }

    pub(crate) fn is_hidden(&self, at: CellNo) -> bool {
        self.is_hidden.get(at).copied().unwrap_or(false)
    }

    pub(crate) fn hidden(&self) -> impl Iterator<Item = CellNo> {
        self.is_hidden.iter().enumerate().filter(|(_, is_hidden)| **is_hidden).map(|(at, _)| at)
    }

    pub(crate) fn set(&mut self, at: CellNo, is_hidden: bool) {
        if let Some(slot) = self.is_hidden.get_mut(at) {
            *slot = is_hidden;
        }
    }

    pub(crate) fn beside(&self) -> &[(CellNo, CellNo)] {
        &self.beside
    }

    /// No longer asks that one who is alone in a cell does not learn of the one beside it.
    pub(crate) fn forget(&mut self, at: CellNo, known: CellNo) {
        self.beside.retain(|pair| *pair != (at, known));
    }

    /// What hiding the cell costs the reader; none where it cannot be hidden.
    pub(crate) fn price(&self, at: CellNo) -> Option<u64> {
        self.price.get(at).copied().flatten()
    }

    /// What the cells hidden besides the sensitive ones cost together.
    pub(crate) fn cost(&self, sensitive: &BTreeSet<CellNo>) -> u64 {
        self.hidden().filter(|at| !sensitive.contains(at)).filter_map(|at| self.price(at)).sum()
    }
}

/// Each hidden cell is a loss; a total more than a part, and one that is far from what must be hidden more than one
/// beside it.
///
/// Nothing of it follows from how many persons a cell has: where the smallest cells were hidden, a reader who knows the
/// rule would learn from each larger one that is shown how large the hidden ones are at most.
fn price(cell: &Cell, near: usize) -> u64 {
    32 + near.min(FAR) as u64 + 24 * u64::from(cell.breadth)
}

/// Cells farther off than this are equally far.
const FAR: usize = 16;

/// How far each cell is from the nearest sensitive one, counted along the lines that both are parts of.
fn near(family: &Family, sensitive: &BTreeSet<CellNo>) -> Vec<usize> {
    let mut near = vec![FAR; family.cells.len()];
    for relation in &family.relations {
        let places = || relation.parts.iter().enumerate();
        let here: BTreeSet<usize> =
            places().filter(|(_, at)| sensitive.contains(at)).map(|(place, _)| place).collect();
        for (place, at) in places() {
            let around = here.range(..=place).next_back().into_iter().chain(here.range(place..).next());
            let nearest = around.map(|other| place.abs_diff(*other)).min();
            if let (Some(near), Some(nearest)) = (near.get_mut(*at), nearest) {
                *near = (*near).min(nearest);
            }
        }
    }
    near
}

/// Sensitive cells beside one that somebody is alone in. Where nobody is in a cell there is nobody to learn of.
fn beside(family: &Family, sensitive: &BTreeSet<CellNo>) -> Vec<(CellNo, CellNo)> {
    let is_alone = |at: &CellNo| family.cell(*at).is_some_and(|cell| cell.is_of_one() && !cell.is_unseen());
    let is_somebody = |at: &CellNo| family.cell(*at).is_some_and(|cell| cell.persons > 0);
    let mut pairs = BTreeMap::new();
    for relation in &family.relations {
        let here: Vec<CellNo> = relation.parts.iter().copied().filter(|at| sensitive.contains(at)).collect();
        for known in here.iter().filter(|at| is_alone(at)) {
            let others = here.iter().filter(|at| *at != known && is_somebody(at));
            pairs.extend(others.map(|at| ((*at, *known), ())));
        }
    }
    pairs.into_keys().collect()
}
