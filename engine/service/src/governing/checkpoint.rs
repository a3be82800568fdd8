//! `misu-guard checkpoint`: signs the record's tree as it stands.

use std::io::{Write as _, stdout};
use std::path::Path;

use audit::{Event, Kind, NoteSigner, SignerKind, Tree};
use catalog_store::KeyRole;

use super::House;
use crate::Failure;

/// The log's name in its checkpoints; which log of this name it is, its key says.
const ORIGIN: &str = "misu/record";

/// Signs a checkpoint over the whole record and prints it, with the key that verifies it.
pub(crate) fn run(env: &Path) -> Result<(), Failure> {
    let house = House::open(env)?;
    // Recorded first, so that the checkpoint covers its own entry.
    house.log.record(Event::new(Kind::CheckpointSigned, "misu-guard"))?;
    let signer = signer(&house)?;
    let signed = Tree::at(&house.environment.room("audit")).checkpoint(&signer)?;
    let key = house.environment.room("audit").join("checkpoint.key");
    std::fs::write(&key, format!("{}\n", signer.verifier()))?;
    write!(stdout(), "{signed}")?;
    Ok(())
}

fn signer(house: &House) -> Result<NoteSigner, Failure> {
    let key = house.environment.key(KeyRole::Audit)?;
    Ok(NoteSigner::new(ORIGIN, SignerKind::Log, key.as_bytes())
        .ok_or("the log's name cannot stand in a note")?)
}
