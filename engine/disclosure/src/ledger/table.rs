//! A table of more cohorts than are audited together: piece by piece, and as what it leaves of each kept cohort.
//!
//! Cells of a table exclude each other, so what a reader subtracts are whole cells from a kept cohort that they lie in.
//! That is asked of every kept cohort, however many cells lie in it. Beside it the cells are audited in pieces that
//! stay together by the value of one key after the other.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use crate::ledger::form::{Form, Term};
use crate::ledger::{Cohort, Kept, Ledger};

/// Cells of a piece.
pub(super) const TOGETHER: usize = 64;
/// Cells of a table that is audited in pieces; of a larger one only what it leaves of kept cohorts is asked.
const IN_PIECES: usize = 3 * TOGETHER;
/// Layers of one grouping set: its parts.
const LAYERS: usize = 32;
/// No cell has this person.
const NOBODY: u32 = u32::MAX;

/// Whether cells differ by fewer than `few` persons from a kept cohort that they make up, with a new one among them.
pub(super) fn leaves_few(
    ledger: &Ledger,
    cells: &[&Cohort],
    is_new: impl Fn(&Cohort) -> bool,
    few: u64,
) -> bool {
    let mut tables: BTreeMap<Vec<u64>, Vec<&Cohort>> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| !cell.persons.is_empty()) {
        let Some(form) = cell.form.as_ref().filter(|form| !form.is_hidden()) else { continue };
        // Cells of one grouping set have terms of the same things.
        tables.entry(form.terms().iter().map(Term::of).collect()).or_default().push(cell);
    }
    let layers = tables.into_values().flat_map(|cells| layers(cells, few));
    layers.into_iter().filter_map(|cells| Table::of(&cells, &is_new)).any(|table| {
        let mut kept = ledger.cohorts.iter().filter(|kept| kept.is_counted());
        kept.any(|kept| table.leaves_few(kept, few))
    })
}

/// Cells in layers in which only few persons are in two cells: parts of one condition and of another in two layers.
fn layers(cells: Vec<&Cohort>, few: u64) -> Vec<Vec<&Cohort>> {
    let mut layers: Vec<(RoaringBitmap, Vec<&Cohort>)> = Vec::new();
    for cell in cells {
        let place = layers.iter().position(|(all, _)| all.intersection_len(&cell.persons) < few);
        if place.is_none() && layers.len() < LAYERS {
            layers.push((RoaringBitmap::new(), Vec::new()));
        }
        let last = layers.len().saturating_sub(1);
        // What finds no layer makes the last one add up to less.
        if let Some((all, cells)) = layers.get_mut(place.unwrap_or(last)) {
            *all |= &cell.persons;
            cells.push(cell);
        }
    }
    layers.into_iter().map(|(_, cells)| cells).collect()
}

/// The new cohorts in pieces that are audited together; none of a table that would take too long.
pub(super) fn pieces<'c>(new: &[&'c Cohort]) -> Vec<Vec<&'c Cohort>> {
    if new.len() > IN_PIECES {
        return Vec::new();
    }
    let mut by_key: BTreeMap<u64, BTreeMap<&Term, Vec<&'c Cohort>>> = BTreeMap::new();
    for cohort in new.iter().copied() {
        for term in cohort.form.iter().flat_map(Form::terms) {
            by_key.entry(term.of()).or_default().entry(term).or_default().push(cohort);
        }
    }
    // What all have in common tells none of them apart.
    let keys = by_key.into_values().filter(|values| values.len() > 1);
    keys.flat_map(|values| packed(values.into_values())).collect()
}

/// Cohorts of one value after the other, as many as go together.
fn packed<'c>(values: impl Iterator<Item = Vec<&'c Cohort>>) -> Vec<Vec<&'c Cohort>> {
    let mut pieces: Vec<Vec<&Cohort>> = Vec::new();
    for value in values {
        for part in value.chunks(TOGETHER) {
            match pieces.last_mut().filter(|last| last.len() + part.len() <= TOGETHER) {
                Some(last) => last.extend_from_slice(part),
                None => pieces.push(part.to_vec()),
            }
        }
    }
    pieces
}

/// Cells of one grouping set.
struct Table {
    /// The cell of each person, the last of them where somebody is in several.
    of_person: Vec<u32>,
    /// Who is in several: with what is kept of many of them nothing adds up.
    in_several: RoaringBitmap,
    /// How many each cell has, and whether it is new.
    cells: Vec<(u64, bool)>,
}

impl Table {
    fn of(cells: &[&Cohort], is_new: impl Fn(&Cohort) -> bool) -> Option<Self> {
        let most = cells.iter().filter_map(|cell| cell.persons.max()).max()?;
        let (mut of_person, mut in_several) = (vec![NOBODY; most as usize + 1], RoaringBitmap::new());
        for (cell, number) in cells.iter().zip(0_u32..) {
            for person in &cell.persons {
                let slot = of_person.get_mut(person as usize)?;
                if *slot != NOBODY {
                    in_several.insert(person);
                }
                *slot = number;
            }
        }
        let cells = cells.iter().map(|cell| (cell.persons.len(), is_new(cell))).collect();
        Some(Self { of_person, in_several, cells })
    }

    /// Whether the cells that lie in a kept cohort for the most part differ from it by fewer than `few` persons.
    fn leaves_few(&self, kept: &Kept, few: u64) -> bool {
        let (mut inside, mut in_several) = (vec![0_u64; self.cells.len()], 0);
        for person in kept.persons.each() {
            in_several += u64::from(self.in_several.contains(person));
            let cell = self.of_person.get(person as usize).copied().unwrap_or(NOBODY);
            inside.get_mut(cell as usize).into_iter().for_each(|inside| *inside += 1);
        }
        if in_several >= few {
            return false;
        }
        let (mut known, mut beside, mut has_new) = (0, 0, false);
        for ((size, is_new), inside) in self.cells.iter().zip(inside).filter(|(_, inside)| *inside > 0) {
            has_new |= *is_new && 2 * inside >= *size;
            if 2 * inside > *size {
                known += inside;
                beside += size - inside;
            }
        }
        has_new && (1..few).contains(&(kept.size.saturating_sub(known) + beside))
    }
}
