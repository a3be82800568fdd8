//! `/sign-in/oidc` and `/sign-in/oidc/return`: to the provider and back.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{COOKIE, LOCATION, REFRESH, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use engine_protocol::{ClientReply, ClientRequest, IdentityAsk, IdentityReply, SecretWord};
use serde::Deserialize;

use super::problem::{self, Problem};
use super::{Chrome, Here, show, sign_in};
use crate::gateway::Gateway;
use crate::provider::{Departure, Provider};
use crate::secret;

/// The cookie that ties a sign-in to the browser that began it. It must come back from another site, so that it is
/// not as strict as the session's.
const COOKIE_NAME: &str = "misu_sign_in";
const MINUTES: u64 = 10;

#[derive(Template)]
#[template(path = "returned.html")]
struct Page {
    chrome: Chrome,
    is_in: bool,
}

/// What the provider sends the browser back with.
#[derive(Deserialize)]
pub(super) struct Returned {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

pub(super) async fn depart(State(gateway): State<Gateway>) -> Response {
    let Some(settings) = &gateway.parts().settings.provider else {
        return problem::respond(&gateway, None, &Problem::NotFound).await;
    };
    let provider = match gateway.ask_publicly(ClientRequest::Identity(IdentityAsk::OidcBegin)).await {
        Ok(ClientReply::Identity(IdentityReply::Provider { issuer, client_id, acr, nonce })) => {
            Provider { issuer, client_id, acr, nonce: nonce.as_str().to_owned() }
        }
        Ok(_) => return problem::respond(&gateway, None, &Problem::NotFound).await,
        Err(error) => return problem::respond(&gateway, None, &Problem::Guard(error)).await,
    };
    let Departure { to, state } =
        match gateway.parts().under_way.begin(settings, provider, gateway.now()).await {
            Ok(departure) => departure,
            Err(error) => {
                tracing::error!(%error, "nobody can sign in at the provider");
                return problem::respond(&gateway, None, &Problem::Ours).await;
            }
        };
    let (Ok(to), Some(cookie)) = (HeaderValue::try_from(to), cookie(&gateway, &state, MINUTES * 60)) else {
        return problem::respond(&gateway, None, &Problem::Ours).await;
    };
    (StatusCode::SEE_OTHER, [(LOCATION, to), (SET_COOKIE, cookie)]).into_response()
}

pub(super) async fn arrive(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    returned: Result<Query<Returned>, QueryRejection>,
) -> Response {
    let Some(settings) = &gateway.parts().settings.provider else {
        return problem::respond(&gateway, None, &Problem::NotFound).await;
    };
    let Ok(Query(returned)) = returned else { return refused(&gateway).await };
    if returned.code.is_empty() || !is_of(&headers, &returned.state) {
        return refused(&gateway).await;
    }
    let found =
        gateway.parts().under_way.finish(settings, &returned.state, returned.code, gateway.now()).await;
    let token = match found {
        Ok(token) => SecretWord::new(token),
        Err(error) => {
            tracing::warn!(%error, "a sign-in at the provider failed");
            return refused(&gateway).await;
        }
    };
    match gateway.ask_publicly(ClientRequest::Identity(IdentityAsk::OidcFinish { token })).await {
        Ok(ClientReply::Identity(IdentityReply::SignedIn { word, me })) => {
            let chrome = Chrome::new(&gateway, None, Here::Elsewhere).await;
            // Not a redirect: the session's cookie would not travel with one that another site began.
            let mut page = show(StatusCode::OK, &Page { chrome, is_in: true });
            page.headers_mut().insert(REFRESH, HeaderValue::from_static("0; url=/workbench"));
            sign_in::signed_in(&gateway, page, &word, &me).await
        }
        Ok(_) => refused(&gateway).await,
        Err(error) => problem::respond(&gateway, None, &Problem::Guard(error)).await,
    }
}

async fn refused(gateway: &Gateway) -> Response {
    let chrome = Chrome::new(gateway, None, Here::Elsewhere).await;
    let mut page = show(StatusCode::UNAUTHORIZED, &Page { chrome, is_in: false });
    if let Some(cookie) = cookie(gateway, "", 0) {
        page.headers_mut().insert(SET_COOKIE, cookie);
    }
    page
}

/// Says whether this browser began the sign-in with this state.
fn is_of(headers: &HeaderMap, state: &str) -> bool {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let found = pairs.find(|(name, _)| *name == COOKIE_NAME);
    !state.is_empty() && found.is_some_and(|(_, word)| secret::same(word, state))
}

fn cookie(gateway: &Gateway, state: &str, seconds: u64) -> Option<HeaderValue> {
    let secure = if gateway.parts().settings.is_behind_tls { "; Secure" } else { "" };
    let text = format!(
        "{COOKIE_NAME}={state}; Path=/sign-in/oidc; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}"
    );
    HeaderValue::try_from(text).ok()
}
