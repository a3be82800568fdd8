//! `/`: what misu is, and which data are there.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use engine_protocol::CatalogueView;

use super::problem::{self, Problem, Words};
use super::words::{self, Named};
use super::{Chrome, Here, show};
use crate::gateway::Gateway;
use crate::visitor::Whoever;

#[derive(Template)]
#[template(path = "home.html")]
struct Page<'c> {
    chrome: Chrome,
    data: Result<Data<'c>, Words>,
}

/// What is there.
struct Data<'c> {
    snapshot: Option<&'c str>,
    period: Option<&'c (String, String)>,
    databases: Vec<Database<'c>>,
}

/// One database with its tables.
struct Database<'c> {
    name: Named<'c>,
    tables: Vec<&'c engine_protocol::CatalogueTable>,
}

pub(super) async fn page(State(gateway): State<Gateway>, Whoever(visitor): Whoever) -> Response {
    let view = gateway.catalogue().await;
    let chrome = Chrome::new(&gateway, visitor.as_ref(), Here::Home).await;
    match &view {
        Ok(view) => show(StatusCode::OK, &Page { chrome, data: Ok(data(view)) }),
        Err(error) => {
            tracing::warn!(%error, "the guard gave no answer");
            let data = Err(problem::no_answer(error));
            show(Problem::Guard(error.clone()).status(), &Page { chrome, data })
        }
    }
}

fn data(view: &CatalogueView) -> Data<'_> {
    let databases = words::databases(view).into_iter().map(|database| Database {
        name: words::database(database),
        tables: view.tables.iter().filter(|table| table.database == database).collect(),
    });
    Data { snapshot: view.snapshot.as_deref(), period: view.period.as_ref(), databases: databases.collect() }
}
