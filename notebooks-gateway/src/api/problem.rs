//! What went wrong, as `application/problem+json`: whose it is, where, and what would be allowed.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use engine_protocol::{Verdict, VerdictKind};
use reports::verdict::place;
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::NotAdmitted;
use crate::guard::AskError;
use crate::kept::NotBegun;

/// Why a call has no other answer.
#[derive(Debug)]
pub(crate) enum Problem {
    /// No token, or one that nobody has.
    Unknown,
    /// There is nothing at this address, or nothing of this caller's.
    NotFound,
    Method,
    /// Too many calls; come back after so many seconds.
    Often(u64),
    /// The body is not announced as JSON.
    NotJson,
    /// The body is not of the expected form, at this line and column.
    Malformed {
        line: usize,
        column: usize,
    },
    /// A parameter of the address is not of the expected form.
    Parameter,
    TooLarge,
    Slow,
    /// The idempotency key is not one.
    Key,
    /// The idempotency key came with another question.
    OtherQuestion,
    /// The question is refused or the permit does not cover it.
    Verdict(Box<Verdict>, String),
    /// A file is no analysis: why, in English and Japanese.
    Unfit(String, String),
    /// The permit gives nothing now.
    NoPermit,
    Withheld,
    /// People look at it before it goes out; the output's id.
    Held(String),
    Guard(AskError),
    Ours,
}

/// An error as RFC 9457 has it, with what a verdict says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document {
    /// What kind of problem it is: `urn:misu:problem:` and a word.
    r#type: String,
    /// The kind, in words.
    title: &'static str,
    /// The status code.
    status: u16,
    /// What is wrong, in plain words.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What is wrong, in plain Japanese.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail_ja: Option<String>,
    /// The rule that the question breaks, or the policy that denies it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// Where in the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    /// The nearest allowed form.
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<String>,
    /// The output's id, where people look at it before it goes out.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
}

/// A place in a question.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Place)]
pub(crate) struct Place {
    /// The first byte.
    pub(crate) from: usize,
    /// The byte behind the last one.
    pub(crate) to: usize,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The character in the line, from 1.
    pub(crate) column: usize,
    /// The text there.
    pub(crate) text: String,
}

impl Place {
    /// The place of a span in a question; nothing where the question is empty.
    pub(crate) fn of(sql: &str, span: (usize, usize)) -> Option<Self> {
        let cut = place(sql, span)?;
        let last = cut.before.rsplit('\n').next().unwrap_or_default();
        Some(Self {
            from: cut.before.len(),
            to: cut.before.len() + cut.marked.len(),
            line: cut.before.matches('\n').count() + 1,
            column: last.chars().count() + 1,
            text: cut.marked.to_owned(),
        })
    }
}

/// What stands at an address that is not there.
pub(super) async fn not_found() -> Problem {
    Problem::NotFound
}

/// The answer to a method that an address does not take.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::Method
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unknown => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Often(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Malformed { .. } | Self::Parameter | Self::Key => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::OtherQuestion | Self::Withheld | Self::Held(_) => StatusCode::CONFLICT,
            Self::Verdict(verdict, _) if verdict.verdict == VerdictKind::Denied => StatusCode::FORBIDDEN,
            Self::NoPermit => StatusCode::FORBIDDEN,
            Self::Verdict(..) | Self::Unfit(..) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Guard(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Ours => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The kind's word and title, and what to say of this one.
    fn words(&self) -> (&'static str, &'static str, Option<String>) {
        let some = |text: &str| Some(text.to_owned());
        match self {
            Self::Unknown => ("unknown-caller", "no such token", some("send Authorization: Bearer TOKEN")),
            Self::NotFound => ("not-found", "nothing of yours at this address", None),
            Self::Method => ("method", "this address does not take this method", None),
            Self::Often(seconds) => {
                ("too-often", "too many calls", Some(format!("come back after {seconds} s")))
            }
            Self::NotJson => {
                ("not-json", "a JSON body is expected", some("send content-type: application/json"))
            }
            Self::Malformed { line, column } => {
                let detail = format!("not of the expected form at line {line}, column {column}");
                ("malformed", "the body cannot be read", Some(detail))
            }
            Self::Parameter => (
                "parameter",
                "a parameter cannot be read",
                some("the OpenAPI document lists parameters and their values"),
            ),
            Self::TooLarge => ("too-large", "the body is too large", None),
            Self::Slow => ("slow", "the body did not arrive in time", None),
            Self::Key => (
                "idempotency-key",
                "the idempotency key cannot be used",
                some("1 to 128 visible ASCII characters"),
            ),
            Self::OtherQuestion => {
                let detail = "this idempotency key came with another question before; use a new one";
                ("idempotency-conflict", "the key belongs to another question", some(detail))
            }
            Self::Verdict(verdict, _) if verdict.verdict == VerdictKind::Denied => {
                ("denied", "the permit does not cover this", verdict.message.clone())
            }
            Self::Verdict(verdict, _) => ("refused", "the question is refused", verdict.message.clone()),
            Self::Unfit(why, _) => ("analysis", "the file is no analysis", Some(why.clone())),
            Self::NoPermit => ("denied", "the permit does not cover this", None),
            Self::Withheld => {
                let detail = "every reason looks the same from outside";
                ("withheld", "nothing can be released", some(detail))
            }
            Self::Held(output) => {
                let detail = format!("describe and submit it as {output}; ask again once it is let out");
                ("held", "people look at this output before it goes out", Some(detail))
            }
            Self::Guard(AskError::Busy) => {
                ("busy", "too many questions at once", some("come back in a moment"))
            }
            Self::Guard(_) => ("no-answer", "the guard gave no answer", some("come back in a moment")),
            Self::Ours => ("fault", "a fault of ours", some("the operator's log says more")),
        }
    }

    fn document(&self) -> Document {
        let (word, title, detail) = self.words();
        let mut document = Document {
            r#type: format!("urn:misu:problem:{word}"),
            title,
            status: self.status().as_u16(),
            detail,
            detail_ja: None,
            rule: None,
            place: None,
            suggestion: None,
            output: None,
        };
        if let Self::Held(output) = self {
            document.output = Some(output.clone());
        }
        if let Self::Unfit(_, ja) = self {
            document.detail_ja = Some(ja.clone());
        }
        if let Self::Verdict(verdict, sql) = self {
            document.detail_ja.clone_from(&verdict.message_ja);
            document.rule.clone_from(&verdict.rule);
            document.place = verdict.span.and_then(|span| Place::of(sql, span));
            document.suggestion.clone_from(&verdict.suggestion);
        }
        document
    }

    /// The header that goes with it.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Unknown => Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"misu\""))),
            Self::Often(seconds) => Some((RETRY_AFTER, HeaderValue::from(*seconds))),
            Self::Guard(_) => Some((RETRY_AFTER, HeaderValue::from_static("2"))),
            _ => None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let Self::Guard(error) = &self {
            tracing::warn!(%error, "the guard gave no answer");
        }
        let mut response = (self.status(), Json(self.document())).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.extend(self.header());
        response
    }
}

impl From<NotAdmitted> for Problem {
    fn from(error: NotAdmitted) -> Self {
        match error {
            NotAdmitted::Unknown => Self::Unknown,
            NotAdmitted::Often(seconds) => Self::Often(seconds),
            NotAdmitted::Guard(error) => Self::Guard(error),
        }
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        match error {
            // The token ended between two asks.
            AskError::NotKnown => Self::Unknown,
            error => Self::Guard(error),
        }
    }
}

impl From<NotBegun> for Problem {
    fn from(error: NotBegun) -> Self {
        match error {
            NotBegun::OtherQuestion => Self::OtherQuestion,
            NotBegun::TooMany => Self::Often(2),
            NotBegun::Random(error) => {
                tracing::error!(%error, "no question can be asked");
                Self::Ours
            }
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(_: QueryRejection) -> Self {
        Self::Parameter
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_place_is_told_in_bytes_lines_and_characters() {
        let sql = "SELECT 性別,\n  漢字 bad(x)";
        let from = sql.find("bad").unwrap();
        let place = Place::of(sql, (from, from + 6)).unwrap();
        assert_eq!((place.line, place.column, place.text.as_str()), (2, 6, "bad(x)"));
        assert_eq!(sql.get(place.from..place.to), Some("bad(x)"));
        assert_eq!(Place::of("", (0, 3)), None);
    }
}
