//! What came back of a question, ready to be shown: one piece of HTML for the page and for the script.

use std::time::Duration;

use askama::Template;
use engine_protocol::{
    CellValue, Certificate, ReleasedTable, RunStage, TableColumn, TableColumnKind, Verdict, VerdictKind,
};
use reports::certificate;
use reports::chart::{self, ChartKind, Plan};
use reports::number;
use reports::verdict::place;

use super::Speech;
use super::problem::{self, Words};
use super::words;
use crate::desk::{Answer, Run, State};
use crate::language::{self, Language};

/// Rows of a table that a page shows; the files have all of them.
const ROWS: usize = 200;

/// The piece of HTML about one question.
#[derive(Debug, Template)]
#[template(path = "answer.html")]
struct Piece {
    speech: Speech,
    number: u64,
    shown: Shown,
}

/// How far a question is, as far as the guard said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage(Option<RunStage>);

impl Stage {
    /// The stages in their order, each with what the style sheet calls it and its names.
    fn all(self) -> Vec<(&'static str, &'static str, &'static str)> {
        let now = self.0.unwrap_or(RunStage::Waiting);
        let names = [
            (RunStage::Vetting, "判定", "vetting"),
            (RunStage::Waiting, "順番待ち", "waiting for its turn"),
            (RunStage::Reading, "実行", "running"),
            (RunStage::Protecting, "開示の検査", "disclosure checks"),
            (RunStage::Recording, "記録", "recording"),
        ];
        let class = |stage| match stage {
            stage if stage < now => "past",
            stage if stage == now => "now",
            _ => "",
        };
        names.into_iter().map(|(stage, ja, en)| (class(stage), ja, en)).collect()
    }
}

/// What a page shows below the question.
#[derive(Debug)]
pub(super) enum Shown {
    Running { seconds: u64, stage: Stage },
    Cancelled,
    LetGo,
    Verdict(Box<VerdictShown>),
    Table(Box<TableShown>),
    Withheld,
    Held(String),
    Fault(String),
    Nothing(Words),
}

/// The answer of a question as HTML; empty where it cannot be written.
pub(super) fn fragment(run: &Run, now: Duration) -> String {
    fragment_at(run, now, None)
}

/// The same, where the guard says how far the question is.
pub(super) fn fragment_at(run: &Run, now: Duration, stage: Option<RunStage>) -> String {
    let speech = Speech::now();
    let mut shown = Shown::of(run, now, speech.language);
    if let Shown::Running { stage: shown, .. } = &mut shown {
        *shown = Stage(stage);
    }
    let piece = Piece { shown, number: run.number, speech };
    piece.render().unwrap_or_else(|error| {
        tracing::error!(%error, "an answer cannot be written");
        String::new()
    })
}

/// A word for the style sheet, and how a question stands, in Japanese and English.
pub(super) fn outcome(run: &Run) -> (&'static str, (&'static str, &'static str)) {
    let State::Done(answer) = &run.state else {
        return match run.state {
            State::Running => ("running", ("実行中", "running")),
            State::Cancelled => ("cancelled", ("中止", "stopped")),
            _ => ("let-go", ("保持していません", "not kept any more")),
        };
    };
    match &**answer {
        Answer::Released(_) => ("released", ("公表", "released")),
        Answer::Withheld => ("withheld", ("見合わせ", "withheld")),
        Answer::Held(_) => ("held", ("審査待ち", "under review")),
        Answer::Verdict(verdict) => match verdict.verdict {
            VerdictKind::Vetted => ("vetted", ("実行できる", "may run")),
            VerdictKind::Refused => ("refused", ("不可", "refused")),
            VerdictKind::Denied => ("denied", ("不許可", "denied")),
        },
        Answer::Fault(_) | Answer::Nothing(_) => ("failed", ("答えなし", "no answer")),
    }
}

/// A verdict.
#[derive(Debug)]
pub(super) struct VerdictShown {
    pub(super) verdict: Verdict,
    /// What is wrong, in the reader's language.
    pub(super) message: Option<String>,
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
    /// The picture that says most, already SVG.
    pub(super) picture: Option<String>,
    /// What its certificate says.
    pub(super) certificate: Option<Certificate>,
    /// The other pictures that can be drawn.
    pub(super) kinds: Vec<KindShown>,
}

/// A kind of picture that can be drawn of a table.
#[derive(Debug)]
pub(super) struct KindShown {
    pub(super) word: &'static str,
    pub(super) ja: &'static str,
    pub(super) en: &'static str,
    pub(super) is_chosen: bool,
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
    Key { code: String, name: String },
    Number(String),
    Hidden,
    Empty,
}

impl Shown {
    fn of(run: &Run, now: Duration, language: Language) -> Self {
        match &run.state {
            State::Running => {
                Self::Running { seconds: now.saturating_sub(run.asked).as_secs(), stage: Stage(None) }
            }
            State::Cancelled => Self::Cancelled,
            State::LetGo => Self::LetGo,
            State::Done(answer) => match &**answer {
                Answer::Verdict(verdict) => {
                    Self::Verdict(Box::new(VerdictShown::of(verdict, &run.sql, language)))
                }
                Answer::Released(table) => Self::Table(Box::new(TableShown::of(table, language))),
                Answer::Withheld => Self::Withheld,
                Answer::Held(output) => Self::Held(output.clone()),
                Answer::Fault(message) => Self::Fault(message.clone()),
                Answer::Nothing(error) => Self::Nothing(problem::no_answer(error)),
            },
        }
    }
}

impl VerdictShown {
    fn of(verdict: &Verdict, sql: &str, language: Language) -> Self {
        let place = verdict.span.and_then(|span| place(sql, span));
        let cut = place.map(|place| Cut {
            line: place.before.matches('\n').count() + 1,
            before: place.before.to_owned(),
            marked: place.marked.to_owned(),
            after: place.after.to_owned(),
        });
        let ja = || verdict.rule.as_deref().and_then(words::rule).map(str::to_owned);
        let message = match language {
            Language::Japanese => verdict.message_ja.clone().or_else(ja).or_else(|| verdict.message.clone()),
            Language::English => verdict.message.clone(),
        };
        Self { verdict: verdict.clone(), message, cut }
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
    pub(super) fn of(table: &ReleasedTable, language: Language) -> Self {
        let plan = Plan::guess(table);
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
            picture: plan.and_then(|plan| chart::svg(table, &plan, language)),
            certificate: table.certificate.as_deref().and_then(certificate::said),
            kinds: plan.map(|plan| kinds(table, plan)).unwrap_or_default(),
        }
    }

    /// Says whether the table is one about what may be asked, with no data behind it.
    pub(super) fn is_metadata(&self) -> bool {
        self.rules == "metadata"
    }

    /// Says whether a column holds numbers.
    pub(super) fn is_number(&self, column: &TableColumn) -> bool {
        column.kind != TableColumnKind::Key
    }
}

fn kinds(table: &ReleasedTable, plan: Plan) -> Vec<KindShown> {
    let fitting = ChartKind::ALL.into_iter().filter(|kind| plan.shown_as(*kind, table).is_some());
    fitting
        .map(|kind| {
            let (ja, en) = match kind {
                ChartKind::Bar => ("棒", "bars"),
                ChartKind::Line => ("折れ線", "lines"),
                ChartKind::HeatMap => ("ヒートマップ", "heat map"),
                ChartKind::Survival => ("生存曲線", "survival"),
            };
            KindShown { word: kind.as_str(), ja, en, is_chosen: kind == plan.kind }
        })
        .collect()
}

impl RowShown {
    fn of(row: &[CellValue]) -> Self {
        Self { is_total: row.contains(&CellValue::Total), cells: row.iter().map(CellShown::of).collect() }
    }
}

impl CellShown {
    fn of(value: &CellValue) -> Self {
        let key = |code: &str, ja: &str, en: &str| {
            let name = language::current().pick(ja, en);
            let name = if name.is_empty() { ja } else { name };
            Self::Key {
                code: code.to_owned(),
                name: if name == code { String::new() } else { name.to_owned() },
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
