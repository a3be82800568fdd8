//! `POST /query`: runs a question and waits a while for its table.

#![expect(unused_qualifications, reason = "what utoipa writes for a set of parameters names it in full")]

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::bearer::Bearer;
use super::body::Body;
use super::problem::{self, Problem};
use super::shapes::{Question, ReleasedShape};
use crate::caller::{Answer, Ask, Caller};
use crate::format::Format;
use crate::gateway::Gateway;
use crate::kept::{Asked, Outcome};

/// The header with a word of the caller's own, under which a question runs once.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest wait; the portal's deadline for a response is longer.
const LONGEST: u64 = 30;

/// How to answer.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct How {
    /// How many seconds to wait for the table before saying where to find it.
    #[serde(default = "longest")]
    #[param(default = 30, minimum = 0, maximum = 30)]
    wait: u64,
    /// The form of the table.
    #[serde(default)]
    #[param(inline, default = "json")]
    format: FormatWord,
}

/// The form of a table.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum FormatWord {
    #[default]
    Json,
    Csv,
    Arrow,
    Xlsx,
}

/// A question that is still running.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Running {
    /// The question's id, for `/queries/{id}` and `/results/{id}`.
    id: String,
    /// `running`.
    state: &'static str,
}

const fn longest() -> u64 {
    LONGEST
}

impl How {
    pub(super) fn checked(how: Result<Query<Self>, QueryRejection>) -> Result<Self, Problem> {
        let Query(how) = how?;
        if how.wait > LONGEST { Err(Problem::Parameter) } else { Ok(how) }
    }
}

impl From<FormatWord> for Format {
    fn from(word: FormatWord) -> Self {
        match word {
            FormatWord::Json => Self::Json,
            FormatWord::Csv => Self::Csv,
            FormatWord::Arrow => Self::Arrow,
            FormatWord::Xlsx => Self::Xlsx,
        }
    }
}

/// Runs a question.
///
/// The same question under the same idempotency key runs once, for as long as its answer is kept (an hour).
#[utoipa::path(
    post, path = "/api/v1/query", tag = "questions", request_body = Question, security(("token" = [])),
    params(How, ("idempotency-key" = Option<String>, Header, description = "A word of your own, under which this question runs once.", min_length = 1, max_length = 128, pattern = "^[!-~]+$")),
    responses(
        (status = 200, body = ReleasedShape, description = "The protected table.", headers(("location" = String, description = "Where its files are."))),
        (status = 202, body = Running, description = "Still running.", headers(("location" = String, description = "Where to ask again."))),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "Refused (422), denied (403), withheld or held for people (409), or a wrong call."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn query(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    how: Result<Query<How>, QueryRejection>,
    headers: HeaderMap,
    Body(question): Body<Question>,
) -> Result<Response, Problem> {
    let how = How::checked(how)?;
    let ask = Ask::Query(question.sql.clone());
    run(&gateway, &caller, ask, how, &headers).await
}

/// Begins a question and waits for its answer.
pub(super) async fn run(
    gateway: &Gateway,
    caller: &Caller,
    ask: Ask,
    how: How,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let sql = if let Ask::Query(sql) = &ask { sql.clone() } else { String::new() };
    let asked = gateway.begin(caller, ask, key(headers)?)?;
    answered(asked, &sql, how).await
}

/// The answer to a question, once it is there.
pub(super) async fn answered(mut asked: Asked, sql: &str, how: How) -> Result<Response, Problem> {
    match asked.wait(Duration::from_secs(how.wait)).await {
        Some(outcome) => shown(&asked.id, &outcome, sql, how.format).await,
        None => {
            let place = header(format!("/api/v1/queries/{}", asked.id))?;
            let running = Json(Running { id: asked.id, state: "running" });
            let wait = HeaderValue::from_static("1");
            Ok((StatusCode::ACCEPTED, [(LOCATION, place), (RETRY_AFTER, wait)], running).into_response())
        }
    }
}

async fn shown(id: &str, outcome: &Outcome, sql: &str, format: FormatWord) -> Result<Response, Problem> {
    let table = match outcome.as_ref() {
        Ok(Answer::Released(table)) => table.clone(),
        Ok(Answer::Verdict(verdict) | Answer::Estimate(verdict, _)) => {
            return Err(Problem::Verdict(Box::new(verdict.clone()), sql.to_owned()));
        }
        Ok(Answer::Withheld) => return Err(Problem::Withheld),
        Ok(Answer::Held(output)) => return Err(Problem::Held(output.clone())),
        Ok(Answer::Stopped) => return Err(Problem::NotFound),
        Ok(Answer::Fault) => return Err(Problem::Ours),
        Err(error) => return Err(error.clone().into()),
    };
    let place = header(format!("/api/v1/results/{id}"))?;
    if matches!(format, FormatWord::Json) {
        let body = ReleasedShape::of(&table).map_err(|_| Problem::Ours)?;
        return Ok(([(LOCATION, place)], Json(body)).into_response());
    }
    let mut response = file(table, format.into()).await?;
    response.headers_mut().insert(LOCATION, place);
    Ok(response)
}

/// A table as a file. A large workbook takes a while, which other calls need not wait for.
pub(super) async fn file(
    table: std::sync::Arc<engine_protocol::ReleasedTable>,
    format: Format,
) -> Result<Response, Problem> {
    let name = format.file_name(&table.query);
    let written = tokio::task::spawn_blocking(move || format.write(&table)).await;
    let bytes = match written {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => {
            tracing::error!(%error, "a result cannot be written");
            return Err(Problem::Ours);
        }
        Err(_) => return Err(Problem::Ours),
    };
    let disposition = header(format!("attachment; filename=\"{name}\""))?;
    let kind = HeaderValue::from_static(format.media_type());
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, disposition)], bytes).into_response())
}

fn header(text: String) -> Result<HeaderValue, Problem> {
    HeaderValue::try_from(text).map_err(|_| Problem::Ours)
}

/// The caller's own word for the question, if there is one.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut keys = headers.get_all(KEY).iter();
    match (keys.next(), keys.next()) {
        (None, _) => Ok(None),
        (Some(key), None) => {
            let key = key.to_str().map_err(|_| Problem::Key)?;
            let is_fine = (1..=128).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
            if is_fine { Ok(Some(key.to_owned())) } else { Err(Problem::Key) }
        }
        (Some(_), Some(_)) => Err(Problem::Key),
    }
}
