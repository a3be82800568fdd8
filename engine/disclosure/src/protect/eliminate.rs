//! Which cells must go with the hidden ones so that no arithmetic gives a hidden one away.
//!
//! Elimination after Langsrud (GaussSuppression, 2024): every cell is a sum of innermost cells. Cells are shown one by
//! one, the dearest first; one that together with those already shown would give a sensitive cell is hidden instead.
//! Somebody who is alone in a cell knows it, so the sums of such a cell and its sensitive neighbours are sensitive too.

use std::collections::{BTreeMap, BTreeSet};

use crate::family::{CellNo, Family, Link, Of, Relation};
use crate::protect::field::Residue;
use crate::protect::pattern::Pattern;
use crate::protect::vector::{Vector, plus};

/// The cells to hide besides the sensitive ones.
///
/// `order` lists every cell that may be hidden, the dearest first; what is neither there nor hidden is known.
pub(crate) fn secondary(
    family: &Family,
    sensitive: &[CellNo],
    pattern: &Pattern,
    order: &[CellNo],
) -> Vec<CellNo> {
    let vectors = Vectors::of(family);
    let mut told = Told::of(family.cells.len());
    for difference in vectors.differences(family) {
        told.show(&difference);
    }
    let open: BTreeSet<CellNo> = order.iter().copied().collect();
    let is_known = |at: &CellNo| !open.contains(at) && !pattern.is_hidden(*at) && !family.is_unseen(*at);
    for at in (0..family.cells.len()).filter(is_known) {
        told.show(vectors.cell(at));
    }
    let pairs =
        pattern.beside().iter().map(|(one, two)| plus(vectors.cell(*one), vectors.cell(*two), Residue::ONE));
    let secret = sensitive.iter().map(|at| vectors.cell(*at).clone()).chain(pairs);
    let mut secret: Vec<New> = secret.filter_map(|vector| told.new_in(&vector)).collect();
    let mut hidden = Vec::new();
    for at in order {
        let Some(next) = told.new_in(vectors.cell(*at)) else { continue };
        if secret.contains(&next) {
            hidden.push(*at);
            continue;
        }
        secret.iter_mut().for_each(|one| one.take(&next));
        told.add(next);
    }
    hidden
}

/// What is new in a cell beside what is told: innermost cells with numbers before them, of which the first is one. So
/// two that are multiples of each other are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
struct New(Vec<(CellNo, Residue)>);

impl New {
    fn of(mut terms: Vec<(CellNo, Residue)>) -> Option<Self> {
        let factor = terms.first()?.1;
        if factor != Residue::ONE {
            let factor = factor.inverse();
            terms.iter_mut().for_each(|(_, number)| *number = number.times(factor));
        }
        Some(Self(terms))
    }

    fn first(&self) -> CellNo {
        self.0.first().map_or(0, |(at, _)| *at)
    }

    /// Leaves out what another, which is told now, says.
    fn take(&mut self, other: &Self) {
        let first = other.first();
        let Ok(place) = self.0.binary_search_by_key(&first, |(at, _)| *at) else { return };
        let factor = self.0.get(place).map_or(Residue::default(), |(_, number)| number.negated());
        let mut sum: Vec<(CellNo, Residue)> = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut own, mut more) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let Some(at) = own.peek().into_iter().chain(more.peek()).map(|(at, _)| *at).min() {
            let one = own.next_if(|(own, _)| *own == at).map_or(Residue::default(), |(_, number)| *number);
            let two = more.next_if(|(more, _)| *more == at).map_or(Residue::default(), |(_, number)| *number);
            sum.push((at, one.plus(two.times(factor))));
        }
        sum.retain(|(_, number)| !number.is_zero());
        // INVARIANT: the two are no multiples of each other, so something is left.
        if let Some(left) = Self::of(sum) {
            *self = left;
        }
    }
}

/// What the cells shown so far tell: rows by their first innermost cell, which stands in no later one.
#[derive(Debug)]
struct Told(Vec<Option<New>>);

impl Told {
    fn of(cells: usize) -> Self {
        Self(vec![None; cells])
    }

    fn show(&mut self, vector: &Vector) {
        if let Some(new) = self.new_in(vector) {
            self.add(new);
        }
    }

    /// What is new in a sum of innermost cells, if anything is.
    fn new_in(&self, vector: &Vector) -> Option<New> {
        let mut numbers = vec![Residue::default(); self.0.len()];
        for (at, number) in vector {
            *numbers.get_mut(*at)? = *number;
        }
        let first = *vector.keys().next()?;
        for (at, row) in self.0.iter().enumerate().skip(first) {
            let Some(row) = row else { continue };
            let factor = numbers.get(at).copied().unwrap_or_default();
            if factor.is_zero() {
                continue;
            }
            let factor = factor.negated();
            for (other, by) in &row.0 {
                if let Some(slot) = numbers.get_mut(*other) {
                    *slot = slot.plus(by.times(factor));
                }
            }
        }
        New::of(numbers.into_iter().enumerate().filter(|(_, number)| !number.is_zero()).collect())
    }

    fn add(&mut self, new: New) {
        let first = new.first();
        if let Some(slot) = self.0.get_mut(first) {
            *slot = Some(new);
        }
    }
}

/// Every cell as a sum of innermost cells.
struct Vectors(Vec<Vector>);

impl Vectors {
    fn of(family: &Family) -> Self {
        let mut first: BTreeMap<CellNo, &[CellNo]> = BTreeMap::new();
        for relation in whole(family) {
            first.entry(relation.whole).or_insert(&relation.parts);
        }
        let mut vectors = vec![Vector::new(); family.cells.len()];
        let mut order: Vec<CellNo> = (0..family.cells.len()).collect();
        order.sort_by_key(|at| family.cell(*at).map_or((false, 0), |cell| (!cell.is_unseen(), cell.breadth)));
        // Parts have a smaller breadth than their whole, or nobody asks for them, so they are there before it.
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
        let difference = |relation: &Relation| {
            let minus = Residue::ONE.negated();
            relation
                .parts
                .iter()
                .fold(self.cell(relation.whole).clone(), |sum, part| plus(&sum, self.cell(*part), minus))
        };
        whole(family).map(difference).filter(|vector| !vector.is_empty()).collect()
    }
}

/// The relations by which cells add up, of persons where those are shown. What follows of other quantities alone is
/// left to the audit.
fn whole(family: &Family) -> impl Iterator<Item = &Relation> {
    let is_used = |of: Of| match of {
        Of::All => true,
        Of::Persons => !family.hides_persons,
        Of::Rows => false,
        Of::Sum(_) => family.hides_persons,
    };
    family.relations.iter().filter(move |relation| relation.link == Link::Whole && is_used(relation.of))
}
