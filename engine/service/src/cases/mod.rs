//! Cases of governance (applications, outputs, incidents), halts and close-down: what the portal and the commands ask.
//!
//! The `governance` room judges each move; here a move is loaded, judged, recorded and stored, in this order, so that
//! no move stands that is not in the record. Then follows what follows: a permit, its end, a recall, a deletion.

mod applications;
mod closing;
mod field;
mod halts;
mod incidents;
mod outputs;
mod person;
mod retained;
mod stored;

use audit::{AuditError, Log};
use catalog_store::{Environment, EnvironmentError, Meta, MetaError};
use engine_protocol::{CaseKind, Govern, GovernRequest, Governed};
use governance::{Actor, Illegal};
use time::OffsetDateTime;

use crate::ledger_file::LedgerError;
use crate::permits::{Permits, PermitsError};

pub use applications::{compiled, register};
pub use closing::DELETION_RECORD;
pub(crate) use halts::Halts;
pub(crate) use incidents::draft as draft_incident;
pub(crate) use outputs::{Standing, held, open_for_people, standing};
pub use person::actor;
#[cfg(test)]
pub(crate) use retained::tests::kept as retained_sample;
pub(crate) use retained::{Retained, RetainedFiles};

/// An environment in which somebody acts.
#[derive(Debug)]
pub struct Office<'h> {
    pub(crate) environment: &'h Environment,
    pub(crate) log: &'h Log,
    pub(crate) permits: &'h Permits,
    pub(crate) meta: Meta,
    pub(crate) now: OffsetDateTime,
}

/// Why something of governance is not done.
#[derive(Debug, thiserror::Error)]
pub enum GovernError {
    /// The rules of governance do not allow it.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// It is not there, not of the form, or not now.
    #[error("{message}")]
    No {
        /// The rule's word.
        rule: &'static str,
        /// Why not.
        message: String,
        /// Why not, in Japanese.
        ja: &'static str,
    },
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The record cannot be written; then nothing is done.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The permits cannot be written.
    #[error(transparent)]
    Permits(#[from] PermitsError),
    /// The snapshots cannot be read.
    #[error(transparent)]
    Snapshot(#[from] catalog_store::SnapshotError),
    /// What is kept of a release cannot be read or written.
    #[error("what is kept of a release cannot be used")]
    Retained(#[from] LedgerError),
    /// A file cannot be written or removed.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A value that another part of ours made is not of the form that it guarantees.
    #[error("broken invariant: {0}")]
    Bug(&'static str),
}

impl GovernError {
    pub(crate) fn no(rule: &'static str, message: impl Into<String>, ja: &'static str) -> Self {
        Self::No { rule, message: message.into(), ja }
    }

    fn missing(kind: &str, id: &str) -> Self {
        Self::no("no-case", format!("there is no {kind} {id}"), "その案件はありません")
    }

    /// The rule's word, where it is the asker's to mend and nothing has changed.
    pub fn rule(&self) -> Option<&'static str> {
        match self {
            Self::Illegal(illegal) => Some(illegal.as_str()),
            Self::No { rule, .. } => Some(rule),
            _ => None,
        }
    }

    fn ja(&self) -> String {
        match self {
            Self::Illegal(illegal) => illegal.ja(),
            Self::No { ja, .. } => (*ja).to_owned(),
            _ => "システムの障害です".to_owned(),
        }
    }
}

impl<'h> Office<'h> {
    /// The office of an environment at a moment.
    ///
    /// # Errors
    ///
    /// The metadata database cannot be opened.
    pub fn new(
        environment: &'h Environment,
        log: &'h Log,
        permits: &'h Permits,
        now: OffsetDateTime,
    ) -> Result<Self, GovernError> {
        Ok(Self { environment, log, permits, meta: environment.meta()?, now })
    }

    fn actor(&self, user: &str) -> Result<Actor, GovernError> {
        actor(&self.meta, user, self.now)
    }
}

/// Answers a question about governance.
///
/// # Errors
///
/// What is not done has [`GovernError::rule`]; anything else is a fault of ours.
pub fn govern(office: &Office<'_>, request: &GovernRequest) -> Result<Governed, GovernError> {
    let reader = person::reader(&office.meta, &request.user, office.now)?;
    let acting = || office.actor(&request.user);
    match &request.what {
        Govern::Inbox => inbox(office, &reader),
        Govern::List { kind } => Ok(Governed::Cases { cases: list(office, *kind, &reader)? }),
        Govern::Case { kind, id } => match kind {
            CaseKind::Application => applications::show(office, id, &reader),
            CaseKind::Output => outputs::show(office, id, &reader),
            CaseKind::Incident => incidents::show(office, id, &reader),
        },
        Govern::Form { kind } => Ok(match kind {
            CaseKind::Application => applications::form(&reader)?,
            CaseKind::Output => outputs::form(&reader),
            CaseKind::Incident => incidents::form(&reader),
        }),
        Govern::Begin { kind, fields } => match kind {
            CaseKind::Application => applications::begin(office, &acting()?, fields),
            CaseKind::Output => outputs::begin(office, &acting()?, fields),
            CaseKind::Incident => incidents::begin(office, &acting()?, fields),
        },
        Govern::Move { kind, id, action, fields, seen } => {
            let asked = stored::Asked { id, action, fields, seen: *seen };
            match kind {
                CaseKind::Application => applications::make(office, &acting()?, asked),
                CaseKind::Output => outputs::make(office, &acting()?, asked),
                CaseKind::Incident => incidents::make(office, &acting()?, asked),
            }
        }
        Govern::Evidence { id } => outputs::evidence(office, id, &reader),
        Govern::Halt { project, reason } => halts::halt(office, &acting()?, project.as_deref(), reason),
        Govern::Resume { project, reason } => halts::resume(office, &acting()?, project.as_deref(), reason),
        Govern::Halts => halts::view(office, &reader),
    }
}

/// As [`govern`], with what is not done as an answer.
///
/// # Errors
///
/// A fault of ours.
pub(crate) fn answered(office: &Office<'_>, request: &GovernRequest) -> Result<Governed, GovernError> {
    match govern(office, request) {
        Err(error) => match error.rule() {
            Some(rule) => {
                Ok(Governed::No { rule: rule.to_owned(), message: error.to_string(), message_ja: error.ja() })
            }
            None => Err(error),
        },
        answered => answered,
    }
}

fn list(
    office: &Office<'_>,
    kind: CaseKind,
    reader: &Actor,
) -> Result<Vec<engine_protocol::CaseLine>, GovernError> {
    match kind {
        CaseKind::Application => applications::list(office, reader),
        CaseKind::Output => outputs::list(office, reader),
        CaseKind::Incident => incidents::list(office, reader),
    }
}

/// Cases that this person can move, or is told something about.
fn inbox(office: &Office<'_>, reader: &Actor) -> Result<Governed, GovernError> {
    let mut cases = Vec::new();
    for kind in CaseKind::ALL {
        cases.extend(list(office, kind, reader)?);
    }
    cases.retain(|case| !case.may.is_empty() || !case.notices.is_empty());
    Ok(Governed::Cases { cases })
}
