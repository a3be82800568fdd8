//! Reads a log from beginning to end and names the first place where it is not what was written.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use time::OffsetDateTime;

use crate::entry::{Entry, EntryRef, LONGEST, Line, LineFault, following};
use crate::json::Seen;
use crate::kind::Kind;
use crate::query::QueryId;
use crate::tail::{self, Rest, TailError};

/// A log in which every entry is whole and continues the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many entries it has.
    pub entries: u64,
    /// The last entry: worth noting elsewhere, see [`verify_noted`].
    pub head: Option<EntryRef>,
    /// Queries that were opened and have no end: running now, or their process was killed.
    pub unclosed: Vec<QueryId>,
    /// Bytes behind the last newline: an append that crashed, or one that is being written. The next append deals
    /// with them.
    pub torn_bytes: u64,
    /// Entries whose time lies before that of the one before; the log's own functions write none.
    pub back_in_time: u64,
}

/// Why a log is not what was written.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The log could not be read.
    #[error("cannot read the log at line {line}")]
    Read {
        /// The line, from 1.
        line: u64,
        /// Why not.
        source: io::Error,
    },
    /// A line is not an entry, or its hash is not that of its content.
    #[error("line {line}, which should be entry {seq}, was changed")]
    Line {
        /// The line, from 1.
        line: u64,
        /// The entry that should stand there.
        seq: u64,
        /// What is wrong with it.
        source: LineFault,
    },
    /// Entries are missing.
    #[error("line {line} is entry {found}, where entry {expected} should stand: {} removed", count(*expected, *found))]
    Removed {
        /// The line, from 1.
        line: u64,
        /// The first entry that is missing.
        expected: u64,
        /// The entry that stands there instead.
        found: u64,
    },
    /// Entries stand in another order.
    #[error(
        "line {line} is entry {found}, where entry {expected} should stand, which is in line {expected_line}: re-ordered"
    )]
    Reordered {
        /// The line, from 1.
        line: u64,
        /// The entry that should stand there.
        expected: u64,
        /// The entry that stands there instead.
        found: u64,
        /// The line in which the expected entry was found.
        expected_line: u64,
    },
    /// A number stands a second time.
    #[error(
        "line {line} is entry {found} again, where entry {expected} should stand: one of them was inserted"
    )]
    Inserted {
        /// The line, from 1.
        line: u64,
        /// The entry that should stand there.
        expected: u64,
        /// The entry that stands there instead.
        found: u64,
    },
    /// An entry has the right number and is whole, but names another entry before it.
    #[error("line {line}, entry {seq}, does not continue the entry before it: one of the two was replaced")]
    Unchained {
        /// The line, from 1.
        line: u64,
        /// The entry.
        seq: u64,
    },
    /// A query's entry does not fit the others of its query, so that it was not written by this log's functions.
    #[error("line {line}, entry {seq}, does not fit the other entries of its query")]
    Unpaired {
        /// The line, from 1.
        line: u64,
        /// The entry.
        seq: u64,
    },
    /// The log does not hold an entry that was noted elsewhere.
    #[error("the log does not hold the noted entry {noted}: it was cut off or rewritten")]
    NotHeld {
        /// The noted entry.
        noted: EntryRef,
    },
}

/// Verifies a log, also one that was copied and has no environment.
///
/// # Errors
///
/// The first place, in the order of the lines, where the log is not what was written.
pub fn verify(log: impl BufRead) -> Result<Verified, VerifyError> {
    verify_noted(log, None)
}

/// As [`verify`], and demands that the log holds an entry that was noted earlier.
///
/// # Errors
///
/// As [`verify`]; a log that was cut before the noted entry or rewritten is found as well.
pub fn verify_noted(log: impl BufRead, noted: Option<EntryRef>) -> Result<Verified, VerifyError> {
    let mut walk = Walk {
        lines: Lines { log, buffer: Vec::new(), line: 0 },
        head: None,
        at: None,
        back_in_time: 0,
        open: BTreeSet::new(),
    };
    let mut missing = noted;
    while walk.step()? {
        if walk.head == missing {
            missing = None;
        }
    }
    match missing {
        Some(noted) => Err(VerifyError::NotHeld { noted }),
        None => walk.finish(),
    }
}

/// Verifies the log in a file, while no append is under way.
///
/// # Errors
///
/// As [`verify`].
pub fn verify_file(path: &Path) -> Result<Verified, VerifyError> {
    let unreadable = |source| VerifyError::Read { line: 0, source };
    let file = File::open(path).map_err(unreadable)?;
    file.lock_shared().map_err(unreadable)?;
    verify(BufReader::with_capacity(READ, file))
}

/// Bytes of a file that are read at a time.
const READ: usize = 1 << 18;

struct Walk<R> {
    lines: Lines<R>,
    head: Option<EntryRef>,
    at: Option<OffsetDateTime>,
    back_in_time: u64,
    open: BTreeSet<QueryId>,
}

/// What verification needs of an entry.
struct Facts {
    reference: EntryRef,
    at: OffsetDateTime,
    continues: bool,
    kind: Kind,
    query: Option<QueryId>,
}

impl<R: BufRead> Walk<R> {
    /// Takes the next whole line in; says whether there was one.
    fn step(&mut self) -> Result<bool, VerifyError> {
        let expected = self.expected();
        let Some(bytes) = self.lines.next_whole(expected)? else { return Ok(false) };
        let entry = Line::<Seen>::parse(bytes).map(|line| Facts {
            reference: line.reference(),
            at: line.at,
            continues: line.continues(self.head),
            kind: line.kind,
            query: line.subject.as_deref().and_then(QueryId::parse),
        });
        let line = self.lines.line;
        let entry = entry.map_err(|source| VerifyError::Line { line, seq: expected, source })?;
        if entry.reference.seq() != expected {
            return Err(self.misplaced(expected, entry.reference.seq()));
        }
        if !entry.continues {
            return Err(VerifyError::Unchained { line, seq: expected });
        }
        self.pair(&entry)?;
        self.back_in_time += u64::from(self.at.is_some_and(|before| entry.at < before));
        (self.head, self.at) = (Some(entry.reference), Some(entry.at));
        Ok(true)
    }

    fn expected(&self) -> u64 {
        following(self.head).unwrap_or(u64::MAX)
    }

    fn pair(&mut self, entry: &Facts) -> Result<(), VerifyError> {
        let seq = entry.reference.seq();
        let is_paired = match (entry.kind, entry.query) {
            (Kind::QueryOpened, Some(query)) => query.seq() == seq && self.open.insert(query),
            (Kind::QueryClosed, Some(query)) => self.open.remove(&query),
            (Kind::QueryOpened | Kind::QueryClosed, None) => false,
            _ => true,
        };
        if is_paired { Ok(()) } else { Err(VerifyError::Unpaired { line: self.lines.line, seq }) }
    }

    /// Says what a wrong number means; looks through the rest of the log for the entry that should stand here.
    fn misplaced(&mut self, expected: u64, found: u64) -> VerifyError {
        let line = self.lines.line;
        if found < expected {
            return VerifyError::Inserted { line, expected, found };
        }
        // What else is wrong further on does not matter here.
        while let Ok(Some(bytes)) = self.lines.next_whole(expected) {
            if Entry::parse(bytes).is_ok_and(|entry| entry.seq() == expected) {
                return VerifyError::Reordered { line, expected, found, expected_line: self.lines.line };
            }
        }
        VerifyError::Removed { line, expected, found }
    }

    fn finish(self) -> Result<Verified, VerifyError> {
        let seq = self.expected();
        let Self { lines, head, open, back_in_time, .. } = self;
        let line = lines.line + 1;
        let torn_bytes = lines.buffer.len() as u64;
        match tail::judge(&lines.buffer, head) {
            Ok(Rest::Nothing | Rest::Torn(_) | Rest::Whole(_)) => {
                let unclosed = open.into_iter().collect();
                Ok(Verified { entries: lines.line, head, unclosed, torn_bytes, back_in_time })
            }
            Err(TailError::Read(source)) => Err(VerifyError::Read { line, source }),
            Err(TailError::Line(source)) => Err(VerifyError::Line { line, seq, source }),
            Err(TailError::Unchained) => Err(VerifyError::Unchained { line, seq }),
        }
    }
}

/// Lines of a log, one at a time in one buffer.
struct Lines<R> {
    log: R,
    /// The line read last, without its newline; at the end, what stands behind the last newline.
    buffer: Vec<u8>,
    /// Its number, from 1.
    line: u64,
}

impl<R: BufRead> Lines<R> {
    /// The next line that has its newline; `seq` is the entry that should stand there.
    fn next_whole(&mut self, seq: u64) -> Result<Option<&[u8]>, VerifyError> {
        self.buffer.clear();
        let line = self.line + 1;
        // A line that is too long is not read to its end: a foreign file must not fill the memory.
        let most = LONGEST as u64 + 1;
        let read = (&mut self.log).take(most).read_until(b'\n', &mut self.buffer);
        read.map_err(|source| VerifyError::Read { line, source })?;
        if self.buffer.pop_if(|byte| *byte == b'\n').is_some() {
            self.line = line;
            return Ok(Some(&self.buffer));
        }
        if self.buffer.len() > LONGEST {
            return Err(VerifyError::Line { line, seq, source: LineFault::Long });
        }
        Ok(None)
    }
}

fn count(expected: u64, found: u64) -> String {
    match found.saturating_sub(expected) {
        1 => "one entry was".to_owned(),
        several => format!("{several} entries were"),
    }
}
