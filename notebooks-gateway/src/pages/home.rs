//! `/`: what misu is and which data are there; for whoever is signed in, what runs and where to go on.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use engine_protocol::{CatalogueTable, CatalogueView};

use super::answer;
use super::examples::{EXAMPLES, Example};
use super::problem::{self, Problem, Words};
use super::words::{self, Named};
use super::{Chrome, Here, show};
use crate::desk::Run;
use crate::gateway::Gateway;
use crate::sessions::Visitor;
use crate::visitor::Whoever;

/// Tables of a database that the page names.
const TABLES: usize = 6;
/// Questions that the page names.
const RECENT: usize = 5;

#[derive(Template)]
#[template(path = "home.html")]
struct Page<'c> {
    chrome: Chrome,
    desk: Option<DeskShown>,
    data: Result<Data<'c>, Words>,
}

/// What a signed-in visitor finds.
struct DeskShown {
    user: String,
    project: String,
    recent: Vec<Recent>,
    examples: &'static [Example],
}

/// A question that was asked before.
struct Recent {
    start: String,
    class: &'static str,
    state: (&'static str, &'static str),
}

/// What is there.
struct Data<'c> {
    snapshot: Option<&'c str>,
    period: Option<&'c (String, String)>,
    tables: usize,
    databases: Vec<Database<'c>>,
}

/// One database with its tables.
struct Database<'c> {
    name: Named<'c>,
    tables: Vec<&'c CatalogueTable>,
}

pub(super) async fn page(State(gateway): State<Gateway>, Whoever(visitor): Whoever) -> Response {
    let view = gateway.catalogue().await;
    let chrome = Chrome::new(&gateway, visitor.as_ref(), Here::Home).await;
    let desk = visitor.as_ref().map(|visitor| desk(&gateway, visitor));
    match &view {
        Ok(view) => show(StatusCode::OK, &Page { chrome, desk, data: Ok(data(view)) }),
        Err(error) => {
            tracing::warn!(%error, "the guard gave no answer");
            let data = Err(problem::no_answer(error));
            show(Problem::Guard(error.clone()).status(), &Page { chrome, desk, data })
        }
    }
}

fn desk(gateway: &Gateway, visitor: &Visitor) -> DeskShown {
    let history = gateway.parts().desks.history(&visitor.owner());
    DeskShown {
        user: visitor.name().to_owned(),
        project: visitor.project().to_owned(),
        recent: history.iter().take(RECENT).map(Recent::of).collect(),
        examples: &EXAMPLES,
    }
}

impl Recent {
    fn of(run: &Run) -> Self {
        let words: Vec<&str> = run.sql.split_whitespace().collect();
        let (class, state) = answer::outcome(run);
        Self { start: words.join(" ").chars().take(60).collect(), class, state }
    }
}

impl Database<'_> {
    /// The tables that the page names.
    fn first(&self) -> impl Iterator<Item = &&CatalogueTable> {
        self.tables.iter().take(TABLES)
    }

    /// How many others there are.
    fn more(&self) -> usize {
        self.tables.len().saturating_sub(TABLES)
    }
}

fn data(view: &CatalogueView) -> Data<'_> {
    let databases = words::databases(view).into_iter().map(|database| Database {
        name: words::database(database),
        tables: view.tables.iter().filter(|table| table.database == database).collect(),
    });
    Data {
        snapshot: view.snapshot.as_deref(),
        period: view.period.as_ref(),
        tables: view.tables.len(),
        databases: databases.collect(),
    }
}
