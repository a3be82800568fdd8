//! What holds for every response: security headers, a deadline, and a line in the log without any text of a visitor.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::gateway::Gateway;
use crate::language;
use crate::pages::problem::{self, Problem};

/// What a page may load: our own styles, pictures and scripts, nothing else, and nothing written into the page.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// How long a page may take. Questions that take longer go on without their page.
const DEADLINE: Duration = Duration::from_secs(40);

/// What no page of ours may do, whatever runs in it: read or write the clipboard, take pictures of the screen, reach
/// devices. A person's own selection and camera are beyond any header; what lies inside is not selected or printed (`.inside` in
/// `misu.css`).
const PERMISSIONS: &str = "clipboard-read=(), clipboard-write=(), display-capture=(), camera=(), microphone=(), \
                           geolocation=(), usb=(), serial=(), bluetooth=(), browsing-topics=()";

const ALWAYS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Not `no-referrer`: with that, a browser does not name the origin of our own forms.
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS),
];

/// Runs a request and dresses its response.
pub(crate) async fn shield(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    let began = gateway.now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let asked = language::asked(request.headers());
    let mut response = language::within(asked, async {
        match tokio::time::timeout(DEADLINE, next.run(request)).await {
            Ok(response) => response,
            Err(_) => problem::respond(&gateway, None, &Problem::Slow).await,
        }
    })
    .await;
    dress(response.headers_mut());
    // The same address is another page in another language.
    response.headers_mut().append(VARY, HeaderValue::from_static("accept-language, cookie"));
    let took = gateway.now().saturating_sub(began);
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let (route, status) = (route.as_deref().unwrap_or("none"), response.status().as_u16());
    gateway.parts().metrics.count(method.as_str(), route, response.status(), took);
    tracing::info!(%method, route, status, milliseconds, "answered");
    response
}

fn dress(headers: &mut HeaderMap) {
    for (name, value) in ALWAYS {
        // A page that stands by itself says what it loads: nothing but its own styles, by their digest.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
