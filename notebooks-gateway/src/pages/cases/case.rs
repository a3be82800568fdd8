//! `/cases/{kind}/{id}`: one case with its history and what this person may do with it; and how one is begun.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use engine_protocol::{AllowedMove, CaseKind, CaseView, FieldKind, Fields, FormField, Govern, Governed};

use super::{ask, fields, parse, unwilling};
use crate::gateway::Gateway;
use crate::pages::problem::{self, Problem};
use crate::pages::{Chrome, Here, go, show};
use crate::posted::Signed;
use crate::visitor::{Visitor, Whoever};

#[derive(Template)]
#[template(path = "case.html")]
struct Page {
    chrome: Chrome,
    form_word: String,
    case: Box<CaseView>,
    refused: Option<Refused>,
}

#[derive(Template)]
#[template(path = "case_form.html")]
struct FormPage {
    chrome: Chrome,
    form_word: String,
    kind: CaseKind,
    fields: Vec<FormField>,
    refused: Option<Refused>,
}

/// Why a move was not made.
struct Refused {
    ja: String,
    en: String,
}

pub(in crate::pages) async fn page(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    Path((kind, id)): Path<(String, String)>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let Some(kind) = parse(&kind) else {
        return problem::respond(&gateway, Some(&visitor), &Problem::NotFound).await;
    };
    match ask(&gateway, &visitor, Govern::Case { kind, id }).await {
        Ok(Governed::Case(case)) => show_case(&gateway, &visitor, case, None).await,
        Ok(Governed::No { .. }) => problem::respond(&gateway, Some(&visitor), &Problem::NotFound).await,
        Ok(answer) => unwilling(&gateway, &visitor, &answer).await,
        Err(problem) => problem::respond(&gateway, Some(&visitor), &problem).await,
    }
}

/// Makes a move.
pub(in crate::pages) async fn make(
    State(gateway): State<Gateway>,
    Path((kind, id)): Path<(String, String)>,
    Signed { visitor, form: pairs }: Signed<Vec<(String, String)>>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let Some(kind) = parse(&kind) else {
        return problem::respond(&gateway, Some(&visitor), &Problem::NotFound).await;
    };
    let (action, seen) =
        (fields::plain(&pairs, "action").to_owned(), fields::plain(&pairs, "seen").parse().ok());
    let said = fields::read(&pairs);
    let what = Govern::Move { kind, id: id.clone(), action: action.clone(), fields: said.clone(), seen };
    match ask(&gateway, &visitor, what).await {
        Ok(Governed::Case(case)) => to(kind, &case.line.id),
        Ok(Governed::No { message, message_ja, .. }) => {
            let refused = Refused { ja: message_ja, en: message };
            again(&gateway, &visitor, (kind, id), refused, (&action, &said)).await
        }
        Ok(answer) => unwilling(&gateway, &visitor, &answer).await,
        Err(problem) => problem::respond(&gateway, Some(&visitor), &problem).await,
    }
}

/// The case once more, with why the move was not made and what was typed.
async fn again(
    gateway: &Gateway,
    visitor: &Visitor,
    (kind, id): (CaseKind, String),
    refused: Refused,
    (action, said): (&str, &Fields),
) -> Response {
    match ask(gateway, visitor, Govern::Case { kind, id }).await {
        Ok(Governed::Case(mut case)) => {
            for of in case.moves.iter_mut().filter(|of| of.action.word == action) {
                of.fields = fields::typed(std::mem::take(&mut of.fields), said);
            }
            show_case(gateway, visitor, case, Some(refused)).await
        }
        Ok(answer) => unwilling(gateway, visitor, &answer).await,
        Err(problem) => problem::respond(gateway, Some(visitor), &problem).await,
    }
}

async fn show_case(
    gateway: &Gateway,
    visitor: &Visitor,
    case: Box<CaseView>,
    refused: Option<Refused>,
) -> Response {
    let status = if refused.is_some() { StatusCode::CONFLICT } else { StatusCode::OK };
    let chrome = Chrome::new(gateway, Some(visitor), Here::Cases).await;
    show(status, &Page { chrome, form_word: visitor.form_word.clone(), case, refused })
}

/// The form with which a case is begun.
pub(in crate::pages) async fn form(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    Path(kind): Path<String>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let Some(kind) = parse(&kind) else {
        return problem::respond(&gateway, Some(&visitor), &Problem::NotFound).await;
    };
    show_form(&gateway, &visitor, kind, &Fields::new(), None).await
}

/// Begins a case.
pub(in crate::pages) async fn begin(
    State(gateway): State<Gateway>,
    Path(kind): Path<String>,
    Signed { visitor, form: pairs }: Signed<Vec<(String, String)>>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let Some(kind) = parse(&kind) else {
        return problem::respond(&gateway, Some(&visitor), &Problem::NotFound).await;
    };
    let said = fields::read(&pairs);
    match ask(&gateway, &visitor, Govern::Begin { kind, fields: said.clone() }).await {
        Ok(Governed::Case(case)) => to(kind, &case.line.id),
        Ok(Governed::No { message, message_ja, .. }) => {
            let refused = Refused { ja: message_ja, en: message };
            show_form(&gateway, &visitor, kind, &said, Some(refused)).await
        }
        Ok(answer) => unwilling(&gateway, &visitor, &answer).await,
        Err(problem) => problem::respond(&gateway, Some(&visitor), &problem).await,
    }
}

async fn show_form(
    gateway: &Gateway,
    visitor: &Visitor,
    kind: CaseKind,
    said: &Fields,
    refused: Option<Refused>,
) -> Response {
    match ask(gateway, visitor, Govern::Form { kind }).await {
        Ok(Governed::Begin { may: true, fields }) => {
            let status = if refused.is_some() { StatusCode::CONFLICT } else { StatusCode::OK };
            let chrome = Chrome::new(gateway, Some(visitor), Here::Cases).await;
            let form_word = visitor.form_word.clone();
            let fields = fields::typed(fields, said);
            show(status, &FormPage { chrome, form_word, kind, fields, refused })
        }
        Ok(Governed::Begin { may: false, .. }) => {
            problem::respond(gateway, Some(visitor), &Problem::NoRole).await
        }
        Ok(answer) => unwilling(gateway, visitor, &answer).await,
        Err(problem) => problem::respond(gateway, Some(visitor), &problem).await,
    }
}

/// Sends the browser on to a case, which it asks for with GET.
fn to(kind: CaseKind, id: &str) -> Response {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let id: String = id.chars().filter(|letter| is_plain(*letter)).collect();
    let address = HeaderValue::try_from(format!("/cases/{}/{id}", kind.as_str()));
    let address = address.unwrap_or(HeaderValue::from_static("/cases"));
    (StatusCode::SEE_OTHER, [(LOCATION, address)]).into_response()
}

impl Page {
    /// Moves that take nothing or little are buttons; the others are forms that open.
    fn is_short(&self, of: &AllowedMove) -> bool {
        of.fields.len() <= 1
    }
}
