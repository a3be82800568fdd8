//! Protected table → released table.
//!
//! The worker's evidence is read as untrusted input, cells
//! with too few persons are hidden, and then further cells until no margin gives a hidden one away. Suppress first,
//! the post-program and formatting last, in one function: [`release`].
//!
//! What is not here is said in `docs/security.md`.

mod amounts;
mod behind;
mod both;
mod check;
mod conditions;
mod family;
mod format;
mod hiding;
mod ledger;
mod narrowest;
mod numbering;
mod post;
mod primary;
mod protect;
mod release;
mod shape;
mod shown;
mod table;
mod telling;

pub use behind::Behind;
pub use check::{CheckOptions, CheckedCell, CheckedTable, Malformed, Status, Verdict, check_table};
pub use hiding::{AUDITED, Past};
pub use ledger::{Cohort, Depth, Form, Ledger, LedgerEntry, ReadyEntry, Term};
pub use release::{Release, Setting, Withheld, release};
pub use shape::{AggregateKind, AggregateShape, KeyLabel, KeyShape, PartShape, PublicFigures, Shape};
