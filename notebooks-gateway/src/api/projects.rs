//! `/projects`: what a token lets its holder ask for.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::bearer::Bearer;
use super::paging::{Page, Wanted};
use super::problem::{self, Problem};
use crate::gateway::Gateway;

/// A project with who asks for it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Project {
    /// The project.
    project: String,
    /// Whom the token belongs to.
    user: String,
}

/// The projects that this token is for.
#[utoipa::path(
    get, path = "/api/v1/projects", tag = "account", params(Wanted), security(("token" = [])),
    responses(
        (status = 200, body = Page<Project>, description = "The projects."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "A wrong call."),
    ),
)]
pub(super) async fn list(
    State(_): State<Gateway>,
    Bearer(caller): Bearer,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Page<Project>>, Problem> {
    let Query(wanted) = wanted?;
    let project = Project { project: caller.project().to_owned(), user: caller.user().to_owned() };
    wanted.of([project].into_iter()).map(Json)
}
