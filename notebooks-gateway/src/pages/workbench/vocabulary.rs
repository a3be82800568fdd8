//! `/workbench/vocabulary`: what the editor completes: granted tables and columns, and functions, as the guard lists
//! them for this permit, with names and codes from the catalogue.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use engine_protocol::{CatalogueView, ClientReply, ClientRequest, FrameError, Question, ReleasedTable};
use serde::Serialize;

use crate::gateway::Gateway;
use crate::guard::AskError;
use crate::language::{self, Language};
use crate::visitor::{Visitor, Whoever};

/// Codes of one column that are sent along; the catalogue's page has the others.
const CODES: usize = 400;

/// Granted columns by table and name, each with the name of its codes' system.
type Granted = BTreeMap<(String, String), String>;

/// What can be written.
#[derive(Debug, Serialize)]
struct Vocabulary {
    tables: Vec<TableWord>,
    functions: Vec<FunctionWord>,
    /// Codes by the name of their system.
    codes: BTreeMap<String, Vec<(String, String)>>,
}

#[derive(Debug, Serialize)]
struct TableWord {
    name: String,
    says: String,
    columns: Vec<ColumnWord>,
}

#[derive(Debug, Serialize)]
struct ColumnWord {
    name: String,
    says: String,
    usage: String,
    codes: Option<String>,
}

#[derive(Debug, Serialize)]
struct FunctionWord {
    call: String,
    says: String,
}

pub(in crate::pages) async fn vocabulary(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
) -> Response {
    let Some(visitor) = visitor else { return StatusCode::UNAUTHORIZED.into_response() };
    match collect(&gateway, &visitor).await {
        Ok(vocabulary) => Json(vocabulary).into_response(),
        // Whoever has no project has no workbench.
        Err(AskError::NotKnown) => StatusCode::FORBIDDEN.into_response(),
        Err(error) => {
            tracing::warn!(%error, "the guard lists nothing");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

async fn collect(gateway: &Gateway, visitor: &Visitor) -> Result<Vocabulary, AskError> {
    let columns = ask(gateway, visitor, "SELECT * FROM misu.columns").await?;
    let functions = ask(gateway, visitor, "SELECT * FROM misu.functions").await?;
    let view = gateway.catalogue().await?;
    let granted = columns.as_ref().map(granted).unwrap_or_default();
    let functions = functions.as_ref().map(|table| words(table, language::current())).unwrap_or_default();
    Ok(Vocabulary::of(&view, &granted, functions, language::current()))
}

/// A table about what may be asked; none where the permit gives none.
async fn ask(gateway: &Gateway, visitor: &Visitor, sql: &str) -> Result<Option<ReleasedTable>, AskError> {
    let (user, project) = visitor.owner();
    let question = Question { user, project, sql: sql.to_owned() };
    match gateway.ask(visitor, ClientRequest::Query(question)).await? {
        ClientReply::Released(table) => Ok(Some(table)),
        ClientReply::Verdict(_) => Ok(None),
        _ => Err(AskError::Broken(FrameError::Form.into())),
    }
}

/// The values of some columns of a table about what may be asked, row by row.
fn rows<'t, const N: usize>(
    table: &'t ReleasedTable,
    names: [&str; N],
) -> impl Iterator<Item = [String; N]> + 't {
    let places = names.map(|name| table.columns.iter().position(|column| column.name == name));
    table.rows.iter().map(move |row| {
        places.map(|place| place.and_then(|place| row.get(place)).map(|cell| cell.text()).unwrap_or_default())
    })
}

/// The granted columns by table and name, each with the name of its codes' system.
fn granted(table: &ReleasedTable) -> Granted {
    let system = |domain: &str, codes: String| domain.strip_prefix("codes ").map_or(codes, str::to_owned);
    let columns = rows(table, ["table", "name", "domain", "codes"]);
    columns.map(|[table, name, domain, codes]| ((table, name), system(&domain, codes))).collect()
}

fn words(table: &ReleasedTable, language: Language) -> Vec<FunctionWord> {
    let says = language.pick("ja", "en");
    rows(table, ["call", says]).map(|[call, says]| FunctionWord { call, says }).collect()
}

impl Vocabulary {
    fn of(view: &CatalogueView, granted: &Granted, functions: Vec<FunctionWord>, language: Language) -> Self {
        let (mut tables, mut codes) = (Vec::new(), BTreeMap::new());
        for table in &view.tables {
            let mut columns = Vec::new();
            for column in &table.columns {
                let Some(system) = granted.get(&(table.name.clone(), column.name.clone())) else { continue };
                let has_codes = (1..=CODES).contains(&column.codes.len()) && !system.is_empty();
                let key = has_codes.then(|| system.clone());
                if let Some(key) = &key {
                    let named = column.codes.iter();
                    let named = named.map(|(code, ja, en)| (code.clone(), language.pick(ja, en).to_owned()));
                    codes.entry(key.clone()).or_insert_with(|| named.collect());
                }
                columns.push(ColumnWord {
                    name: column.name.clone(),
                    says: language.pick(&column.ja, &column.en).to_owned(),
                    usage: column.usage.clone(),
                    codes: key,
                });
            }
            if !columns.is_empty() {
                let says = language.pick(&table.ja, &table.en).to_owned();
                tables.push(TableWord { name: table.name.clone(), says, columns });
            }
        }
        Self { tables, functions, codes }
    }
}
