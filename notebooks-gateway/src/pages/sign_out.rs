//! `/sign-out`: ends the session here and in the browser.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::Response;

use super::{go, sign_in};
use crate::gateway::Gateway;
use crate::posted::{Nothing, Signed};
use crate::visitor;

pub(super) async fn sign_out(
    State(gateway): State<Gateway>,
    Signed { visitor, form: Nothing {} }: Signed<Nothing>,
) -> Response {
    if let Some(visitor) = &visitor {
        sign_in::end(&gateway, visitor).await;
        tracing::info!(user = %visitor.user(), "signed out");
    }
    let mut response = go("/");
    if let Some(cookie) = visitor::no_cookie(&gateway) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}
