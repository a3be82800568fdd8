//! Tables that look like a project's and are about nobody: to write code against, away from the environment.
//!
//! They are made of what anybody with the permit may know already: which columns are granted, their types, codes and
//! bounds, the months of the snapshot, and the published shape of the population by age. No row, no count and no
//! statistic of a snapshot goes in, and this room links nothing that could read one.
//!
//! The same facts of one receipt agree wherever they stand (month, facility, prefecture), and a receipt's number joins,
//! so that a join finds rows. Nothing else about the tables is true: figures mean nothing.
//!
//! [`Plan`] is what to make; [`Plan::arrange`] has each branch of a question's conditions hold for some persons.

mod branches;
mod plan;
mod value;
mod write;

pub use branches::{Arranged, arrange};
pub use plan::{Plan, PlanError};
pub use write::{DummyTable, WriteError, parquet, rows};
