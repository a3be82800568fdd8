//! `/halts`: stops one project or all at once, and lets them go on.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use engine_protocol::{Govern, Governed, Halt};
use serde::Deserialize;

use super::{ask, unwilling};
use crate::gateway::Gateway;
use crate::pages::problem;
use crate::pages::{Chrome, Here, go, show};
use crate::posted::Signed;
use crate::visitor::Whoever;

#[derive(Template)]
#[template(path = "halts.html")]
struct Page {
    chrome: Chrome,
    form_word: String,
    halts: Vec<Halt>,
    may: bool,
}

pub(in crate::pages) async fn page(State(gateway): State<Gateway>, Whoever(visitor): Whoever) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    match ask(&gateway, &visitor, Govern::Halts).await {
        Ok(Governed::Halted { halts, may }) => {
            let chrome = Chrome::new(&gateway, Some(&visitor), Here::Cases).await;
            show(StatusCode::OK, &Page { chrome, form_word: visitor.form_word.clone(), halts, may })
        }
        Ok(answer) => unwilling(&gateway, &visitor, &answer).await,
        Err(problem) => problem::respond(&gateway, Some(&visitor), &problem).await,
    }
}

/// The form.
#[derive(Deserialize)]
pub(in crate::pages) struct Change {
    what: What,
    #[serde(default)]
    project: String,
    #[serde(default)]
    reason: String,
}

/// Which button was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Halt,
    Resume,
}

pub(in crate::pages) async fn change(
    State(gateway): State<Gateway>,
    Signed { visitor, form }: Signed<Change>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let project = Some(form.project.trim().to_owned()).filter(|project| !project.is_empty());
    let reason = form.reason.trim().to_owned();
    let what = match form.what {
        What::Halt => Govern::Halt { project, reason },
        What::Resume => Govern::Resume { project, reason },
    };
    match ask(&gateway, &visitor, what).await {
        Ok(Governed::Halted { .. }) => go("/halts"),
        Ok(answer) => unwilling(&gateway, &visitor, &answer).await,
        Err(problem) => problem::respond(&gateway, Some(&visitor), &problem).await,
    }
}
