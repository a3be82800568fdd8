//! Which columns of a table a picture shows, and as what.

use engine_protocol::{CellValue, ReleasedTable, TableColumnKind};

/// Values of a column that are told apart by colour at most.
const SERIES: usize = 8;
/// Rows of a heat map at most.
const HEAT_ROWS: usize = 60;
/// Values side by side at most.
pub(super) const CATEGORIES: usize = 80;

/// A kind of picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChartKind {
    /// Bars side by side.
    Bar,
    /// Lines over an order, such as months.
    Line,
    /// A grid of two keys, the value as a shade.
    HeatMap,
    /// Steps of a share that remains, from 0 to 1.
    Survival,
}

/// What a picture shows of a table; columns by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The kind.
    pub kind: ChartKind,
    /// The key along the picture.
    pub category: usize,
    /// The key that is told apart by colour, or by row of a heat map.
    pub series: Option<usize>,
    /// The value.
    pub value: usize,
}

impl ChartKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Bar, Self::Line, Self::HeatMap, Self::Survival];

    /// Its word in an address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bar => "bar",
            Self::Line => "line",
            Self::HeatMap => "heat-map",
            Self::Survival => "survival",
        }
    }

    /// The kind with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Plan {
    /// The picture that says most about a table; none where it has no key, no value or too many of either.
    pub fn guess(table: &ReleasedTable) -> Option<Self> {
        let mut keys: Vec<(usize, usize)> =
            keys(table).map(|column| (column, distinct(table, column))).collect();
        let value = values(table).next()?;
        // An order (months, ages) lies along the picture; else the key with more values does.
        keys.sort_by_key(|(column, values)| (!is_order(table, *column), std::cmp::Reverse(*values)));
        let mut keys = keys.into_iter().filter(|(_, values)| *values > 0);
        let (category, along) = keys.next()?;
        let second = keys.find(|(_, values)| *values > 1);
        let is_time = is_time(table, category);
        let (kind, series) = match second {
            Some((column, values)) if values <= SERIES && along <= CATEGORIES => {
                let is_dense = along * values > 48 && !is_time;
                (
                    if is_time {
                        ChartKind::Line
                    } else if is_dense {
                        ChartKind::HeatMap
                    } else {
                        ChartKind::Bar
                    },
                    Some(column),
                )
            }
            Some((column, values)) if values <= HEAT_ROWS && along <= CATEGORIES => {
                (ChartKind::HeatMap, Some(column))
            }
            _ if along <= CATEGORIES => (if is_time { ChartKind::Line } else { ChartKind::Bar }, None),
            _ => return None,
        };
        let kind =
            if is_share(table, value) && is_order(table, category) { ChartKind::Survival } else { kind };
        Some(Self { kind, category, series, value })
    }

    /// The same columns as another kind; none where that kind cannot show them.
    pub fn shown_as(self, kind: ChartKind, table: &ReleasedTable) -> Option<Self> {
        let series = self.series.map_or(0, |column| distinct(table, column));
        let fits = match kind {
            ChartKind::Bar => series <= SERIES && distinct(table, self.category) <= CATEGORIES,
            ChartKind::Line => series <= SERIES && distinct(table, self.category) > 1,
            ChartKind::HeatMap => self.series.is_some() && series <= HEAT_ROWS,
            ChartKind::Survival => series <= SERIES && is_share(table, self.value),
        };
        fits.then_some(Self { kind, ..self })
    }

    /// With another value column.
    pub fn with_value(self, table: &ReleasedTable, value: usize) -> Option<Self> {
        values(table).any(|column| column == value).then_some(Self { value, ..self })
    }

    /// The columns that a picture can lie along.
    pub fn keys(table: &ReleasedTable) -> impl Iterator<Item = usize> + '_ {
        keys(table)
    }

    /// The columns that a picture can show the values of.
    pub fn values(table: &ReleasedTable) -> impl Iterator<Item = usize> + '_ {
        values(table)
    }
}

pub(super) fn keys(table: &ReleasedTable) -> impl Iterator<Item = usize> + '_ {
    let columns = table.columns.iter().enumerate();
    columns.filter(|(_, column)| column.kind == TableColumnKind::Key).map(|(at, _)| at)
}

fn values(table: &ReleasedTable) -> impl Iterator<Item = usize> + '_ {
    let columns = table.columns.iter().enumerate();
    columns.filter(|(_, column)| column.kind != TableColumnKind::Key).map(|(at, _)| at)
}

/// Different values of a key, totals aside.
fn distinct(table: &ReleasedTable, column: usize) -> usize {
    let mut seen: Vec<&CellValue> = Vec::new();
    for row in &table.rows {
        let Some(value) = row.get(column) else { continue };
        if *value != CellValue::Total && !seen.contains(&value) {
            seen.push(value);
            if seen.len() > CATEGORIES {
                break;
            }
        }
    }
    seen.len()
}

fn codes(table: &ReleasedTable, column: usize) -> impl Iterator<Item = &str> {
    table.rows.iter().filter_map(move |row| match row.get(column) {
        Some(CellValue::Key { code, .. }) => Some(code.as_str()),
        _ => None,
    })
}

/// Says whether a key's values are months or days.
fn is_time(table: &ReleasedTable, column: usize) -> bool {
    let is_month = |code: &str| {
        let mut pieces = code.split('-');
        let (year, month) = (pieces.next().unwrap_or_default(), pieces.next().unwrap_or_default());
        year.len() == 4
            && month.len() == 2
            && (year.to_owned() + month).bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut codes = codes(table, column).peekable();
    codes.peek().is_some() && codes.all(is_month)
}

/// Says whether a key's values have an order of their own: times, and bands that begin with a number.
fn is_order(table: &ReleasedTable, column: usize) -> bool {
    let is_band = |code: &str| {
        let number: String = code.chars().take_while(char::is_ascii_digit).collect();
        !number.is_empty()
            && code.get(number.len()..).is_some_and(|rest| rest.starts_with(['-', '+', '–', '~']))
    };
    let mut codes = codes(table, column).peekable();
    is_time(table, column) || (codes.peek().is_some() && codes.all(is_band))
}

/// Says whether a column's shown values are shares of one.
fn is_share(table: &ReleasedTable, column: usize) -> bool {
    let is_computed = table.columns.get(column).is_some_and(|of| of.kind == TableColumnKind::Computed);
    let mut shown = table.rows.iter().filter_map(|row| row.get(column).and_then(number)).peekable();
    is_computed && shown.peek().is_some() && shown.all(|value| (0.0..=1.0).contains(&value))
}

/// The value as a number for drawing.
pub(super) fn number(value: &CellValue) -> Option<f64> {
    match value {
        CellValue::Integer(_) | CellValue::Decimal(_) => {
            value.text().parse().ok().filter(|value: &f64| value.is_finite())
        }
        _ => None,
    }
}
