//! `/catalogue/{table}`: one table with its columns, and how each may be used.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use engine_protocol::{CatalogueColumn, CatalogueTable};

use super::examples::{self, Example};
use super::figures::{self, FigureShown, Missing};
use super::problem::{self, Problem};
use super::words::{self, Named};
use super::{Chrome, Here, show};
use crate::gateway::Gateway;
use crate::language;
use crate::visitor::Whoever;

/// Codes of a column that the page lists.
const CODES: usize = 300;

#[derive(Template)]
#[template(path = "table.html")]
struct Page<'c> {
    chrome: Chrome,
    table: &'c CatalogueTable,
    database: Named<'c>,
    period: Option<&'c (String, String)>,
    examples: Vec<&'static Example>,
    columns: Vec<ColumnRow<'c>>,
    /// What is released of the columns.
    figures: Vec<FigureShown>,
    classes: Vec<ClassRow>,
}

struct ColumnRow<'c> {
    column: &'c CatalogueColumn,
    class: Named<'c>,
    kind: Named<'c>,
    usage: Named<'c>,
    /// The first codes; a search finds the others.
    codes: &'c [(String, String, String)],
    has_distribution: bool,
}

/// One line of the legend.
struct ClassRow {
    name: &'static str,
    called: Named<'static>,
    ja: &'static str,
    en: &'static str,
}

pub(super) async fn page(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    Path(name): Path<String>,
) -> Response {
    let view = match gateway.catalogue().await {
        Ok(view) => view,
        Err(error) => return problem::respond(&gateway, visitor.as_ref(), &Problem::Guard(error)).await,
    };
    let Some(table) = view.tables.iter().find(|table| table.name == name) else {
        return problem::respond(&gateway, visitor.as_ref(), &Problem::NotFound).await;
    };
    let figures = figures::of_table(&gateway, &table.name).await.into_iter().filter_map(|figure| {
        let column = table.columns.iter().find(|column| column.name == figure.column)?;
        Some(FigureShown::of(figure, column, language::current()))
    });
    let page = Page {
        figures: figures.collect(),
        chrome: Chrome::new(&gateway, visitor.as_ref(), Here::Catalogue).await,
        table,
        database: words::database(&table.database),
        period: view.period.as_ref(),
        examples: examples::about(&table.name),
        columns: table.columns.iter().map(row).collect(),
        classes: legend(table),
    };
    show(StatusCode::OK, &page)
}

impl Page<'_> {
    fn figure(&self, column: &str) -> Option<&FigureShown> {
        self.figures.iter().find(|figure| figure.column == column)
    }
}

fn row(column: &CatalogueColumn) -> ColumnRow<'_> {
    ColumnRow {
        column,
        class: words::class(&column.class),
        kind: words::kind(&column.kind),
        usage: words::usage(&column.usage),
        codes: column.codes.get(..CODES).unwrap_or(&column.codes),
        has_distribution: column.usage == "filter, group",
    }
}

/// The classes that the table has.
fn legend(table: &CatalogueTable) -> Vec<ClassRow> {
    let known = words::CLASSES.into_iter();
    let there = known.filter(|(name, _, _)| table.columns.iter().any(|column| column.class == *name));
    there.map(|(name, ja, en)| ClassRow { name, called: words::class(name), ja, en }).collect()
}
