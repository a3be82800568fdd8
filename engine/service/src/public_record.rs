//! The record as far as everybody may know it: the last signed checkpoint, and how many entries of each kind stand
//! under it.
//!
//! Figures move only when a checkpoint is signed: a live counter would tell whoever asks a question how the guard
//! took it. Alerts for the steward are left out for the same reason.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::sync::{Mutex, PoisonError};

use audit::{Entry, Kind, LOG_FILE, Tree};
use catalog_store::Environment;
use engine_protocol::PublicRecord;

use crate::guard::GuardError;

/// Kinds that say how one question was taken.
const UNTOLD: [Kind; 6] = [
    Kind::NearCohort,
    Kind::LedgerKept,
    Kind::ProbingAlert,
    Kind::AlikeAlert,
    Kind::DenialsLocked,
    Kind::QuotaReached,
];

/// The counts so far; each line is read once.
#[derive(Debug, Default)]
pub(crate) struct PublicRecordFile(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    /// Bytes and entries that were read.
    bytes: u64,
    entries: u64,
    kinds: BTreeMap<&'static str, u64>,
    months: BTreeMap<String, u64>,
}

impl PublicRecordFile {
    /// The public part of the record.
    pub(crate) fn read(&self, environment: &Environment) -> Result<PublicRecord, GuardError> {
        let folder = environment.room("audit");
        let Some(signed) = Tree::at(&folder).last().map_err(GuardError::Tree)? else {
            return Ok(PublicRecord::default());
        };
        let size = signed.checkpoint().size;
        let key = std::fs::read_to_string(folder.join("checkpoint.key")).ok();
        // A poisoned lock only means that another thread died while reading; lines are counted one by one.
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.entries > size {
            *counted = Counted::default();
        }
        counted.catch_up(&folder.join(LOG_FILE), size).map_err(GuardError::Record)?;
        Ok(PublicRecord {
            checkpoint: Some(signed.to_string()),
            key: key.map(|key| key.trim().to_owned()),
            entries: size,
            kinds: counted.kinds.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
            months: counted.months.iter().map(|(month, count)| (month.clone(), *count)).collect(),
        })
    }
}

impl Counted {
    /// Counts the lines up to the checkpoint.
    fn catch_up(&mut self, log: &std::path::Path, size: u64) -> std::io::Result<()> {
        let mut file = std::fs::File::open(log)?;
        file.seek(SeekFrom::Start(self.bytes))?;
        let mut lines = BufReader::new(file);
        let mut line = Vec::new();
        while self.entries < size {
            line.clear();
            let read = lines.by_ref().take(1 << 20).read_until(b'\n', &mut line)?;
            if line.pop() != Some(b'\n') {
                return Ok(());
            }
            self.bytes += read as u64;
            self.entries += 1;
            let Ok(entry) = Entry::parse(&line) else { continue };
            if !UNTOLD.contains(&entry.kind()) {
                *self.kinds.entry(entry.kind().as_str()).or_default() += 1;
            }
            if entry.kind() == Kind::QueryOpened {
                let (year, month) = (entry.at().year(), u8::from(entry.at().month()));
                *self.months.entry(format!("{year}-{month:02}")).or_default() += 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use audit::{Event, Kind, Log};
    use time::OffsetDateTime;

    use super::Counted;

    #[test]
    fn only_what_a_checkpoint_covers_is_counted_and_each_line_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path(), || OffsetDateTime::UNIX_EPOCH).unwrap();
        for kind in [Kind::View, Kind::NearCohort, Kind::View, Kind::QueryRefused] {
            log.record(Event::new(kind, "u")).unwrap();
        }
        let mut counted = Counted::default();
        for (size, expected) in [(0, ""), (2, "view 1"), (3, "view 2"), (9, "query-refused 1, view 2")] {
            counted.catch_up(log.path(), size).unwrap();
            let kinds: Vec<String> =
                counted.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            assert_eq!(kinds.join(", "), expected, "{size}");
        }
        assert_eq!(counted.entries, 4);
    }
}
