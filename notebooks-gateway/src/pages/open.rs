//! `/open`: released tables that a data officer made open, with their pictures; readable without signing in.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use engine_protocol::{
    ClientReply, ClientRequest, FrameError, OpenTable, Opening, OpeningReply, PublicAsk, PublicReply,
};
use serde::Deserialize;

use super::answer::{CellShown, TableShown};
use super::problem::{self, Problem};
use super::{Chrome, Here, go, show};
use crate::format::Format;
use crate::gateway::Gateway;
use crate::guard::AskError;
use crate::language;
use crate::posted::Signed;
use crate::visitor::Whoever;

#[derive(Template)]
#[template(path = "open.html")]
struct Page {
    chrome: Chrome,
    /// The word for the form of a data officer.
    form_word: Option<String>,
    tables: Vec<Opened>,
}

/// An open table, ready to be shown.
struct Opened {
    query: String,
    title_ja: String,
    title_en: String,
    day: String,
    rows: usize,
    threshold: u32,
    picture: Option<String>,
    shown: TableShown,
}

pub(super) async fn page(State(gateway): State<Gateway>, Whoever(visitor): Whoever) -> Response {
    match tables(&gateway).await {
        Ok(tables) => {
            let chrome = Chrome::new(&gateway, visitor.as_ref(), Here::Open).await;
            let officer = visitor.filter(|visitor| visitor.is("data-officer"));
            let form_word = officer.map(|officer| officer.form_word);
            let page = Page { chrome, form_word, tables: tables.into_iter().map(Opened::of).collect() };
            show(StatusCode::OK, &page)
        }
        Err(error) => problem::respond(&gateway, visitor.as_ref(), &Problem::Guard(error)).await,
    }
}

/// An open table as a file.
pub(super) async fn download(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    Path((query, format)): Path<(String, String)>,
) -> Response {
    let tables = match tables(&gateway).await {
        Ok(tables) => tables,
        Err(error) => return problem::respond(&gateway, visitor.as_ref(), &Problem::Guard(error)).await,
    };
    let found = tables.into_iter().find(|open| open.table.query == query);
    let (Some(open), Some(format)) = (found, Format::parse(&format)) else {
        return problem::respond(&gateway, visitor.as_ref(), &Problem::NotFound).await;
    };
    let written = tokio::task::spawn_blocking(move || format.write(&open.table)).await;
    match written {
        Ok(Ok(bytes)) => {
            let disposition = format!("attachment; filename=\"{}\"", format.file_name(&query));
            ([(CONTENT_TYPE, format.media_type()), (CONTENT_DISPOSITION, &disposition)], bytes)
                .into_response()
        }
        _ => problem::respond(&gateway, visitor.as_ref(), &Problem::Ours).await,
    }
}

async fn tables(gateway: &Gateway) -> Result<Vec<OpenTable>, AskError> {
    match gateway.ask_publicly(ClientRequest::Public(PublicAsk::OpenTables)).await? {
        ClientReply::Public(PublicReply::OpenTables { tables }) => Ok(tables),
        _ => Err(AskError::Broken(FrameError::Form.into())),
    }
}

/// The form.
#[derive(Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    title_ja: String,
    #[serde(default)]
    title_en: String,
    /// The JSON file of a released table.
    #[serde(default)]
    table: String,
}

/// A data officer makes a released table open. Whether they are one, and whether it was released as it is, the guard
/// says.
pub(super) async fn make_open(
    State(gateway): State<Gateway>,
    Signed { visitor, form: Wish { title_ja, title_en, table } }: Signed<Wish>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let Ok(table) = serde_json::from_str(&table) else {
        return problem::respond(&gateway, Some(&visitor), &Problem::NotReleased).await;
    };
    let wish = Opening { user: visitor.user().to_owned(), title_ja, title_en, table };
    let problem = match gateway.ask(&visitor, ClientRequest::Open(wish)).await {
        Ok(ClientReply::Opening { reply: OpeningReply::Opened }) => return go("/open"),
        Ok(ClientReply::Opening { reply: OpeningReply::NotAllowed }) => Problem::NoRole,
        Ok(ClientReply::Opening { reply: OpeningReply::NotReleased }) => Problem::NotReleased,
        Ok(ClientReply::Opening { reply: OpeningReply::Untitled }) => Problem::Malformed,
        Ok(_) => Problem::Ours,
        Err(error) => Problem::Guard(error),
    };
    problem::respond(&gateway, Some(&visitor), &problem).await
}

impl Opened {
    fn of(open: OpenTable) -> Self {
        let mut shown = TableShown::of(&open.table, language::current());
        Self {
            query: open.table.query.clone(),
            title_ja: open.title_ja,
            title_en: open.title_en,
            day: open.day,
            rows: open.table.rows.len(),
            threshold: open.table.threshold,
            picture: shown.picture.take(),
            shown,
        }
    }
}
