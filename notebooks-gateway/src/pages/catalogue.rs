//! `/catalogue`: every table, and a search over names of tables, columns and codes.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use engine_protocol::{CatalogueColumn, CatalogueTable, CatalogueView};
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization as _;

use super::problem::{self, Problem};
use super::words::{self, Named};
use super::{Chrome, Here, show};
use crate::gateway::Gateway;
use crate::visitor::Whoever;

/// Letters of a search that are looked at.
const LONGEST: usize = 100;
/// Codes shown of a column that was found by them.
const CODES: usize = 4;
/// Columns shown of a search.
const MOST: usize = 200;

#[derive(Template)]
#[template(path = "catalogue.html")]
struct Page<'c> {
    chrome: Chrome,
    /// What was searched for, as it was typed.
    search: String,
    period: Option<&'c (String, String)>,
    databases: Vec<Database<'c>>,
    found: Option<Vec<Found<'c>>>,
}

struct Database<'c> {
    name: Named<'c>,
    tables: Vec<&'c CatalogueTable>,
}

/// A table that was found, with the columns that were.
struct Found<'c> {
    table: &'c CatalogueTable,
    columns: Vec<FoundColumn<'c>>,
}

struct FoundColumn<'c> {
    column: &'c CatalogueColumn,
    /// The codes by whose names it was found.
    codes: Vec<&'c (String, String, String)>,
}

/// The address' query.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
}

pub(super) async fn page(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    search: Result<Query<Search>, QueryRejection>,
) -> Response {
    let view = match gateway.catalogue().await {
        Ok(view) => view,
        Err(error) => return problem::respond(&gateway, visitor.as_ref(), &Problem::Guard(error)).await,
    };
    let search: String =
        search.map(|Query(search)| search.q).unwrap_or_default().trim().chars().take(LONGEST).collect();
    let words: Vec<String> = fold(&search).split_whitespace().map(str::to_owned).collect();
    let page = Page {
        chrome: Chrome::new(&gateway, visitor.as_ref(), Here::Catalogue).await,
        period: view.period.as_ref(),
        databases: databases(&view),
        found: (!words.is_empty()).then(|| find(&view, &words)),
        search,
    };
    show(StatusCode::OK, &page)
}

fn databases(view: &CatalogueView) -> Vec<Database<'_>> {
    let databases = words::databases(view).into_iter().map(|database| Database {
        name: words::database(database),
        tables: view.tables.iter().filter(|table| table.database == database).collect(),
    });
    databases.collect()
}

/// Tables whose names have every word, or that have a column whose names or codes have.
fn find<'c>(view: &'c CatalogueView, words: &[String]) -> Vec<Found<'c>> {
    let mut found = Vec::new();
    let mut room = MOST;
    for table in &view.tables {
        let columns = table.columns.iter().filter_map(|column| find_column(column, words));
        let columns: Vec<FoundColumn<'_>> = columns.take(room).collect();
        room -= columns.len();
        if !columns.is_empty() || has(words, &[&table.name, &table.ja, &table.en]) {
            found.push(Found { table, columns });
        }
    }
    found
}

fn find_column<'c>(column: &'c CatalogueColumn, words: &[String]) -> Option<FoundColumn<'c>> {
    let codes = column.codes.iter().filter(|(code, ja, en)| has(words, &[code, ja, en]));
    let codes: Vec<_> = codes.take(CODES).collect();
    let is_found = !codes.is_empty() || has(words, &[&column.name, &column.ja, &column.en]);
    is_found.then_some(FoundColumn { column, codes })
}

/// Says whether every word stands in one of the names.
fn has(words: &[String], names: &[&str]) -> bool {
    let names = fold(&names.join("\n"));
    words.iter().all(|word| names.contains(word))
}

/// The text without differences of width and case: `ＩＣＤ` is `icd`.
fn fold(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase()
}
