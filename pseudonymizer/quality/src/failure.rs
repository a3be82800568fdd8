//! Why there are no figures.

use std::error::Error;
use std::path::PathBuf;

use arrow::error::ArrowError;
use catalog_staged::StagedError;
use catalog_store::{EnvironmentError, MetaError, SnapshotError};
use parquet::errors::ParquetError;
use polars::error::PolarsError;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The snapshots cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The text is not a snapshot's id.
    #[error("a snapshot id has 64 hexadecimal digits")]
    SnapshotId,
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A table file cannot be read.
    #[error("cannot read the table file {path}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What Parquet said.
        source: ParquetError,
    },
    /// A table file is damaged.
    #[error("cannot read rows of {path}")]
    Rows {
        /// The file.
        path: PathBuf,
        /// What Arrow said.
        source: ArrowError,
    },
    /// Staged rows cannot be read.
    #[error(transparent)]
    Staged(#[from] StagedError),
    /// Rows cannot be handed to Polars.
    #[error("cannot hand rows over")]
    Arrow(#[from] ArrowError),
    /// A figure cannot be computed.
    #[error("cannot compute a figure")]
    Polars(#[from] PolarsError),
    /// The figures cannot be written.
    #[error("cannot write the figures")]
    Json(#[from] serde_json::Error),
    /// Nobody takes the figures.
    #[error("cannot print")]
    Print(std::io::Error),
}

/// The error with its causes.
pub(crate) fn text(failure: &Failure) -> String {
    let causes = std::iter::successors(failure.source(), |error| (*error).source());
    causes.fold(failure.to_string(), |text, cause| format!("{text}: {cause}"))
}
