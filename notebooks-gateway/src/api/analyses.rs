//! `/analyses`: files with the steps of a project's work, run one after the other, and their outputs as a package.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use engine_protocol::{AnalysisAct, AnalysisReply, AnalysisRun, AnalysisStep, StepCame};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bearer::Bearer;
use super::body::Body;
use super::paging::{Page, Wanted};
use super::problem::{self, Problem};
use super::shapes::VerdictShape;
use crate::caller::Caller;
use crate::gateway::Gateway;

/// An analysis to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Submission {
    /// The text of the `analysis.toml`.
    text: String,
}

/// A run of an analysis.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Run {
    /// The run's id.
    id: String,
    /// The analysis's name.
    analysis: String,
    /// When it was submitted.
    submitted: String,
    /// The SHA-256 of the file.
    file: String,
    /// `queued`, `running`, `done`, `failed`, `stopped` or `interrupted`.
    state: &'static str,
    /// Its steps.
    steps: Vec<Step>,
}

/// A step of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Step {
    /// Its name.
    step: String,
    /// `waiting`, `begun`, `kept`, `released`, `held`, `withheld`, `no` or `fault`.
    came: &'static str,
    /// The query in the record, where its rows are kept or its table was released.
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    /// The output's case, where people look at it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// Why it is refused or denied; places are in the step's statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<VerdictShape>,
    /// The statement, with the parameters' values in their places.
    sql: String,
}

impl From<AnalysisRun> for Run {
    fn from(run: AnalysisRun) -> Self {
        Self {
            id: run.id,
            analysis: run.name,
            submitted: run.at,
            file: run.digest,
            state: run.state.as_str(),
            steps: run.steps.into_iter().map(Step::from).collect(),
        }
    }
}

impl From<AnalysisStep> for Step {
    fn from(step: AnalysisStep) -> Self {
        let came = step.came.as_str();
        let (mut query, mut output, mut verdict) = (None, None, None);
        match step.came {
            StepCame::Kept { query: id } | StepCame::Released { query: id } => query = Some(id),
            StepCame::Held { output: id } => output = Some(id),
            StepCame::No { verdict: why } => verdict = Some(VerdictShape::of(&why, &step.sql)),
            StepCame::Nothing | StepCame::Begun { .. } | StepCame::Withheld | StepCame::Fault => {}
        }
        Self { step: step.name, came, query, output, verdict, sql: step.sql }
    }
}

/// Submits an analysis, which runs when its turn comes.
#[utoipa::path(
    post, path = "/api/v1/analyses", tag = "analyses", request_body = Submission, security(("token" = [])),
    responses(
        (status = 202, body = Run, description = "Taken in.", headers(("location" = String, description = "Where to look how far it is."))),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "The file is no analysis, the permit does not hold, or too many of yours wait."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn submit(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    Body(Submission { text }): Body<Submission>,
) -> Result<Response, Problem> {
    let run = run(&gateway, &caller, AnalysisAct::Submit { text }).await?;
    let place = HeaderValue::try_from(format!("/api/v1/analyses/{}", run.id)).map_err(|_| Problem::Ours)?;
    Ok((StatusCode::ACCEPTED, [(LOCATION, place)], Json(run)).into_response())
}

/// Your runs, the latest first.
#[utoipa::path(
    get, path = "/api/v1/analyses", tag = "analyses", params(Wanted), security(("token" = [])),
    responses(
        (status = 200, body = Page<Run>, description = "The runs."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "A wrong call, or the permit does not hold."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn list(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Page<Run>>, Problem> {
    let Query(wanted) = wanted?;
    match gateway.analysis(&caller, AnalysisAct::List).await? {
        AnalysisReply::List { runs } => wanted.of(runs.into_iter().map(Run::from)).map(Json),
        other => Err(unwilling(other)),
    }
}

/// How far a run is.
#[utoipa::path(
    get, path = "/api/v1/analyses/{id}", tag = "analyses", security(("token" = [])),
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 200, body = Run, description = "The run."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "No run of yours."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn look(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    Path(id): Path<String>,
) -> Result<Json<Run>, Problem> {
    run(&gateway, &caller, AnalysisAct::Look { id }).await.map(Json)
}

/// Ends a run after the step at hand.
#[utoipa::path(
    post, path = "/api/v1/analyses/{id}/stop", tag = "analyses", security(("token" = [])),
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 200, body = Run, description = "The run."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "No run of yours."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn stop(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    Path(id): Path<String>,
) -> Result<Json<Run>, Problem> {
    run(&gateway, &caller, AnalysisAct::Stop { id }).await.map(Json)
}

/// Goes on with a run that was stopped, interrupted, or could not be done.
#[utoipa::path(
    post, path = "/api/v1/analyses/{id}/resume", tag = "analyses", security(("token" = [])),
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 200, body = Run, description = "The run."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "No run of yours."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn resume(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    Path(id): Path<String>,
) -> Result<Json<Run>, Problem> {
    run(&gateway, &caller, AnalysisAct::Resume { id }).await.map(Json)
}

/// The outputs of a run that are out now, with their certificates and where they come from, as a zip package.
#[utoipa::path(
    get, path = "/api/v1/analyses/{id}/package", tag = "analyses", security(("token" = [])),
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/zip", description = "The package."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "No run of yours."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn package(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let outputs = match gateway.analysis(&caller, AnalysisAct::Outputs { id }).await? {
        AnalysisReply::Outputs(outputs) => outputs,
        other => return Err(unwilling(other)),
    };
    let packed = tokio::task::spawn_blocking(move || reports::package::package(&outputs)).await;
    let bytes = match packed {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => {
            tracing::error!(%error, "outputs cannot be packed");
            return Err(Problem::Ours);
        }
        Err(_) => return Err(Problem::Ours),
    };
    let kind = HeaderValue::from_static("application/zip");
    let disposition = HeaderValue::from_static("attachment; filename=\"misu-analysis.zip\"");
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, disposition)], bytes).into_response())
}

async fn run(gateway: &Gateway, caller: &Caller, act: AnalysisAct) -> Result<Run, Problem> {
    match gateway.analysis(caller, act).await? {
        AnalysisReply::Run(run) => Ok(run.into()),
        other => Err(unwilling(other)),
    }
}

fn unwilling(reply: AnalysisReply) -> Problem {
    match reply {
        AnalysisReply::Unfit { place, message, message_ja } => {
            Problem::Unfit(format!("{place}: {message}"), format!("{place}: {message_ja}"))
        }
        AnalysisReply::NotFound => Problem::NotFound,
        AnalysisReply::TooMany => Problem::Often(30),
        AnalysisReply::Denied => Problem::NoPermit,
        AnalysisReply::Run(_) | AnalysisReply::List { .. } | AnalysisReply::Outputs(_) => Problem::Ours,
    }
}
