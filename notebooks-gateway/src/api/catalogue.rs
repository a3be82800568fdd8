//! `/catalogue`: tables and columns, as anybody may know them; no figure.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};

use super::paging::{Page, Wanted};
use super::problem::{self, Problem};
use super::shapes::{ColumnShape, TableShape};
use crate::gateway::Gateway;

/// The tables.
#[utoipa::path(
    get, path = "/api/v1/catalogue", tag = "catalogue", params(Wanted),
    responses(
        (status = 200, body = Page<TableShape>, description = "The tables."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "A wrong call."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn tables(
    State(gateway): State<Gateway>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Page<TableShape>>, Problem> {
    let Query(wanted) = wanted?;
    let view = gateway.catalogue().await?;
    wanted.of(view.tables.iter().map(TableShape::from)).map(Json)
}

/// The columns of a table.
#[utoipa::path(
    get, path = "/api/v1/catalogue/{table}", tag = "catalogue",
    params(Wanted, ("table" = String, Path, description = "The table's name in SQL.")),
    responses(
        (status = 200, body = Page<ColumnShape>, description = "Its columns."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "No such table."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn table(
    State(gateway): State<Gateway>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    Path(table): Path<String>,
) -> Result<Json<Page<ColumnShape>>, Problem> {
    let Query(wanted) = wanted?;
    let view = gateway.catalogue().await?;
    let found = view.tables.iter().find(|known| known.name == table).ok_or(Problem::NotFound)?;
    wanted.of(found.columns.iter().map(ColumnShape::from)).map(Json)
}
