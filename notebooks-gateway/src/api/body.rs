//! A JSON body: announced as such, of a bounded size, arrived in time, of the expected form.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::IntoResponse as _;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::gateway::Gateway;
use crate::pages::BODY;

/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(15);

/// A body that was read.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Gateway> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Gateway) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
        if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
            return Err(Problem::NotJson);
        }
        // What says that it is too large is not waited for.
        let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        if length.and_then(|length| length.parse().ok()).is_some_and(|length: u64| length > BODY as u64) {
            return Err(Problem::TooLarge);
        }
        let read = Bytes::from_request(request, &());
        let bytes = match tokio::time::timeout(ARRIVAL, read).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(rejection)) => {
                let is_large = rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE;
                return Err(if is_large {
                    Problem::TooLarge
                } else {
                    Problem::Malformed { line: 0, column: 0 }
                });
            }
            Err(_) => return Err(Problem::Slow),
        };
        let malformed =
            |error: serde_json::Error| Problem::Malformed { line: error.line(), column: error.column() };
        serde_json::from_slice(&bytes).map(Self).map_err(malformed)
    }
}
