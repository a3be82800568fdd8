//! How far apart the ends are, at least, of what a reader can derive of a hidden count: what a certificate says.
//!
//! It is asked of the finished pattern, once more and without any of what protection found. The reader here has the
//! table and the rules, and not the reason for which a value is hidden; so the answer follows from what the reader has,
//! and tells nothing beyond it. Counts are whole numbers, so only tables in whole numbers show a width.

use std::collections::BTreeSet;

use catalog_model::CellRules;

use crate::family::{CellNo, Family};
use crate::protect::{Block, Layer, Need, Shield, blocks, is_open};

/// Values of one block that may differ, up to which it is asked what the tables of protection leave open. In a larger one
/// these stand for it: what they show is open, and more may be.
const ASKED: usize = 1_500;

/// The least width of an interval, up to the rule's own.
pub(crate) fn width(family: &Family, shield: &Shield, rules: &CellRules) -> u32 {
    let rule = rules.persons.saturating_sub(2);
    let hidden = &shield.hidden;
    if hidden.is_empty() {
        return rule;
    }
    let layers = Layer::counts(family, rules, None);
    // A reader who has persons and rows has both together.
    let first = layers.iter().position(Layer::is_joint).unwrap_or(0);
    let is_hidden = |at: CellNo| hidden.contains(&at) || family.is_unseen(at);
    let is_value = |at: CellNo| family.cell(at).is_some_and(|cell| !cell.is_rest && !cell.is_unseen());
    let mut least = rule;
    for (number, layer) in layers.iter().enumerate().skip(first) {
        let cell = |at: usize| layer.cell_of(at);
        // A table of protection agrees with all that the reader has, so what it shows open need not be asked again.
        let is_shown_open = |at: usize| shield.width(number, at) >= i128::from(rule);
        let is_asked = |at: usize| is_value(cell(at)) && hidden.contains(&cell(at)) && !is_shown_open(at);
        let of_block = |block: &Block| {
            let places = block.numbers.iter().enumerate().filter(|(_, at)| is_asked(**at));
            let asked: BTreeSet<CellNo> = places.map(|(place, _)| place).collect();
            let known = || asked.iter().filter_map(|place| block.numbers.get(*place));
            let is_hidden = |place: usize| block.numbers.get(place).is_some_and(|at| is_hidden(cell(*at)));
            let is_open = |width: &u32| is_open(asking(&block.layer, &asked, *width), is_hidden);
            match block.unknown {
                _ if asked.is_empty() => rule,
                0..=ASKED => (0..=rule).rev().find(is_open).unwrap_or(0),
                _ => known().map(|at| narrow(shield.width(number, *at))).min().unwrap_or(rule),
            }
        };
        // Of a cell that stands in no relation nothing follows.
        least =
            blocks(layer, |at| is_hidden(cell(at))).iter().map(of_block).chain([least]).min().unwrap_or(0);
    }
    least
}

/// A width that is less than the rule's.
fn narrow(width: i128) -> u32 {
    u32::try_from(width).unwrap_or(0)
}

/// The layer where so much is asked of these places, and why a value is hidden is not known.
fn asking(layer: &Layer, asked: &BTreeSet<CellNo>, width: u32) -> Layer {
    let mut layer = layer.clone();
    for (at, place) in layer.places.iter_mut().enumerate() {
        place.need = Need::Width(if asked.contains(&at) { i128::from(width) } else { 0 });
        place.hidden.high = None;
    }
    layer
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use catalog_model::CellRules;

    use super::width;
    use crate::family::{Cell, CellNo, Family, Link, Of, Relation};
    use crate::primary;
    use crate::protect::{Shield, protect};

    /// Lines, each with its total before it.
    fn lines(all: &[&[u64]]) -> Family {
        let cell = |persons: u64, breadth| Cell { persons, breadth, ..Cell::default() };
        let mut family = Family::default();
        for parts in all {
            let whole = family.cells.len();
            family.cells.push(cell(parts.iter().sum(), 1));
            family.cells.extend(parts.iter().map(|persons| cell(*persons, 0)));
            let parts = (whole + 1..family.cells.len()).collect();
            family.relations.push(Relation { whole, parts, link: Link::Whole, of: Of::All });
        }
        family
    }

    /// What is said of these lines where these cells are hidden and no table was found before.
    fn said(all: &[&[u64]], hidden: impl IntoIterator<Item = CellNo>) -> u32 {
        let shield = Shield::of(hidden.into_iter().collect::<BTreeSet<_>>());
        width(&lines(all), &shield, &CellRules::general(10, true))
    }

    #[test]
    fn what_a_certificate_says_of_intervals_is_what_the_table_leaves() {
        let of = |parts: &[u64], hidden: &[CellNo]| said(&[parts], hidden.iter().copied());
        // Nothing is hidden, or enough: the rule's own, from one to nine.
        assert_eq!(of(&[40, 50], &[]), 8);
        assert_eq!(of(&[4, 50, 21], &[1, 2]), 8);
        assert_eq!(of(&[4, 5, 21], &[0, 1, 2]), 8);
        // Two that are nine together, of which none is nothing, lie from one to eight; two that are six from one to five.
        assert_eq!(of(&[4, 5, 21], &[1, 2]), 7);
        assert_eq!(of(&[1, 5, 21], &[1, 2]), 4);
        // One alone in its line is known.
        assert_eq!(of(&[4, 50, 21], &[1]), 0);
    }

    #[test]
    fn why_a_value_is_hidden_does_not_change_what_is_said() {
        // Whoever knew that both are few would have less room; the reader does not.
        for parts in [[6, 6, 30], [11, 1, 30]] {
            assert_eq!(said(&[&parts], [1, 2]), 8, "{parts:?}");
        }
    }

    #[test]
    fn of_a_large_family_the_narrowest_interval_is_found_as_well() {
        // Six hundred lines of four cells each, of which the first two parts are hidden.
        let line: &[u64] = &[4, 50, 21];
        let open = vec![line; 600];
        let hidden = || (0..600).flat_map(|line| [4 * line + 1, 4 * line + 2]);
        assert_eq!(said(&open, hidden()), 8);
        let mut one = open.clone();
        // Two that are six together, of which none is nothing.
        one[417] = &[1, 5, 21];
        assert_eq!(said(&one, hidden()), 4);
    }

    #[test]
    fn what_protection_shows_open_is_what_an_audit_finds() {
        let rules = CellRules::general(10, true);
        let drawn: Vec<Vec<u64>> =
            (0..20_u64).map(|line| (0..5).map(|part| line * 31 % 23 + part * 7 % 13 + 1).collect()).collect();
        // With room in every line, and where one line has nothing else to hide.
        for last in [vec![3_u64, 40, 50], vec![1, 1]] {
            let all: Vec<&[u64]> = drawn.iter().chain([&last]).map(Vec::as_slice).collect();
            let family = lines(&all);
            let sensitive: BTreeSet<CellNo> = primary::sensitive(&family, &rules).into_keys().collect();
            let shield = protect(&family, &sensitive, &rules).unwrap();
            assert_eq!(
                width(&family, &shield, &rules),
                said(&all, shield.hidden.iter().copied()),
                "{last:?}"
            );
        }
    }
}
