//! Whom a table tells of: the cohorts behind its cells, and what its question says of each.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::{BeyondAudit, CellRules};
use engine_protocol::Beyond;
use roaring::{MultiOps as _, RoaringBitmap};

use crate::family::{Cell, CellNo, Family, Link, Relation};
use crate::hiding::Past;
use crate::ledger::{Cohort, Form, Number, SUM, Term, WHOLE, Zeros};
use crate::numbering::Numbering;
use crate::protect;
use crate::shape::Shape;
use crate::table::{Cells, projected, set_of};

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
        put(numbering.whole_or_part(number, 0), &what(past, 0), whole.persons.clone(), form.clone());
        for (at, part) in conditional.iter().enumerate() {
            let condition = past.conditions.get(at).map_or("", String::as_str);
            let (meets, fails) = (past.terms.get(at).cloned().unwrap_or_default(), Term::unmet(condition));
            let own = numbering.whole_or_part(number, at + 1);
            put(own, &what(past, at + 1), part.persons.clone(), form.and(meets));
            let (name, persons) = (format!("out {condition}"), &whole.persons - &part.persons);
            put(numbering.never(number, at + 1), &name, persons, form.and([fails]));
        }
    }
    cohorts
}

/// The cohorts that a table tells of beside those of its cells.
pub(crate) struct Told {
    /// What is left of a shown whole without its shown parts.
    rests: Vec<Cohort>,
    /// What shown cells are together, with these cells.
    sums: Vec<(Vec<CellNo>, Cohort)>,
}

impl Told {
    /// Of cells, of which some are hidden. Their own cohorts learn what is told of them.
    pub(crate) fn of(
        numbering: &Numbering<'_>,
        cohorts: &mut BTreeMap<CellNo, Cohort>,
        hidden: &BTreeSet<CellNo>,
        counts: &Family,
        (past, rules): (&Past<'_>, &CellRules),
    ) -> Self {
        // A whole whose parts are all shown follows from them.
        let is_asked = |relation: &&Relation| {
            let mut parts = relation.parts.iter();
            relation.link == Link::Whole && !parts.any(|at| counts.is_unseen(*at))
        };
        let whole: Vec<&Relation> = counts.relations.iter().filter(is_asked).collect();
        tell(cohorts, hidden, &whole, (counts, rules));
        Self { rests: rests(cohorts, hidden, &whole, rules), sums: sums(numbering, cohorts, hidden, past) }
    }

    /// What the audit of cells and these beside what was released before did not take in.
    ///
    /// # Errors
    ///
    /// The cells that may not be shown: the last of those that are together beside a kept cohort, otherwise the first
    /// that betrays few persons with those before it.
    pub(crate) fn audit(
        &self,
        cohorts: &BTreeMap<CellNo, Cohort>,
        (past, rules): (&Past<'_>, &CellRules),
    ) -> Result<Beyond, BTreeSet<CellNo>> {
        let (few, zeros) = (rules.persons, Zeros::of(rules));
        let beside = self.sums.iter().filter(|(_, sum)| past.ledger.is_beside(sum, few, zeros));
        let mut beside: Vec<&Vec<CellNo>> = beside.map(|(cells, _)| cells).collect();
        // A cell that is hidden for few cells together may be enough for many.
        beside.sort_by_key(|cells| cells.len());
        let mut hidden = BTreeSet::new();
        for cells in beside {
            if cells.iter().all(|at| !hidden.contains(at)) {
                hidden.extend(cells.last());
            }
        }
        if !hidden.is_empty() {
            return Err(hidden);
        }
        let cells: Vec<&Cohort> = cohorts.values().collect();
        // It takes time, and changes what becomes of the table only where it would be withheld.
        let depth = (rules.beyond_audit == BeyondAudit::Withhold).then_some(past.depth);
        let audit = past.ledger.audit(&cells, (past.family, past.snapshot), (few, zeros), depth);
        audit.map_err(|place| cohorts.keys().nth(place).copied().into_iter().collect())
    }

    /// All of them, those of the cells first.
    pub(crate) fn all(self, cohorts: BTreeMap<CellNo, Cohort>) -> Vec<Cohort> {
        let sums = self.sums.into_iter().map(|(_, cohort)| cohort);
        cohorts.into_values().chain(self.rests).chain(sums).collect()
    }
}

/// Notes on the cohorts of cells what a reader knows of them, whatever was noted before.
fn tell(
    cohorts: &mut BTreeMap<CellNo, Cohort>,
    hidden: &BTreeSet<CellNo>,
    whole: &[&Relation],
    (counts, rules): (&Family, &CellRules),
) {
    let derived: BTreeSet<CellNo> = whole
        .iter()
        .filter(|relation| relation.parts.iter().all(|part| !hidden.contains(part)))
        .map(|relation| relation.whole)
        .collect();
    for (at, cohort) in cohorts {
        // A hidden cell tells of itself only that it is there.
        let is_shown = !hidden.contains(at);
        cohort.is_derived = !is_shown || derived.contains(at);
        if let (Some(form), Some(cell)) = (&mut cohort.form, counts.cell(*at)) {
            form.told = number(cell, is_shown, rules);
        }
    }
}

fn rests(
    cohorts: &BTreeMap<CellNo, Cohort>,
    hidden: &BTreeSet<CellNo>,
    whole: &[&Relation],
    rules: &CellRules,
) -> Vec<Cohort> {
    let is_shown = |at: &&CellNo| !hidden.contains(at);
    let mut rests = Vec::new();
    for relation in whole {
        let Some(whole) = Some(&relation.whole).filter(is_shown).and_then(|at| cohorts.get(at)) else {
            continue;
        };
        let shown = relation.parts.iter().filter(is_shown).filter_map(|at| cohorts.get(at));
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
                rests.push(Cohort { id: digest(&id), persons, is_derived: true, form: None });
            }
        }
    }
    rests
}

/// What shown cells of one grouping set are together by the values of two columns, of one, and of none, where nobody is
/// in two of them: whoever adds the cells up knows these numbers.
fn sums(
    numbering: &Numbering<'_>,
    cohorts: &BTreeMap<CellNo, Cohort>,
    hidden: &BTreeSet<CellNo>,
    past: &Past<'_>,
) -> Vec<(Vec<CellNo>, Cohort)> {
    let mut groups: BTreeMap<(u32, usize, Vec<u32>), Vec<CellNo>> = BTreeMap::new();
    for (number, key) in numbering.keys.iter().enumerate() {
        let set = set_of(key);
        for kept in fewer(set) {
            for part in 0..numbering.parts() {
                let cells = groups.entry((set, part, projected(key, kept))).or_default();
                cells.push(numbering.whole_or_part(number, part));
            }
        }
    }
    let sum = |((_, part, key), cells): ((u32, usize, Vec<u32>), Vec<CellNo>)| {
        let shown = cells.iter().filter(|at| !hidden.contains(at));
        let shown: Vec<(&CellNo, &Cohort)> = shown.filter_map(|at| Some((at, cohorts.get(at)?))).collect();
        if shown.len() < 2 || shares(&shown) {
            return None;
        }
        let persons = shown.iter().map(|(_, cohort)| &cohort.persons).union();
        if shown.iter().map(|(_, cohort)| cohort.persons.len()).sum::<u64>() != persons.len() {
            return None;
        }
        let ids = || shown.iter().map(|(_, cohort)| cohort.id.as_str()).collect::<Vec<_>>().join(" ");
        let id = if shown.len() == cells.len() {
            format!("{SUM}{WHOLE}{}", id(past, &key, &what(past, part)))
        } else {
            format!("{SUM}{}", digest(&ids()))
        };
        let shown = shown.into_iter().map(|(at, _)| *at).collect();
        Some((shown, Cohort { id, persons, is_derived: true, form: None }))
    };
    groups.into_iter().filter_map(sum).collect()
}

/// Whether somebody is seen to be in two of these before they are put together: in the first two, or since they are more
/// persons than there are numbers.
fn shares(cells: &[(&CellNo, &Cohort)]) -> bool {
    let is_in_both = match cells {
        [(_, one), (_, two), ..] => !one.persons.is_disjoint(&two.persons),
        _ => false,
    };
    let all: u64 = cells.iter().map(|(_, cohort)| cohort.persons.len()).sum();
    let last = cells.iter().filter_map(|(_, cohort)| cohort.persons.max()).max();
    is_in_both || last.is_some_and(|last| all > u64::from(last) + 1)
}

/// Two columns of a grouping set, one, and none.
fn fewer(set: u32) -> BTreeSet<u32> {
    let bits = || std::iter::once(0).chain((0..32).map(|at| 1 << at).filter(|bit| set & bit != 0));
    bits().flat_map(|one| bits().map(move |other| one | other)).filter(|kept| *kept != set).collect()
}

/// What a part adds to the name of its cell's cohort.
fn what(past: &Past<'_>, part: usize) -> String {
    let condition = part.checked_sub(1).map(|at| past.conditions.get(at).map_or("", String::as_str));
    condition.map_or_else(String::new, |condition| format!("in {condition}"))
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
