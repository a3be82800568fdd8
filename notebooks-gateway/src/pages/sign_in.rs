//! `/sign-in`: how a session begins. What is typed goes to the guard as it is; the gateway judges nothing of it.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use engine_protocol::{ClientReply, ClientRequest, IdentityAsk, IdentityReply, Me, SecretWord};
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
    /// A demo's one-time word from the address.
    link: Option<String>,
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

/// The address' query.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Choice {
    link: Option<String>,
}

/// The form.
#[derive(Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    link: String,
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
    Posted(typed): Posted<Typed>,
) -> Response {
    let ask = IdentityAsk::Link { word: SecretWord::new(typed.link.trim()) };
    let reply = gateway.ask_publicly(ClientRequest::Identity(ask)).await;
    match reply {
        Ok(ClientReply::Identity(IdentityReply::SignedIn { word, me })) => {
            if let Some(before) = before {
                end(&gateway, &before).await;
            }
            signed_in(&gateway, &word, &me).await
        }
        Ok(_) => {
            tracing::warn!("a sign-in failed");
            form(&gateway, StatusCode::UNAUTHORIZED, Why::Wrong, None, None).await
        }
        Err(error) => problem::respond(&gateway, None, &Problem::Guard(error)).await,
    }
}

/// Hands the browser the word of the session that just began.
async fn signed_in(gateway: &Gateway, word: &SecretWord, me: &Me) -> Response {
    tracing::info!(user = %me.user, "signed in");
    let Some(cookie) = visitor::cookie(gateway, word) else {
        return problem::respond(gateway, None, &Problem::Ours).await;
    };
    let mut response = go("/workbench");
    response.headers_mut().insert(SET_COOKIE, cookie);
    response
}

/// Ends a session at the guard and here.
pub(super) async fn end(gateway: &Gateway, visitor: &visitor::Visitor) {
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
    show(status, &Page { chrome, why, link, kept })
}
