//! One query from request to release.
//!
//! [`Guard::answer`] walks it: permit → vet → record opened → worker → permit again → disclosure → record closed →
//! reply. Each step hands out what the next one demands. The guard speaks to clients over a Unix socket and to the
//! worker over its standard streams; it speaks no HTTP and never shows a protected table.

mod airlock;
mod analyses;
mod anonymity;
mod backup;
mod budget;
mod cases;
mod ceiling;
mod certificate;
mod cgroups;
mod check;
mod checkpoints;
mod codes;
mod computing;
mod describe;
mod ending;
mod erased;
mod exclusions;
mod figures;
mod guard;
mod identity;
mod latency;
mod ledger_entry;
mod ledger_file;
mod metadata;
mod notebooks;
mod offline;
mod open_tables;
mod operating;
mod ordered;
mod output_rules;
mod papers;
mod past;
mod permits;
mod provision;
mod public_record;
mod query;
mod queue;
mod reach;
mod recent;
mod releasing;
mod replay;
mod reporting;
mod running;
mod server;
mod shape;
mod signing;
mod templates;
mod texts;
mod turn;
mod verdicts;
mod worker;
mod working;

pub use backup::{BackupError, RestoreOptions, Restored, Taken, backup, restore};
pub use cases::{DELETION_RECORD, GovernError, Office, actor, compiled, govern, register};
pub use check::{CheckHow, Checked, check_file};
pub use guard::{Guard, GuardError};
pub use identity::{AccountError, AccountLine, Standing};
pub use latency::Latency;
pub use ledger_file::{LedgerError, standing};
pub use offline::Offline;
pub use ordered::{OrderError, Waiting, order as order_audit, waiting as waiting_for_audit};
pub use past::Says;
pub use permits::{Permits, PermitsError};
pub use provision::{Provision, ProvisionError};
pub use reach::{may_read, wire};
pub use replay::{Change, Rules, asked_texts, compare, forget_texts};
pub use reporting::{
    Desk, ReportError, Span, dossier, evidence, keep_quality, passed, pdf, period, proven, said, scored,
    seal, usage,
};
pub use server::{ServeError, serve, serve_once};
pub use shape::{public_figures, shape};
pub use signing::{VERIFIER, signer};
pub use templates::{TemplateError, approve as approve_template};
pub use texts::{Text, Texts};
pub use verdicts::{Judging, offline_verdict, offline_verdict_in};
pub use worker::{WorkerError, WorkerProgram};
