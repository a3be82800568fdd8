//! Which values of a table are hidden: the evidence as a family, the rules over it, and what was released before.
//!
//! Persons and rows of the whole cells, of their conditional parts and of what is left of a cell without a part form
//! one family, because a reader can subtract a part from its cell. Sums form one family for each part. Hiding more in
//! one never opens another, so the families are protected in turn until nothing is added.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::CellRules;
use roaring::RoaringBitmap;

use crate::family::{Cell, CellNo, Family, Link, Relation, Total};
use crate::ledger::{Cohort, Form, Ledger, Number, Term};
use crate::primary::{self, Reason};
use crate::protect::{self, Exposed};
use crate::shape::{AggregateKind, Shape};
use crate::table::{Cells, Part, breadth, projected, set_of};

/// What was released before, and what this question says of its cells.
#[derive(Clone, Copy, Debug)]
pub struct Past<'p> {
    /// What was released.
    pub ledger: &'p Ledger,
    /// What questions about the same rows have in common, whatever values they name.
    pub family: &'p str,
    /// What the question says of all its rows, as a digest.
    pub base: &'p str,
    /// What each group key is.
    pub keys: &'p [String],
    /// What each conditional part is.
    pub conditions: &'p [String],
    /// What its form tells of all its rows.
    pub form: &'p Form,
    /// What each group key is of, whatever values it has.
    pub columns: &'p [String],
    /// The terms that each conditional part adds.
    pub terms: &'p [Vec<Term>],
}

/// What is hidden, by part of the cells.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    parts: Vec<BTreeSet<Vec<u32>>>,
    /// Which rule hides a value by itself, by key and part.
    pub(crate) why: BTreeMap<(Vec<u32>, usize), Reason>,
    /// The cohorts that the table tells of.
    pub(crate) cohorts: Vec<Cohort>,
}

/// Why a table cannot be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unprotected {
    #[error(transparent)]
    Exposed(#[from] Exposed),
    #[error("with what was released before the table gives a small group")]
    SmallGroup,
    #[error("the table has {0} cells and totals over them")]
    TooLarge(usize),
}

/// Cells with totals over them up to which a table is audited; a larger one is not released.
const AUDITED: usize = 20_000;

impl Hidden {
    /// What must be hidden of a table.
    pub(crate) fn of(
        cells: &Cells,
        shape: &Shape,
        rules: &CellRules,
        past: Option<&Past<'_>>,
    ) -> Result<Self, Unprotected> {
        let numbering = Numbering::of(cells, shape);
        let counts = numbering.counts(cells, shape);
        if counts.cells.len() > AUDITED && !counts.relations.is_empty() {
            return Err(Unprotected::TooLarge(counts.cells.len()));
        }
        let mut reasons = primary::sensitive(&counts, rules);
        for part in 0..shape.parts.len() {
            for (key, reason) in primary::sensitive(&numbering.sums(cells, shape, part), rules) {
                let at = numbering.whole_or_part(key, part);
                reasons.entry(at).or_insert(reason);
            }
        }
        let cohorts = past.map_or_else(BTreeMap::new, |past| numbering.cohorts(cells, shape, past));
        if let Some(past) = past {
            for (at, cohort) in &cohorts {
                let is_open = !cohort.persons.is_empty() && !reasons.contains_key(at);
                if is_open && past.ledger.is_near(cohort, rules.persons) {
                    reasons.insert(*at, Reason::Ledger);
                }
            }
        }
        let mut hidden: BTreeSet<CellNo> = reasons.keys().copied().collect();
        loop {
            let before = hidden.len();
            hidden.extend(protect::protect(&counts, &hidden, rules)?.hidden);
            numbering.hide_parts(&mut hidden);
            for part in 0..shape.parts.len() {
                let family = numbering.sums(cells, shape, part);
                if family.measures() == 0 {
                    continue;
                }
                let own = (0..numbering.keys.len())
                    .filter(|key| hidden.contains(&numbering.whole_or_part(*key, part)));
                let more = protect::protect(&family, &own.collect(), rules)?;
                hidden.extend(more.hidden.into_iter().map(|key| numbering.whole_or_part(key, part)));
            }
            if hidden.len() == before {
                break;
            }
        }
        let shown: Vec<Cohort> = numbering.told(&cohorts, &hidden, &counts, rules);
        let is_small_group = |past: &Past<'_>| {
            past.ledger.gives_small_group(&shown.iter().collect::<Vec<_>>(), past.family, rules.persons)
        };
        if past.is_some_and(is_small_group) {
            return Err(Unprotected::SmallGroup);
        }
        Ok(numbering.settled(&hidden, &reasons, shown))
    }

    pub(crate) fn is_hidden(&self, part: usize, key: &[u32]) -> bool {
        self.parts.get(part).is_none_or(|part| part.contains(key))
    }

    /// Hidden whole cells.
    pub(crate) fn whole(&self) -> u64 {
        self.parts.first().map_or(0, |part| part.len() as u64)
    }

    /// Hidden values of all parts.
    pub(crate) fn all(&self) -> u64 {
        self.parts.iter().map(|part| part.len() as u64).sum()
    }

    /// Values that a rule hides by itself.
    pub(crate) fn primary(&self) -> u64 {
        self.why.len() as u64
    }

    /// How many values each rule hides by itself.
    pub(crate) fn reasons(&self) -> BTreeMap<&'static str, u64> {
        let mut reasons = BTreeMap::new();
        for reason in self.why.values() {
            *reasons.entry(reason.as_str()).or_insert(0) += 1;
        }
        reasons
    }

    /// Forgets the values of cells that are not in the table.
    pub(crate) fn retain(&mut self, is_asked: impl Fn(&[u32]) -> bool) {
        self.parts.iter_mut().for_each(|part| part.retain(|key| is_asked(key)));
        self.why.retain(|(key, _), _| is_asked(key));
    }
}

/// The numbers of cells in the family of counts: for each key the whole, then each part and what is left without it.
struct Numbering<'c> {
    keys: Vec<&'c Vec<u32>>,
    width: usize,
    relations: Vec<(usize, Vec<usize>)>,
}

impl<'c> Numbering<'c> {
    fn of(cells: &'c Cells, shape: &Shape) -> Self {
        let keys: Vec<&Vec<u32>> = cells.keys().collect();
        let number: BTreeMap<&Vec<u32>, usize> =
            keys.iter().enumerate().map(|(at, key)| (*key, at)).collect();
        let mut relations: BTreeMap<(usize, u32), Vec<usize>> = BTreeMap::new();
        for (at, key) in keys.iter().enumerate() {
            let own = set_of(key);
            for margin in wider(&shape.sets, own) {
                if let Some(whole) = number.get(&projected(key, margin)) {
                    relations.entry((*whole, own)).or_default().push(at);
                }
            }
        }
        let relations = relations.into_iter().map(|((whole, _), parts)| (whole, parts)).collect();
        Self { keys, width: 2 * shape.parts.len().max(1) - 1, relations }
    }

    /// The number of a key's whole, or of a part of it.
    fn whole_or_part(&self, key: usize, part: usize) -> CellNo {
        key * self.width + (2 * part).saturating_sub(1)
    }

    /// The number of what is left of a key's whole without a part.
    fn rest(&self, key: usize, part: usize) -> CellNo {
        key * self.width + 2 * part
    }

    fn counts(&self, cells: &Cells, shape: &Shape) -> Family {
        let mut family = Family::default();
        let shows_rows = |part: usize| {
            let mut of_part = shape.aggregates.iter().filter(|aggregate| aggregate.part == part);
            of_part.any(|aggregate| matches!(aggregate.kind, AggregateKind::Rows))
        };
        let has_rows = (0..shape.parts.len()).any(shows_rows);
        for key in &self.keys {
            let parts = cells.get(*key).map_or(&[][..], Vec::as_slice);
            let (breadth, least) = (breadth(key), least(key, shape));
            let count = |part: &Part| Cell {
                least,
                persons: part.persons.len(),
                facilities: part.facilities.map(u64::from),
                rows: has_rows.then_some(part.rows),
                breadth: 2 * breadth,
                ..Cell::default()
            };
            let Some((whole, conditional)) = parts.split_first() else { continue };
            let whole_cell =
                Cell { breadth: 2 * breadth + u32::from(!conditional.is_empty()), ..count(whole) };
            family.cells.push(whole_cell);
            for part in conditional {
                family.cells.push(count(part));
                let rest = Cell {
                    persons: whole.persons.len() - part.persons.len(),
                    facilities: None,
                    least,
                    rows: has_rows.then_some(whole.rows - part.rows),
                    breadth: 2 * breadth,
                    ..Cell::default()
                };
                family.cells.push(rest);
            }
        }
        self.relate(&mut family, shape);
        family
    }

    fn relate(&self, family: &mut Family, shape: &Shape) {
        for key in 0..self.keys.len() {
            for part in 1..shape.parts.len() {
                let whole = self.whole_or_part(key, 0);
                let parts = vec![self.whole_or_part(key, part), self.rest(key, part)];
                family.relations.push(Relation { whole, parts, link: Link::Whole });
            }
        }
        for (whole, parts) in &self.relations {
            for place in 0..self.width {
                let at = |key: usize| key * self.width + place;
                let parts = parts.iter().map(|key| at(*key)).collect();
                family.relations.push(Relation { whole: at(*whole), parts, link: Link::Whole });
            }
        }
    }

    /// The sums of one part; cells are numbered by key.
    fn sums(&self, cells: &Cells, shape: &Shape, part: usize) -> Family {
        let spread = shape.aggregates.iter().find_map(|aggregate| match aggregate.kind {
            AggregateKind::Variance { at, .. } if aggregate.part == part => Some(at),
            _ => None,
        });
        let cell = |key: &&Vec<u32>| {
            let found = cells.get(*key).and_then(|parts| parts.get(part))?;
            let total = |sum: &engine_protocol::SumEvidence| Total {
                sum: sum.sum,
                persons: Some((sum.top1, sum.top2)),
                facilities: sum.facility_tops,
                is_signed: sum.negatives > 0,
            };
            let breadth = breadth(key);
            Some(Cell {
                persons: found.persons.len(),
                least: least(key, shape),
                sums: found.sums.iter().map(total).collect(),
                spread_over: spread.and_then(|at| found.sums.get(at)).map(|sum| sum.values),
                breadth,
                ..Cell::default()
            })
        };
        let relation = |(whole, parts): &(usize, Vec<usize>)| Relation {
            whole: *whole,
            parts: parts.clone(),
            link: Link::Whole,
        };
        Family {
            cells: self.keys.iter().map(|key| cell(key).unwrap_or_default()).collect(),
            relations: self.relations.iter().map(relation).collect(),
            hides_persons: true,
        }
    }

    /// Where a whole cell is hidden so is every part of it.
    fn hide_parts(&self, hidden: &mut BTreeSet<CellNo>) {
        for key in 0..self.keys.len() {
            if hidden.contains(&(key * self.width)) {
                hidden.extend(key * self.width..(key + 1) * self.width);
            }
        }
    }

    /// The cohort of every cell.
    fn cohorts(&self, cells: &Cells, shape: &Shape, past: &Past<'_>) -> BTreeMap<CellNo, Cohort> {
        let mut cohorts = BTreeMap::new();
        for (number, key) in self.keys.iter().enumerate() {
            let Some((whole, conditional)) = cells.get(*key).and_then(|parts| parts.split_first()) else {
                continue;
            };
            let form = past.form.and(terms(past, key, shape));
            let mut put = |at: CellNo, what: &str, persons: RoaringBitmap, form: Form| {
                let cohort = Cohort { id: id(past, key, what), persons, is_derived: false, form: Some(form) };
                cohorts.insert(at, cohort);
            };
            put(self.whole_or_part(number, 0), "", whole.persons.clone(), form.clone());
            for (at, part) in conditional.iter().enumerate() {
                let condition = past.conditions.get(at).map_or("", String::as_str);
                let (meets, fails) =
                    (past.terms.get(at).cloned().unwrap_or_default(), Term::unmet(condition));
                let (name, persons) = (format!("in {condition}"), part.persons.clone());
                put(self.whole_or_part(number, at + 1), &name, persons, form.and(meets));
                let (name, persons) = (format!("out {condition}"), &whole.persons - &part.persons);
                put(self.rest(number, at + 1), &name, persons, form.and([fails]));
            }
        }
        debug_assert!(self.width == 2 * shape.parts.len().max(1) - 1);
        cohorts
    }

    /// The cohorts that the table tells of: its cells, and what is left of a shown whole without its shown parts.
    fn told(
        &self,
        cohorts: &BTreeMap<CellNo, Cohort>,
        hidden: &BTreeSet<CellNo>,
        counts: &Family,
        rules: &CellRules,
    ) -> Vec<Cohort> {
        let is_shown = |at: &CellNo| !hidden.contains(at);
        // A whole whose parts are all shown follows from them.
        let whole = counts.relations.iter().filter(|relation| relation.link == Link::Whole);
        let derived: BTreeSet<CellNo> = whole
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
        for relation in &counts.relations {
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

    fn settled(
        &self,
        hidden: &BTreeSet<CellNo>,
        reasons: &BTreeMap<CellNo, Reason>,
        cohorts: Vec<Cohort>,
    ) -> Hidden {
        let parts = self.width.div_ceil(2);
        let of_part = |part: usize| {
            let keys = self.keys.iter().enumerate();
            keys.filter(|(key, _)| hidden.contains(&self.whole_or_part(*key, part)))
                .map(|(_, key)| (*key).clone())
                .collect()
        };
        let mut why = BTreeMap::new();
        for (at, reason) in reasons {
            let place = at % self.width.max(1);
            // What is left without a part is not a value of the table.
            if (place == 0 || place % 2 == 1)
                && let Some(key) = self.keys.get(at / self.width.max(1))
            {
                why.insert(((*key).clone(), place.div_ceil(2)), *reason);
            }
        }
        Hidden { parts: (0..parts).map(of_part).collect(), why, cohorts }
    }
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

/// Persons that a cell needs for the places it is of.
fn least(key: &[u32], shape: &Shape) -> u32 {
    let of_key = |(at, value): (usize, &u32)| shape.least.get(&(at, *value)).copied();
    key.iter().enumerate().filter_map(of_key).max().unwrap_or(0)
}

/// The next wider grouping sets: those within a set with none between.
fn wider(sets: &[u32], own: u32) -> Vec<u32> {
    let within = |inner: u32, outer: u32| inner != outer && inner & outer == inner;
    let below: Vec<u32> = sets.iter().copied().filter(|set| within(*set, own)).collect();
    let is_next = |set: &u32| !below.iter().any(|other| within(*set, *other));
    let mut next: Vec<u32> = below.iter().copied().filter(is_next).collect();
    next.sort_unstable();
    next.dedup();
    next
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
