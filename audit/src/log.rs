//! Appends to the log: under a lock, behind the last entry, durable before anybody is told.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use time::{Duration, OffsetDateTime};

use crate::entry::{Entry, EntryRef, Line, LineFault, following};
use crate::event::Event;
use crate::json::Seen;
use crate::kind::Kind;
use crate::moment::Clock;
use crate::query::{Opened, QueryId, QueryRequest};
use crate::tail::{self, Rest, Tail, TailError};

/// The log's name in its folder.
pub const LOG_FILE: &str = "log.jsonl";

/// Who writes the entries that the log makes of its own accord.
const RECOVERER: &str = "audit";

/// How far a clock may stand before the last entry without a word: clocks of two processors, a leap second.
const SLACK: Duration = Duration::seconds(2);

/// A log that may be appended to. Clones append to the same file.
#[derive(Clone)]
pub struct Log {
    path: Arc<Path>,
    clock: Arc<dyn Clock>,
    /// Whether it was recorded that the clock stands before the last entry.
    is_behind: Arc<AtomicBool>,
}

/// Where the next entry goes: behind which entry, and not before its time.
#[derive(Clone, Copy)]
struct End {
    head: Option<EntryRef>,
    at: Option<OffsetDateTime>,
    /// What the clock said when the append began.
    now: OffsetDateTime,
}

impl End {
    fn behind(self, entry: &Entry) -> Self {
        Self { head: Some(entry.reference()), at: Some(entry.at()), ..self }
    }
}

/// An entry that could not be recorded. Whatever it was about must then not happen.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file system refused.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The log.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The log's last line is not an entry.
    #[error("the end of {path} is damaged: verify it before anything is appended")]
    Damaged {
        /// The log.
        path: PathBuf,
        /// What is wrong with the last line.
        source: LineFault,
    },
    /// The log's last line is an entry, but not the next one.
    #[error(
        "the last line of {path} does not continue the one before: verify it before anything is appended"
    )]
    Unchained {
        /// The log.
        path: PathBuf,
    },
    /// The event does not fit in a line.
    #[error("an entry of kind {kind} cannot be written")]
    Unwritable {
        /// The event's kind.
        kind: Kind,
        /// What its line would have been faulted for.
        source: LineFault,
    },
    /// The clock's year, or the number of entries, has no place in a log.
    #[error("the time or the number of an entry of kind {kind} is beyond what a log can hold")]
    Beyond {
        /// The event's kind.
        kind: Kind,
    },
    /// A kind that only the log's own functions write.
    #[error("entries of kind {kind} are written by the log itself")]
    Reserved {
        /// The kind.
        kind: Kind,
    },
}

impl Log {
    /// Begins a new log in `folder`, which is made where it does not exist.
    ///
    /// # Errors
    ///
    /// Where there is a log already: a log is begun once, and a lost one must not be replaced silently.
    pub fn create(folder: &Path, clock: impl Clock + 'static) -> Result<Self, AuditError> {
        let log = Self::at(folder, clock);
        fs::create_dir_all(folder).map_err(|source| log.io("make the folder of", source))?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&log.path)
            .map_err(|source| log.io("begin", source))?;
        // The name itself must survive a crash, not only what is written under it.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| log.io("keep", source))?;
        Ok(log)
    }

    /// Opens the log in `folder`.
    ///
    /// # Errors
    ///
    /// Where there is none, or where its end is damaged.
    pub fn open(folder: &Path, clock: impl Clock + 'static) -> Result<Self, AuditError> {
        let log = Self::at(folder, clock);
        log.locked().map(|_| log)
    }

    fn at(folder: &Path, clock: impl Clock + 'static) -> Self {
        Self { path: folder.join(LOG_FILE).into(), clock: Arc::new(clock), is_behind: Arc::default() }
    }

    /// Records an event; it is on disk when this returns.
    ///
    /// # Errors
    ///
    /// Where it is not known to be on disk. It may then still stand in the log.
    pub fn record(&self, event: Event) -> Result<EntryRef, AuditError> {
        if event.kind.is_reserved() {
            return Err(AuditError::Reserved { kind: event.kind });
        }
        self.append(|_| event).map(|entry| entry.reference())
    }

    /// Records events one after the other with one write to the disk; all of them are on it when this returns.
    ///
    /// # Errors
    ///
    /// As [`Log::record`]; any number of them may then still stand in the log.
    pub fn record_all(
        &self,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<Option<EntryRef>, AuditError> {
        let (mut file, tail) = self.locked()?;
        let (mut bytes, from, mut end) = self.recover(&tail)?;
        for event in events {
            if event.kind.is_reserved() {
                return Err(AuditError::Reserved { kind: event.kind });
            }
            self.add(&mut bytes, &mut end, event)?;
        }
        if !bytes.is_empty() {
            self.write(&mut file, from, &bytes)?;
        }
        Ok(end.head)
    }

    /// Records that a query is about to run, and gives it its id.
    ///
    /// # Errors
    ///
    /// As [`Log::record`]; the query must then not run.
    pub fn open_query(&self, request: QueryRequest) -> Result<Opened, AuditError> {
        let entry = self.append(|seq| request.into_event(QueryId::new(seq)))?;
        Ok(Opened::new(self.clone(), &entry))
    }

    /// The log's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends what `make` says of the entry's number.
    pub(crate) fn append(&self, make: impl FnOnce(u64) -> Event) -> Result<Entry, AuditError> {
        let (mut file, tail) = self.locked()?;
        let (mut bytes, from, mut end) = self.recover(&tail)?;
        // A number that does not exist makes `seal` fail below.
        let event = make(following(end.head).unwrap_or(u64::MAX));
        let entry = self.add(&mut bytes, &mut end, event)?;
        self.write(&mut file, from, &bytes)?;
        Ok(entry)
    }

    /// The file under an exclusive lock, which ends when the file is dropped, and its end.
    ///
    /// The file is opened for every append: a lock belongs to the open file, so that one kept open would not keep
    /// two threads apart, and a log that was moved away is noticed.
    fn locked(&self) -> Result<(File, Tail), AuditError> {
        let file = OpenOptions::new().read(true).write(true).open(&self.path);
        let mut file = file.map_err(|source| self.io("open", source))?;
        file.lock().map_err(|source| self.io("lock", source))?;
        let tail = tail::read(&mut file).map_err(|error| match error {
            TailError::Read(source) => self.io("read", source),
            TailError::Line(source) => AuditError::Damaged { path: self.path.to_path_buf(), source },
            TailError::Unchained => AuditError::Unchained { path: self.path.to_path_buf() },
        })?;
        Ok((file, tail))
    }

    /// What has to be written first, from which byte, and the last entry then.
    ///
    /// The recovering entry is written over the torn bytes, not after cutting them: a crash in between leaves a
    /// torn end again, and never a cut that no entry speaks of.
    fn recover(&self, tail: &Tail) -> Result<(Vec<u8>, u64, End), AuditError> {
        let mut bytes = Vec::new();
        let mut end = End { head: tail.head, at: tail.at, now: self.clock.now() };
        let recovered = Event::new(Kind::LogRecovered, RECOVERER);
        match &tail.rest {
            Rest::Nothing => {}
            Rest::Torn(cut) => {
                self.add(&mut bytes, &mut end, recovered.with("bytes_cut", *cut))?;
            }
            // All but its newline reached the disk, so it is kept: cutting is for what is not an entry.
            Rest::Whole(entry) => {
                push_line(&mut bytes, &entry.to_line());
                end = end.behind(entry);
                let recovered = recovered.with("bytes_cut", 0_u64).with("completed", entry.seq());
                self.add(&mut bytes, &mut end, recovered)?;
            }
        }
        self.notice(&mut bytes, &mut end)?;
        Ok((bytes, tail.end, end))
    }

    /// Records once that the clock was set back, so that the time of the entries behind is known to be no clock's.
    fn notice(&self, bytes: &mut Vec<u8>, end: &mut End) -> Result<(), AuditError> {
        let behind = end.at.map_or(Duration::ZERO, |at| at - end.now);
        let is_behind = behind > SLACK;
        if self.is_behind.swap(is_behind, Ordering::SeqCst) || !is_behind {
            return Ok(());
        }
        let milliseconds = u64::try_from(behind.whole_milliseconds()).unwrap_or(u64::MAX);
        let event = Event::new(Kind::ClockSetBack, RECOVERER).with("milliseconds", milliseconds);
        self.add(bytes, end, event).map(|_| ())
    }

    /// Seals an event behind the end, which it then is.
    fn add(&self, bytes: &mut Vec<u8>, end: &mut End, event: Event) -> Result<Entry, AuditError> {
        let (entry, line) = seal(*end, event)?;
        push_line(bytes, &line);
        *end = end.behind(&entry);
        Ok(entry)
    }

    fn write(&self, file: &mut File, from: u64, bytes: &[u8]) -> Result<(), AuditError> {
        let failed = |source| self.io("append to", source);
        file.seek(SeekFrom::Start(from)).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        let end = from + bytes.len() as u64;
        if file.metadata().map_err(failed)?.len() > end {
            file.set_len(end).map_err(failed)?;
        }
        file.sync_data().map_err(failed)
    }

    fn io(&self, doing: &'static str, source: io::Error) -> AuditError {
        AuditError::Io { doing, path: self.path.to_path_buf(), source }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({})", self.path.display())
    }
}

/// Times never go back in a log: what the clock says counts from the last entry's time on.
fn seal(end: End, event: Event) -> Result<(Entry, String), AuditError> {
    let kind = event.kind;
    let at = end.at.map_or(end.now, |at| at.max(end.now));
    let sealed = Entry::seal(end.head, at, event).ok_or(AuditError::Beyond { kind })?;
    // Nothing is written that verification would not read: too long, too deep.
    match Line::<Seen>::parse(sealed.1.as_bytes()) {
        Ok(_) => Ok(sealed),
        Err(source) => Err(AuditError::Unwritable { kind, source }),
    }
}

fn push_line(bytes: &mut Vec<u8>, line: &str) {
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
}
