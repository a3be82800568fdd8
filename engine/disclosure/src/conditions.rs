//! The groups that the conditions of a cell make together: who, or which rows, meet exactly which of them.
//!
//! A reader can subtract parts of a cell from it and from each other, so what several parts give together is a sum of
//! such groups. Nobody asks for them; they stand in the family so that none of few persons can be worked out.
//! Where many conditions overlap they make too many groups; then the first of them are taken together and the others are
//! not shown, since together they could tell of anybody.

use std::collections::BTreeMap;

use engine_protocol::SumEvidence;
use roaring::RoaringBitmap;

use crate::shape::Shape;
use crate::table::{BadEvidence, Cell, Part};

/// Groups of one cell that are looked at together.
const MOST: usize = 64;

/// Conditions that are taken together, and the groups that they make.
#[derive(Clone, Debug)]
pub(crate) struct Block<T> {
    /// The conditions: bit `n` for condition `n`.
    pub(crate) conditions: u32,
    /// What is in each group, by which of the conditions it meets; none where they make too many groups.
    pub(crate) groups: Option<BTreeMap<u32, T>>,
}

/// Whether what comes with a cell agrees with its parts.
pub(crate) fn check(cell: &Cell, shape: &Shape) -> Result<(), BadEvidence> {
    let conditions = shape.parts.len().saturating_sub(1);
    if cell.outside.len() != conditions || (conditions < 2 && !cell.atoms.is_empty()) {
        return Err(BadEvidence::Parts);
    }
    let mut all = vec![(cell.parts.first(), (0, 0))];
    all.extend(cell.parts.iter().skip(1).zip(0..).map(|(part, at)| (Some(part), (1 << at, 1 << at))));
    all.extend(cell.outside.iter().zip(0..).map(|(part, at)| (Some(part), (1_u32 << at, 0))));
    for (part, (mask, met)) in all.into_iter().filter(|_| conditions > 1) {
        let here = cell.atoms.iter().filter(|(own, _)| own & mask == met).map(|(_, part)| part);
        let persons = here.clone().fold(RoaringBitmap::new(), |all, part| all | &part.persons);
        let rows = here.map(|part| part.rows).fold(0_u64, u64::saturating_add);
        if part.is_none_or(|part| part.rows != rows || part.persons != persons) {
            return Err(BadEvidence::Conditions);
        }
    }
    let Some((whole, parts)) = cell.parts.split_first() else { return Err(BadEvidence::Parts) };
    for (part, outside) in parts.iter().zip(&cell.outside) {
        let is_all = part.rows.checked_add(outside.rows) == Some(whole.rows);
        if !is_all || &part.persons | &outside.persons != whole.persons {
            return Err(BadEvidence::Conditions);
        }
    }
    let adds_up = |of: usize| sums_add_up(cell, shape, of);
    if (0..shape.summed()).all(adds_up) { Ok(()) } else { Err(BadEvidence::Conditions) }
}

/// Whether the sums of one thing over the rows outside of a condition, and over the groups, agree with those shown.
fn sums_add_up(cell: &Cell, shape: &Shape, of: usize) -> bool {
    let of_part = |part: usize| sum_of(cell, shape, (part, of)).map(|sum| sum.sum);
    let of_rows = |part: &Part| part.sums.get(of).map_or(0, |sum| sum.sum);
    (0..shape.parts.len()).all(|part| {
        let Some(sum) = of_part(part) else { return true };
        let is_in = |met: u32| part == 0 || met >> (part - 1) & 1 == 1;
        let groups = cell.atoms.iter().filter(|(met, _)| is_in(*met));
        let groups = groups.map(|(_, part)| of_rows(part)).fold(0, i128::saturating_add);
        let outside = part.checked_sub(1).and_then(|at| cell.outside.get(at)).map(of_rows);
        let rest =
            outside.zip(of_part(0)).is_none_or(|(outside, whole)| sum.checked_add(outside) == Some(whole));
        rest && (cell.atoms.is_empty() || groups == sum)
    })
}

/// The sum of one thing in a part, where it is asked.
pub(crate) fn sum_of<'c>(
    cell: &'c Cell,
    shape: &Shape,
    (part, of): (usize, usize),
) -> Option<&'c SumEvidence> {
    let at = shape.parts.get(part)?.sums.iter().position(|own| *own == of)?;
    cell.parts.get(part)?.sums.get(at)
}

/// The groups of persons: who has rows that meet which conditions.
pub(crate) fn persons(cell: &Cell) -> Vec<Block<u64>> {
    let Some((whole, parts)) = cell.parts.split_first() else { return Vec::new() };
    let all: Vec<(u32, &RoaringBitmap)> = (0..32).zip(parts.iter().map(|part| &part.persons)).collect();
    blocks(all.len(), |mask| {
        let own: Vec<(u32, &RoaringBitmap)> =
            all.iter().copied().filter(|(at, _)| mask >> at & 1 == 1).collect();
        split(&whole.persons, &own)
    })
}

/// The groups of rows: which conditions they meet.
pub(crate) fn rows(cell: &Cell) -> Vec<Block<Part>> {
    blocks(cell.outside.len(), |mask| {
        let mut groups: BTreeMap<u32, Part> = BTreeMap::new();
        for (met, part) in &cell.atoms {
            let entry = groups.entry(met & mask);
            entry.and_modify(|known| *known = both(known, part)).or_insert_with(|| part.clone());
        }
        (groups.len() <= MOST).then_some(groups)
    })
}

/// The conditions that are taken together, in their order, as long as they make no more groups than are looked at; and
/// those that are left, which say too much beside them.
fn blocks<T>(conditions: usize, groups: impl Fn(u32) -> Option<BTreeMap<u32, T>>) -> Vec<Block<T>> {
    let all = u32::MAX >> (32 - conditions.clamp(1, 32));
    if let Some(groups) = groups(all) {
        return vec![Block { conditions: all, groups: Some(groups) }];
    }
    let taken = (0..conditions.min(32)).fold(0_u32, |taken, at| {
        let more = taken | 1 << at;
        if groups(more).is_some() { more } else { taken }
    });
    vec![Block { conditions: taken, groups: groups(taken) }, Block { conditions: all & !taken, groups: None }]
}

/// How many of the whole are in which of these; nothing where there are too many groups.
fn split(whole: &RoaringBitmap, parts: &[(u32, &RoaringBitmap)]) -> Option<BTreeMap<u32, u64>> {
    let mut groups = vec![(0_u32, whole.clone())];
    for (at, part) in parts {
        let halves =
            groups.iter().flat_map(|(met, group)| [(met | 1 << at, group & *part), (*met, group - *part)]);
        groups = halves.filter(|(_, group)| !group.is_empty()).collect();
        if groups.len() > MOST {
            return None;
        }
    }
    Some(groups.into_iter().map(|(met, group)| (met, group.len())).collect())
}

/// Two groups of rows as one. Who is in both is not known here, so the fewest facilities and units and the largest
/// shares that there may be are taken.
pub(crate) fn both(one: &Part, other: &Part) -> Part {
    let sums = one.sums.iter().zip(&other.sums).map(|(one, other)| {
        let add = |one: (i128, i128), other: (i128, i128)| {
            (one.0.saturating_add(other.0), one.1.saturating_add(other.1))
        };
        let (top1, top2) = add((one.top1, one.top2), (other.top1, other.top2));
        SumEvidence {
            sum: one.sum.saturating_add(other.sum),
            values: one.values.saturating_add(other.values),
            negatives: one.negatives.saturating_add(other.negatives),
            squares: None,
            top1,
            top2,
            facility_tops: one.facility_tops.zip(other.facility_tops).map(|(one, other)| add(one, other)),
        }
    });
    let units = one.units.iter().zip(&other.units).map(|(one, other)| *one.max(other));
    Part {
        rows: one.rows.saturating_add(other.rows),
        persons: &one.persons | &other.persons,
        facilities: one.facilities.zip(other.facilities).map(|(one, other)| one.max(other)),
        units: units.collect(),
        sums: sums.collect(),
        quantiles: Vec::new(),
    }
}
