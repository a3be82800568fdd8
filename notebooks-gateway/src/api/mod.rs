//! `/api/v1`: what the portal does, for programs. JSON in, JSON or files out, one route in one file.
//!
//! A program is known by a bearer token. Errors are `application/problem+json` (RFC 9457) with the rule, the place and
//! the nearest allowed form. A query is a resource of its caller's: asked with `POST /query`, found again under
//! `/queries/{id}`, its table taken as a file from `/results/{id}`.
//!
//! What is not here: cookies, so that no page of another site can make a browser call; and anything that the guard
//! does not decide.

mod analyses;
mod catalogue;
mod dummy;
mod functions;
mod health;
mod openapi;
mod projects;
mod queries;
mod query;
mod results;
mod templates;
mod vet;

mod bearer;
mod body;
mod paging;
mod problem;
mod shapes;

use axum::Router;
use axum::routing::{get, post};

use crate::gateway::Gateway;

pub(crate) use problem::Problem;

/// Every route of the API, below `/api/v1`.
pub(crate) fn router() -> Router<Gateway> {
    Router::new()
        .route("/health", get(health::health))
        .route("/openapi.json", get(openapi::document))
        .route("/projects", get(projects::list))
        .route("/catalogue", get(catalogue::tables))
        .route("/catalogue/{table}", get(catalogue::table))
        .route("/functions", get(functions::list))
        .route("/dummy", get(dummy::package))
        .route("/vet", post(vet::vet))
        .route("/estimate", post(vet::estimate))
        .route("/query", post(query::query))
        .route("/templates", get(templates::list))
        .route("/templates/{template}", post(templates::run))
        .route("/analyses", get(analyses::list).post(analyses::submit))
        .route("/analyses/{id}", get(analyses::look))
        .route("/analyses/{id}/stop", post(analyses::stop))
        .route("/analyses/{id}/resume", post(analyses::resume))
        .route("/analyses/{id}/package", get(analyses::package))
        .route("/queries/{id}", get(queries::find).delete(queries::forget))
        .route("/results/{id}", get(results::result))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
}
