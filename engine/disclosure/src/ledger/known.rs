//! What follows from the sizes of cohorts by addition and subtraction.
//!
//! The sizes are rows over atoms, brought into echelon form. A table that gives every cohort the size it has, and is
//! drawn beyond that, differs from the true one in every atom that does not follow: such a difference is one vector,
//! and one look at it tells of all atoms at once. By chance of about 2^-61 an atom that does not follow seems to.

use crate::protect::Residue;

/// Rows that have their first atom to themselves among those that come after.
#[derive(Debug)]
pub(super) struct Known {
    /// The first atom of each row, and that atom as a sum of others, which come after it.
    rows: Vec<(usize, Vec<(usize, Residue)>)>,
    /// By atom the row that it is the first of.
    row_of: Vec<Option<usize>>,
}

impl Known {
    /// Nothing of so many atoms.
    pub(super) fn of(atoms: usize) -> Self {
        Self { rows: Vec::new(), row_of: vec![None; atoms] }
    }

    /// Takes what a cohort's size tells: the sum of these atoms.
    pub(super) fn show(&mut self, atoms: impl IntoIterator<Item = usize>) {
        let mut left = self.reduced(atoms).into_iter().enumerate().filter(|(_, number)| !number.is_zero());
        let Some((first, factor)) = left.next() else { return };
        let factor = factor.inverse().negated();
        let others = left.map(|(at, number)| (at, number.times(factor))).collect();
        if let Some(slot) = self.row_of.get_mut(first) {
            *slot = Some(self.rows.len());
        }
        self.rows.push((first, others));
    }

    /// What is new in a sum of atoms.
    fn reduced(&self, atoms: impl IntoIterator<Item = usize>) -> Vec<Residue> {
        let mut left = vec![Residue::default(); self.row_of.len()];
        for atom in atoms {
            left.get_mut(atom).into_iter().for_each(|slot| *slot = Residue::ONE);
        }
        for (at, row) in self.row_of.iter().enumerate() {
            let Some((_, row)) = row.and_then(|row| self.rows.get(row)) else { continue };
            let factor = left.get_mut(at).map(std::mem::take).unwrap_or_default();
            if factor.is_zero() {
                continue;
            }
            for (other, by) in row {
                let slot = left.get_mut(*other);
                slot.into_iter().for_each(|slot| *slot = slot.plus(by.times(factor)));
            }
        }
        left
    }

    /// By how much each atom differs in a table that agrees with every size and is drawn beyond that.
    pub(super) fn drawn(&self) -> Vec<Residue> {
        let mut moves: Vec<Residue> = (0..self.row_of.len()).map(|at| Residue::drawn(at as u64)).collect();
        // A later row knows nothing of the first atoms of those before it.
        for (first, row) in self.rows.iter().rev() {
            let by = |(at, by): &(usize, Residue)| by.times(moves.get(*at).copied().unwrap_or_default());
            let sum = row.iter().map(by).fold(Residue::default(), Residue::plus);
            if let Some(slot) = moves.get_mut(*first) {
                *slot = sum;
            }
        }
        moves
    }
}
