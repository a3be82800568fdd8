//! `/queries/{id}`: a question asked before, found again by whoever asked it.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::bearer::Bearer;
use super::problem::{self, Problem};
use super::query::{self, How, Running};
use super::shapes::ReleasedShape;
use crate::gateway::Gateway;

/// The answer to a question asked before, or that it is still running.
#[utoipa::path(
    get, path = "/api/v1/queries/{id}", tag = "questions", security(("token" = [])),
    params(How, ("id" = String, Path, description = "The question's id.")),
    responses(
        (status = 200, body = ReleasedShape, description = "The protected table."),
        (status = 202, body = Running, description = "Still running."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "Refused, denied, withheld, held for people, or no question of yours."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn find(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    how: Result<Query<How>, QueryRejection>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let how = How::checked(how)?;
    let (asked, sql) = gateway.asked(&caller.owner(), &id).ok_or(Problem::NotFound)?;
    query::answered(asked, &sql, how).await
}

/// Forgets a question and its answer. A query that runs is stopped, and stands in the record as stopped.
#[utoipa::path(
    delete, path = "/api/v1/queries/{id}", tag = "questions", security(("token" = [])),
    params(("id" = String, Path, description = "The question's id.")),
    responses(
        (status = 204, description = "Forgotten."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "No question of yours."),
    ),
)]
pub(super) async fn forget(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    if gateway.give_up(&caller, &id).await { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::NotFound) }
}
