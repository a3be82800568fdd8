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
//! from some entry on. Against that a reader notes the head elsewhere and hands it to [`verify_noted`].
//!
//! No async, no environment, no clock of its own: time comes in through [`Clock`].

mod entry;
mod event;
mod kind;
mod log;
mod query;
mod tail;
mod verify;

mod digest;
mod json;
mod moment;
mod value;

pub use digest::Digest;
pub use entry::{Entry, EntryRef, LineFault};
pub use event::Event;
pub use kind::Kind;
pub use log::{AuditError, LOG_FILE, Log};
pub use moment::Clock;
pub use query::{Closed, Opened, Outcome, QueryId, QueryRequest};
pub use value::{Body, Value};
pub use verify::{Verified, VerifyError, verify, verify_file, verify_noted};
