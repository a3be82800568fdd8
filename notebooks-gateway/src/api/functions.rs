//! `/functions`: the functions of our SQL, as `misu.functions` has them.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use std::collections::BTreeMap;

use super::bearer::Bearer;
use super::paging::{Page, Wanted};
use super::problem::{self, Problem};
use super::vet::unexpected;
use crate::caller::{Answer, Ask};
use crate::gateway::Gateway;

/// The functions, each with what `SELECT * FROM misu.functions` says of it.
#[utoipa::path(
    get, path = "/api/v1/functions", tag = "catalogue", params(Wanted), security(("token" = [])),
    responses(
        (status = 200, body = Page<BTreeMap<String, String>>, description = "The functions."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "A wrong call, or the permit does not hold."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn list(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Page<BTreeMap<String, String>>>, Problem> {
    let Query(wanted) = wanted?;
    let sql = "SELECT * FROM misu.functions".to_owned();
    let table = match gateway.ask_for(&caller, Ask::Query(sql.clone())).await? {
        Answer::Released(table) => table,
        Answer::Verdict(verdict) => return Err(Problem::Verdict(Box::new(verdict), sql)),
        other => return Err(unexpected(&other)),
    };
    let rows = table.rows.iter().map(|row| {
        let named = table.columns.iter().zip(row);
        named.map(|(column, value)| (column.name.clone(), value.text())).collect()
    });
    wanted.of(rows).map(Json)
}
