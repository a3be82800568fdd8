//! `/reports` and `/operations/quality`: the report on a period as a page and as a PDF, and the quality report.
//!
//! The guard counts and decides who may read; here figures become pages. The PDF is the guard's, sealed by a checkpoint.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine_protocol::{ClientReply, ClientRequest, FrameError, ReportAsk, ReportReply, ReportWhat};
use reports::board::period::Period;
use reports::board::{Document, Part};
use reports::quality::Quality;
use ring::digest::{SHA256, digest};
use serde::Deserialize;

use super::problem::{self, Problem};
use super::{Chrome, Here, go, show};
use crate::gateway::Gateway;
use crate::guard::AskError;
use crate::language;
use crate::visitor::{Visitor, Whoever};

/// The days of a period; what a form leaves empty is not given.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Days {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    chrome: Chrome,
    report: Document,
    from: String,
    to: String,
}

#[derive(Template)]
#[template(path = "no_quality.html")]
struct NoQuality {
    chrome: Chrome,
}

/// The report on a period.
pub(super) async fn period(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    days: Result<Query<Days>, QueryRejection>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let (from, to) = days.map(|Query(days)| days.given()).unwrap_or_default();
    match ask(&gateway, &visitor, ReportWhat::Period { from, to }).await {
        Ok(ReportReply::Figures { figures }) => {
            let Ok(period) = serde_json::from_str::<Period>(&figures) else {
                return problem::respond(&gateway, Some(&visitor), &Problem::Ours).await;
            };
            let report = period.document(language::current());
            let chrome = Chrome::new(&gateway, Some(&visitor), Here::Reports).await;
            show(StatusCode::OK, &Page { chrome, report, from: period.from, to: period.to })
        }
        other => unwilling(&gateway, &visitor, other).await,
    }
}

/// The same as a PDF.
pub(super) async fn pdf(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    days: Result<Query<Days>, QueryRejection>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let (from, to) = days.map(|Query(days)| days.given()).unwrap_or_default();
    let language = language::current().pick("ja", "en").to_owned();
    match ask(&gateway, &visitor, ReportWhat::PeriodPdf { from, to, language }).await {
        Ok(ReportReply::Pdf { base64 }) => match STANDARD.decode(base64) {
            Ok(bytes) => {
                let named = "attachment; filename=\"misu-report.pdf\"";
                ([(CONTENT_TYPE, "application/pdf"), (CONTENT_DISPOSITION, named)], bytes).into_response()
            }
            Err(_) => problem::respond(&gateway, Some(&visitor), &Problem::Ours).await,
        },
        other => unwilling(&gateway, &visitor, other).await,
    }
}

/// The quality report. Counts below ten stand in it: it is neither selected nor printed.
pub(super) async fn quality(State(gateway): State<Gateway>, Whoever(visitor): Whoever) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    match ask(&gateway, &visitor, ReportWhat::Quality).await {
        Ok(ReportReply::Figures { figures }) => {
            let report = serde_json::from_str::<Quality>(&figures).ok();
            match report.and_then(|report| reports::quality::page(&report).ok()) {
                Some(page) => standing(&page),
                None => problem::respond(&gateway, Some(&visitor), &Problem::Ours).await,
            }
        }
        Ok(ReportReply::Nothing) => {
            let chrome = Chrome::new(&gateway, Some(&visitor), Here::Operations).await;
            show(StatusCode::OK, &NoQuality { chrome })
        }
        other => unwilling(&gateway, &visitor, other).await,
    }
}

/// What the quality page says beside its own styles: read on the screen alone, and a way back.
const INSIDE: &str = "body { user-select: none; -webkit-user-select: none; } @media print { body { display: none; } } \
                      .back { display: block; padding: .6rem 1.5rem; }";

/// A page that stands by itself, with its one element of styles and no other written into it.
fn standing(page: &str) -> Response {
    let back = language::current().pick("← 運用へ戻る", "← Back to operations");
    let back = format!("<body>\n<a class=\"back\" href=\"/operations\">{back}</a>");
    let page = page.replacen("</style>", &format!("{INSIDE}\n</style>"), 1).replacen("<body>", &back, 1);
    let style = page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>"));
    let hash = STANDARD.encode(digest(&SHA256, style.map_or("", |(style, _)| style).as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src 'self' data:; form-action 'none'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    let mut response = Html(page).into_response();
    if let Ok(policy) = HeaderValue::try_from(policy) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

impl Days {
    fn given(self) -> (Option<String>, Option<String>) {
        let given = |day: String| Some(day.trim().to_owned()).filter(|day| !day.is_empty());
        (given(self.from), given(self.to))
    }
}

async fn ask(gateway: &Gateway, visitor: &Visitor, what: ReportWhat) -> Result<ReportReply, Problem> {
    let ask = ClientRequest::Report(ReportAsk { user: visitor.user().to_owned(), what });
    match gateway.ask(visitor, ask).await.map_err(Problem::Guard)? {
        ClientReply::Report(reply) => Ok(reply),
        ClientReply::Fault { message } => {
            tracing::error!(message, "the guard reports a fault");
            Err(Problem::Ours)
        }
        _ => Err(Problem::Guard(AskError::Broken(FrameError::Form.into()))),
    }
}

/// The page where there is no report.
async fn unwilling(gateway: &Gateway, visitor: &Visitor, answer: Result<ReportReply, Problem>) -> Response {
    let problem = match answer {
        Ok(ReportReply::NotAllowed) => Problem::NoRole,
        Ok(ReportReply::NoPeriod) => Problem::Malformed,
        Ok(_) => Problem::Ours,
        Err(problem) => problem,
    };
    problem::respond(gateway, Some(visitor), &problem).await
}
