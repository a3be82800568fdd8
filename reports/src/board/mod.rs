//! What the review board reads: a period, a project, one release, granted beside touched columns, the checklist.
//!
//! Each kind of report is a value of figures (which is its JSON form) and a function that words it as a [`Document`];
//! a document is written as a page, as a workbook, or as the JSON that `misu-pdf` lays out. Nothing here looks into an
//! environment, and nothing decides what may be shown: the figures are counts of entries and released cells.

mod chart;
pub mod checklist;
mod document;
mod html;
pub mod leaving;
pub mod period;
pub mod project;
pub mod release;
pub mod reviews;
mod seal;
pub mod usage;
mod words;
mod xlsx;

pub use document::{Column, Document, Figure, Listing, Part, Picture, Section};
pub use html::page;
pub use seal::Seal;
pub use xlsx::xlsx;

/// Why a report cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// The page cannot be made.
    #[error("the page cannot be written")]
    Page(#[from] askama::Error),
    /// The workbook cannot be made.
    #[error("the workbook cannot be written")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
}
