//! `/results/{id}`: a released table as a file, from memory; nothing runs again.

#![expect(unused_qualifications, reason = "what utoipa writes for a set of parameters names it in full")]

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::bearer::Bearer;
use super::problem::{self, Problem};
use super::query::{self, FormatWord};
use crate::gateway::Gateway;

/// Which file.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// The form of the table.
    #[serde(default)]
    #[param(inline, default = "json")]
    format: FormatWord,
}

/// A released table of yours as a file: by the question's id, or by the query's id in the record.
#[utoipa::path(
    get, path = "/api/v1/results/{id}", tag = "questions", security(("token" = [])),
    params(Which, ("id" = String, Path, description = "The question's id, or the query's id in the record.")),
    responses(
        (status = 200, description = "The file.", content(
            (super::shapes::ReleasedShape = "application/json"),
            (String = "text/csv; charset=utf-8"),
            (Vec<u8> = "application/vnd.apache.arrow.file"),
            (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        )),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "No result of yours."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn result(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    which: Result<Query<Which>, QueryRejection>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let Query(which) = which?;
    let table = gateway.result(&caller.owner(), &id).ok_or(Problem::NotFound)?;
    query::file(table, which.format.into()).await
}
