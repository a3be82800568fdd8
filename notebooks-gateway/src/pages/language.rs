//! `/language/{tag}`: remembers the reader's language and goes back to the page that was left.

use axum::extract::{Path, State};
use axum::http::header::{HOST, LOCATION, REFERER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

use super::problem::{self, Problem};
use crate::gateway::Gateway;
use crate::language;
use crate::visitor::Whoever;

pub(super) async fn choose(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    Path(tag): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(language) = language::parse(&tag) else {
        return problem::respond(&gateway, visitor.as_ref(), &Problem::NotFound).await;
    };
    let back = HeaderValue::try_from(back(&headers)).unwrap_or(HeaderValue::from_static("/"));
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, back)]).into_response();
    if let Some(cookie) = language::cookie(language) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// The path of our own page that the browser came from; the first page where it does not say, or came from elsewhere.
fn back(headers: &HeaderMap) -> String {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let from = || {
        let (host, from) = (text(HOST)?, text(REFERER)?.parse::<Uri>().ok()?);
        let is_ours = from.authority().is_some_and(|authority| authority.as_str().eq_ignore_ascii_case(host));
        let path = from.path_and_query().filter(|_| is_ours)?.as_str().to_owned();
        // Two slashes would begin another host's address.
        (path.starts_with('/') && !path.starts_with("//") && !path.contains('\\')).then_some(path)
    };
    from().unwrap_or_else(|| "/".to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::back;

    #[test]
    fn the_way_back_never_leads_elsewhere() {
        for (from, expected) in [
            ("http://misu.example/catalogue?q=1", "/catalogue?q=1"),
            ("http://evil.example/catalogue", "/"),
            ("http://misu.example//evil.example/", "/"),
            ("http://misu.example@evil.example/x", "/"),
            ("javascript:alert(1)", "/"),
            ("", "/"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("host", "misu.example".parse().unwrap());
            headers.insert("referer", from.parse().unwrap());
            assert_eq!(back(&headers), expected, "{from}");
        }
    }
}
