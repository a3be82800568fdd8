//! `/dummy`: tables that look like the caller's project's and are about nobody, as Parquet in a zip package.

#![expect(unused_qualifications, reason = "what utoipa writes for a set of parameters names it in full")]

use std::io::{Cursor, Write as _};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use synthetic_dummy::{Plan, WriteError, parquet};
use utoipa::IntoParams;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::bearer::Bearer;
use super::problem::{self, Problem};
use super::vet::unexpected;
use crate::caller::{Answer, Ask};
use crate::gateway::Gateway;

/// The most persons; more are made by the command.
const MOST: u32 = 2_000;

/// What to make.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// How many persons.
    #[serde(default = "usual")]
    #[param(default = 500, minimum = 1, maximum = 2000)]
    persons: u32,
    /// Other figures for another seed.
    #[serde(default)]
    #[param(default = 0, minimum = 0, maximum = 4294967295_u32)]
    seed: u32,
}

const fn usual() -> u32 {
    500
}

/// Why no package was made.
#[derive(Debug, thiserror::Error)]
enum PackError {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Zip(#[from] zip::result::ZipError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Dummy data for your project: a zip package of Parquet files with the granted columns, about nobody.
#[utoipa::path(
    get, path = "/api/v1/dummy", tag = "catalogue", params(Wanted), security(("token" = [])),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/zip", description = "The package."),
        (status = "4XX", body = problem::Document, content_type = "application/problem+json", description = "A wrong call, or the permit does not hold."),
        (status = "5XX", body = problem::Document, content_type = "application/problem+json", description = "A fault of ours."),
    ),
)]
pub(super) async fn package(
    State(gateway): State<Gateway>,
    Bearer(caller): Bearer,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(wanted) = wanted?;
    if !(1..=MOST).contains(&wanted.persons) {
        return Err(Problem::Parameter);
    }
    let sql = "SELECT * FROM misu.columns".to_owned();
    let columns = match gateway.ask_for(&caller, Ask::Query(sql.clone())).await? {
        Answer::Released(columns) => columns,
        Answer::Verdict(verdict) => return Err(Problem::Verdict(Box::new(verdict), sql)),
        other => return Err(unexpected(&other)),
    };
    let view = gateway.catalogue().await?;
    let plan = Plan::new(&columns, &view, wanted.persons, wanted.seed.into()).map_err(|error| {
        tracing::error!(%error, "no dummy data can be made");
        Problem::Ours
    })?;
    let packed = tokio::task::spawn_blocking(move || packed(&plan)).await;
    let bytes = match packed {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => {
            tracing::error!(%error, "dummy data cannot be written");
            return Err(Problem::Ours);
        }
        Err(_) => return Err(Problem::Ours),
    };
    let kind = HeaderValue::from_static("application/zip");
    let disposition = HeaderValue::from_static("attachment; filename=\"misu-dummy.zip\"");
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, disposition)], bytes).into_response())
}

fn packed(plan: &Plan) -> Result<Vec<u8>, PackError> {
    let mut package = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for table in plan.make()? {
        package.start_file(format!("{}.parquet", table.name), options)?;
        package.write_all(&parquet(&table)?)?;
    }
    Ok(package.finish()?.into_inner())
}
