//! What several cohorts tell exactly: the linear audit.
//!
//! Every released count is a sum of atoms, so whatever can be derived by addition and subtraction is a combination of
//! those sums. Where the size of a small atom is such a combination, the new cohorts may not be released. Nor may they
//! where the number of a small hidden cohort is one, which several atoms are together.

use std::collections::BTreeMap;

use crate::ledger::atoms::Atom;
use crate::ledger::known::Known;
use crate::protect::Residue;

/// Atoms, each by the cohorts that it is within.
pub(super) type Several = Vec<Vec<usize>>;

/// Whether the counts of all cohorts give the size of an atom of fewer than `few` persons that those after the first
/// `new` do not give, or of several that are hidden together and that the new ones do not give either.
///
/// What only kept cohorts speak of was judged when they were released, and what the new ones tell alone of a hidden one
/// of them when they were protected.
pub(super) fn gives_small_group(mut atoms: Vec<Atom>, hidden: &[Several], new: usize, few: u64) -> bool {
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
    let mut known = Known::of(atoms.len());
    kept.iter().for_each(|row| known.show(row.iter().copied()));
    let before = known.drawn();
    // Cells of one table share few atoms, so they come first where there are many.
    let mut known = Known::of(atoms.len());
    own.iter().for_each(|row| known.show(row.iter().copied()));
    let alone = known.drawn();
    kept.iter().for_each(|row| known.show(row.iter().copied()));
    let after = known.drawn();
    let places: BTreeMap<&[usize], usize> =
        atoms.iter().enumerate().map(|(at, atom)| (atom.within.as_slice(), at)).collect();
    let is_told = |moves: &[Residue], several: &Several| {
        let moved = several.iter().filter_map(|within| moves.get(*places.get(within.as_slice())?));
        moved.copied().fold(Residue::default(), Residue::plus).is_zero()
    };
    let tells = |several: &Several| {
        is_told(&after, several) && !is_told(&before, several) && !is_told(&alone, several)
    };
    let mut moves = atoms.iter().zip(before.iter().zip(&after));
    moves.any(|(atom, (before, after))| atom.size < few && after.is_zero() && !before.is_zero())
        || hidden.iter().any(tells)
}
