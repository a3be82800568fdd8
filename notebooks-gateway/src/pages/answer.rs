//! What stands on a workbench, ready to be shown.

use std::time::Duration;

use engine_protocol::{CellValue, ReleasedTable, TableColumn, TableColumnKind, Verdict, VerdictKind};
use reports::number;
use reports::verdict::place;

use super::problem::{self, Words};
use super::words;
use crate::sessions::{Answer, Bench, State};

/// Rows of a table that a page shows; the files have all of them.
const ROWS: usize = 500;

/// What a page shows below the question.
#[derive(Debug)]
pub(super) enum Shown {
    Blank,
    Running { seconds: u64 },
    LetGo,
    Verdict(VerdictShown),
    Table(TableShown),
    Withheld,
    Fault(String),
    Nothing(Words),
}

/// A verdict.
#[derive(Debug)]
pub(super) struct VerdictShown {
    pub(super) verdict: Verdict,
    /// What the rule asks for, in Japanese.
    pub(super) rule: Option<&'static str>,
    /// The question, cut at the place that the verdict points at.
    pub(super) cut: Option<Cut>,
}

/// A question cut at a place.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) line: usize,
    pub(super) before: String,
    pub(super) marked: String,
    pub(super) after: String,
}

/// A released table.
#[derive(Debug)]
pub(super) struct TableShown {
    pub(super) query: String,
    pub(super) snapshot: String,
    pub(super) rules: String,
    pub(super) threshold: u32,
    pub(super) columns: Vec<TableColumn>,
    pub(super) rows: Vec<RowShown>,
    /// Rows of the whole table.
    pub(super) all: String,
    pub(super) hidden: String,
    /// Whether the page leaves rows out.
    pub(super) is_cut: bool,
    /// Whether any row is hidden.
    pub(super) has_hidden: bool,
}

/// One row.
#[derive(Debug)]
pub(super) struct RowShown {
    pub(super) is_total: bool,
    pub(super) cells: Vec<CellShown>,
}

/// One cell.
#[derive(Debug)]
pub(super) enum CellShown {
    Key { code: String, ja: String, en: String },
    Number(String),
    Hidden,
    Empty,
}

impl Shown {
    /// What to show of a workbench.
    pub(super) fn of(bench: &Bench, now: Duration) -> Self {
        match &bench.state {
            State::Blank => Self::Blank,
            State::LetGo => Self::LetGo,
            State::Running { since } => Self::Running { seconds: now.saturating_sub(*since).as_secs() },
            State::Done { answer, .. } => match &**answer {
                Answer::Verdict(verdict) => Self::Verdict(VerdictShown::of(verdict, &bench.sql)),
                Answer::Released(table) => Self::Table(TableShown::of(table)),
                Answer::Withheld => Self::Withheld,
                Answer::Fault(message) => Self::Fault(message.clone()),
                Answer::Nothing(error) => Self::Nothing(problem::no_answer(error)),
            },
        }
    }

    /// Says whether the page should look again by itself.
    pub(super) const fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }
}

impl VerdictShown {
    fn of(verdict: &Verdict, sql: &str) -> Self {
        let place = verdict.span.and_then(|span| place(sql, span));
        let cut = place.map(|place| Cut {
            line: place.before.matches('\n').count() + 1,
            before: place.before.to_owned(),
            marked: place.marked.to_owned(),
            after: place.after.to_owned(),
        });
        let rule = verdict.rule.as_deref().and_then(words::rule);
        Self { verdict: verdict.clone(), rule, cut }
    }

    /// The word for the style sheet.
    pub(super) const fn word(&self) -> &'static str {
        match self.verdict.verdict {
            VerdictKind::Vetted => "vetted",
            VerdictKind::Refused => "refused",
            VerdictKind::Denied => "denied",
        }
    }
}

impl TableShown {
    fn of(table: &ReleasedTable) -> Self {
        Self {
            query: table.query.clone(),
            snapshot: table.snapshot.clone(),
            rules: table.rules.clone(),
            threshold: table.threshold,
            columns: table.columns.clone(),
            rows: table.rows.iter().take(ROWS).map(|row| RowShown::of(row)).collect(),
            all: number::count(table.rows.len() as u64),
            hidden: number::count(table.suppressed),
            is_cut: table.rows.len() > ROWS,
            has_hidden: table.suppressed > 0,
        }
    }

    /// Says whether a column holds numbers.
    pub(super) fn is_number(&self, column: &TableColumn) -> bool {
        column.kind != TableColumnKind::Key
    }
}

impl RowShown {
    fn of(row: &[CellValue]) -> Self {
        Self { is_total: row.contains(&CellValue::Total), cells: row.iter().map(CellShown::of).collect() }
    }
}

impl CellShown {
    fn of(value: &CellValue) -> Self {
        let key = |code: &str, ja: &str, en: &str| {
            let name = |name: &str| if name == code { String::new() } else { name.to_owned() };
            Self::Key {
                code: code.to_owned(),
                ja: name(ja),
                en: if en == ja { String::new() } else { name(en) },
            }
        };
        match value {
            CellValue::Key { code, ja, en } => key(code, ja, en),
            CellValue::Other => key("", "その他", "other"),
            CellValue::Total => key("", "合計", "total"),
            CellValue::Integer(_) | CellValue::Decimal(_) => Self::Number(number::grouped(&value.text())),
            CellValue::Empty => Self::Empty,
            CellValue::Suppressed => Self::Hidden,
        }
    }
}
