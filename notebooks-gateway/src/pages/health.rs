//! `/health`: 200 while the guard answers.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::gateway::Gateway;

/// Answers from the same few seconds' memory as the pages, so that probing does not burden the guard.
pub(super) async fn health(State(gateway): State<Gateway>) -> Response {
    match gateway.catalogue().await {
        Ok(_) => (StatusCode::OK, "ok\n").into_response(),
        Err(error) => {
            tracing::warn!(%error, "the guard gave no answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the guard does not answer\n").into_response()
        }
    }
}
