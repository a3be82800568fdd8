//! What follows from the sizes of cohorts by addition and subtraction, in echelon form.

use std::collections::BTreeMap;

use crate::family::CellNo;
use crate::protect::{Vector, add};

/// Rows by their first atom, which stands in no later one.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<CellNo, Vector>);

impl Known {
    /// Takes what a cohort's size tells.
    pub(super) fn show(&mut self, vector: Vector) {
        let reduced = self.reduced(vector);
        self.add(reduced);
    }

    /// What is new in a vector.
    pub(super) fn reduced(&self, vector: Vector) -> Vector {
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
    fn add(&mut self, reduced: Vector) {
        let Some((pivot, factor)) = reduced.first_key_value().map(|(at, factor)| (*at, factor.inverse()))
        else {
            return;
        };
        self.0.insert(pivot, reduced.into_iter().map(|(at, value)| (at, value.times(factor))).collect());
    }
}
