//! `/sign-in`: the thin local form, until accounts with a second factor come.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use serde::Deserialize;

use super::problem::{self, Problem};
use super::{Chrome, Here, go, show};
use crate::gateway::Gateway;
use crate::posted::Posted;
use crate::visitor::{self, Whoever};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    chrome: Chrome,
    why: Why,
    /// Whether anybody can sign in.
    is_open: bool,
    /// A question that was sent without a session, so that it is not lost.
    kept: Option<String>,
}

/// Why the form is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Asked,
    Wrong,
    Ended,
}

/// The form.
#[derive(Deserialize)]
pub(super) struct Token {
    token: String,
}

pub(super) async fn page(State(gateway): State<Gateway>, Whoever(visitor): Whoever) -> Response {
    if visitor.is_some() {
        return go("/workbench");
    }
    form(&gateway, StatusCode::OK, Why::Asked, None).await
}

pub(super) async fn sign_in(
    State(gateway): State<Gateway>,
    Whoever(before): Whoever,
    Posted(Token { token }): Posted<Token>,
) -> Response {
    let parts = gateway.parts();
    let Some(user) = parts.users.find(&token) else {
        tracing::warn!("a sign-in failed");
        return form(&gateway, StatusCode::UNAUTHORIZED, Why::Wrong, None).await;
    };
    if let Some(before) = before {
        parts.sessions.end(before.session);
    }
    let word = match parts.sessions.begin(user, gateway.now(), &parts.sources) {
        Ok(word) => word,
        Err(error) => return problem::respond(&gateway, None, &error.into()).await,
    };
    tracing::info!(user = %user.user, "signed in");
    let Some(cookie) = visitor::cookie(&gateway, &word) else {
        return problem::respond(&gateway, None, &Problem::Ours).await;
    };
    let mut response = go("/workbench");
    response.headers_mut().insert(SET_COOKIE, cookie);
    response
}

/// The form for somebody whose session has ended while a question was being written.
pub(super) async fn ended(gateway: &Gateway, kept: String) -> Response {
    form(gateway, StatusCode::UNAUTHORIZED, Why::Ended, Some(kept)).await
}

async fn form(gateway: &Gateway, status: StatusCode, why: Why, kept: Option<String>) -> Response {
    let chrome = Chrome::new(gateway, None, Here::Elsewhere).await;
    let is_open = !gateway.parts().users.is_empty();
    show(status, &Page { chrome, why, is_open, kept })
}
