//! A report as one HTML page that needs nothing else: no script, no file, no network.

use askama::Template;

use super::BoardError;
use super::document::{Document, Part};

#[derive(Template)]
#[template(path = "board.html")]
struct Page<'d> {
    report: &'d Document,
    verification: &'static str,
}

/// The report as a page.
///
/// # Errors
///
/// The page cannot be made.
pub fn page(report: &Document) -> Result<String, BoardError> {
    let verification = if report.language == "ja" { "検証" } else { "Verification" };
    Ok(Page { report, verification }.render()?)
}
