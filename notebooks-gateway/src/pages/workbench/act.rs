//! `POST /workbench`: what a button of the notebook does.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCEPT, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use engine_protocol::{
    ClientReply, ClientRequest, FrameError, Governed, Notebook, NotebookAct, NotebookCell, NotebookCellKind,
    NotebookReply, Question, RunName,
};
use serde::Deserialize;
use serde_json::json;

use super::{FIRST, Notice, first, fresh, notebook, place};
use crate::desk::{Answer, Owner, Underway};
use crate::gateway::Gateway;
use crate::guard::AskError;
use crate::pages::problem::{self, Problem};
use crate::pages::sign_in;
use crate::posted::Signed;
use crate::secret;
use crate::visitor::Visitor;

/// How long the script's request waits for an answer; the script asks again by itself.
const GLANCE: Duration = Duration::from_millis(60);

/// The form.
#[derive(Deserialize)]
pub(in crate::pages) struct Acted {
    what: What,
    #[serde(default = "first_id")]
    notebook: String,
    #[serde(default)]
    cell: String,
    /// The cell's text as it stands in the form, or the notebook's title.
    #[serde(default)]
    text: String,
}

fn first_id() -> String {
    FIRST.to_owned()
}

/// Which button was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    Run,
    Check,
    Keep,
    AddSql,
    AddText,
    Remove,
    Up,
    Down,
    Title,
    Share,
    Unshare,
    Copy,
    New,
    Discard,
}

/// What came of it.
enum Done {
    /// A notebook to look at, and a place in it.
    At { notebook: String, cell: Option<String>, notice: Option<Notice>, run: Option<u64> },
}

pub(in crate::pages) async fn act(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    Signed { visitor, mut form }: Signed<Acted>,
) -> Response {
    // A browser sends a text area with CRLF; places in the text are counted as its writer sees it.
    form.text = form.text.replace("\r\n", "\n");
    let is_script = headers.get(ACCEPT).is_some_and(|value| value == "application/json");
    let Some(visitor) = visitor else {
        return if is_script {
            told(StatusCode::UNAUTHORIZED)
        } else {
            sign_in::ended(&gateway, form.text).await
        };
    };
    let patience = if is_script { GLANCE } else { gateway.parts().settings.patience };
    match perform(&gateway, &visitor, form, patience).await {
        Ok(Done::At { notebook, cell, notice, run }) if is_script => {
            let notice = notice.map(Notice::word);
            let status = if notice.is_some() { StatusCode::CONFLICT } else { StatusCode::OK };
            (status, Json(json!({ "notebook": notebook, "cell": cell, "notice": notice, "run": run })))
                .into_response()
        }
        Ok(Done::At { notebook, cell, notice, .. }) => {
            let notice = notice.map(|notice| format!("&notice={}", notice.word())).unwrap_or_default();
            let cell = cell.map(|cell| format!("#cell-{cell}")).unwrap_or_default();
            let address = HeaderValue::try_from(format!("/workbench?notebook={notebook}{notice}{cell}"));
            let address = address.unwrap_or(HeaderValue::from_static("/workbench"));
            (StatusCode::SEE_OTHER, [(LOCATION, address)]).into_response()
        }
        Err(problem) if is_script => told(problem.status()),
        Err(problem) => problem::respond(&gateway, Some(&visitor), &problem).await,
    }
}

fn told(status: StatusCode) -> Response {
    (status, Json(json!({ "problem": status.as_u16() }))).into_response()
}

async fn perform(
    gateway: &Gateway,
    visitor: &Visitor,
    form: Acted,
    patience: Duration,
) -> Result<Done, Problem> {
    if !is_id(&form.notebook) || !(form.cell.is_empty() || is_id(&form.cell)) {
        return Err(Problem::Malformed);
    }
    if form.what == What::New {
        return new(gateway, visitor).await;
    }
    let mut notebook = open(gateway, visitor, &form.notebook).await?;
    let is_own = notebook.owner == visitor.user();
    if form.what == What::Copy {
        let copy = Notebook { id: new_id(gateway, visitor), is_shared: false, version: 0, ..notebook };
        return keep(gateway, visitor, copy, None).await;
    }
    if !is_own && !matches!(form.what, What::Run | What::Check) {
        return Err(Problem::NotFound);
    }
    if form.what == What::Discard {
        super::notebook(gateway, visitor, NotebookAct::Remove { id: notebook.id }).await?;
        return Ok(Done::At { notebook: FIRST.to_owned(), cell: None, notice: None, run: None });
    }
    let cell = change(&mut notebook, &form);
    let done = if is_own { keep(gateway, visitor, notebook, cell).await? } else { stay(notebook.id, cell) };
    match form.what {
        What::Run | What::Check => Ok(ask(gateway, visitor, &form, done, patience).await),
        _ => Ok(done),
    }
}

fn stay(notebook: String, cell: Option<String>) -> Done {
    Done::At { notebook, cell, notice: None, run: None }
}

/// Makes the change in the notebook and says which cell to look at.
fn change(notebook: &mut Notebook, form: &Acted) -> Option<String> {
    let at = notebook.cells.iter().position(|cell| cell.id == form.cell);
    match form.what {
        What::Run | What::Check | What::Keep => match at.and_then(|at| notebook.cells.get_mut(at)) {
            Some(cell) => cell.text.clone_from(&form.text),
            // A cell that an example brought becomes one of the notebook's when it is used.
            None if !form.cell.is_empty() => {
                let (id, text) = (form.cell.clone(), form.text.clone());
                notebook.cells.push(NotebookCell { id, kind: NotebookCellKind::Sql, text });
            }
            None => {}
        },
        What::AddSql | What::AddText => {
            let kind = if form.what == What::AddSql { NotebookCellKind::Sql } else { NotebookCellKind::Text };
            let id = fresh(notebook);
            let to = at.map_or(notebook.cells.len(), |at| at + 1);
            notebook.cells.insert(to, NotebookCell { id: id.clone(), kind, text: String::new() });
            return Some(id);
        }
        What::Remove => notebook.cells.retain(|cell| cell.id != form.cell),
        What::Up | What::Down => {
            let to = at.and_then(|at| if form.what == What::Up { at.checked_sub(1) } else { Some(at + 1) });
            if let (Some(at), Some(to)) = (at, to)
                && to < notebook.cells.len()
            {
                notebook.cells.swap(at, to);
            }
        }
        What::Title => form.text.trim().clone_into(&mut notebook.title),
        What::Share => notebook.is_shared = true,
        What::Unshare => notebook.is_shared = false,
        What::Copy | What::New | What::Discard => {}
    }
    (!form.cell.is_empty()).then(|| form.cell.clone())
}

async fn open(gateway: &Gateway, visitor: &Visitor, id: &str) -> Result<Notebook, Problem> {
    match notebook(gateway, visitor, NotebookAct::Open { id: id.to_owned() }).await? {
        NotebookReply::One(notebook) => Ok(notebook),
        NotebookReply::NotFound if id == FIRST => Ok(first(visitor)),
        NotebookReply::NotFound => Err(Problem::NotFound),
        NotebookReply::Denied => Err(Problem::NoPermit),
        _ => Err(Problem::Ours),
    }
}

async fn keep(
    gateway: &Gateway,
    visitor: &Visitor,
    kept: Notebook,
    cell: Option<String>,
) -> Result<Done, Problem> {
    let id = kept.id.clone();
    let notice = match notebook(gateway, visitor, NotebookAct::Keep { notebook: kept }).await? {
        NotebookReply::Kept { .. } => None,
        NotebookReply::Changed => Some(Notice::Changed),
        NotebookReply::Unfit => Some(Notice::Unfit),
        NotebookReply::NotFound => return Err(Problem::NotFound),
        NotebookReply::Denied => return Err(Problem::NoPermit),
        _ => return Err(Problem::Ours),
    };
    Ok(Done::At { notebook: id, cell, notice, run: None })
}

async fn new(gateway: &Gateway, visitor: &Visitor) -> Result<Done, Problem> {
    let title = crate::language::current().pick("新しいノート", "New notebook").to_owned();
    let cell = NotebookCell { id: "c1".to_owned(), kind: NotebookCellKind::Sql, text: String::new() };
    let notebook = Notebook { id: new_id(gateway, visitor), title, cells: vec![cell], ..first(visitor) };
    keep(gateway, visitor, notebook, None).await
}

/// An id that no other notebook has: it follows from who asks and when. It is no secret.
fn new_id(gateway: &Gateway, visitor: &Visitor) -> String {
    let made = secret::fingerprint(&format!("{} {:?}", visitor.form_word, gateway.now()));
    let letters: String = made.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("n{letters}")
}

fn is_id(text: &str) -> bool {
    let is_plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '_');
    (1..=64).contains(&text.len()) && text.chars().all(is_plain)
}

/// Asks the cell's question by a task of its own; a quick answer is waited for.
async fn ask(gateway: &Gateway, visitor: &Visitor, form: &Acted, done: Done, patience: Duration) -> Done {
    let Done::At { notebook, cell, notice, .. } = done;
    let (user, project) = visitor.owner();
    let question = Question { user, project, sql: form.text.clone() };
    let request =
        if form.what == What::Run { ClientRequest::Query(question) } else { ClientRequest::Vet(question) };
    let cell_place = place(&notebook, &form.cell);
    match put(gateway, visitor, (&cell_place, &form.text), request, patience).await {
        Some(number) => Done::At { notebook, cell, notice, run: Some(number) },
        None => Done::At { notebook, cell, notice: Some(Notice::Early), run: None },
    }
}

/// Puts a question on the visitor's desk, at a place and with a text to know it by, and asks it by a task of its own.
/// A quick answer is waited for; one that takes longer is shown when the page is loaded again, or the script asks. The
/// question's number; none where as many as may run at once are running.
pub(super) async fn put(
    gateway: &Gateway,
    visitor: &Visitor,
    (place, text): (&str, &str),
    request: ClientRequest,
    patience: Duration,
) -> Option<u64> {
    let owner = visitor.owner();
    let underway = gateway.parts().desks.start(&owner, place, text, gateway.now())?;
    let number = underway.number;
    let asking = Asking { gateway: gateway.clone(), visitor: visitor.clone(), owner, underway };
    let task = tokio::spawn(asking.run(request));
    let _ = tokio::time::timeout(patience, task).await;
    Some(number)
}

/// The word by which a question of a desk is found while it runs.
pub(super) fn name(number: u64) -> Option<RunName> {
    RunName::parse(format!("desk-{number}")).ok()
}

/// A question that is being asked. However its task ends, the desk gets an answer.
struct Asking {
    gateway: Gateway,
    visitor: Visitor,
    owner: Owner,
    underway: Underway,
}

impl Asking {
    async fn run(self, request: ClientRequest) {
        let reply = tokio::select! {
            reply = self.gateway.ask_named(&self.visitor, request, name(self.underway.number)) => reply,
            () = self.underway.stopped() => return,
        };
        let answer = match reply {
            Ok(ClientReply::Verdict(verdict)) => Answer::Verdict(verdict),
            Ok(ClientReply::Released(table)) => Answer::Released(table),
            Ok(ClientReply::Withheld) => Answer::Withheld,
            Ok(ClientReply::Governed(Governed::Held { output })) => Answer::Held(output),
            Ok(ClientReply::Fault { message }) => Answer::Fault(message),
            Ok(_) => Answer::Nothing(AskError::Broken(FrameError::Form.into())),
            Err(error) => {
                tracing::warn!(%error, "the guard gave no answer");
                Answer::Nothing(error)
            }
        };
        self.finish(answer);
    }

    fn finish(&self, answer: Answer) {
        self.gateway.parts().desks.finish(&self.owner, self.underway.number, answer);
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        // Where an answer came, or nobody waits any more, the desk takes no other.
        self.finish(Answer::Nothing(AskError::Lost));
    }
}

impl Notice {
    const fn word(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::Unfit => "unfit",
            Self::Changed => "changed",
        }
    }
}
