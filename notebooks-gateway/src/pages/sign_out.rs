//! `/sign-out`: ends the session here and in the browser.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use serde::Deserialize;

use super::problem::{self, Problem};
use super::{go, sign_in};
use crate::gateway::Gateway;
use crate::posted::Posted;
use crate::secret;
use crate::visitor::{self, Whoever};

/// The form.
#[derive(Deserialize)]
pub(super) struct Leaving {
    #[serde(default)]
    form_word: String,
}

pub(super) async fn sign_out(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    Posted(form): Posted<Leaving>,
) -> Response {
    if let Some(visitor) = &visitor {
        if !secret::same(&form.form_word, &visitor.form_word) {
            return problem::respond(&gateway, Some(visitor), &Problem::Foreign).await;
        }
        sign_in::end(&gateway, visitor).await;
        tracing::info!(user = %visitor.user(), "signed out");
    }
    let mut response = go("/");
    if let Some(cookie) = visitor::no_cookie(&gateway) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}
