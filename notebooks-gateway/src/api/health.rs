//! `/health`: whether the guard answers.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{self, Problem};
use crate::gateway::Gateway;

/// That the environment can be asked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`.
    status: &'static str,
    /// The latest snapshot, if any.
    snapshot: Option<String>,
    /// Whether the environment is a demo, whose keys protect nothing.
    demo: bool,
}

/// Says whether the environment can be asked.
#[utoipa::path(
    get, path = "/api/v1/health", tag = "operation",
    responses(
        (status = 200, body = Health, description = "The guard answers."),
        (status = 503, body = problem::Document, content_type = "application/problem+json", description = "It does not."),
    ),
)]
pub(super) async fn health(State(gateway): State<Gateway>) -> Result<Json<Health>, Problem> {
    let view = gateway.catalogue().await?;
    Ok(Json(Health { status: "ok", snapshot: view.snapshot.clone(), demo: view.is_demo }))
}
