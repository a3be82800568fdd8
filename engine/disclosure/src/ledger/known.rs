//! What follows from the sizes of cohorts by addition and subtraction.
//!
//! The sizes are rows over atoms, brought into echelon form. A table that gives every cohort the size it has, and is
//! drawn beyond that, differs from the true one in every atom that does not follow: such a difference is one vector,
//! and one look at it tells of all atoms at once. By chance of about 2^-61 an atom that does not follow seems to.

use std::collections::BTreeMap;

use crate::family::CellNo;
use crate::protect::{Residue, Vector, add};

/// Rows that have their first atom to themselves among those that come after.
#[derive(Debug, Default)]
pub(super) struct Known {
    rows: Vec<(CellNo, Vector)>,
    row_of: BTreeMap<CellNo, usize>,
}

impl Known {
    /// Takes what a cohort's size tells: the sum of these atoms.
    pub(super) fn show(&mut self, atoms: impl IntoIterator<Item = CellNo>) {
        let mut left = self.reduced(atoms.into_iter().map(|atom| (atom, Residue::ONE)).collect());
        let Some((first, factor)) = left.pop_first() else { return };
        // The first atom as a sum of the others.
        let factor = factor.inverse().negated();
        left.values_mut().for_each(|number| *number = number.times(factor));
        self.row_of.insert(first, self.rows.len());
        self.rows.push((first, left));
    }

    /// What is new in a vector.
    fn reduced(&self, vector: Vector) -> Vector {
        let (mut open, mut left) = (vector, Vector::new());
        while let Some((at, factor)) = open.pop_first() {
            match self.row_of.get(&at).and_then(|row| self.rows.get(*row)) {
                Some((_, row)) => row.iter().for_each(|(at, by)| add(&mut open, *at, by.times(factor))),
                None => drop(left.insert(at, factor)),
            }
        }
        left
    }

    /// By how much each of so many atoms differs in a table that agrees with every size and is drawn beyond that.
    pub(super) fn drawn(&self, atoms: usize) -> Vec<Residue> {
        let mut moves: Vec<Residue> = (0..atoms).map(|at| Residue::drawn(at as u64)).collect();
        // A later row knows nothing of the first atoms of those before it.
        for (first, row) in self.rows.iter().rev() {
            let by = |(at, by): (&CellNo, &Residue)| by.times(moves.get(*at).copied().unwrap_or_default());
            let sum = row.iter().map(by).fold(Residue::default(), Residue::plus);
            if let Some(slot) = moves.get_mut(*first) {
                *slot = sum;
            }
        }
        moves
    }
}
