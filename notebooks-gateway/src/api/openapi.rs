//! `/openapi.json`: the OpenAPI 3.1 document, made from the routes themselves.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{
    analyses, catalogue, dummy, functions, health, projects, queries, query, results, templates, vet,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "misu",
        description = "Questions to a Visiting environment: only protected tables come out. Errors are application/problem+json with the rule, the place and the nearest allowed form.",
    ),
    paths(
        health::health, projects::list, catalogue::tables, catalogue::table, functions::list, dummy::package, vet::vet,
        vet::estimate, query::query, templates::list, templates::run,
        queries::find, queries::forget, results::result, analyses::submit, analyses::list, analyses::look,
        analyses::stop, analyses::resume, analyses::package,
    ),
    modifiers(&Tokens),
)]
struct Api;

/// The one way in: a bearer token.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

/// The document.
pub(super) async fn document() -> Response {
    Json(Api::openapi()).into_response()
}
