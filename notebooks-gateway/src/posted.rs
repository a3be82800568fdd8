//! Forms that a browser posts: from our own pages only, of a bounded size, within a time; and where somebody is signed
//! in, with the word of their session.

use std::time::Duration;

use axum::Form;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::gateway::Gateway;
use crate::pages::problem::{self, Problem};
use crate::secret;
use crate::visitor::{self, Visitor};

/// The field with the session's word.
const WORD: &str = "form_word";
/// How long a form may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(15);

/// A form that came from one of our own pages, posted by whoever; for what nobody has to be signed in for.
#[derive(Debug)]
pub(crate) struct Posted<T>(pub(crate) T);

/// A form that came from one of our own pages, with whoever is signed in. Where somebody is, it carried the word of
/// their session.
#[derive(Debug)]
pub(crate) struct Signed<T> {
    pub(crate) visitor: Option<Visitor>,
    pub(crate) form: T,
}

/// A form that says nothing but that its button was pressed.
#[derive(Debug, Deserialize)]
pub(crate) struct Nothing {}

impl<T: DeserializeOwned> FromRequest<Gateway> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, gateway: &Gateway) -> Result<Self, Response> {
        let headers = request.headers().clone();
        let problem = match arrived(request).await {
            Ok(arrived) => match arrived.read().await {
                Ok(form) => return Ok(Self(form)),
                Err(problem) => problem,
            },
            Err(problem) => problem,
        };
        let visitor = visitor::find(gateway, &headers).await.ok().flatten();
        Err(problem::respond(gateway, visitor.as_ref(), &problem).await)
    }
}

impl<T: DeserializeOwned + Send> FromRequest<Gateway> for Signed<T> {
    type Rejection = Response;

    async fn from_request(request: Request, gateway: &Gateway) -> Result<Self, Response> {
        let visitor = match visitor::find(gateway, request.headers()).await {
            Ok(visitor) => visitor,
            Err(error) => return Err(problem::respond(gateway, None, &Problem::Guard(error)).await),
        };
        match signed(request, visitor.as_ref()).await {
            Ok(form) => Ok(Self { visitor, form }),
            Err(problem) => Err(problem::respond(gateway, visitor.as_ref(), &problem).await),
        }
    }
}

async fn signed<T: DeserializeOwned + Send>(
    request: Request,
    visitor: Option<&Visitor>,
) -> Result<T, Problem> {
    let arrived = arrived(request).await?;
    if let Some(visitor) = visitor {
        let pairs: Vec<(String, String)> = arrived.read().await?;
        let mut words = pairs.iter().filter(|(name, _)| name == WORD).map(|(_, value)| value);
        let is_theirs = match (words.next(), words.next()) {
            (Some(word), None) => secret::same(word, &visitor.form_word),
            _ => false,
        };
        if !is_theirs {
            return Err(Problem::Foreign);
        }
    }
    arrived.read().await
}

/// A form's bytes, which can be read more than once.
struct Arrived {
    head: Parts,
    bytes: Bytes,
}

impl Arrived {
    async fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let request = Request::from_parts(self.head.clone(), Body::from(self.bytes.clone()));
        match Form::<T>::from_request(request, &()).await {
            Ok(Form(form)) => Ok(form),
            Err(_) => Err(Problem::Malformed),
        }
    }
}

async fn arrived(request: Request) -> Result<Arrived, Problem> {
    if !is_ours(request.headers()) {
        return Err(Problem::Foreign);
    }
    let (head, body) = request.into_parts();
    let whole = Request::from_parts(head.clone(), body);
    match tokio::time::timeout(ARRIVAL, Bytes::from_request(whole, &())).await {
        Ok(Ok(bytes)) => Ok(Arrived { head, bytes }),
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
