//! The record of what was done: written before and after, chained, append-only, verifiable by anyone.
//!
//! One JSON object per line in `<env>/audit/log.jsonl`; `FORMAT.md` beside this crate defines the bytes. A program
//! appends with [`Log::record`]; a query is recorded by [`Log::open_query`], which hands out [`Opened`], and ends
//! with [`Opened::close`], which hands out [`Closed`]. [`verify`] reads a log, also a copied one, and names the
//! first place where it is not what was written.
//!
//! What a body says is the caller's: **never a person's value**, never SQL text (its literals can point at people);
//! names of tables and columns, counts of files and cells, digests and rule words. This crate cannot check that.
//!
//! What a chain alone cannot show: that whole entries were cut off the end, or that somebody rewrote everything
//! from some entry on. Against that stands the [`Tree`] over the same lines: its signed checkpoints are handed out,
//! and a log that is not that of a checkpoint is found by [`verify_checkpoint`]; small proofs show that one entry
//! stands in it, or that one checkpoint continues another.
//!
//! No async, no environment, no clock of its own: time comes in through [`Clock`].

mod entry;
mod event;
mod kind;
mod log;
mod query;
mod request;
mod tail;
mod verify;

mod checkpoint;
mod merkle;
mod note;
mod signer;
mod statement;
mod tiles;
mod tree;

mod digest;
mod json;
mod moment;
mod value;

pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use digest::Digest;
pub use entry::{Entry, EntryRef, LineFault};
pub use event::Event;
pub use kind::Kind;
pub use log::{AuditError, LOG_FILE, Log};
pub use merkle::{continues, includes, leaf};
pub use moment::Clock;
pub use note::{NoteError, NoteSigner, SignerKind, VerifierKey};
pub use query::{Closed, Opened, Outcome, QueryId, QueryRequest};
pub use request::is_waiting;
pub use signer::{VERIFIER, log_signer};
pub use statement::{SignedStatement, StatementKind};
pub use tree::{InclusionProof, TREE_FOLDER, Tree, TreeError, verify_checkpoint};
pub use value::{Body, Value, class};
pub use verify::{Verified, VerifyError, verify, verify_file, verify_noted};
