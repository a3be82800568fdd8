//! What to make: granted tables and columns, the months, how many persons, and which values are arranged.

use std::collections::BTreeMap;

use engine_protocol::{CatalogueView, ReleasedTable};

use crate::branches::Wish;

/// The most persons.
const MOST: u32 = 100_000;

/// Why there is nothing to make.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The answer about granted columns does not have the columns that it should.
    #[error("the list of granted columns has no column {0}")]
    Column(&'static str),
    /// There is no snapshot, so that there are no months.
    #[error("there is no snapshot yet, so that nobody knows its months")]
    Period,
    /// Nothing is granted.
    #[error("the permit covers no column")]
    Nothing,
    /// So many persons are not made.
    #[error("between 1 and {MOST} persons can be made")]
    Persons,
}

/// What to make.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) tables: BTreeMap<String, Vec<Column>>,
    /// The first month and how many there are, a month as years times twelve.
    pub(crate) months: (i32, i32),
    pub(crate) persons: u32,
    pub(crate) seed: u64,
    pub(crate) wishes: Vec<Wish>,
}

/// A granted column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) class: String,
    pub(crate) kind: Kind,
    /// Its codes, where the catalogue names them.
    pub(crate) codes: Vec<String>,
    /// The range of a measure.
    pub(crate) bounds: Option<(i64, i64)>,
}

/// A column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    Text,
    Date,
    Month,
    Int,
    Decimal,
    Bool,
    Days,
}

impl Plan {
    /// Everything that this permit grants: `columns` is the answer to `SELECT * FROM misu.columns`.
    ///
    /// # Errors
    ///
    /// There is nothing to make, or no months to make it in.
    pub fn new(
        columns: &ReleasedTable,
        catalogue: &CatalogueView,
        persons: u32,
        seed: u64,
    ) -> Result<Self, PlanError> {
        if !(1..=MOST).contains(&persons) {
            return Err(PlanError::Persons);
        }
        let place = |name: &'static str| {
            let at = columns.columns.iter().position(|column| column.name == name);
            at.ok_or(PlanError::Column(name))
        };
        let places = [place("table")?, place("name")?, place("class")?, place("type")?, place("bounds")?];
        let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
        for row in &columns.rows {
            let texts = places.map(|at| row.get(at).map(|value| value.text()).unwrap_or_default());
            let [table, name, class, kind, bounds] = texts;
            let column = Column {
                codes: codes(catalogue, &table, &name),
                kind: Kind::of(&kind),
                bounds: bounds
                    .split_once("..")
                    .and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?))),
                name,
                class,
            };
            tables.entry(table).or_default().push(column);
        }
        if tables.is_empty() {
            return Err(PlanError::Nothing);
        }
        let months = catalogue.period.as_ref().and_then(|(from, to)| Some((month(from)?, month(to)?)));
        let (from, to) = months.filter(|(from, to)| from <= to).ok_or(PlanError::Period)?;
        Ok(Self { tables, months: (from, to - from + 1), persons, seed, wishes: Vec::new() })
    }

    /// The names of the tables.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }
}

fn codes(catalogue: &CatalogueView, table: &str, name: &str) -> Vec<String> {
    let table = catalogue.tables.iter().find(|known| known.name == table);
    let column = table.and_then(|table| table.columns.iter().find(|column| column.name == name));
    column.map(|column| column.codes.iter().map(|(code, ..)| code.clone()).collect()).unwrap_or_default()
}

/// A month as a number: years times twelve.
pub(crate) fn month(text: &str) -> Option<i32> {
    let (year, month) = text.split_once('-')?;
    let (year, month): (i32, i32) = (year.parse().ok()?, month.parse().ok()?);
    ((1..=12).contains(&month) && (1800..2300).contains(&year)).then_some(year * 12 + month - 1)
}

/// The first day of a month, as days since 1970-01-01.
pub(crate) const fn first_day(month: i32) -> i32 {
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
    // Years that begin in March, so that the leap day is the last one.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

impl Kind {
    fn of(word: &str) -> Self {
        match word {
            "id" => Self::Id,
            "date" => Self::Date,
            "month" => Self::Month,
            "int" => Self::Int,
            "decimal" => Self::Decimal,
            "bool" => Self::Bool,
            "days" => Self::Days,
            _ => Self::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{first_day, month};

    #[test]
    fn months_begin_where_the_calendar_has_them() {
        for (text, days) in
            [("1970-01", 0), ("1970-02", 31), ("2000-03", 11_017), ("2024-03", 19_783), ("1936-05", -12_298)]
        {
            assert_eq!(first_day(month(text).unwrap()), days, "{text}");
        }
        assert_eq!(month("2024-13"), None);
    }
}
