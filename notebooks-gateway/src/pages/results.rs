//! `/workbench/results/{query}/{format}`: the last answer as a file, from the session's memory; nothing runs again.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use reports::table::TableError;

use super::go;
use super::problem::{self, Problem};
use crate::format::Format;
use crate::gateway::Gateway;
use crate::sessions::{Answer, State as Progress};
use crate::visitor::Whoever;

pub(super) async fn download(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
    Path((query, format)): Path<(String, String)>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let Some(format) = Format::parse(&format) else {
        return problem::respond(&gateway, Some(&visitor), &Problem::NotFound).await;
    };
    let bench = gateway.parts().sessions.bench(visitor.session);
    let Progress::Done { answer, .. } = bench.state else {
        return problem::respond(&gateway, Some(&visitor), &Problem::NotKept).await;
    };
    // A large workbook takes a while, which the other pages need not wait for.
    let written = tokio::task::spawn_blocking(move || write(&answer, &query, format)).await;
    match written {
        Ok(Ok(Some((name, bytes)))) => {
            let disposition = format!("attachment; filename=\"{name}\"");
            ([(CONTENT_TYPE, format.media_type()), (CONTENT_DISPOSITION, &disposition)], bytes)
                .into_response()
        }
        Ok(Ok(None)) => problem::respond(&gateway, Some(&visitor), &Problem::NotKept).await,
        Ok(Err(error)) => {
            tracing::error!(%error, "a result cannot be written");
            problem::respond(&gateway, Some(&visitor), &Problem::Ours).await
        }
        Err(_) => problem::respond(&gateway, Some(&visitor), &Problem::Ours).await,
    }
}

/// The file's name and bytes; nothing where the answer is not that query's table.
fn write(answer: &Arc<Answer>, query: &str, format: Format) -> Result<Option<(String, Vec<u8>)>, TableError> {
    let Answer::Released(table) = &**answer else { return Ok(None) };
    if table.query != query {
        return Ok(None);
    }
    Ok(Some((format.file_name(query), format.write(table)?)))
}
