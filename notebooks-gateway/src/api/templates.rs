//! `/templates`: templates that the board approved, and one of them run with values for its parameters.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use engine_protocol::{ParameterView, TemplateView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bearer::Bearer;
use super::body::Body;
use super::paging::{Page, Wanted};
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

/// An approved template.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Template {
    /// Its name.
    template: String,
    /// What it is for, in Japanese.
    title_ja: String,
    /// What it is for, in English.
    title_en: String,
    /// The query, with `$name` where a parameter stands.
    sql: String,
    /// Its parameters.
    parameters: Vec<Parameter>,
    /// Who approved it.
    approved_by: String,
}

/// A parameter of a template.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Parameter {
    /// Its name.
    name: String,
    /// `days`, `months`, `numbers`, `choice` or `codes`.
    kind: String,
    /// The first value; of codes, their system.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// The last value; of codes, how many there may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// The values of a choice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    choices: Vec<String>,
    /// A value of the domain.
    example: String,
}

impl From<TemplateView> for Template {
    fn from(view: TemplateView) -> Self {
        let parameter = |of: ParameterView| {
            let (from, to) = of.range.unzip();
            Parameter { name: of.name, kind: of.kind, from, to, choices: of.choices, example: of.example }
        };
        Self {
            template: view.name,
            title_ja: view.title.0,
            title_en: view.title.1,
            sql: view.sql,
            parameters: view.parameters.into_iter().map(parameter).collect(),
            approved_by: view.by,
        }
    }
}

/// The templates that the board approved for your project.
#[utoipa::path(
    get, path = "/api/v1/templates", tag = "questions", params(Wanted), security(("token" = [])),
    responses(
        (status = 200, body = Page<Template>, description = "The templates."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "A wrong call."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn list(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Page<Template>>, Problem> {
    let Query(wanted) = wanted?;
    let templates = gateway.templates(&caller).await?;
    wanted.of(templates.into_iter().map(Template::from)).map(Json)
}

/// Runs a template that the board approved for your project.
#[utoipa::path(
    post, path = "/api/v1/templates/{template}", tag = "questions", request_body = Values, security(("token" = [])),
    params(How, ("template" = String, Path, description = "The template's name."), ("idempotency-key" = Option<String>, Header, description = "A word of your own, under which this question runs once.", min_length = 1, max_length = 128, pattern = "^[!-~]+$")),
    responses(
        (status = 200, body = ReleasedShape, description = "The protected table."),
        (status = 202, body = Running, description = "Still running."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "No such template, a value outside its domain, denied, withheld, held for people, or a wrong call."),
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
