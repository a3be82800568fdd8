//! One query from request to release.
//!
//! [`Guard::answer`] walks it: permit → vet → record opened → worker → permit again → disclosure → record closed →
//! reply. Each step hands out what the next one demands. The guard speaks to clients over a Unix socket and to the
//! worker over its standard streams; it speaks no HTTP and never shows a protected table.

mod describe;
mod exclusions;
mod guard;
mod permits;
mod query;
mod server;
mod shape;
mod worker;

pub use guard::{Guard, GuardError};
pub use permits::{Permits, PermitsError};
pub use query::offline_verdict;
pub use server::{ServeError, serve, serve_once};
pub use shape::shape;
pub use worker::{WorkerError, WorkerProgram};
