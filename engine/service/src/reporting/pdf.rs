//! A report as a PDF, by the program beside this one that lays it out.

use std::io::Write as _;
use std::process::{Command, Stdio};

use reports::board::Document;

use super::ReportError;

/// Has `misu-pdf`, which lies beside this program, lay the report out.
///
/// # Errors
///
/// It cannot be started, or it makes no PDF.
pub fn pdf(document: &Document) -> Result<Vec<u8>, ReportError> {
    let program = std::env::current_exe().map_err(ReportError::Pdf)?.with_file_name("misu-pdf");
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(ReportError::Pdf)?;
    if let Some(mut stdin) = child.stdin.take() {
        // It reads to the end before it writes. Where it ends early, it says why itself.
        let _ = stdin.write_all(document.to_json().as_bytes());
    }
    let output = child.wait_with_output().map_err(ReportError::Pdf)?;
    if output.status.success() { Ok(output.stdout) } else { Err(ReportError::NoPdf) }
}
