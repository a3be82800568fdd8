//! How far apart the ends are, at least, of what a reader can derive of a hidden count: what a certificate says.
//!
//! It is asked of the finished pattern, once more and without any of what protection found. The reader here has the
//! table and the rules, and not the reason for which a value is hidden; so the answer follows from what the reader has,
//! and tells nothing beyond it.

use std::collections::BTreeSet;

use catalog_model::CellRules;

use crate::family::{CellNo, Family};
use crate::protect::{Layer, Need, is_narrowed};

/// Cells up to which it is asked. Of a larger family the demands that protection met stand for it.
const ASKED: usize = 1_500;

/// The least width of an interval, up to the rule's own.
pub(crate) fn width(family: &Family, hidden: &BTreeSet<CellNo>, rules: &CellRules) -> u32 {
    let rule = rules.persons.saturating_sub(2);
    if hidden.is_empty() || family.cells.len() > ASKED {
        return rule;
    }
    let persons = (!family.hides_persons).then(|| Layer::persons(family, rules, None));
    let layers: Vec<Layer> = persons.into_iter().chain(Layer::rows(family, rules, None)).collect();
    let is_hidden = |at: CellNo| hidden.contains(&at) || family.is_unseen(at);
    let is_open = |width: &u32| {
        let asked = |layer: &Layer| asking(layer, (family, hidden), *width);
        layers.iter().all(|layer| !is_narrowed(asked(layer), is_hidden, &[]))
    };
    (0..=rule).rev().find(is_open).unwrap_or(0)
}

/// The layer where so much is asked of every hidden value, and why it is hidden is not known.
fn asking(layer: &Layer, (family, hidden): (&Family, &BTreeSet<CellNo>), width: u32) -> Layer {
    let mut layer = layer.clone();
    for (at, place) in layer.places.iter_mut().enumerate() {
        let is_value = family.cell(at).is_some_and(|cell| !cell.is_rest && !cell.is_unseen());
        place.need = Need::Width(if is_value && hidden.contains(&at) { i128::from(width) } else { 0 });
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

    /// A line with its total, the first cell.
    fn line(parts: &[u64]) -> Family {
        let cell = |persons: u64, breadth| Cell { persons, breadth, ..Cell::default() };
        let total = cell(parts.iter().sum(), 1);
        let cells = std::iter::once(total).chain(parts.iter().map(|persons| cell(*persons, 0))).collect();
        let parts = (1..=parts.len()).collect();
        Family {
            cells,
            relations: vec![Relation { whole: 0, parts, link: Link::Whole, of: Of::All }],
            ..Family::default()
        }
    }

    #[test]
    fn what_a_certificate_says_of_intervals_is_what_the_table_leaves() {
        let of = |parts: &[u64], hidden: &[CellNo]| {
            width(
                &line(parts),
                &hidden.iter().copied().collect::<BTreeSet<_>>(),
                &CellRules::general(10, true),
            )
        };
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
        let rules = CellRules::general(10, true);
        let hidden: BTreeSet<CellNo> = [1, 2].into();
        // Whoever knew that both are few would have less room; the reader does not.
        for parts in [[6, 6, 30], [11, 1, 30]] {
            assert_eq!(width(&line(&parts), &hidden, &rules), 8, "{parts:?}");
        }
    }
}
