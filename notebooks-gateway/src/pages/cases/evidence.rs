//! `/cases/output/{id}/evidence`: what stands behind an output, for its reviewers; each look is recorded by the guard.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use engine_protocol::{EvidencePack, Govern, Governed};

use super::ask;
use crate::gateway::Gateway;
use crate::language;
use crate::pages::answer::{CellShown, TableShown};
use crate::pages::problem::{self, Problem};
use crate::pages::{Chrome, Here, go, show};
use crate::visitor::Whoever;

#[derive(Template)]
#[template(path = "evidence.html")]
struct Page {
    chrome: Chrome,
    shown: TableShown,
    pack: Box<EvidencePack>,
}

pub(in crate::pages) async fn page(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    Path(id): Path<String>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    match ask(&gateway, &visitor, Govern::Evidence { id }).await {
        Ok(Governed::Evidence(pack)) => {
            let chrome = Chrome::new(&gateway, Some(&visitor), Here::Cases).await;
            let shown = TableShown::of(&pack.table, language::current());
            show(StatusCode::OK, &Page { chrome, shown, pack })
        }
        Ok(_) => problem::respond(&gateway, Some(&visitor), &Problem::NotFound).await,
        Err(problem) => problem::respond(&gateway, Some(&visitor), &problem).await,
    }
}

/// Thousandths as a share.
fn share(thousandths: &u32) -> String {
    reports::number::share(u64::from(*thousandths), 1_000)
}
