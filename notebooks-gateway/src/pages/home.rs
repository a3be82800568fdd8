//! `/`: what misu is and which data are there; for whoever is signed in, what runs and where to go on.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use engine_protocol::{CaseLine, CatalogueTable, CatalogueView, ProjectName};

use super::answer;
use super::cases;
use super::examples::{EXAMPLES, Example};
use super::problem::{self, Problem, Words};
use super::words::{self, Named};
use super::{Chrome, Here, show};
use crate::desk::Run;
use crate::gateway::Gateway;
use crate::visitor::{Visitor, Whoever};

/// Tables of a database that the page names.
const TABLES: usize = 6;
/// Questions that the page names.
const RECENT: usize = 5;
/// Cases that the page names.
const WAITING: usize = 6;

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
    projects: Vec<ProjectName>,
    chosen: String,
    is_researcher: bool,
    /// Cases that wait for this person.
    waiting: Vec<CaseLine>,
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
    let desk = match &visitor {
        Some(visitor) => Some(desk(&gateway, visitor).await),
        None => None,
    };
    match &view {
        Ok(view) => show(StatusCode::OK, &Page { chrome, desk, data: Ok(data(view)) }),
        Err(error) => {
            tracing::warn!(%error, "the guard gave no answer");
            let data = Err(problem::no_answer(error));
            show(Problem::Guard(error.clone()).status(), &Page { chrome, desk, data })
        }
    }
}

async fn desk(gateway: &Gateway, visitor: &Visitor) -> DeskShown {
    let history = gateway.parts().desks.history(&visitor.owner());
    DeskShown {
        user: visitor.user().to_owned(),
        projects: visitor.me.projects.clone(),
        chosen: visitor.project().to_owned(),
        is_researcher: visitor.is("researcher"),
        waiting: cases::waiting(gateway, visitor).await.into_iter().take(WAITING).collect(),
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
