//! `POST /templates/{template}`: runs an approved template with values for its parameters.

use std::collections::BTreeMap;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::bearer::Bearer;
use super::body::Body;
use super::problem::{self, Problem};
use super::query::{self, How, Running};
use super::shapes::ReleasedShape;
use crate::caller::Ask;
use crate::gateway::Gateway;

/// Values for a template's parameters.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Values {
    /// Values by parameter.
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

/// Runs a template that the board approved for your project.
#[utoipa::path(
    post, path = "/api/v1/templates/{template}", tag = "questions", request_body = Values, security(("token" = [])),
    params(How, ("template" = String, Path, description = "The template's name."), ("idempotency-key" = Option<String>, Header, description = "A word of your own, under which this question runs once.", min_length = 1, max_length = 128, pattern = "^[!-~]+$")),
    responses(
        (status = 200, body = ReleasedShape, description = "The protected table."),
        (status = 202, body = Running, description = "Still running."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "No such template, a value outside its domain, denied, withheld, or a wrong call."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn run(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    how: Result<Query<How>, QueryRejection>,
    Path(template): Path<String>,
    headers: HeaderMap,
    Body(values): Body<Values>,
) -> Result<Response, Problem> {
    let how = How::checked(how)?;
    query::run(&gateway, &caller, Ask::Template(template, values.parameters), how, &headers).await
}
