//! What several cohorts tell exactly: the linear audit.
//!
//! Every released count is a sum of atoms, so whatever can be derived by addition and subtraction is a combination of
//! those sums. Where the size of a small atom is such a combination, the new cohorts may not be released.

use crate::ledger::atoms::Atom;
use crate::ledger::known::Known;

/// Whether the counts of all cohorts give the size of an atom of fewer than `few` persons that those after the first
/// `new` do not give.
///
/// What only kept cohorts speak of was judged when they were released.
pub(super) fn gives_small_group(mut atoms: Vec<Atom>, new: usize, few: u64) -> bool {
    if !atoms.iter().any(|atom| atom.size < few) {
        return false;
    }
    // An atom of few cohorts stands in few rows, so those come first and are solved for.
    atoms.sort_unstable_by(|one, two| (one.within.len(), one).cmp(&(two.within.len(), two)));
    let cohorts = atoms.iter().filter_map(|atom| atom.within.last()).max().map_or(0, |last| last + 1);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); cohorts];
    for (at, atom) in atoms.iter().enumerate() {
        for cohort in &atom.within {
            rows.get_mut(*cohort).into_iter().for_each(|row| row.push(at));
        }
    }
    let (own, kept) = rows.split_at(new.min(rows.len()));
    let drawn = |rows: [&[Vec<usize>]; 2]| {
        let mut known = Known::of(atoms.len());
        rows.into_iter().flatten().for_each(|row| known.show(row.iter().copied()));
        known.drawn()
    };
    // Cells of one table share few atoms, so they come first where there are many.
    let (before, after) = (drawn([kept, &[]]), drawn([own, kept]));
    let mut moves = atoms.iter().zip(before.iter().zip(&after));
    moves.any(|(atom, (before, after))| atom.size < few && after.is_zero() && !before.is_zero())
}
