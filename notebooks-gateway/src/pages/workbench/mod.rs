//! `/workbench`: a notebook of questions and words, each question with its verdict and its answer below it.
//!
//! Every button is a form, so that the page works without a script; the script that comes with it asks the same
//! addresses and puts what they answer into the page. A question is asked by a task of its own and answered on the
//! researcher's desk, so loading the page again never asks again, and a browser that goes away loses nothing.

mod act;
mod cells;
mod check;
mod runs;
mod templates;
mod vocabulary;

pub(super) use act::act;
pub(super) use check::check;
pub(super) use runs::{cancel, download, state};
pub(super) use templates::{ask as ask_template, page as templates};
pub(super) use vocabulary::vocabulary;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use engine_protocol::{
    CatalogueView, ClientReply, ClientRequest, FrameError, Notebook, NotebookAct, NotebookCell,
    NotebookCellKind, NotebookEntry, NotebookReply, NotebookRequest,
};
use serde::Deserialize;

use super::answer;
use super::examples::{self, EXAMPLES, Example};
use super::problem::{self, Problem};
use super::{Chrome, Here, go, show};
use crate::desk::Run;
use crate::gateway::Gateway;
use crate::guard::AskError;
use crate::language;
use crate::visitor::{Visitor, Whoever};

/// The fewest and the most lines of a text area.
const LINES: (usize, usize) = (4, 30);
/// Questions of the history that the page shows.
const HISTORY: usize = 12;
/// The id of the notebook that is there before anything is kept.
const FIRST: &str = "first";

#[derive(Template)]
#[template(path = "workbench.html")]
struct Page {
    chrome: Chrome,
    form_word: String,
    notebook: Notebook,
    is_own: bool,
    cells: Vec<CellShown>,
    notebooks: Vec<NotebookEntry>,
    history: Vec<HistoryLine>,
    examples: &'static [Example],
    notice: Option<Notice>,
    is_running: bool,
}

/// A cell, ready to be shown.
struct CellShown {
    cell: NotebookCell,
    /// Lines of its text area.
    lines: usize,
    /// The words of a text cell, as headings and paragraphs.
    blocks: Vec<cells::Block>,
    /// The answer below it, already HTML.
    answer: String,
    is_running: bool,
    /// Whether it is kept in the notebook; one that an example brought is not, until it is used.
    is_kept: bool,
}

/// A question that was asked before.
struct HistoryLine {
    /// The first words of the question.
    start: String,
    state: (&'static str, &'static str),
    /// A word for the style sheet.
    class: &'static str,
    /// The cell that it was asked from, where that is in this notebook.
    cell: Option<String>,
}

/// Why an act had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Notice {
    /// As many questions as may run at once are running.
    Early,
    /// The notebook would be too large, or there would be too many.
    Unfit,
    /// Somebody changed the notebook meanwhile.
    Changed,
}

/// The address' query.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Choice {
    notebook: Option<String>,
    example: Option<String>,
    /// A column, as `table.column`, whose distribution is to be asked.
    distribution: Option<String>,
    notice: Option<Notice>,
}

pub(super) async fn page(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    choice: Result<Query<Choice>, QueryRejection>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let choice = choice.map(|Query(choice)| choice).unwrap_or_default();
    match prepare(&gateway, &visitor, choice).await {
        Ok(page) => show(StatusCode::OK, &page),
        Err(problem) => problem::respond(&gateway, Some(&visitor), &problem).await,
    }
}

async fn prepare(gateway: &Gateway, visitor: &Visitor, choice: Choice) -> Result<Page, Problem> {
    let notebooks = list(gateway, visitor).await?;
    let own = || notebooks.iter().find(|entry| entry.owner == visitor.user());
    let id = choice.notebook.clone().or_else(|| own().map(|entry| entry.id.clone()));
    let notebook = match id.filter(|id| id != FIRST || own().is_some_and(|entry| entry.id == FIRST)) {
        Some(id) => match notebook(gateway, visitor, NotebookAct::Open { id }).await? {
            NotebookReply::One(notebook) => notebook,
            NotebookReply::NotFound => return Err(Problem::NotFound),
            _ => return Err(Problem::Ours),
        },
        None => first(visitor),
    };
    let (owner, now) = (visitor.owner(), gateway.now());
    let history = gateway.parts().desks.history(&owner);
    let is_own = notebook.owner == visitor.user();
    let last = |cell: &NotebookCell| gateway.parts().desks.last(&owner, &place(&notebook.id, &cell.id));
    let mut cells: Vec<CellShown> =
        notebook.cells.iter().map(|cell| CellShown::of(cell, last(cell).as_ref(), now, true)).collect();
    if let Some(sql) = draft(gateway, &choice).await {
        let cell = NotebookCell { id: fresh(&notebook), kind: NotebookCellKind::Sql, text: sql };
        cells.push(CellShown::of(&cell, None, now, false));
    }
    let lines = history.iter().take(HISTORY).map(|run| HistoryLine::of(run, &notebook));
    Ok(Page {
        chrome: Chrome::new(gateway, Some(visitor), Here::Workbench).await,
        form_word: visitor.form_word.clone(),
        is_own,
        is_running: cells.iter().any(|cell| cell.is_running),
        cells,
        history: lines.collect(),
        notebook,
        notebooks,
        examples: &EXAMPLES,
        notice: choice.notice,
    })
}

/// The question that an address brings along.
async fn draft(gateway: &Gateway, choice: &Choice) -> Option<String> {
    if let Some(example) = choice.example.as_deref().and_then(examples::find) {
        return Some(example.sql.trim_end().to_owned());
    }
    let (table, column) = choice.distribution.as_deref()?.split_once('.')?;
    let view = gateway.catalogue().await.ok()?;
    distribution(&view, table, column)
}

/// The question for how a column's values are spread; only where the column may be a group.
pub(super) fn distribution(view: &CatalogueView, table: &str, column: &str) -> Option<String> {
    let table = view.tables.iter().find(|of| of.name == table)?;
    let column = table.columns.iter().find(|of| of.name == column)?;
    let person = table.columns.iter().any(|of| of.class == "person");
    let counted = if person { "count(DISTINCT person_id) AS persons" } else { "count(*) AS rows" };
    (column.usage == "filter, group").then(|| {
        let (table, column) = (&table.name, &column.name);
        format!("SELECT {column},\n       {counted}\nFROM {table}\nGROUP BY {column}")
    })
}

/// The notebook of somebody who has none yet: nothing of it is kept before it is used.
fn first(visitor: &Visitor) -> Notebook {
    let language = language::current();
    let words = language.pick(
        "# はじめに\n問いは SQL で書きます。書いているあいだに判定が出て、実行すると、開示の検査を通った表だけが返ります。\n個人の行は出てきません。10人に満たない値は御簾で隠れます。",
        "# To begin with\nQuestions are written in SQL. The verdict comes while you write; what comes back is a table that passed disclosure checks.\nRows of persons never come out, and values of fewer than ten persons are behind the blind.",
    );
    let sql = EXAMPLES.first().map(|example| example.sql.trim_end().to_owned()).unwrap_or_default();
    let cell = |id: &str, kind, text: String| NotebookCell { id: id.to_owned(), kind, text };
    Notebook {
        id: FIRST.to_owned(),
        title: language.pick("最初のノート", "First notebook").to_owned(),
        owner: visitor.user().to_owned(),
        is_shared: false,
        version: 0,
        cells: vec![
            cell("c1", NotebookCellKind::Text, words.to_owned()),
            cell("c2", NotebookCellKind::Sql, sql),
        ],
    }
}

/// The name under which a cell's question stands on the desk.
fn place(notebook: &str, cell: &str) -> String {
    format!("{notebook}/{cell}")
}

/// An id for a new cell.
fn fresh(notebook: &Notebook) -> String {
    let numbers = notebook.cells.iter().filter_map(|cell| cell.id.strip_prefix('c')?.parse::<u32>().ok());
    format!("c{}", numbers.max().unwrap_or(0).saturating_add(1))
}

async fn list(gateway: &Gateway, visitor: &Visitor) -> Result<Vec<NotebookEntry>, Problem> {
    // Whoever has no project, as a reviewer, has no workbench.
    if visitor.project().is_empty() {
        return Err(Problem::NoPermit);
    }
    match notebook(gateway, visitor, NotebookAct::List).await? {
        NotebookReply::List { entries } => Ok(entries),
        NotebookReply::Denied => Err(Problem::NoPermit),
        _ => Err(Problem::Ours),
    }
}

/// Asks the guard for something of the project's notebooks.
async fn notebook(gateway: &Gateway, visitor: &Visitor, act: NotebookAct) -> Result<NotebookReply, Problem> {
    let (user, project) = visitor.owner();
    let request = ClientRequest::Notebook(NotebookRequest { user, project, act });
    match gateway.ask(visitor, request).await.map_err(Problem::Guard)? {
        ClientReply::Notebook(reply) => Ok(reply),
        ClientReply::Fault { message } => {
            tracing::error!(message, "the guard reports a fault");
            Err(Problem::Ours)
        }
        _ => Err(Problem::Guard(AskError::Broken(FrameError::Form.into()))),
    }
}

impl CellShown {
    fn of(cell: &NotebookCell, run: Option<&Run>, now: std::time::Duration, is_kept: bool) -> Self {
        Self {
            lines: (cell.text.lines().count() + 1).clamp(LINES.0, LINES.1),
            blocks: if cell.kind == NotebookCellKind::Text { cells::blocks(&cell.text) } else { Vec::new() },
            answer: run.map(|run| answer::fragment(run, now)).unwrap_or_default(),
            is_running: run.is_some_and(Run::is_running),
            is_kept,
            cell: cell.clone(),
        }
    }

    fn is_sql(&self) -> bool {
        self.cell.kind == NotebookCellKind::Sql
    }
}

impl HistoryLine {
    fn of(run: &Run, notebook: &Notebook) -> Self {
        let start: String =
            run.sql.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(72).collect();
        let cell = notebook.cells.iter().find(|cell| place(&notebook.id, &cell.id) == run.cell);
        let (class, state) = answer::outcome(run);
        Self { start, state, class, cell: cell.map(|cell| cell.id.clone()) }
    }
}
