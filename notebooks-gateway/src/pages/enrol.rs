//! `/enrol`: an invitation becomes an account with a password and a second factor.
//!
//! Three steps on one address: the invitation is typed; the secret for the authenticator is shown and a password
//! taken; recovery codes are shown, once. Between the steps nothing is kept here: the form carries the invitation.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use engine_protocol::{ClientReply, ClientRequest, IdentityAsk, IdentityReply, SecretWord};
use serde::Deserialize;

use super::problem::{self, Problem};
use super::why::Why;
use super::{Chrome, Here, show, sign_in};
use crate::attempts::Peer;
use crate::gateway::Gateway;
use crate::posted::Posted;

#[derive(Template)]
#[template(path = "enrol.html")]
struct Page {
    chrome: Chrome,
    step: Step,
    why: Why,
}

/// What is shown.
enum Step {
    /// The invitation is asked for.
    Invitation,
    /// The authenticator is set up and a password taken.
    Factor { invitation: String, user: String, secret: String, address: String },
    /// It is done.
    Codes(Vec<String>),
}

/// The form of either step.
#[derive(Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    invitation: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    again: String,
    #[serde(default)]
    code: String,
}

pub(super) async fn page(State(gateway): State<Gateway>) -> Response {
    form(&gateway, StatusCode::OK, Step::Invitation, Why::Nothing).await
}

pub(super) async fn enrol(
    State(gateway): State<Gateway>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Posted(typed): Posted<Typed>,
) -> Response {
    if !sign_in::may_try(&gateway, peer, &headers) {
        return form(&gateway, StatusCode::TOO_MANY_REQUESTS, Step::Invitation, Why::Later).await;
    }
    let invitation = SecretWord::new(typed.invitation.trim());
    if typed.password.is_empty() {
        return factor(&gateway, invitation, Why::Nothing).await;
    }
    if typed.password != typed.again {
        return factor(&gateway, invitation, Why::Weak).await;
    }
    let (password, code) = (SecretWord::new(typed.password), SecretWord::new(typed.code.trim()));
    let ask = IdentityAsk::Enrol { invitation: invitation.clone(), password, code };
    match gateway.ask_publicly(ClientRequest::Identity(ask)).await {
        Ok(ClientReply::Identity(IdentityReply::Enrolled { word, me, codes })) => {
            let codes = codes.iter().map(|code| code.as_str().to_owned()).collect();
            let shown = form(&gateway, StatusCode::OK, Step::Codes(codes), Why::Nothing).await;
            sign_in::signed_in(&gateway, shown, &word, &me).await
        }
        Ok(ClientReply::Identity(reply)) => factor(&gateway, invitation, Why::of(&reply)).await,
        Ok(_) => factor(&gateway, invitation, Why::Refused).await,
        Err(error) => problem::respond(&gateway, None, &Problem::Guard(error)).await,
    }
}

/// Shows what the authenticator needs. Each time there is another secret: the one before serves no more.
async fn factor(gateway: &Gateway, invitation: SecretWord, why: Why) -> Response {
    let ask = IdentityAsk::Enrolment { invitation: invitation.clone() };
    match gateway.ask_publicly(ClientRequest::Identity(ask)).await {
        Ok(ClientReply::Identity(IdentityReply::Enrolment { user, secret, address })) => {
            let [invitation, secret, address] =
                [invitation, secret, address].map(|word| word.as_str().to_owned());
            form(gateway, why.status(), Step::Factor { invitation, user, secret, address }, why).await
        }
        Ok(_) => form(gateway, StatusCode::UNAUTHORIZED, Step::Invitation, Why::Refused).await,
        Err(error) => problem::respond(gateway, None, &Problem::Guard(error)).await,
    }
}

async fn form(gateway: &Gateway, status: StatusCode, step: Step, why: Why) -> Response {
    let chrome = Chrome::new(gateway, None, Here::Elsewhere).await;
    show(status, &Page { chrome, step, why })
}
