//! Plain thresholds between two questions: what alone may decide which values are shown.
//!
//! A plain threshold is: how many persons a cell has, how many two cells of the two questions share or do not share, how
//! many of a cell are in no cell (or no large enough cell) of the other question, or how many are in the same cells of
//! both, is none, fewer than k, or at least k. Where a question has totals, what its small cells are in sum under a total
//! counts as well: whoever sees the total and the other cells can work that out.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

/// The persons of each cell of a question, by the numbers of its keys.
pub(crate) type Cells = BTreeMap<Vec<u32>, RoaringBitmap>;

/// The number of a key in a total over it.
const TOTAL: u32 = u32::MAX;

/// Where a number of persons stands: none, fewer than k, at least k.
fn standing(persons: &RoaringBitmap, k: u64) -> u64 {
    match persons.len() {
        0 => 0,
        few if few < k => 1,
        _ => 2,
    }
}

/// Where the cells of both questions stand, and what every two of them share and do not. A cell that nobody is in stands
/// nowhere, as one that is not there.
pub(crate) fn thresholds([first, second]: [&Cells; 2], k: u64) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    let union = |cells: &Cells, least: u64| {
        cells.values().filter(|cell| cell.len() >= least).fold(RoaringBitmap::new(), |all, cell| all | cell)
    };
    for (name, cells, other) in [("first", first, second), ("second", second, first)] {
        for (one, cell) in cells {
            all.insert(format!("{name} {one:?}"), standing(cell, k));
            for least in [1, k] {
                let alone = cell - union(other, least);
                all.insert(format!("{name} {one:?} outside of {least}"), standing(&alone, k));
            }
        }
    }
    for (one, of_first) in first {
        for (two, of_second) in second {
            for (name, persons) in [
                ("shared", of_first & of_second),
                ("more", of_first - of_second),
                ("fewer", of_second - of_first),
                ("apart", of_first ^ of_second),
            ] {
                all.insert(format!("{name} {one:?} {two:?}"), standing(&persons, k));
            }
        }
    }
    for (name, unions, other) in [("first", unions(first, k), second), ("second", unions(second, k), first)] {
        for ((cells, together), (one, cell)) in
            unions.iter().flat_map(|of| other.iter().map(move |one| (of, one)))
        {
            all.insert(format!("{name} {cells:?} apart {one:?}"), standing(&(together ^ cell), k));
        }
    }
    // Two sums are compared where one of them is a total.
    for (name, totals, others) in
        [("first", totals(first, k), unions(second, k)), ("second", totals(second, k), unions(first, k))]
    {
        for (total, (cells, together)) in
            totals.iter().flat_map(|total| others.iter().map(move |other| (total, other)))
        {
            all.insert(format!("{name} {:?} apart {cells:?}", total.0), standing(&(&total.1 ^ together), k));
        }
    }
    for (name, cells) in [("first", first), ("second", second)] {
        for total in cells.keys().filter(|key| key.contains(&TOTAL)) {
            all.insert(format!("{name} small under {total:?}"), small_under(total, cells, k));
        }
    }
    for (cells, persons) in atoms([first, second]) {
        all.insert(format!("in {cells:?}"), standing(&persons, k));
    }
    all.retain(|_, stands| *stands > 0);
    all
}

/// The cells of a question under each total over some of its keys.
fn under_totals(cells: &Cells) -> Vec<Vec<&Vec<u32>>> {
    let mut totals: BTreeMap<Vec<u32>, Vec<&Vec<u32>>> = BTreeMap::new();
    for key in cells.keys() {
        for kept in 0..1_u32 << key.len() {
            let over =
                key.iter().enumerate().map(|(at, value)| if kept >> at & 1 == 1 { *value } else { TOTAL });
            let shape = key.iter().map(|value| u32::from(*value == TOTAL));
            totals.entry(shape.chain(over).collect()).or_default().push(key);
        }
    }
    totals.into_values().collect()
}

fn together(keys: &[&Vec<u32>], cells: &Cells) -> RoaringBitmap {
    keys.iter().fold(RoaringBitmap::new(), |sum, key| sum | &cells[*key])
}

/// What all cells under a total are together, where all are large.
fn totals(cells: &Cells, k: u64) -> Vec<(Vec<&Vec<u32>>, RoaringBitmap)> {
    let large = |keys: &Vec<&Vec<u32>>| keys.len() > 1 && keys.iter().all(|key| cells[*key].len() >= k);
    let all = under_totals(cells).into_iter().filter(large);
    all.map(|keys| (keys.clone(), together(&keys, cells))).collect()
}

/// Large cells of a question under a total, without two of them at most: what a table shows can be added up.
fn unions(cells: &Cells, k: u64) -> BTreeMap<Vec<&Vec<u32>>, RoaringBitmap> {
    let mut unions = BTreeMap::new();
    for mut all in under_totals(cells) {
        all.retain(|key| cells[*key].len() >= k);
        for (one, two) in (0..=all.len()).flat_map(|one| (one..=all.len()).map(move |two| (one, two))) {
            let left = all.iter().enumerate().filter(|(at, _)| *at != one && *at != two);
            let left: Vec<&Vec<u32>> = left.map(|(_, key)| *key).collect();
            if left.len() > 1 {
                let persons = together(&left, cells);
                unions.insert(left, persons);
            }
        }
    }
    unions
}

/// What the cells of fewer than k persons under a total are in sum.
fn small_under(total: &[u32], cells: &Cells, k: u64) -> u64 {
    let is_under = |key: &[u32]| {
        key != total && key.iter().zip(total).all(|(one, total)| one == total || *total == TOTAL)
    };
    let under = cells.iter().filter(|(key, _)| is_under(key)).map(|(_, persons)| persons.len());
    under.filter(|persons| *persons < k).sum()
}

/// The persons who are in the same cells of both questions.
fn atoms(questions: [&Cells; 2]) -> BTreeMap<Vec<(usize, &Vec<u32>)>, RoaringBitmap> {
    let mut cells_of: BTreeMap<u32, Vec<(usize, &Vec<u32>)>> = BTreeMap::new();
    for (question, cells) in questions.into_iter().enumerate() {
        for (key, persons) in cells {
            for person in persons {
                cells_of.entry(person).or_default().push((question, key));
            }
        }
    }
    let mut atoms: BTreeMap<_, RoaringBitmap> = BTreeMap::new();
    for (person, cells) in cells_of {
        atoms.entry(cells).or_default().insert(person);
    }
    atoms
}
