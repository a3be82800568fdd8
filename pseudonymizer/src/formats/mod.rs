//! Bytes of a delivered file → claims, table rows and faults.
//!
//! The reader knows framings (tagged lines, tab-separated lines, long form) and nothing of any one format: what a
//! record is and what becomes of its fields is compiled from the catalogue into a [`Program`] once per family.
//! A bad line never stops a file: it becomes a [`Fault`] and the rest is read. The elements of a package's XML documents
//! become lines first; a package that attacks its reader is refused whole.

#[cfg(test)]
pub(crate) mod changed;
mod check;
mod dates;
mod elements;
mod fault;
mod group;
mod heading;
mod item;
mod known;
mod lines;
mod package;
mod program;
mod quick;
mod reader;
mod run;
mod shared;
mod split;
mod tags;
mod tail;
mod value;
mod xml;

pub use dates::{date, month};
pub use fault::Fault;
pub use lines::Lines;
pub use package::{PackageError, inspect};
pub use program::{Program, ProgramError};
pub use reader::{Claims, FilePart, FileSummary, Reader, StatedTotal};
pub use shared::Home;
pub use value::Value;
