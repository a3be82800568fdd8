//! `/workbench/runs/…`: how far a question is, its answer for the script, an end to waiting, and the answer as a file.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use reports::chart::{self, ChartKind, Plan};
use reports::table::TableError;
use serde::Deserialize;
use serde_json::json;

use super::act::name;
use crate::desk::Run;
use crate::format::Format;
use crate::gateway::Gateway;
use crate::language::{self, Language};
use crate::pages::problem::{self, Problem};
use crate::pages::{answer, go};
use crate::posted::{Nothing, Signed};
use crate::visitor::Whoever;

/// Which picture.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(in crate::pages) struct Picture {
    pub(in crate::pages) value: Option<usize>,
    #[serde(default)]
    kind: Option<KindWord>,
}

/// A kind of picture in an address.
#[derive(Clone, Copy, Debug)]
struct KindWord(ChartKind);

impl<'de> Deserialize<'de> for KindWord {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        ChartKind::parse(&word).map(Self).ok_or_else(|| serde::de::Error::custom("no kind of picture"))
    }
}

/// How far a question is; its answer as a piece of the page once it is there.
pub(in crate::pages) async fn state(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    Path(number): Path<u64>,
) -> Response {
    let Some(visitor) = visitor else { return StatusCode::UNAUTHORIZED.into_response() };
    let now = gateway.now();
    let Some(run) = gateway.parts().desks.run(&visitor.owner(), number, now) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (class, words) = answer::outcome(&run);
    let state = language::current().pick(words.0, words.1);
    let stage = match name(number).filter(|_| run.is_running()) {
        Some(name) => gateway.stage(&visitor, name).await,
        None => None,
    };
    let html = answer::fragment_at(&run, now, stage);
    Json(json!({ "running": run.is_running(), "class": class, "state": state, "html": html })).into_response()
}

/// Stops a question: the guard ends it and records that; what was decided before goes nowhere.
pub(in crate::pages) async fn cancel(
    State(gateway): State<Gateway>,
    Path(number): Path<u64>,
    Signed { visitor, form: Nothing {} }: Signed<Nothing>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    if let Some(name) = gateway.parts().desks.cancel(&visitor.owner(), number).then(|| name(number)).flatten()
    {
        gateway.stop(&visitor, name).await;
    }
    go("/workbench")
}

/// The answer as a file, from memory; nothing runs again.
pub(in crate::pages) async fn download(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    Path((number, format)): Path<(u64, String)>,
    picture: Result<Query<Picture>, QueryRejection>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let file = File::parse(&format);
    let (Some(file), Ok(Query(picture))) = (file, picture) else {
        return problem::respond(&gateway, Some(&visitor), &Problem::NotFound).await;
    };
    let run = gateway.parts().desks.run(&visitor.owner(), number, gateway.now());
    let language = language::current();
    // A large workbook takes a while, which the other pages need not wait for.
    let written = tokio::task::spawn_blocking(move || write(&run?, file, picture, language)).await;
    match written {
        Ok(Some(Ok((name, kind, bytes)))) => {
            let disposition = format!("attachment; filename=\"{name}\"");
            ([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, &disposition)], bytes).into_response()
        }
        Ok(None) => problem::respond(&gateway, Some(&visitor), &Problem::NotKept).await,
        Ok(Some(Err(error))) => {
            tracing::error!(%error, "a result cannot be written");
            problem::respond(&gateway, Some(&visitor), &Problem::Ours).await
        }
        Err(_) => problem::respond(&gateway, Some(&visitor), &Problem::Ours).await,
    }
}

/// A kind of file: a table, or its picture.
#[derive(Clone, Copy, Debug)]
enum File {
    Table(Format),
    Svg,
    /// The signed certificate.
    Note,
}

impl File {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "svg" => Some(Self::Svg),
            "note" => Some(Self::Note),
            word => Format::parse(word).map(Self::Table),
        }
    }
}

type Written = Result<(String, &'static str, Vec<u8>), TableError>;

fn write(run: &Run, file: File, picture: Picture, language: Language) -> Option<Written> {
    let table = run.table()?;
    match file {
        File::Table(format) => Some(
            format.write(table).map(|bytes| (format.file_name(&table.query), format.media_type(), bytes)),
        ),
        File::Note => {
            let note = table.certificate.clone()?.into_bytes();
            let name = Format::Csv.file_name(&table.query).replace(".csv", ".note");
            Some(Ok((name, "text/plain; charset=utf-8", note)))
        }
        File::Svg => {
            let mut plan = Plan::guess(table)?;
            if let Some(value) = picture.value {
                plan = plan.with_value(table, value)?;
            }
            if let Some(KindWord(kind)) = picture.kind {
                plan = plan.shown_as(kind, table)?;
            }
            let svg = chart::svg(table, &plan, language)?;
            let name = Format::Csv.file_name(&table.query).replace(".csv", ".svg");
            Some(Ok((name, "image/svg+xml", svg.into_bytes())))
        }
    }
}
