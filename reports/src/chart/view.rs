//! A table as a picture sees it: a grid of values by category and series.

use engine_protocol::{CellValue, ReleasedTable};

use super::plan::{CATEGORIES, ChartKind, Plan, keys, number};
use crate::Language;
use crate::number::grouped;

/// One value of the picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    /// A number, with its text.
    Number(f64, String),
    /// Hidden.
    Hidden,
    /// The table has no such row, or nothing to count in it.
    Nothing,
}

/// The grid.
#[derive(Debug)]
pub(super) struct View {
    pub(super) categories: Vec<String>,
    pub(super) series: Vec<String>,
    /// By series, then by category.
    marks: Vec<Vec<Mark>>,
    pub(super) category_name: String,
    pub(super) series_name: String,
    pub(super) value_name: String,
    /// Keys that the picture does not spread out, each with the one value that it shows.
    pub(super) fixed: Vec<String>,
    pub(super) language: Language,
}

impl View {
    pub(super) fn of(table: &ReleasedTable, plan: &Plan, language: Language) -> Option<Self> {
        let is_key = |column: usize| keys(table).any(|key| key == column);
        if !is_key(plan.category) || plan.series.is_some_and(|column| !is_key(column)) || is_key(plan.value) {
            return None;
        }
        let value_column = table.columns.get(plan.value)?;
        let others = keys(table).filter(|key| *key != plan.category && Some(*key) != plan.series);
        let fixed: Vec<(usize, &CellValue)> =
            others.filter_map(|key| Some((key, one_value(table, key)?))).collect();
        let rows: Vec<&Vec<CellValue>> = table
            .rows
            .iter()
            .filter(|row| fixed.iter().all(|(key, value)| row.get(*key) == Some(*value)))
            .collect();
        let categories = distinct(&rows, plan.category);
        let series = plan.series.map_or_else(Vec::new, |column| distinct(&rows, column));
        if categories.is_empty() || categories.len() > CATEGORIES {
            return None;
        }
        let mark = |category: &CellValue, of: Option<&CellValue>| {
            let is_row = |row: &&&Vec<CellValue>| {
                row.get(plan.category) == Some(category)
                    && plan.series.is_none_or(|column| row.get(column) == of)
            };
            rows.iter().find(is_row).and_then(|row| row.get(plan.value)).map_or(Mark::Nothing, Mark::of)
        };
        let line = |of: Option<&CellValue>| categories.iter().map(|category| mark(category, of)).collect();
        let marks = if plan.series.is_none() {
            vec![line(None)]
        } else {
            series.iter().map(|of| line(Some(of))).collect()
        };
        let name = |column: usize| table.columns.get(column).map(|of| of.name.clone()).unwrap_or_default();
        let unit = value_column.unit.as_ref().map(|unit| format!(" ({unit})")).unwrap_or_default();
        Some(Self {
            categories: categories.iter().map(|value| label(value, language)).collect(),
            series: series.iter().map(|value| label(value, language)).collect(),
            marks,
            category_name: name(plan.category),
            series_name: plan.series.map(name).unwrap_or_default(),
            value_name: format!("{}{unit}", value_column.name),
            fixed: fixed
                .iter()
                .map(|(key, value)| format!("{}: {}", name(*key), label(value, language)))
                .collect(),
            language,
        })
    }

    /// The lines of the picture, each with the marks along it.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &[Mark])> {
        self.marks.iter().map(Vec::as_slice).enumerate()
    }

    /// The largest and the smallest number; zero is always among them.
    pub(super) fn extent(&self) -> (f64, f64) {
        let numbers = self.marks.iter().flatten().filter_map(|mark| match mark {
            Mark::Number(number, _) => Some(*number),
            _ => None,
        });
        numbers.fold((0.0, 0.0), |(low, high), number| (number.min(low), number.max(high)))
    }

    /// Says whether anything is hidden.
    pub(super) fn has_hidden(&self) -> bool {
        self.marks.iter().flatten().any(|mark| *mark == Mark::Hidden)
    }

    /// The picture in words, for those who hear it.
    pub(super) fn summary(&self, kind: ChartKind) -> String {
        let hidden = self.marks.iter().flatten().filter(|mark| **mark == Mark::Hidden).count();
        let (points, value, category) = (self.categories.len(), &self.value_name, &self.category_name);
        match self.language {
            Language::Japanese => {
                let kind = match kind {
                    ChartKind::Bar => "棒グラフ",
                    ChartKind::Line => "折れ線グラフ",
                    ChartKind::HeatMap => "ヒートマップ",
                    ChartKind::Survival => "生存曲線",
                };
                format!("{kind}：{category}ごとの{value}、{points}区分、非表示{hidden}。値は表にもあります。")
            }
            Language::English => {
                let kind = match kind {
                    ChartKind::Bar => "Bar chart",
                    ChartKind::Line => "Line chart",
                    ChartKind::HeatMap => "Heat map",
                    ChartKind::Survival => "Survival curve",
                };
                format!(
                    "{kind} of {value} by {category}: {points} groups, {hidden} hidden. The table has the values."
                )
            }
        }
    }
}

impl Mark {
    fn of(value: &CellValue) -> Self {
        match value {
            CellValue::Suppressed => Self::Hidden,
            other => {
                number(other).map_or(Self::Nothing, |number| Self::Number(number, grouped(&other.text())))
            }
        }
    }
}

/// The one value of a key that a picture without this key shows: all of them together where the table has that.
fn one_value(table: &ReleasedTable, key: usize) -> Option<&CellValue> {
    let mut values = table.rows.iter().filter_map(|row| row.get(key));
    let first = values.clone().next();
    values.find(|value| **value == CellValue::Total).or(first)
}

fn distinct<'t>(rows: &[&'t Vec<CellValue>], column: usize) -> Vec<&'t CellValue> {
    let mut found: Vec<&CellValue> = Vec::new();
    for value in rows.iter().filter_map(|row| row.get(column)) {
        if *value != CellValue::Total && !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

fn label(value: &CellValue, language: Language) -> String {
    match value {
        CellValue::Key { code, ja, en } => {
            let name = language.pick(ja, en);
            if name.is_empty() { code.clone() } else { name.to_owned() }
        }
        CellValue::Other => language.pick("その他", "other").to_owned(),
        CellValue::Total => language.pick("合計", "total").to_owned(),
        other => other.text(),
    }
}
