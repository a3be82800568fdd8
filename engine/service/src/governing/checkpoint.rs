//! `misu-guard checkpoint`: signs the record's tree as it stands.

use std::io::{Write as _, stdout};
use std::path::Path;

use audit::{Event, Kind, Tree};
use engine_service::{signer, standing};

use super::House;
use crate::Failure;

/// Signs a checkpoint over the whole record and prints it; the key that verifies it lies beside the log.
pub(crate) fn run(env: &Path) -> Result<(), Failure> {
    let house = House::open(env)?;
    // Recorded first, so that the checkpoint covers its own entry.
    let event = Event::new(Kind::CheckpointSigned, "misu-guard");
    house.log.record(standing(&house.environment, house.log.path(), event)?)?;
    let signed = Tree::at(&house.environment.room("audit")).checkpoint(&signer(&house.environment)?)?;
    write!(stdout(), "{signed}")?;
    Ok(())
}
