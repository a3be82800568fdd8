//! Who is asking: the word in the session cookie, or the token of a program, and the person whom the guard finds by it.
//!
//! The gateway knows nobody by itself. Each request asks the guard who it is, so that a session that ended there, a
//! role that was taken away and training that ran out count from the next page on.

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use engine_protocol::{
    Caller, ClientReply, ClientRequest, FrameError, IdentityAsk, IdentityReply, Me, SecretWord,
};

use crate::desk::Owner;
use crate::gateway::Gateway;
use crate::guard::AskError;
use crate::pages::problem::{self, Problem};
use crate::secret;

/// The length of the word in the cookie.
const WORD: usize = 64;

/// Somebody whom the guard knows.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// What says so to the guard.
    pub(crate) caller: Caller,
    /// Who it is, in which roles, with which projects.
    pub(crate) me: Me,
    /// The word that this session's forms carry.
    pub(crate) form_word: String,
}

impl Visitor {
    fn new(caller: Caller, word: &SecretWord, me: Me) -> Self {
        Self { caller, me, form_word: secret::form_word(word.as_str()) }
    }

    /// The user id.
    pub fn user(&self) -> &str {
        &self.me.user
    }

    /// The project for which questions are asked; empty where none is chosen.
    pub fn project(&self) -> &str {
        self.me.project.as_deref().unwrap_or_default()
    }

    /// Whose desk the visitor sits at.
    pub(crate) fn owner(&self) -> Owner {
        (self.user().to_owned(), self.project().to_owned())
    }

    /// Says whether the person has a role today, by its word.
    pub fn is(&self, role: &str) -> bool {
        self.me.roles.iter().any(|has| has == role)
    }
}

/// The visitor, if one is signed in. Where the guard cannot be asked about a session, the page says so.
#[derive(Clone, Debug)]
pub(crate) struct Whoever(pub(crate) Option<Visitor>);

impl FromRequestParts<Gateway> for Whoever {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Response> {
        match find(gateway, &parts.headers).await {
            Ok(visitor) => Ok(Self(visitor)),
            Err(error) => Err(problem::respond(gateway, None, &Problem::Guard(error)).await),
        }
    }
}

/// The visitor whose cookie stands in these headers.
pub(crate) async fn find(gateway: &Gateway, headers: &HeaderMap) -> Result<Option<Visitor>, AskError> {
    let name = cookie_name(gateway);
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let Some((_, word)) = pairs.find(|(found, word)| *found == name && word.len() == WORD) else {
        return Ok(None);
    };
    let word = SecretWord::new(word);
    who(gateway, Caller::Session { word: word.clone() }, &word).await
}

/// The visitor whose API token stands in these headers as `Authorization: Bearer …`.
///
/// # Errors
///
/// The guard cannot be asked.
pub async fn visitor_of_bearer(gateway: &Gateway, headers: &HeaderMap) -> Result<Option<Visitor>, AskError> {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((scheme, word)) = value.split_once(' ') else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    visitor_of_token(gateway, word.trim()).await
}

/// The visitor with this API token.
///
/// # Errors
///
/// The guard cannot be asked.
pub async fn visitor_of_token(gateway: &Gateway, word: &str) -> Result<Option<Visitor>, AskError> {
    let word = SecretWord::new(word);
    who(gateway, Caller::Token { word: word.clone() }, &word).await
}

async fn who(gateway: &Gateway, caller: Caller, word: &SecretWord) -> Result<Option<Visitor>, AskError> {
    match gateway.call(caller.clone(), ClientRequest::Identity(IdentityAsk::Me)).await? {
        ClientReply::Identity(IdentityReply::Me(me)) => Ok(Some(Visitor::new(caller, word, me))),
        ClientReply::NotKnown => Ok(None),
        ClientReply::Fault { message } => {
            tracing::error!(%message, "the guard cannot say who asks");
            Err(AskError::Fault(message))
        }
        _ => Err(AskError::Broken(FrameError::Form.into())),
    }
}

/// The header that begins a session in the browser; it ends there with the browser, and at the guard in any case.
pub(crate) fn cookie(gateway: &Gateway, word: &SecretWord) -> Option<HeaderValue> {
    set_cookie(gateway, word.as_str(), "")
}

/// The header that ends a session in the browser.
pub(crate) fn no_cookie(gateway: &Gateway) -> Option<HeaderValue> {
    set_cookie(gateway, "", "; Max-Age=0")
}

fn set_cookie(gateway: &Gateway, word: &str, age: &str) -> Option<HeaderValue> {
    let name = cookie_name(gateway);
    let secure = if gateway.parts().settings.is_behind_tls { "; Secure" } else { "" };
    let text = format!("{name}={word}; Path=/; HttpOnly; SameSite=Strict{age}{secure}");
    HeaderValue::try_from(text).ok()
}

/// With the prefix, a browser takes the cookie over TLS only and for this host only.
fn cookie_name(gateway: &Gateway) -> &'static str {
    if gateway.parts().settings.is_behind_tls { "__Host-misu_session" } else { "misu_session" }
}
