//! Who is asking: the session cookie.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

use crate::gateway::Gateway;
use crate::sessions::{LONGEST, Visitor};

/// The length of the word in the cookie.
const WORD: usize = 64;

/// The visitor, if one is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Whoever(pub(crate) Option<Visitor>);

impl FromRequestParts<Gateway> for Whoever {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Infallible> {
        Ok(Self(find(gateway, &parts.headers)))
    }
}

/// The visitor whose cookie stands in these headers.
pub(crate) fn find(gateway: &Gateway, headers: &HeaderMap) -> Option<Visitor> {
    let name = cookie_name(gateway);
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, word) = pairs.find(|(found, word)| *found == name && word.len() == WORD)?;
    gateway.parts().sessions.find(word, gateway.now())
}

/// The header that begins a session in the browser.
pub(crate) fn cookie(gateway: &Gateway, word: &str) -> Option<HeaderValue> {
    set_cookie(gateway, word, LONGEST.as_secs())
}

/// The header that ends a session in the browser.
pub(crate) fn no_cookie(gateway: &Gateway) -> Option<HeaderValue> {
    set_cookie(gateway, "", 0)
}

fn set_cookie(gateway: &Gateway, word: &str, seconds: u64) -> Option<HeaderValue> {
    let name = cookie_name(gateway);
    let secure = if gateway.parts().settings.is_behind_tls { "; Secure" } else { "" };
    let text = format!("{name}={word}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::try_from(text).ok()
}

/// With the prefix, a browser takes the cookie over TLS only and for this host only.
fn cookie_name(gateway: &Gateway) -> &'static str {
    if gateway.parts().settings.is_behind_tls { "__Host-misu_session" } else { "misu_session" }
}
