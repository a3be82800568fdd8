//! `/workbench`: one question at a time, its verdict and its answer.
//!
//! A question is put on the session's workbench, asked by a task of its own, and answered there; the page shows what
//! stands on the workbench. So loading the page again never asks again, and a browser that goes away loses nothing.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use engine_protocol::{ClientReply, ClientRequest, FrameError, Question, VerdictKind};
use serde::Deserialize;

use super::answer::{CellShown, Shown};
use super::examples::{self, EXAMPLES, Example};
use super::problem::{self, Problem};
use super::{Chrome, Here, go, show, sign_in};
use crate::gateway::Gateway;
use crate::guard::AskError;
use crate::posted::Posted;
use crate::secret;
use crate::sessions::{Answer, Bench, SessionKey, State as Progress};
use crate::visitor::{Visitor, Whoever};

/// The fewest and the most lines of the text area.
const LINES: (usize, usize) = (8, 24);

#[derive(Template)]
#[template(path = "workbench.html")]
struct Page {
    chrome: Chrome,
    form_word: String,
    sql: String,
    /// Lines of the text area.
    lines: usize,
    shown: Shown,
    examples: &'static [Example],
    /// Whether a question was sent while another one is running.
    is_too_early: bool,
}

/// The address' query.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Choice {
    example: Option<String>,
}

/// The form.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    form_word: String,
    #[serde(default)]
    sql: String,
    what: What,
}

/// Which button was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Check,
    Run,
}

pub(super) async fn page(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    choice: Result<Query<Choice>, QueryRejection>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let sessions = &gateway.parts().sessions;
    sessions.look(visitor.session, gateway.now());
    let bench = sessions.bench(visitor.session);
    let example = choice.ok().and_then(|Query(choice)| examples::find(&choice.example?));
    let bench = match (example, &bench.state) {
        (Some(example), _) => Bench { sql: example.sql.to_owned(), state: Progress::Blank },
        (None, Progress::Blank) => {
            let first = EXAMPLES.first().map(|example| example.sql).unwrap_or_default();
            Bench { sql: first.to_owned(), state: Progress::Blank }
        }
        (None, _) => bench,
    };
    workbench(&gateway, &visitor, bench, StatusCode::OK).await
}

pub(super) async fn ask(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    Posted(form): Posted<Asked>,
) -> Response {
    // A browser sends a text area with CRLF; places in the text are counted as its writer sees it.
    let sql = form.sql.replace("\r\n", "\n");
    let Some(visitor) = visitor else { return sign_in::ended(&gateway, sql).await };
    if !secret::same(&form.form_word, &visitor.form_word) {
        return problem::respond(&gateway, Some(&visitor), &Problem::Foreign).await;
    }
    let parts = gateway.parts();
    if !parts.sessions.start(visitor.session, &sql, gateway.now()) {
        let state = parts.sessions.bench(visitor.session).state;
        return workbench(&gateway, &visitor, Bench { sql, state }, StatusCode::CONFLICT).await;
    }
    // The guard puts the user whom it finds by the session in the place of this one.
    let question = Question { user: visitor.user().to_owned(), project: visitor.project().to_owned(), sql };
    let asking = tokio::spawn(answer(
        Asking { gateway: gateway.clone(), session: visitor.session },
        visitor,
        question,
        form.what,
    ));
    // An answer that takes longer than this is shown when the page is loaded again.
    let _ = tokio::time::timeout(parts.settings.patience, asking).await;
    go("/workbench#answer")
}

async fn workbench(gateway: &Gateway, visitor: &Visitor, bench: Bench, status: StatusCode) -> Response {
    let page = Page {
        chrome: Chrome::new(gateway, Some(visitor), Here::Workbench).await,
        form_word: visitor.form_word.clone(),
        shown: Shown::of(&bench, gateway.now()),
        lines: (bench.sql.lines().count() + 2).clamp(LINES.0, LINES.1),
        sql: bench.sql,
        examples: &EXAMPLES,
        is_too_early: status == StatusCode::CONFLICT,
    };
    show(status, &page)
}

/// A question that is being asked. However its task ends, the workbench gets an answer.
struct Asking {
    gateway: Gateway,
    session: SessionKey,
}

impl Asking {
    fn finish(&self, answer: Answer) {
        self.gateway.parts().sessions.finish(self.session, answer, self.gateway.now());
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let bench = self.gateway.parts().sessions.bench(self.session);
        if matches!(bench.state, Progress::Running { .. }) {
            self.finish(Answer::Nothing(AskError::Lost));
        }
    }
}

async fn answer(asking: Asking, visitor: Visitor, question: Question, what: What) {
    let request = match what {
        What::Check => ClientRequest::Vet(question),
        What::Run => ClientRequest::Query(question),
    };
    let answer = match asking.gateway.ask(&visitor, request).await {
        Ok(ClientReply::Verdict(verdict)) => Answer::Verdict(verdict),
        Ok(ClientReply::Released(table)) => Answer::Released(table),
        Ok(ClientReply::Withheld) => Answer::Withheld,
        Ok(ClientReply::Fault { message }) => Answer::Fault(message),
        // An output that waits for people is not out, as one that the rules hold back is not.
        Ok(ClientReply::Governed(_)) => Answer::Withheld,
        Ok(
            ClientReply::Catalogue(_)
            | ClientReply::Workspace(_)
            | ClientReply::Estimate { .. }
            | ClientReply::Identity(_)
            | ClientReply::NotKnown,
        ) => Answer::Nothing(AskError::Broken(FrameError::Form.into())),
        Err(error) => {
            tracing::warn!(%error, "the guard gave no answer");
            Answer::Nothing(error)
        }
    };
    asking.finish(answer);
}
