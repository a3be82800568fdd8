//! `/account`: who I am, my projects, my API tokens, my password and recovery codes, and the end of every session.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use engine_protocol::{
    ClientReply, ClientRequest, FrameError, IdentityAsk, IdentityReply, Me, SecretWord, TokenView, TokenWish,
};
use serde::Deserialize;

use super::problem::{self, Problem};
use super::why::Why;
use super::{Chrome, Here, go, show, sign_in};
use crate::gateway::Gateway;
use crate::guard::AskError;
use crate::posted::Signed;
use crate::visitor::{self, Visitor, Whoever};

#[derive(Template)]
#[template(path = "account.html")]
struct Page {
    chrome: Chrome,
    form_word: String,
    me: Me,
    tokens: Vec<TokenView>,
    told: Told,
}

/// What a form before led to.
enum Told {
    /// Nothing to show, or why it was not taken.
    Why(Why),
    /// A token was made; its word is shown this once.
    Token(String),
    /// Recovery codes were made, shown this once.
    Codes(Vec<String>),
}

/// A form of this page: which one, and its fields.
#[derive(Deserialize)]
pub(super) struct Typed {
    what: What,
    #[serde(default)]
    project: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    days: Option<u16>,
    #[serde(default)]
    id: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    new: String,
    #[serde(default)]
    again: String,
    #[serde(default)]
    code: String,
}

/// Which form was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    Choose,
    IssueToken,
    RevokeToken,
    ChangePassword,
    RenewCodes,
    SignOutEverywhere,
}

pub(super) async fn page(State(gateway): State<Gateway>, Whoever(visitor): Whoever) -> Response {
    match visitor {
        Some(visitor) => account(&gateway, &visitor, Told::Why(Why::Nothing)).await,
        None => go("/sign-in"),
    }
}

pub(super) async fn act(
    State(gateway): State<Gateway>,
    Signed { visitor, form: typed }: Signed<Typed>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let what = typed.what;
    if what == What::ChangePassword && typed.new != typed.again {
        return account(&gateway, &visitor, Told::Why(Why::Weak)).await;
    }
    let reply = match gateway.ask(&visitor, ClientRequest::Identity(ask(typed))).await {
        Ok(ClientReply::Identity(reply)) => reply,
        Ok(_) => return broken(&gateway, &visitor).await,
        Err(error) => return problem::respond(&gateway, Some(&visitor), &Problem::Guard(error)).await,
    };
    answer(&gateway, &visitor, what, reply).await
}

fn ask(typed: Typed) -> IdentityAsk {
    let word = |text: String| SecretWord::new(text);
    let code = SecretWord::new(typed.code.trim());
    match typed.what {
        What::Choose => IdentityAsk::Choose { project: typed.project },
        What::IssueToken => {
            let days = typed.days.unwrap_or(30);
            IdentityAsk::IssueToken(TokenWish { name: typed.name, project: typed.project, days })
        }
        What::RevokeToken => IdentityAsk::RevokeToken { id: typed.id },
        What::ChangePassword => {
            IdentityAsk::ChangePassword { old: word(typed.password), new: word(typed.new), code }
        }
        What::RenewCodes => IdentityAsk::RenewRecoveryCodes { password: word(typed.password), code },
        What::SignOutEverywhere => IdentityAsk::SignOutEverywhere,
    }
}

async fn answer(gateway: &Gateway, visitor: &Visitor, what: What, reply: IdentityReply) -> Response {
    let told = match reply {
        IdentityReply::Done if what == What::SignOutEverywhere => return leave(gateway),
        IdentityReply::Done if what == What::Choose => return go("/"),
        IdentityReply::Done => return go("/account"),
        IdentityReply::SignedIn { word, me } => {
            return sign_in::signed_in(gateway, go("/account"), &word, &me).await;
        }
        IdentityReply::Token { word, .. } => Told::Token(word.as_str().to_owned()),
        IdentityReply::RecoveryCodes { codes } => {
            Told::Codes(codes.iter().map(|code| code.as_str().to_owned()).collect())
        }
        reply => Told::Why(Why::of(&reply)),
    };
    account(gateway, visitor, told).await
}

/// Every session has ended, this one among them.
fn leave(gateway: &Gateway) -> Response {
    let mut response = go("/");
    if let Some(cookie) = visitor::no_cookie(gateway) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

async fn account(gateway: &Gateway, visitor: &Visitor, told: Told) -> Response {
    let tokens = match gateway.ask(visitor, ClientRequest::Identity(IdentityAsk::Tokens)).await {
        Ok(ClientReply::Identity(IdentityReply::Tokens { tokens })) => tokens,
        Ok(_) => return broken(gateway, visitor).await,
        Err(error) => return problem::respond(gateway, Some(visitor), &Problem::Guard(error)).await,
    };
    let chrome = Chrome::new(gateway, Some(visitor), Here::Elsewhere).await;
    let (form_word, me) = (visitor.form_word.clone(), visitor.me.clone());
    let status = if let Told::Why(why) = &told { why.status() } else { StatusCode::OK };
    show(status, &Page { chrome, form_word, me, tokens, told })
}

async fn broken(gateway: &Gateway, visitor: &Visitor) -> Response {
    let error = AskError::Broken(FrameError::Form.into());
    problem::respond(gateway, Some(visitor), &Problem::Guard(error)).await
}
