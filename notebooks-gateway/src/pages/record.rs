//! `/record`: what the audit record says to everybody, and how to verify it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use engine_protocol::{ClientReply, ClientRequest, FrameError, PublicAsk, PublicRecord, PublicReply};
use reports::number;

use super::problem::{self, Problem};
use super::words;
use super::{Chrome, Here, show};
use crate::gateway::Gateway;
use crate::guard::AskError;
use crate::visitor::Whoever;

#[derive(Template)]
#[template(path = "record.html")]
struct Page {
    chrome: Chrome,
    entries: String,
    kinds: Vec<KindLine>,
    months: Vec<(String, String)>,
    record: PublicRecord,
}

/// One kind of entry.
struct KindLine {
    word: String,
    ja: &'static str,
    en: String,
    count: String,
}

pub(super) async fn page(State(gateway): State<Gateway>, Whoever(visitor): Whoever) -> Response {
    let record = match ask(&gateway).await {
        Ok(record) => record,
        Err(error) => return problem::respond(&gateway, visitor.as_ref(), &Problem::Guard(error)).await,
    };
    let months = record.months.iter().map(|(month, count)| (month.clone(), number::count(*count)));
    let page = Page {
        chrome: Chrome::new(&gateway, visitor.as_ref(), Here::Record).await,
        entries: number::count(record.entries),
        kinds: record.kinds.iter().map(|(word, count)| KindLine::of(word, *count)).collect(),
        months: months.collect(),
        record,
    };
    show(StatusCode::OK, &page)
}

async fn ask(gateway: &Gateway) -> Result<PublicRecord, AskError> {
    match gateway.ask_publicly(ClientRequest::Public(PublicAsk::Record)).await? {
        ClientReply::Public(PublicReply::Record(record)) => Ok(record),
        _ => Err(AskError::Broken(FrameError::Form.into())),
    }
}

impl KindLine {
    fn of(word: &str, count: u64) -> Self {
        let en = word.replace('-', " ");
        Self { word: word.to_owned(), ja: words::entry(word), en, count: number::count(count) }
    }
}
