//! Whom a table tells of: the cohorts behind its cells, and what its question says of each.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::CellRules;
use roaring::RoaringBitmap;

use crate::family::{Cell, CellNo, Family, Link, Relation};
use crate::hiding::Past;
use crate::ledger::{Cohort, Form, Number, Term};
use crate::numbering::Numbering;
use crate::protect;
use crate::shape::Shape;
use crate::table::Cells;

/// The cohort of every cell.
pub(crate) fn cohorts(
    numbering: &Numbering<'_>,
    cells: &Cells,
    shape: &Shape,
    past: &Past<'_>,
) -> BTreeMap<CellNo, Cohort> {
    let mut cohorts = BTreeMap::new();
    for (number, key) in numbering.keys.iter().enumerate() {
        let Some((whole, conditional)) = cells.get(*key).and_then(|cell| cell.parts.split_first()) else {
            continue;
        };
        let form = past.form.and(terms(past, key, shape));
        let mut put = |at: CellNo, what: &str, persons: RoaringBitmap, form: Form| {
            let cohort = Cohort { id: id(past, key, what), persons, is_derived: false, form: Some(form) };
            cohorts.insert(at, cohort);
        };
        put(numbering.whole_or_part(number, 0), "", whole.persons.clone(), form.clone());
        for (at, part) in conditional.iter().enumerate() {
            let condition = past.conditions.get(at).map_or("", String::as_str);
            let (meets, fails) = (past.terms.get(at).cloned().unwrap_or_default(), Term::unmet(condition));
            let (name, persons) = (format!("in {condition}"), part.persons.clone());
            put(numbering.whole_or_part(number, at + 1), &name, persons, form.and(meets));
            let (name, persons) = (format!("out {condition}"), &whole.persons - &part.persons);
            put(numbering.never(number, at + 1), &name, persons, form.and([fails]));
        }
    }
    cohorts
}

/// The cohorts that the table tells of: its cells, and what is left of a shown whole without its shown parts.
pub(crate) fn told(
    cohorts: &BTreeMap<CellNo, Cohort>,
    hidden: &BTreeSet<CellNo>,
    counts: &Family,
    rules: &CellRules,
) -> Vec<Cohort> {
    let is_shown = |at: &CellNo| !hidden.contains(at);
    // A whole whose parts are all shown follows from them.
    let is_asked = |relation: &&Relation| {
        let mut parts = relation.parts.iter();
        relation.link == Link::Whole && !parts.any(|at| counts.is_unseen(*at))
    };
    let whole: Vec<&Relation> = counts.relations.iter().filter(is_asked).collect();
    let derived: BTreeSet<CellNo> = whole
        .iter()
        .filter(|relation| relation.parts.iter().all(|part| !hidden.contains(part)))
        .map(|relation| relation.whole)
        .collect();
    // A hidden cell tells of itself only that it is there.
    let of_cell = |(at, cohort): (&CellNo, &Cohort)| {
        let is_derived = !is_shown(at) || derived.contains(at);
        let mut told = Cohort { is_derived, ..cohort.clone() };
        if let (Some(form), Some(cell)) = (&mut told.form, counts.cell(*at)) {
            form.told = number(cell, is_shown(at), rules);
        }
        told
    };
    let mut told: Vec<Cohort> = cohorts.iter().map(of_cell).collect();
    for relation in whole {
        let Some(whole) = cohorts.get(&relation.whole).filter(|_| is_shown(&relation.whole)) else {
            continue;
        };
        let shown = relation.parts.iter().filter(|at| is_shown(at)).filter_map(|at| cohorts.get(at));
        let shown: Vec<&Cohort> = shown.filter(|cohort| !cohort.persons.is_empty()).collect();
        // One part taken away, and all shown ones; what lies between stands on these.
        let without_one = shown.iter().map(|part| vec![*part]);
        let without_all = (shown.len() > 1).then(|| shown.clone());
        for parts in without_one.chain(without_all) {
            let mut persons = whole.persons.clone();
            let mut id = format!("{} without", whole.id);
            for part in parts {
                persons -= &part.persons;
                id.push(' ');
                id.push_str(&part.id);
            }
            if persons.len() >= u64::from(rules.persons) {
                told.push(Cohort { id: digest(&id), persons, is_derived: true, form: None });
            }
        }
    }
    told
}

/// What a reader knows of the persons of a cell by itself.
fn number(cell: &Cell, is_shown: bool, rules: &CellRules) -> Number {
    let (few, value) = (i128::from(cell.few(rules.persons)), i128::from(cell.persons));
    let range = if is_shown {
        protect::known(value, cell.breadth, few, rules.rounding.as_ref())
    } else {
        protect::unknown(cell, rules)
    };
    let end = |end: Option<i128>| end.and_then(|end| u64::try_from(end).ok());
    match (end(range.low).unwrap_or(0), end(range.high)) {
        (low, high) if !is_shown => Number::Hidden(low, high),
        (low, Some(high)) if low < high => Number::Rounded(low, high),
        _ => Number::Shown,
    }
}

/// What a key says of its cell.
fn terms(past: &Past<'_>, key: &[u32], shape: &Shape) -> Vec<Term> {
    let values = past.columns.iter().zip(key).zip(&shape.keys);
    let values = values.filter(|((_, value), _)| **value != engine_protocol::TOTAL);
    let term = |((column, value), key): ((&String, &u32), &crate::shape::KeyShape)| {
        // What is no declared value is one of its own.
        let code = key.values.get(*value as usize).map_or("\u{0}other", |label| label.code.as_str());
        Term::values(column, [code])
    };
    values.map(term).collect()
}

/// What the question says of a cohort, without a look at the data.
fn id(past: &Past<'_>, key: &[u32], what: &str) -> String {
    let mut parts: Vec<String> = past
        .keys
        .iter()
        .zip(key)
        .filter(|(_, value)| **value != engine_protocol::TOTAL)
        .map(|(name, value)| format!("{name} is {value}"))
        .collect();
    parts.sort_unstable();
    digest(&format!("{}\n{}\n{what}", past.base, parts.join("\n")))
}

fn digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}
