//! No margin gives a hidden cell away.
//!
//! A margin and the cells below it are one equation: rows and sums add up exactly, and persons lie between the largest
//! cell and the sum. So in each equation either nothing is hidden, or at least two things are, and the hidden cells
//! below a shown margin together stand for at least the threshold of persons (their sum is known). While an equation
//! breaks this, its cheapest shown cell is hidden as well; where none is left, the margin itself.
//!
//! The equations are those between every two grouping sets that are released, one within the other. In a roll-up this
//! suffices; with margins in several directions several equations together may tell more than each by itself.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::Thresholds;
use roaring::RoaringBitmap;

use crate::table::{Cells, projected, set_of};

/// Adds to `hidden` what must be hidden of a part so that no margin gives a hidden cell away.
pub(crate) fn protect(
    cells: &Cells,
    part: usize,
    sets: &[u32],
    thresholds: Thresholds,
    hidden: &mut BTreeSet<Vec<u32>>,
) {
    let equations = equations(cells, sets);
    let persons = |key: &[u32]| cells.get(key).and_then(|cell| cell.get(part)).map(|part| &part.persons);
    while let Some(next) =
        equations.iter().find_map(|((margin, _), parts)| repair(&persons, margin, parts, thresholds, hidden))
    {
        hidden.insert(next);
    }
}

/// By margin and grouping set of its parts, the parts.
type Equations<'c> = BTreeMap<(Vec<u32>, u32), Vec<&'c Vec<u32>>>;

fn equations<'c>(cells: &'c Cells, sets: &[u32]) -> Equations<'c> {
    let mut equations = Equations::new();
    for key in cells.keys() {
        let own = set_of(key);
        for margin in sets.iter().filter(|set| **set != own && **set & own == **set) {
            equations.entry((projected(key, *margin), own)).or_default().push(key);
        }
    }
    equations.retain(|(margin, _), _| cells.contains_key(margin));
    equations
}

/// One more cell to hide, if the equation gives something away.
fn repair<'c>(
    persons_of: &impl Fn(&[u32]) -> Option<&'c RoaringBitmap>,
    margin: &[u32],
    parts: &[&Vec<u32>],
    thresholds: Thresholds,
    hidden: &BTreeSet<Vec<u32>>,
) -> Option<Vec<u32>> {
    let is_hidden = |key: &&Vec<u32>| hidden.contains(*key);
    let hidden_parts = parts.iter().copied().filter(is_hidden).count();
    let is_margin_hidden = hidden.contains(margin);
    let is_safe = if is_margin_hidden {
        hidden_parts >= 1
    } else {
        hidden_parts == 0
            || (hidden_parts >= 2 && stands_for(persons_of, parts, hidden) >= u64::from(thresholds.persons))
    };
    if is_safe {
        return None;
    }
    let persons = |key: &Vec<u32>| persons_of(key).map_or(0, RoaringBitmap::len);
    let shown = parts.iter().copied().filter(|key| !hidden.contains(*key));
    let cheapest = shown.filter(|key| persons(key) > 0).min_by_key(|key| (persons(key), *key));
    match cheapest {
        Some(part) => Some(part.clone()),
        // Nothing is left to hide among the parts: the margin goes. A hidden margin over empty parts alone is a
        // hidden zero, which nothing below gives away.
        None => (!is_margin_hidden).then(|| margin.to_vec()),
    }
}

/// The persons behind the hidden parts together.
fn stands_for<'c>(
    persons_of: &impl Fn(&[u32]) -> Option<&'c RoaringBitmap>,
    parts: &[&Vec<u32>],
    hidden: &BTreeSet<Vec<u32>>,
) -> u64 {
    let behind = parts.iter().filter(|key| hidden.contains(**key)).filter_map(|key| persons_of(key));
    behind.fold(RoaringBitmap::new(), |all, persons| all | persons).len()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use catalog_model::Thresholds;
    use proptest::prelude::*;

    use super::protect;
    use crate::rules::few_persons;
    use crate::table::{Cells, Part, projected};

    const SETS: [u32; 3] = [3, 1, 0];

    const RULE: Thresholds = Thresholds { persons: 10, zero_shown: true };

    /// A two-level roll-up with so many persons in each cell, nobody in two cells.
    fn cells(counts: &[Vec<u32>]) -> Cells {
        let mut cells = Cells::new();
        let mut next = 0;
        for (one, row) in counts.iter().enumerate() {
            for (two, count) in row.iter().enumerate() {
                let persons = next..next + count;
                next += count;
                let key = [u32::try_from(one).unwrap(), u32::try_from(two).unwrap()];
                for set in SETS {
                    let cell = cells.entry(projected(&key, set)).or_insert_with(|| vec![Part::default()]);
                    cell[0].rows += u64::from(*count);
                    cell[0].persons.extend(persons.clone());
                }
            }
        }
        cells
    }

    fn protected(counts: &[Vec<u32>]) -> (Cells, BTreeSet<Vec<u32>>) {
        let cells = cells(counts);
        let mut hidden = few_persons::hidden(&cells, 0, RULE);
        protect(&cells, 0, &SETS, RULE, &mut hidden);
        (cells, hidden)
    }

    #[test]
    fn a_single_hidden_cell_takes_the_smallest_neighbour_with_it() {
        let (_, hidden) = protected(&[vec![3, 20, 40], vec![50, 60, 70]]);
        assert_eq!(hidden.into_iter().collect::<Vec<_>>(), [vec![0, 0], vec![0, 1]]);
    }

    #[test]
    fn two_hidden_cells_that_are_few_together_take_a_third() {
        let (_, hidden) = protected(&[vec![3, 4, 40, 30]]);
        assert!(hidden.contains(&vec![0, 3]) && !hidden.contains(&vec![0, 2]));
    }

    /// What a reader can compute: repeatedly, a margin and all but one of its parts give the last one.
    fn derivable(cells: &Cells, hidden: &BTreeSet<Vec<u32>>) -> BTreeSet<Vec<u32>> {
        let equations = super::equations(cells, &SETS);
        let mut unknown = hidden.clone();
        loop {
            let found = equations.iter().find_map(|((margin, _), parts)| {
                let mut open: Vec<Vec<u32>> =
                    parts.iter().filter(|key| unknown.contains(**key)).map(|key| (*key).clone()).collect();
                open.extend(unknown.contains(margin).then(|| margin.clone()));
                (open.len() == 1).then(|| open.remove(0))
            });
            match found {
                Some(key) => unknown.remove(&key),
                None => return hidden.difference(&unknown).cloned().collect(),
            };
        }
    }

    proptest! {
        #[test]
        fn nothing_hidden_can_be_computed_from_the_rest(
            counts in prop::collection::vec(prop::collection::vec(prop_oneof![Just(0_u32), 1_u32..12, 10_u32..60], 1..6), 1..6),
        ) {
            let width = counts.iter().map(Vec::len).max().unwrap();
            let counts: Vec<Vec<u32>> = counts.into_iter().map(|mut row| { row.resize(width, 0); row }).collect();
            let (cells, hidden) = protected(&counts);
            let leaked: Vec<_> = derivable(&cells, &hidden).into_iter().filter(|key| !cells[key][0].persons.is_empty()).collect();
            prop_assert!(leaked.is_empty(), "{leaked:?} of {counts:?}");
            for (key, cell) in &cells {
                prop_assert!(hidden.contains(key) || cell[0].persons.is_empty() || cell[0].persons.len() >= 10);
            }
        }
    }
}
