//! Forms that a browser posts: from our own pages only, of a bounded size, within a time.

use std::time::Duration;

use axum::Form;
use axum::extract::{FromRequest, Request};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde::de::DeserializeOwned;

use crate::gateway::Gateway;
use crate::pages::problem::{self, Problem};
use crate::visitor;

/// How long a form may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(15);

/// A form that came from one of our own pages.
#[derive(Debug)]
pub(crate) struct Posted<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Gateway> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, gateway: &Gateway) -> Result<Self, Response> {
        let headers = request.headers().clone();
        let problem = match read(request, &headers).await {
            Ok(form) => return Ok(Self(form)),
            Err(problem) => problem,
        };
        let visitor = visitor::find(gateway, &headers).await.ok().flatten();
        Err(problem::respond(gateway, visitor.as_ref(), &problem).await)
    }
}

async fn read<T: DeserializeOwned>(request: Request, headers: &HeaderMap) -> Result<T, Problem> {
    if !is_ours(headers) {
        return Err(Problem::Foreign);
    }
    match tokio::time::timeout(ARRIVAL, Form::<T>::from_request(request, &())).await {
        Ok(Ok(Form(form))) => Ok(form),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Problem::TooLarge),
        Ok(Err(_)) => Err(Problem::Malformed),
        Err(_) => Err(Problem::Slow),
    }
}

/// Says whether the page that posts is one of this host. Every browser names a form's origin; what names none is no
/// browser that a visitor uses, and has no business with forms.
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(origin), Some(host)) = (text(ORIGIN), text(HOST)) else { return false };
    let Ok(origin) = origin.parse::<Uri>() else { return false };
    origin.authority().is_some_and(|origin| origin.as_str().eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use axum::http::header::{HOST, ORIGIN};

    use super::is_ours;

    #[test]
    fn only_the_same_host_and_port_is_ours() {
        let judge = |origin: Option<&str>, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            is_ours(&headers)
        };
        assert!(judge(Some("http://127.0.0.1:8080"), "127.0.0.1:8080"));
        assert!(judge(Some("https://Misu.example"), "misu.example"));
        for (origin, host) in [
            (None, "misu.example"),
            (Some("null"), "misu.example"),
            (Some("https://misu.example.evil.example"), "misu.example"),
            (Some("http://127.0.0.1:8081"), "127.0.0.1:8080"),
            (Some("/"), "misu.example"),
            (Some(""), ""),
        ] {
            assert!(!judge(origin, host), "{origin:?} {host}");
        }
    }
}
