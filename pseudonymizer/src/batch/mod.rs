//! Pipelines: a file names the steps, each step knows what it depends on, and what has not changed is skipped.
//!
//! [`Recipe`] is the file as a checked graph, [`decide`] says of one step whether it must run and why, [`run`] runs the
//! graph and keeps its history. A step has no state of its own: everything is decided by what lies in the environment,
//! so a run that was killed is taken up by the next one, whichever it is.

mod decide;
mod recipe;
mod run;

pub use decide::{DecideError, Decision, Planned, plan};
pub use recipe::{Kind, Recipe, RecipeError, Step, Work};
pub use run::{Outcome, RunError, Watch, run};
