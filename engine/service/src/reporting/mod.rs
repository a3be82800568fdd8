//! Board reports from a running environment: the figures come from the verified record, the metadata database, the
//! snapshots' manifests and the permits; the wording is the `reports` room's.
//!
//! A report that is written is recorded with the digest of its figures, and a checkpoint is signed over that entry: the
//! last page carries it, so that whoever holds a copy of the record can tell a changed report from the one that was
//! made. Looking at figures without writing them is recorded as a view as well.

mod asked;
mod checklist;
mod dossier;
mod evidence;
mod leaving;
mod pdf;
mod period;
mod probes;
mod quality;
mod questions;
mod reviews;
mod seal;
mod span;
mod usage;

use std::path::PathBuf;
use std::sync::Arc;

use audit::{Entry, Log};
use catalog_model::Catalogue;
use catalog_store::{Environment, EnvironmentError, Meta, MetaError, SnapshotError};
use policies::Policies;
use time::OffsetDateTime;

use crate::LedgerError;
use crate::permits::{Permits, PermitsError};

pub(crate) use asked::answer;
pub use checklist::{passed, scored};
pub use dossier::dossier;
pub use evidence::{evidence, proven};
pub use pdf::pdf;
pub use period::period;
pub use quality::keep_quality;
pub(crate) use quality::kept_quality;
pub use seal::seal;
pub use span::Span;
pub use usage::usage;

/// Everything that reports are made of.
#[derive(Debug)]
pub struct Desk {
    pub(crate) environment: Environment,
    pub(crate) meta: Meta,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) log: Log,
    pub(crate) entries: Vec<Entry>,
    pub(crate) now: OffsetDateTime,
}

/// Why a report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The snapshots cannot be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The permits cannot be read.
    #[error(transparent)]
    Permits(#[from] PermitsError),
    /// The record does not verify; no report is made of it.
    #[error("the record does not verify; `misu audit verify` says where")]
    Record(#[from] audit::VerifyError),
    /// The record cannot be written.
    #[error(transparent)]
    Audit(#[from] audit::AuditError),
    /// No checkpoint can be signed.
    #[error("no checkpoint can be signed over the record")]
    Tree(#[from] audit::TreeError),
    /// What is kept of a release cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The checklist has errors.
    #[error(transparent)]
    Checklist(#[from] policies::FileFault),
    /// A file cannot be read.
    #[error("cannot read {0}")]
    Io(PathBuf, #[source] std::io::Error),
    /// The program that lays reports out cannot be used.
    #[error("cannot use misu-pdf, which lies beside this program")]
    Pdf(#[source] std::io::Error),
    /// The program that lays reports out made no PDF.
    #[error("misu-pdf made no PDF")]
    NoPdf,
    /// A report is not of its form, or was not kept here.
    #[error("a report is not of the form that was expected")]
    Form,
    /// A day is not written as one, or the period ends before it begins.
    #[error("a period is two days such as 2026-11-01, the first not after the last")]
    Day,
    /// There is nothing of this name.
    #[error("there is no {what} {name} in the record")]
    Unknown {
        /// `project` or `query`.
        what: &'static str,
        /// The name that was given.
        name: String,
    },
}

impl Desk {
    /// Reads what reports are made of. The record is verified from its first entry.
    ///
    /// # Errors
    ///
    /// The environment cannot be used, or its record does not verify.
    pub fn open(environment: Environment, log: Log, now: OffsetDateTime) -> Result<Self, ReportError> {
        let (catalogue, _) = environment.catalogue()?;
        let permits = Permits::new(environment.room("policies"));
        let policies = permits.policies(&catalogue)?;
        let meta = environment.meta()?;
        audit::verify_file(log.path())?;
        let entries = read(&log)?;
        Ok(Self { environment, meta, catalogue, policies, log, entries, now })
    }

    /// The entries of a period.
    pub(crate) fn within<'d>(&'d self, span: &'d Span) -> impl Iterator<Item = &'d Entry> {
        self.entries.iter().filter(|entry| span.holds(entry.at()))
    }
}

fn read(log: &Log) -> Result<Vec<Entry>, ReportError> {
    let entries = Entry::all(log.path()).and_then(Iterator::collect);
    entries.map_err(|source| ReportError::Io(log.path().to_owned(), source))
}

/// A text of an entry's body; empty where there is none.
pub fn said<'e>(entry: &'e Entry, name: &str) -> &'e str {
    match entry.body().value(name) {
        Some(audit::Value::Text(text)) => text,
        _ => "",
    }
}

/// A number of an entry's body.
pub(crate) fn number(entry: &Entry, name: &str) -> u64 {
    match entry.body().value(name) {
        Some(audit::Value::Whole(number)) => u64::try_from(*number).unwrap_or(0),
        _ => 0,
    }
}
