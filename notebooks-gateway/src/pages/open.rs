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
use crate::posted::Posted;
use crate::secret;
use crate::visitor::Whoever;

#[derive(Template)]
#[template(path = "open.html")]
struct Page {
    chrome: Chrome,
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
            let page = Page { chrome, tables: tables.into_iter().map(Opened::of).collect() };
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
pub(super) struct Titles {
    #[serde(default)]
    form_word: String,
    #[serde(default)]
    title_ja: String,
    #[serde(default)]
    title_en: String,
}

/// A data officer makes the answer of a question open; whether they are one, the guard says.
pub(super) async fn make_open(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    Path(number): Path<u64>,
    Posted(Titles { form_word, title_ja, title_en }): Posted<Titles>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    if !secret::same(&form_word, &visitor.form_word) {
        return problem::respond(&gateway, Some(&visitor), &Problem::Foreign).await;
    }
    let run = gateway.parts().desks.run(&visitor.owner(), number, gateway.now());
    let Some(table) = run.as_ref().and_then(|run| run.table()) else {
        return problem::respond(&gateway, Some(&visitor), &Problem::NotKept).await;
    };
    let user = visitor.user().to_owned();
    let wish = Opening { user, title_ja, title_en, table: table.clone() };
    let problem = match gateway.ask(&visitor, ClientRequest::Open(wish)).await {
        Ok(ClientReply::Opening { reply: OpeningReply::Opened }) => return go("/open"),
        Ok(ClientReply::Opening { reply: OpeningReply::NotAllowed }) => Problem::NoRole,
        Ok(ClientReply::Opening { reply: OpeningReply::Untitled | OpeningReply::NotReleased }) => {
            Problem::Malformed
        }
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
