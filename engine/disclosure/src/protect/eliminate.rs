//! Which cells must go with the hidden ones so that no arithmetic gives a hidden one away.
//!
//! Elimination after Langsrud (GaussSuppression, 2024): every cell is a sum of innermost cells. Cells are shown one by
//! one, the dearest first; one that together with those already shown would give a sensitive cell is hidden instead.
//! Somebody who is alone in a cell knows it, so the sums of such a cell and its sensitive neighbours are sensitive too.

use std::collections::BTreeMap;

use crate::family::{CellNo, Family};
use crate::protect::field::Residue;

pub(super) type Vector = BTreeMap<CellNo, Residue>;

/// The cells to hide besides the sensitive ones.
///
/// `order` lists every cell that may be hidden, the dearest first; what is neither there nor sensitive is known.
pub(crate) fn secondary(
    family: &Family,
    sensitive: &[CellNo],
    sums: &[(CellNo, CellNo)],
    order: &[CellNo],
) -> Vec<CellNo> {
    let vectors = Vectors::of(family);
    let mut known = Known::default();
    for difference in vectors.differences(family) {
        known.show(&difference);
    }
    let open: std::collections::BTreeSet<CellNo> = order.iter().chain(sensitive).copied().collect();
    for at in (0..family.cells.len()).filter(|at| !open.contains(at)) {
        known.show(vectors.cell(at));
    }
    let pairs = sums.iter().map(|(one, two)| plus(vectors.cell(*one), vectors.cell(*two), Residue::ONE));
    let secret = sensitive.iter().map(|at| vectors.cell(*at).clone()).chain(pairs);
    let mut secret: Vec<Vector> =
        secret.map(|vector| known.reduced(vector)).filter(|vector| !vector.is_empty()).collect();
    let mut hidden = Vec::new();
    for at in order {
        let next = known.reduced(vectors.cell(*at).clone());
        if next.is_empty() {
            continue;
        }
        if secret.iter().any(|vector| is_multiple(vector, &next)) {
            hidden.push(*at);
            continue;
        }
        let next = known.add(next);
        for vector in &mut secret {
            if let Some((pivot, row)) = &next
                && let Some(factor) = vector.get(pivot).copied()
            {
                *vector = plus(vector, row, factor.negated());
            }
        }
    }
    hidden
}

/// Every cell as a sum of innermost cells.
struct Vectors(Vec<Vector>);

impl Vectors {
    fn of(family: &Family) -> Self {
        let mut first: BTreeMap<CellNo, &[CellNo]> = BTreeMap::new();
        for relation in family.relations.iter().filter(|relation| relation.link == crate::family::Link::Whole)
        {
            first.entry(relation.whole).or_insert(&relation.parts);
        }
        let mut vectors = vec![Vector::new(); family.cells.len()];
        let mut order: Vec<CellNo> = (0..family.cells.len()).collect();
        order.sort_by_key(|at| family.cell(*at).map_or(0, |cell| cell.breadth));
        // Parts have a smaller breadth than their whole, so they are there before it.
        for at in order {
            let vector = match first.get(&at) {
                Some(parts) => parts.iter().fold(Vector::new(), |sum, part| match vectors.get(*part) {
                    Some(part) => plus(&sum, part, Residue::ONE),
                    None => sum,
                }),
                None => Vector::from([(at, Residue::ONE)]),
            };
            if let Some(slot) = vectors.get_mut(at) {
                *slot = vector;
            }
        }
        Self(vectors)
    }

    fn cell(&self, at: CellNo) -> &Vector {
        static NONE: Vector = Vector::new();
        self.0.get(at).unwrap_or(&NONE)
    }

    /// What the other relations say: sums of innermost cells that are known to be nothing.
    fn differences(&self, family: &Family) -> Vec<Vector> {
        let whole = family.relations.iter().filter(|relation| relation.link == crate::family::Link::Whole);
        let difference = |relation: &crate::family::Relation| {
            let minus = Residue::ONE.negated();
            relation
                .parts
                .iter()
                .fold(self.cell(relation.whole).clone(), |sum, part| plus(&sum, self.cell(*part), minus))
        };
        whole.map(difference).filter(|vector| !vector.is_empty()).collect()
    }
}

/// What the cells shown so far tell, in echelon form: rows by their first innermost cell, which stands in them once.
#[derive(Debug, Default)]
pub(crate) struct Known(BTreeMap<CellNo, Vector>);

impl Known {
    pub(crate) fn show(&mut self, vector: &Vector) {
        let reduced = self.reduced(vector.clone());
        self.add(reduced);
    }

    /// What is new in a vector.
    pub(crate) fn reduced(&self, vector: Vector) -> Vector {
        let (mut open, mut left) = (vector, Vector::new());
        while let Some((at, factor)) = open.pop_first() {
            match self.0.get(&at) {
                Some(row) => {
                    let factor = factor.negated();
                    for (other, value) in row.iter().skip(1) {
                        add(&mut open, *other, value.times(factor));
                    }
                }
                None => drop(left.insert(at, factor)),
            }
        }
        left
    }

    /// Adds a reduced vector as a row.
    pub(super) fn add(&mut self, reduced: Vector) -> Option<(CellNo, Vector)> {
        let (pivot, factor) = reduced.first_key_value().map(|(at, factor)| (*at, factor.inverse()))?;
        let row: Vector = reduced.into_iter().map(|(at, value)| (at, value.times(factor))).collect();
        self.0.insert(pivot, row.clone());
        Some((pivot, row))
    }
}

fn plus(one: &Vector, two: &Vector, factor: Residue) -> Vector {
    let mut sum = one.clone();
    for (at, value) in two {
        add(&mut sum, *at, value.times(factor));
    }
    sum
}

/// Adds to one place of a vector.
pub(super) fn add(vector: &mut Vector, at: CellNo, value: Residue) {
    let sum = vector.get(&at).copied().unwrap_or_default().plus(value);
    if sum.is_zero() {
        vector.remove(&at);
    } else {
        vector.insert(at, sum);
    }
}

fn is_multiple(one: &Vector, two: &Vector) -> bool {
    if one.len() != two.len() || one.is_empty() {
        return false;
    }
    let mut factor = None;
    one.iter().zip(two).all(|((at, value), (other, by))| {
        let factor = *factor.get_or_insert_with(|| value.times(by.inverse()));
        at == other && by.times(factor) == *value
    })
}
