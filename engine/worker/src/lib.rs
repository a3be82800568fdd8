//! Runs one vetted query over the files of one snapshot and answers with evidence.
//!
//! The worker trusts the guard for files and limits and nobody for the query: it vets the text again and stops where
//! its plan's hash differs. One plan runs per bucket, each on a single partition, several buckets at a time; since a
//! person lives in one bucket, the evidence of buckets adds up. Before anything else the process locks itself in
//! ([`confine`]); it knows no name, no path and no network.

pub mod confine;

mod accumulate;
mod exclude;
mod execute;
mod facility;
mod files;
mod ground;
mod keep;
mod memo;
mod net;
mod numbering;
mod period;
mod provide;
mod public;
mod quantile;
mod rows;
mod session;
mod source;
mod tally;

pub use execute::run;
pub use files::Descriptors;
