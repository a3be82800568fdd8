//! One published quantity over a family: its true values, what a reader knows, and what must stay open.

use std::collections::BTreeSet;
use std::iter::StepBy;
use std::ops;

use catalog_model::{CellRules, Rounding};

use crate::family::{Cell, CellNo, Family, Of, Row, Seen, Total};

/// From where to where a value lies, as far as a reader knows; none is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) low: Option<i128>,
    pub(crate) high: Option<i128>,
}

/// What a reader's interval for a hidden value must leave open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Reaches down and up to these values.
    Cover(i128, i128),
    /// Is so wide at least.
    Width(i128),
}

impl Need {
    /// What is left of the demand where the value can only lie in a range.
    pub(crate) fn within(self, left: Range) -> Self {
        match self {
            Self::Cover(low, high) => Self::Cover(
                left.low.map_or(low, |least| low.max(least)),
                left.high.map_or(high, |most| high.min(most)),
            ),
            Self::Width(width) => match (left.low, left.high) {
                (Some(low), Some(high)) => Self::Width(width.min((high - low).max(0))),
                _ => self,
            },
        }
    }
}

/// Per cent that a guarded sum stays open by where the rules name none.
const GUARDED: u32 = 10;

/// A published quantity, or persons and rows together: then every cell has two places.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) places: Vec<Place>,
    pub(crate) rows: Vec<Row>,
    /// For each place the relations that it stands in, with its sign; one that stands in none nothing can narrow.
    lines: Vec<Vec<(usize, i8)>>,
    /// What the truth leaves of each relation.
    slack: Vec<i128>,
    /// How many cells the places are of.
    cells: usize,
    /// Whether values are whole numbers: persons and rows, not amounts.
    pub(crate) is_count: bool,
}

/// A quantity in one cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) value: i128,
    /// What a reader knows where it is shown.
    pub(crate) shown: Range,
    /// What a reader knows before any arithmetic where it is hidden.
    pub(crate) hidden: Range,
    pub(crate) need: Need,
}

impl Range {
    pub(crate) const fn of(low: i128, high: i128) -> Self {
        Self { low: Some(low), high: Some(high) }
    }

    pub(crate) const fn from(low: i128) -> Self {
        Self { low: Some(low), high: None }
    }

    /// The only value, where there is one.
    pub(crate) fn is_point(self) -> bool {
        self.low.is_some() && self.low == self.high
    }
}

impl Place {
    /// Whether the cell is an exact zero that everybody may know.
    pub(crate) fn is_nothing(&self) -> bool {
        self.value == 0 && self.hidden.low.is_some_and(|low| low > 0)
    }
}

impl Layer {
    pub(crate) fn place(&self, at: CellNo) -> Option<&Place> {
        self.places.get(at)
    }

    /// Whether persons and rows are looked at together.
    pub(crate) const fn is_joint(&self) -> bool {
        self.cells < self.places.len()
    }

    /// The cell that a place is of.
    pub(crate) const fn cell_of(&self, at: usize) -> CellNo {
        if self.is_joint() { at % self.cells } else { at }
    }

    /// The places of a cell: one for each quantity.
    pub(crate) fn places_of(&self, cell: CellNo) -> StepBy<ops::Range<usize>> {
        (cell..self.places.len()).step_by(self.cells.max(1))
    }

    /// Whether some relation speaks of the place.
    pub(crate) fn is_linked(&self, at: CellNo) -> bool {
        !self.lines(at).is_empty()
    }

    /// The relations that a place stands in, by number, each with its sign.
    pub(crate) fn lines(&self, at: CellNo) -> &[(usize, i8)] {
        self.lines.get(at).map_or(&[], Vec::as_slice)
    }

    /// What the truth leaves of a relation, by number: nothing of an exact one.
    pub(crate) fn slack(&self, row: usize) -> i128 {
        self.slack.get(row).copied().unwrap_or(0)
    }

    /// Demands no more of a cell than what the rules alone leave; whether that is less than was demanded.
    pub(crate) fn relax(&mut self, at: CellNo, left: Range) -> bool {
        let Some(place) = self.places.get_mut(at) else { return false };
        let need = place.need.within(left);
        std::mem::replace(&mut place.need, need) != need
    }

    /// Demands no more of a quantity, by its number, than another layer does of it alone.
    pub(crate) fn relax_as(&mut self, quantity: usize, alone: &Self) {
        let own = self.places.iter_mut().skip(quantity * self.cells);
        for (own, alone) in own.zip(&alone.places) {
            own.need = match (own.need, alone.need) {
                (Need::Cover(low, high), Need::Cover(least, most)) => {
                    Need::Cover(low.max(least), high.min(most))
                }
                (Need::Width(width), Need::Width(most)) => Need::Width(width.min(most)),
                (need, _) => need,
            };
        }
    }

    pub(crate) fn value(&self, at: CellNo) -> i128 {
        self.place(at).map_or(0, |place| place.value)
    }

    /// What is audited of counts: persons, rows where they are shown, and both together where that tells more.
    pub(crate) fn counts(family: &Family, rules: &CellRules, rounding: Option<&Rounding>) -> Vec<Self> {
        let persons = (!family.hides_persons).then(|| Self::persons(family, rules, rounding));
        let rows = Self::rows(family, rules, rounding);
        let both = persons.iter().zip(&rows).find_map(|(persons, rows)| {
            let is_more = rounding.is_some() || !rows.moves_as(persons);
            is_more.then(|| Self::both(family, persons, rows))
        });
        persons.into_iter().chain(rows).chain(both).collect()
    }

    /// Persons and rows together: whoever is in a cell has a row there.
    fn both(family: &Family, persons: &Self, rows: &Self) -> Self {
        let cells = persons.places.len();
        let is_known = |cell: &Cell| {
            cell.seen == Seen::Asked && !cell.is_rest && cell.rows.is_some_and(|rows| rows >= cell.persons)
        };
        let known =
            family.cells.iter().enumerate().filter(|(_, cell)| is_known(cell)).map(|(at, _)| (at, at));
        let known = known.chain(family.held.iter().copied());
        let held = known.map(|(of, by)| Row { terms: vec![(by + cells, 1), (of, -1)], is_exact: false });
        let of_rows = rows.rows.iter().map(|row| Row {
            terms: row.terms.iter().map(|(at, sign)| (at + cells, *sign)).collect(),
            is_exact: row.is_exact,
        });
        let all = persons.rows.iter().cloned().chain(of_rows).chain(held).collect();
        Self { cells, ..Self::of([persons.places.as_slice(), &rows.places].concat(), all) }
    }

    /// Whether every relation of these rows is one of persons as well. Then rows can move as persons do, each person with
    /// one row, so nobody learns more of both together than of persons.
    fn moves_as(&self, persons: &Self) -> bool {
        let exact = persons.rows.iter().filter(|row| row.is_exact).map(|row| row.terms.as_slice());
        let exact: BTreeSet<&[(CellNo, i8)]> = exact.collect();
        self.rows.iter().all(|row| row.is_exact && exact.contains(row.terms.as_slice()))
    }

    /// Distinct persons.
    pub(crate) fn persons(family: &Family, rules: &CellRules, rounding: Option<&Rounding>) -> Self {
        let place = |cell: &Cell| {
            let few = i128::from(cell.few(rules.persons));
            let value = i128::from(cell.persons);
            let is_few = value < few;
            Place {
                value,
                shown: known(value, cell.breadth, few, rounding),
                hidden: unknown(cell, rules),
                // What nobody asks for may be nothing, so several of them could be few together.
                need: match (is_few, cell.is_unseen()) {
                    // Of a rest only few persons are kept open; nobody sees it hidden.
                    (is_few, _) if cell.is_rest && !(is_few && (value > 0 || !rules.zero_shown)) => {
                        Need::Width(0)
                    }
                    (true, false) => Need::Cover(1, few - 1),
                    (true, true) => Need::Cover(1, few),
                    (false, _) => Need::Width(few - 2),
                },
            }
        };
        Self::new(family, Of::Persons, family.cells.iter().map(place).collect())
    }

    /// Rows, shown beside persons: a reader knows that a person has at least one.
    pub(crate) fn rows(family: &Family, rules: &CellRules, rounding: Option<&Rounding>) -> Option<Self> {
        let place = |cell: &Cell| {
            let (few, least) = (i128::from(cell.few(rules.persons)), lowest(cell, rules));
            let value = i128::from(cell.rows?);
            let shown = known(value, cell.breadth, few, rounding);
            Some(Place { value, shown, hidden: Range::from(least), need: Need::Width(few - 2) })
        };
        Some(Self::new(family, Of::Rows, family.cells.iter().map(place).collect::<Option<_>>()?))
    }

    /// The totals of a measure: nobody may come nearer than so many per cent.
    pub(crate) fn sums(family: &Family, measure: usize, rules: &CellRules) -> Self {
        let percent = |cell: &Cell| match cell.seen {
            // A pack that names no share means that cells are hidden by persons; of these nobody is asked by persons.
            Seen::Guarded => i128::from(rules.estimate.unwrap_or(GUARDED)),
            _ => i128::from(rules.estimate.unwrap_or(0)),
        };
        let totals: Vec<Total> =
            family.cells.iter().map(|cell| cell.sums.get(measure).copied().unwrap_or_default()).collect();
        let is_signed = totals.iter().any(|total| total.is_signed || total.sum < 0);
        let low = if is_signed { None } else { Some(0) };
        let place = |(total, cell): (&Total, &Cell)| {
            let margin = (total.sum.abs().saturating_mul(percent(cell)) + 99) / 100;
            let margin = margin.max(i128::from(cell.seen == Seen::Guarded));
            Place {
                value: total.sum,
                shown: Range::of(total.sum, total.sum),
                hidden: Range { low, high: None },
                need: Need::Cover(total.sum - margin, total.sum + margin),
            }
        };
        Self::new(family, Of::Sum(measure), totals.iter().zip(&family.cells).map(place).collect())
    }

    fn new(family: &Family, of: Of, mut places: Vec<Place>) -> Self {
        let free = places.iter_mut().zip(&family.cells).filter(|(_, cell)| cell.seen == Seen::Free);
        free.for_each(|(place, _)| place.need = Need::Width(0));
        let value = |at: CellNo| places.get(at).map_or(0, |place: &Place| place.value);
        let relations = family.relations.iter().filter(|relation| relation.is_of(of));
        let rows: Vec<Row> = relations.flat_map(|relation| relation.rows(value)).collect();
        Self { is_count: !matches!(of, Of::Sum(_)), ..Self::of(places, rows) }
    }

    /// The same where a table in fractions shows a number open as well.
    pub(crate) fn in_fractions(&self) -> Self {
        Self { is_count: false, ..self.clone() }
    }

    /// Counts with rows of their own.
    pub(crate) fn of(places: Vec<Place>, rows: Vec<Row>) -> Self {
        let mut lines = vec![Vec::new(); places.len()];
        for (number, row) in rows.iter().enumerate() {
            for (at, sign) in &row.terms {
                lines.get_mut(*at).into_iter().for_each(|line: &mut Vec<_>| line.push((number, *sign)));
            }
        }
        let value = |at: CellNo| places.get(at).map_or(0, |place: &Place| place.value);
        let slack = |row: &Row| row.terms.iter().map(|(at, sign)| i128::from(*sign) * value(*at)).sum();
        let slack = rows.iter().map(slack).collect();
        Self { cells: places.len(), places, rows, lines, slack, is_count: true }
    }
}

/// What a reader knows of the persons of a hidden cell before any arithmetic.
///
/// A reader may learn that a cell is hidden for its few persons, so that much is taken as known of innermost cells. Of a
/// total it is not: its parts could not reach the threshold's edge any more, whatever is hidden.
pub(crate) fn unknown(cell: &Cell, rules: &CellRules) -> Range {
    let (few, least) = (i128::from(cell.few(rules.persons)), lowest(cell, rules));
    let is_few = i128::from(cell.persons) < few;
    if is_few && cell.breadth == 0 && !cell.is_unseen() && !cell.is_rest {
        Range::of(least, few - 1)
    } else {
        Range::from(least)
    }
}

/// The lowest value that a reader holds possible of a hidden cell: where zeros are shown it is no zero, unless nothing
/// of the place is shown, or nobody asks for it, or it is a rest.
fn lowest(cell: &Cell, rules: &CellRules) -> i128 {
    i128::from(rules.zero_shown && !cell.is_closed() && !cell.is_unseen() && !cell.is_rest)
}

/// What a shown value tells: itself, or what could have been rounded to it and is not hidden.
pub(crate) fn known(value: i128, breadth: u32, few: i128, rounding: Option<&Rounding>) -> Range {
    let Some(rounding) = rounding.filter(|rounding| rounding.rounds(breadth)) else {
        return Range::of(value, value);
    };
    let (low, high) = rounding.known(value);
    if value == 0 {
        return Range::of(0, 0);
    }
    Range::of(low.max(if value < few { 1 } else { few }), high)
}
