//! From a file to a family: cells of all tables under one number each, and how they add up.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::amount;
use crate::check::form::{CellForm, DimensionForm, LevelForm, TableForm};
use crate::family::{Cell, CellNo, Family, Link, Of, Relation, Total};

/// Where a cell stands: dimension and level; a dimension that is missing stands for its total.
pub(crate) type At = BTreeMap<String, String>;

/// Cells that one file may have.
const MOST: usize = 100_000;

/// A file as a family.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) family: Family,
    pub(crate) at: Vec<At>,
    /// Cells that the file says are hidden.
    pub(crate) hidden: BTreeSet<CellNo>,
    /// Decimal places of the sums.
    pub(crate) places: u32,
    /// Whether cells have counts of persons at all.
    pub(crate) is_counted: bool,
    numbers: BTreeMap<At, CellNo>,
}

/// Why a file is no table. Places are named, values never.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The text is not of the form.
    #[error("not a table: {0}")]
    Json(String),
    /// A rule pack is named that nobody has.
    #[error("rules: no pack is named `{0}`")]
    Rules(String),
    /// The pack says nothing of such amounts.
    #[error("amount: the pack has no least amount of `{0}`")]
    Amount(String),
    /// A cell names a dimension or level that is not declared.
    #[error("cell {cell} of table {table}: `{name}` is not declared")]
    Undeclared {
        /// Which table, counted from 1.
        table: usize,
        /// Which cell, counted from 1.
        cell: usize,
        /// The dimension or level.
        name: String,
    },
    /// A cell lacks a number, or has one that cannot be used.
    #[error("cell {cell} of table {table}: {field} is missing or cannot be used")]
    Number {
        /// Which table, counted from 1.
        table: usize,
        /// Which cell, counted from 1.
        cell: usize,
        /// The field.
        field: &'static str,
    },
    /// A cell is given twice with other numbers.
    #[error("cell {cell} of table {table}: given before with other numbers")]
    Twice {
        /// Which table, counted from 1.
        table: usize,
        /// Which cell, counted from 1.
        cell: usize,
    },
    /// A total is larger than its parts although all are there.
    #[error("the parts of [{0}] along `{1}` add up to less than it")]
    TooLittle(String, String),
    /// A sum is smaller than its parts.
    #[error("the sums below [{0}] along `{1}` do not add up to it")]
    Sums(String, String),
    /// A dimension or level is declared twice.
    #[error("table {0}: `{1}` is declared twice")]
    Declared(usize, String),
    /// The file has too many cells.
    #[error("more than {0} cells")]
    TooLarge(usize),
}

impl Tables {
    /// Reads a table and those linked with it.
    pub(crate) fn read(form: &TableForm) -> Result<Self, Malformed> {
        let forms: Vec<&TableForm> = std::iter::once(form).chain(&form.linked).collect();
        let cells = || forms.iter().flat_map(|form| &form.cells);
        if cells().count() > MOST {
            return Err(Malformed::TooLarge(MOST));
        }
        let has_sums = cells().any(|cell| cell.sum.is_some());
        let numbers = cells().flat_map(|cell| [&cell.sum, &cell.top1, &cell.top2]).flatten();
        let places = numbers.filter_map(amount::places).max().unwrap_or(0);
        let is_counted = cells().any(|cell| cell.count.or(cell.persons).is_some());
        let mut tables = Self { places, is_counted, ..Self::default() };
        for (table, form) in forms.iter().enumerate() {
            tables.take(table + 1, form, has_sums)?;
        }
        tables.settle_counts();
        for form in &forms {
            tables.relate(form)?;
        }
        Ok(tables)
    }

    /// The number of the cell at a place.
    pub(crate) fn number(&self, at: &At) -> Option<CellNo> {
        self.numbers.get(at).copied()
    }

    fn take(&mut self, table: usize, form: &TableForm, has_sums: bool) -> Result<(), Malformed> {
        let levels = declared(table, &form.dimensions)?;
        for (number, cell) in form.cells.iter().enumerate() {
            let number = number + 1;
            let mut breadth: u32 = levels.values().map(|known| known.height).sum();
            for (dimension, level) in &cell.at {
                let undeclared =
                    |name: &String| Malformed::Undeclared { table, cell: number, name: name.clone() };
                let known = levels.get(dimension).ok_or_else(|| undeclared(dimension))?;
                let height = known.levels.get(level).ok_or_else(|| undeclared(level))?;
                breadth = breadth - known.height + height;
            }
            let read = self.cell(table, number, cell, has_sums, breadth)?;
            self.put(table, number, cell, read)?;
        }
        Ok(())
    }

    /// What is shown is the count; where it is the number of persons everywhere, that one.
    fn settle_counts(&mut self) {
        let cells = &mut self.family.cells;
        if cells.iter().all(|cell| cell.rows.is_none_or(|rows| rows == cell.persons)) {
            cells.iter_mut().for_each(|cell| cell.rows = None);
        }
        let is_shown = cells.iter().all(|cell| cell.rows.is_none());
        self.family.hides_persons = !self.is_counted || !is_shown;
    }

    fn cell(
        &self,
        table: usize,
        number: usize,
        form: &CellForm,
        has_sums: bool,
        breadth: u32,
    ) -> Result<Cell, Malformed> {
        let bad = |field| Malformed::Number { table, cell: number, field };
        let whole = |value: &serde_json::Number, field| {
            amount::places(value).and_then(|_| amount::scaled(value, self.places)).ok_or_else(|| bad(field))
        };
        let persons = form.persons.or(form.count);
        if persons.is_none() && (self.is_counted || !has_sums) {
            return Err(bad("count"));
        }
        let mut sums = Vec::new();
        if has_sums {
            let sum = whole(form.sum.as_ref().ok_or_else(|| bad("sum"))?, "sum")?;
            let first = form.top1.as_ref().map(|top| whole(top, "top1")).transpose()?;
            let second = form.top2.as_ref().map(|top| whole(top, "top2")).transpose()?;
            let tops = first.map(|first| (first, second.unwrap_or(0)));
            sums.push(Total { sum, persons: tops, facilities: None, is_signed: sum < 0 });
        }
        Ok(Cell {
            // Without counts the sums alone decide.
            persons: persons.unwrap_or(u64::from(u32::MAX)),
            facilities: form.facilities,
            units: form.units(),
            rows: form.count,
            sums,
            breadth,
            ..Cell::default()
        })
    }

    fn put(&mut self, table: usize, number: usize, form: &CellForm, cell: Cell) -> Result<(), Malformed> {
        if let Some(at) = self.numbers.get(&form.at).copied() {
            if form.suppressed {
                self.hidden.insert(at);
            }
            let is_same = self.family.cells.get_mut(at).is_some_and(|known| {
                known.breadth = known.breadth.max(cell.breadth);
                (known.persons, known.rows, &known.sums) == (cell.persons, cell.rows, &cell.sums)
            });
            return if is_same { Ok(()) } else { Err(Malformed::Twice { table, cell: number }) };
        }
        let at = self.family.cells.len();
        self.numbers.insert(form.at.clone(), at);
        self.at.push(form.at.clone());
        self.family.cells.push(cell);
        if form.suppressed {
            self.hidden.insert(at);
        }
        Ok(())
    }

    /// Finds the totals of a table and their parts.
    fn relate(&mut self, form: &TableForm) -> Result<(), Malformed> {
        let own: BTreeSet<&At> = form.cells.iter().map(|cell| &cell.at).collect();
        for at in &own {
            for dimension in &form.dimensions {
                let below: &[LevelForm] = match at.get(&dimension.name) {
                    None => &dimension.levels,
                    Some(level) => find(&dimension.levels, level).map_or(&[], LevelForm::parts),
                };
                let part = |level: &LevelForm| {
                    let mut part = (*at).clone();
                    part.insert(dimension.name.clone(), level.name().to_owned());
                    self.numbers.get(&part).filter(|_| own.contains(&part)).copied()
                };
                let parts: Vec<CellNo> = below.iter().filter_map(part).collect();
                let Some(whole) = self.numbers.get(*at).copied().filter(|_| !parts.is_empty()) else {
                    continue;
                };
                let is_all = parts.len() == below.len();
                let relation = self.relation(whole, parts, is_all).map_err(|sums| {
                    let (place, along) = (place(at), dimension.name.clone());
                    if sums { Malformed::Sums(place, along) } else { Malformed::TooLittle(place, along) }
                })?;
                if !self.family.relations.contains(&relation) {
                    self.family.relations.push(relation);
                }
            }
        }
        Ok(())
    }

    /// The relation, if the numbers agree with it; otherwise whether it is the sums that do not.
    fn relation(&self, whole: CellNo, parts: Vec<CellNo>, is_all: bool) -> Result<Relation, bool> {
        let of = |value: &dyn Fn(&Cell) -> i128| {
            let value = |at: &CellNo| self.family.cell(*at).map_or(0, value);
            (value(&whole), parts.iter().map(value).sum::<i128>())
        };
        let counts =
            [of(&|cell: &Cell| i128::from(cell.persons)), of(&|cell: &Cell| cell.rows.map_or(0, i128::from))];
        let sums = of(&|cell: &Cell| cell.sums.first().map_or(0, |total| total.sum));
        let has_sums = self.family.measures() > 0;
        if has_sums && (sums.0 < sums.1 || (is_all && sums.0 != sums.1)) {
            return Err(true);
        }
        if is_all && self.is_counted && counts.iter().any(|(whole, parts)| whole > parts) {
            return Err(false);
        }
        // Where what is listed is all there is, what is not listed is nothing.
        let adds_up = if self.is_counted { counts.iter().all(|(whole, parts)| whole <= parts) } else { true }
            && (!has_sums || sums.0 == sums.1);
        let link = if is_all || adds_up { Link::Whole } else { Link::Some };
        Ok(Relation { whole, parts, link, of: Of::All })
    }
}

struct Declared {
    height: u32,
    levels: BTreeMap<String, u32>,
}

fn declared(table: usize, dimensions: &[DimensionForm]) -> Result<BTreeMap<String, Declared>, Malformed> {
    let mut all = BTreeMap::new();
    for dimension in dimensions {
        let mut levels = BTreeMap::new();
        for level in &dimension.levels {
            declare(table, level, &mut levels)?;
        }
        let height = dimension.levels.iter().map(|level| level.height() + 1).max().unwrap_or(0);
        if all.insert(dimension.name.clone(), Declared { height, levels }).is_some() {
            return Err(Malformed::Declared(table, dimension.name.clone()));
        }
    }
    Ok(all)
}

fn declare(table: usize, level: &LevelForm, levels: &mut BTreeMap<String, u32>) -> Result<(), Malformed> {
    if levels.insert(level.name().to_owned(), level.height()).is_some() {
        return Err(Malformed::Declared(table, level.name().to_owned()));
    }
    level.parts().iter().try_for_each(|part| declare(table, part, levels))
}

fn find<'l>(levels: &'l [LevelForm], name: &str) -> Option<&'l LevelForm> {
    levels.iter().find_map(|level| if level.name() == name { Some(level) } else { find(level.parts(), name) })
}

/// A cell's place as text.
pub(crate) fn place(at: &At) -> String {
    if at.is_empty() {
        return "total".to_owned();
    }
    at.iter().map(|(dimension, level)| format!("{dimension}={level}")).collect::<Vec<_>>().join(", ")
}
