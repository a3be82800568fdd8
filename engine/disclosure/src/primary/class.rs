//! A line does not say of nearly everybody in it that they are in one cell.
//!
//! Where all but a few of a group's persons have the same value, the table tells that value of each of them, however
//! many they are. The cell is hidden.

use std::collections::BTreeSet;

use catalog_model::CellRules;

use crate::family::{CellNo, Family, Link, Of, Relation};

/// The cells that hold nearly everybody of a line.
pub(super) fn cells(family: &Family, rules: &CellRules) -> BTreeSet<CellNo> {
    if !rules.class_disclosure {
        return BTreeSet::new();
    }
    let persons = |at: &CellNo| family.cell(*at).map_or(0, |cell| cell.persons);
    let few = u64::from(rules.persons);
    // What nobody asks for is no value that a line could tell.
    let is_line = |relation: &&Relation| {
        let is_asked = !relation.parts.iter().any(|at| family.is_unseen(*at));
        let is_whole = relation.link != Link::Within;
        relation.parts.len() > 1 && relation.is_of(Of::Persons) && is_asked && is_whole
    };
    let lines = family.relations.iter().filter(is_line);
    let holds_nearly_all = |whole: u64, part: u64| whole >= few && part + few > whole;
    lines
        .flat_map(|relation| {
            let whole = persons(&relation.whole);
            relation.parts.iter().copied().filter(move |part| holds_nearly_all(whole, persons(part)))
        })
        .collect()
}
