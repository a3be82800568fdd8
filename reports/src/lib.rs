//! What people read: released tables, quality reports, verdicts and the record, as text, files and pages.
//!
//! Everything here is a function from a value to text or bytes: no I/O, no clock, so that the same value always reads
//! the same. Nothing here decides what may be shown: a table that comes in has passed disclosure control, and a
//! quality report counts lines, never persons' values.
//!
//! Text from outside (a column's alias, a message) is cleaned of control characters before it reaches a terminal.

pub mod audit;
pub mod board;
pub mod certificate;
pub mod chart;
pub mod number;
pub mod package;
mod provenance;
pub mod quality;
pub mod table;
pub mod verdict;

mod grid;
mod language;

pub use language::Language;
