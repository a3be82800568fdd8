//! `POST /vet` and `POST /estimate`: would this question run, and what would it cost? Nothing runs.

use axum::Json;
use axum::extract::State;

use super::bearer::Bearer;
use super::body::Body;
use super::problem::{self, Problem};
use super::shapes::{BudgetShape, Estimate, Question, VerdictShape};
use crate::caller::{Answer, Ask};
use crate::gateway::Gateway;
use crate::guard::AskError;

/// Says whether a question would run.
#[utoipa::path(
    post, path = "/api/v1/vet", tag = "questions", request_body = Question, security(("token" = [])),
    responses(
        (status = 200, body = VerdictShape, description = "The verdict, whichever it is."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "A wrong call."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn vet(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    Body(question): Body<Question>,
) -> Result<Json<VerdictShape>, Problem> {
    match gateway.ask_for(&caller, Ask::Vet(question.sql.clone())).await? {
        Answer::Verdict(verdict) => Ok(Json(VerdictShape::of(&verdict, &question.sql))),
        other => Err(unexpected(&other)),
    }
}

/// Says whether a question would run, and what it would cost.
#[utoipa::path(
    post, path = "/api/v1/estimate", tag = "questions", request_body = Question, security(("token" = [])),
    responses(
        (status = 200, body = Estimate, description = "The verdict, and the cost where it may run."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "A wrong call."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn estimate(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    Body(question): Body<Question>,
) -> Result<Json<Estimate>, Problem> {
    match gateway.ask_for(&caller, Ask::Estimate(question.sql.clone())).await? {
        Answer::Estimate(verdict, budget) => Ok(Json(Estimate {
            verdict: VerdictShape::of(&verdict, &question.sql),
            budget: budget.map(BudgetShape::from),
        })),
        other => Err(unexpected(&other)),
    }
}

/// The guard answered something else than was asked.
pub(super) fn unexpected(answer: &Answer) -> Problem {
    match answer {
        Answer::Fault => Problem::Ours,
        _ => Problem::Guard(AskError::Lost),
    }
}
