//! `/sign-in`: how a session begins. What is typed goes to the guard as it is; the gateway judges nothing of it.

use std::net::IpAddr;

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use engine_protocol::{ClientReply, ClientRequest, IdentityAsk, IdentityReply, Me, SecretWord};
use serde::Deserialize;

use super::problem::{self, Problem};
use super::{Chrome, Here, go, show};
use crate::attempts::Peer;
use crate::gateway::Gateway;
use crate::posted::Posted;
use crate::visitor::{self, Visitor, Whoever};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    chrome: Chrome,
    why: Why,
    /// A demo's one-time word from the address.
    link: Option<String>,
    /// Whether people may sign in at a provider.
    has_provider: bool,
    /// A question that was sent without a session, so that it is not lost.
    kept: Option<String>,
}

/// Why the form is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Asked,
    Wrong,
    Later,
    Ended,
}

/// The address' query.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Choice {
    link: Option<String>,
}

/// The form: a demo's one-time word, or name, password and code.
#[derive(Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    link: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    code: String,
}

pub(super) async fn page(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    choice: Result<Query<Choice>, QueryRejection>,
) -> Response {
    let link = choice.ok().and_then(|Query(choice)| choice.link);
    if visitor.is_some() && link.is_none() {
        return go("/workbench");
    }
    form(&gateway, StatusCode::OK, Why::Asked, link, None).await
}

pub(super) async fn sign_in(
    State(gateway): State<Gateway>,
    Whoever(before): Whoever,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Posted(typed): Posted<Typed>,
) -> Response {
    if !may_try(&gateway, peer, &headers) {
        return form(&gateway, StatusCode::TOO_MANY_REQUESTS, Why::Later, None, None).await;
    }
    let ask = if typed.link.is_empty() {
        let (password, code) = (SecretWord::new(typed.password), SecretWord::new(typed.code.trim()));
        IdentityAsk::SignIn { user: typed.user.trim().to_owned(), password, code }
    } else {
        IdentityAsk::Link { word: SecretWord::new(typed.link.trim()) }
    };
    match gateway.ask_publicly(ClientRequest::Identity(ask)).await {
        Ok(ClientReply::Identity(IdentityReply::SignedIn { word, me })) => {
            if let Some(before) = before {
                end(&gateway, &before).await;
            }
            signed_in(&gateway, go("/workbench"), &word, &me).await
        }
        Ok(ClientReply::Identity(IdentityReply::Later)) => {
            form(&gateway, StatusCode::TOO_MANY_REQUESTS, Why::Later, None, None).await
        }
        Ok(_) => {
            tracing::warn!("a sign-in failed");
            form(&gateway, StatusCode::UNAUTHORIZED, Why::Wrong, None, None).await
        }
        Err(error) => problem::respond(&gateway, None, &Problem::Guard(error)).await,
    }
}

/// Counts an attempt of the address that a request came from. A proxy in front says it in the last place of
/// `X-Forwarded-For`; what a visitor writes before that does not count.
pub(super) fn may_try(gateway: &Gateway, peer: Option<Extension<Peer>>, headers: &HeaderMap) -> bool {
    let parts = gateway.parts();
    let told = || {
        let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
        last.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
    };
    let told = parts.settings.is_behind_proxy.then(told).flatten();
    match told.or(peer.map(|Extension(Peer(address))| address)) {
        Some(address) => parts.attempts.count(address, gateway.now()),
        // Not over the wire.
        None => true,
    }
}

/// Hands the browser the word of the session that just began, with this response.
pub(super) async fn signed_in(
    gateway: &Gateway,
    mut response: Response,
    word: &SecretWord,
    me: &Me,
) -> Response {
    tracing::info!(user = %me.user, method = %me.method, "signed in");
    let Some(cookie) = visitor::cookie(gateway, word) else {
        return problem::respond(gateway, None, &Problem::Ours).await;
    };
    response.headers_mut().insert(SET_COOKIE, cookie);
    response
}

/// Ends a session at the guard and here.
pub(super) async fn end(gateway: &Gateway, visitor: &Visitor) {
    if let Err(error) = gateway.ask(visitor, ClientRequest::Identity(IdentityAsk::SignOut)).await {
        tracing::warn!(%error, "a session could not be ended at the guard");
    }
}

/// The form for somebody whose session has ended while a question was being written.
pub(super) async fn ended(gateway: &Gateway, kept: String) -> Response {
    form(gateway, StatusCode::UNAUTHORIZED, Why::Ended, None, Some(kept)).await
}

async fn form(
    gateway: &Gateway,
    status: StatusCode,
    why: Why,
    link: Option<String>,
    kept: Option<String>,
) -> Response {
    let chrome = Chrome::new(gateway, None, Here::Elsewhere).await;
    let has_provider = gateway.parts().settings.provider.is_some();
    show(status, &Page { chrome, why, link, has_provider, kept })
}
