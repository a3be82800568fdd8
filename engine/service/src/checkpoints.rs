//! Checkpoints of their own accord: the guard signs the record's tree after so many entries, or so much time.
//!
//! Their entry says where the release ledger stands, so whoever has a checkpoint and the record can tell an old ledger.

use audit::{Event, Kind, Tree};
use time::Duration;

use crate::guard::{Guard, GuardError};
use crate::ledger_file::stands;
use crate::recent::Recent;
use crate::signing::signer;

/// Entries after which a checkpoint is signed.
const ENTRIES: u64 = 1_000;
/// Time after which one is signed where anything was recorded.
const WITHIN: Duration = Duration::minutes(15);

impl Guard {
    /// Signs a checkpoint where one is due; says whether it did.
    ///
    /// # Errors
    ///
    /// The record is damaged or is not that of the last checkpoint, or the key cannot be used.
    pub fn checkpoint_if_due(&self) -> Result<bool, GuardError> {
        let (entries, since) = self.recent(Recent::unsigned)?;
        let is_late = since.is_some_and(|since| self.now() - since >= WITHIN);
        if entries < ENTRIES && !is_late {
            return Ok(false);
        }
        self.sign(entries).map(|()| true)
    }

    /// Signs a checkpoint where anything was recorded since the last one: a guard that ends leaves a signed record.
    pub(crate) fn checkpoint_at_the_end(&self) -> Result<(), GuardError> {
        match self.recent(Recent::unsigned)?.0 {
            0 => Ok(()),
            entries => self.sign(entries),
        }
    }

    fn sign(&self, entries: u64) -> Result<(), GuardError> {
        let signer = signer(&self.environment)?;
        // Recorded first, so that the checkpoint covers its own entry.
        let event = Event::new(Kind::CheckpointSigned, "misu-guard").with("entries", entries);
        self.log.record(stands(&self.environment, &self.recent(Recent::noted)?, event)?)?;
        Tree::at(&self.environment.room("audit")).checkpoint(&signer).map_err(GuardError::Tree)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use audit::{Event, Kind, Log, Tree};
    use catalog_store::{Config, Environment};
    use time::OffsetDateTime;

    use crate::{Guard, WorkerProgram};

    #[test]
    fn a_checkpoint_is_signed_when_it_is_due_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("env");
        let environment = Environment::create(&root, Config::new(4, Some(5))).unwrap();
        std::fs::write(folder.path().join("misu-worker"), "").unwrap();
        let worker = WorkerProgram::beside(&folder.path().join("misu-guard")).unwrap();
        let seconds = Arc::new(AtomicI64::new(1_800_000_000));
        let clock = {
            let seconds = Arc::clone(&seconds);
            move || OffsetDateTime::from_unix_timestamp(seconds.load(Ordering::SeqCst)).unwrap()
        };
        let log = Log::create(&environment.room("audit"), clock.clone()).unwrap();
        let guard = Guard::open(&root, worker, clock).unwrap();
        assert!(!guard.checkpoint_if_due().unwrap());
        log.record(Event::new(Kind::View, "x")).unwrap();
        assert!(!guard.checkpoint_if_due().unwrap());
        seconds.fetch_add(15 * 60, Ordering::SeqCst);
        assert!(guard.checkpoint_if_due().unwrap());
        assert!(!guard.checkpoint_if_due().unwrap());
        let size = || Tree::at(&environment.room("audit")).last().unwrap().unwrap().checkpoint().size;
        assert_eq!(size(), 2);
        let last = std::fs::read_to_string(log.path()).unwrap().lines().last().unwrap().to_owned();
        assert!(
            last.contains("\"ledger\":\"as-recorded\"") && last.contains("\"ledger_entries\":0"),
            "{last}"
        );
        for _ in 0..1_000 {
            log.record(Event::new(Kind::View, "x")).unwrap();
        }
        assert!(guard.checkpoint_if_due().unwrap());
        assert_eq!(size(), 1_003);
    }
}
