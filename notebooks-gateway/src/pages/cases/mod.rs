//! `/cases…`: applications, output reviews and incidents: what waits for this person, lists, one case with its moves.
//!
//! The guard says which cases somebody may read, which moves they may make and which fields a move takes; these pages
//! show that and know no rule of their own.

mod case;
mod evidence;
mod fields;
mod halts;

pub(super) use case::{begin, form, make, page as case};
pub(super) use evidence::page as evidence;
pub(super) use halts::{change as change_halts, page as halts};

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use engine_protocol::{
    CaseKind, CaseLine, ClientReply, ClientRequest, FrameError, Govern, GovernRequest, Governed,
};

use super::problem::{self, Problem};
use super::{Chrome, Here, go, show};
use crate::gateway::Gateway;
use crate::guard::AskError;
use crate::visitor::{Visitor, Whoever};

#[derive(Template)]
#[template(path = "cases.html")]
struct Page {
    chrome: Chrome,
    /// The kind that is listed; what waits for this person where there is none.
    kind: Option<CaseKind>,
    lines: Vec<CaseLine>,
    /// Whether this person may begin one.
    may_begin: bool,
}

/// What waits for this person.
pub(super) async fn inbox(State(gateway): State<Gateway>, Whoever(visitor): Whoever) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    list(&gateway, &visitor, None).await
}

/// The cases of one kind.
pub(super) async fn of_kind(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    Path(kind): Path<String>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let Some(kind) = parse(&kind) else {
        return problem::respond(&gateway, Some(&visitor), &Problem::NotFound).await;
    };
    list(&gateway, &visitor, Some(kind)).await
}

async fn list(gateway: &Gateway, visitor: &Visitor, kind: Option<CaseKind>) -> Response {
    let what = kind.map_or(Govern::Inbox, |kind| Govern::List { kind });
    let lines = match ask(gateway, visitor, what).await {
        Ok(Governed::Cases { cases }) => cases,
        Ok(answer) => return unwilling(gateway, visitor, &answer).await,
        Err(problem) => return problem::respond(gateway, Some(visitor), &problem).await,
    };
    let may_begin = match kind {
        Some(kind) => matches!(
            ask(gateway, visitor, Govern::Form { kind }).await,
            Ok(Governed::Begin { may: true, .. })
        ),
        None => false,
    };
    let chrome = Chrome::new(gateway, Some(visitor), Here::Cases).await;
    show(StatusCode::OK, &Page { chrome, kind, lines, may_begin })
}

impl Page {
    fn is(&self, word: &str) -> bool {
        self.kind.map_or("inbox", CaseKind::as_str) == word
    }
}

/// What waits for a person, for their first page; nothing where the guard does not say.
pub(super) async fn waiting(gateway: &Gateway, visitor: &Visitor) -> Vec<CaseLine> {
    match ask(gateway, visitor, Govern::Inbox).await {
        Ok(Governed::Cases { cases }) => cases,
        _ => Vec::new(),
    }
}

/// Asks the guard something about governance.
async fn ask(gateway: &Gateway, visitor: &Visitor, what: Govern) -> Result<Governed, Problem> {
    let request = ClientRequest::Govern(GovernRequest { user: visitor.user().to_owned(), what });
    match gateway.ask(visitor, request).await.map_err(Problem::Guard)? {
        ClientReply::Governed(governed) => Ok(governed),
        ClientReply::Fault { message } => {
            tracing::error!(message, "the guard reports a fault");
            Err(Problem::Ours)
        }
        _ => Err(Problem::Guard(AskError::Broken(FrameError::Form.into()))),
    }
}

/// The page where the guard says no to reading.
async fn unwilling(gateway: &Gateway, visitor: &Visitor, answer: &Governed) -> Response {
    let problem = match answer {
        Governed::No { .. } => Problem::NoRole,
        _ => Problem::Ours,
    };
    problem::respond(gateway, Some(visitor), &problem).await
}

/// The kind with this word.
fn parse(word: &str) -> Option<CaseKind> {
    CaseKind::ALL.into_iter().find(|kind| kind.as_str() == word)
}

/// What a kind is called.
pub(super) const fn called(kind: &CaseKind) -> (&'static str, &'static str) {
    match kind {
        CaseKind::Application => ("利用申出", "Applications"),
        CaseKind::Output => ("出力審査", "Output reviews"),
        CaseKind::Incident => ("事故・ヒヤリハット", "Incidents"),
    }
}

/// A moment as people read it: the day and the minute, as the record has them.
fn moment(text: &str) -> String {
    text.get(..16).unwrap_or(text).replace('T', " ")
}
