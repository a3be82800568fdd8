//! Binds a report's figures to the record.

use audit::{Event, Kind, Tree};
use reports::board::Seal;

use super::{Desk, ReportError};
use crate::signing::signer;

/// Records that a report with these figures was made, and signs a checkpoint over the record with that entry.
///
/// # Errors
///
/// The record cannot be written, or the key that signs cannot be opened.
pub fn seal(desk: &Desk, who: &str, report: &str, figures: &[u8]) -> Result<Seal, ReportError> {
    let digest = blake3::hash(figures).to_hex().to_string();
    let event = Event::new(Kind::View, who).subject(format!("report {report}"));
    let entry = desk.log.record(event.with("figures", digest.as_str()))?;
    let signer = signer(&desk.environment)?;
    let signed = Tree::at(&desk.environment.room("audit")).checkpoint(&signer)?;
    Ok(Seal {
        figures: digest,
        entry: entry.seq(),
        size: signed.checkpoint().size,
        checkpoint: signed.to_string(),
        key: signer.verifier().to_string(),
    })
}
