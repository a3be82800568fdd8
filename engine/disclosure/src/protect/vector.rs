//! Sums of cells with numbers before them, of which most are nothing.

use std::collections::BTreeMap;

use crate::family::CellNo;
use crate::protect::field::Residue;

/// A number for each cell; what is not there is nothing.
pub(super) type Vector = BTreeMap<CellNo, Residue>;

/// The sum of one and a multiple of another.
pub(super) fn plus(one: &Vector, two: &Vector, factor: Residue) -> Vector {
    let mut sum = one.clone();
    for (at, value) in two {
        add(&mut sum, *at, value.times(factor));
    }
    sum
}

/// Adds to one place of a vector.
fn add(vector: &mut Vector, at: CellNo, value: Residue) {
    let sum = vector.get(&at).copied().unwrap_or_default().plus(value);
    if sum.is_zero() {
        vector.remove(&at);
    } else {
        vector.insert(at, sum);
    }
}
