//! A query's two entries, and the receipts that stand for them.
//!
//! [`Opened`] is demanded by what runs a query, [`Closed`] by what hands the answer out; each has one maker.

use std::fmt;

use crate::digest::Digest;
use crate::entry::{Entry, EntryRef};
use crate::event::Event;
use crate::kind::Kind;
use crate::log::{AuditError, Log};
use crate::value::Value;

/// A query's id, which is the number of the entry that opened it: unique in its log without any randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(u64);

impl QueryId {
    pub(crate) const fn new(seq: u64) -> Self {
        Self(seq)
    }

    /// Reads an id as [`fmt::Display`] writes it: `q12`.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(text.strip_prefix('q')?.parse().ok()?);
        (id.to_string() == text).then_some(id)
    }

    /// The number of the entry that opened the query.
    pub const fn seq(self) -> u64 {
        self.0
    }
}

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "q{}", self.0)
    }
}

/// A vetted query that is about to run.
#[derive(Clone, Debug)]
#[must_use = "a query is only recorded by `Log::open_query`"]
pub struct QueryRequest(Event);

impl QueryRequest {
    /// A query of this user for this project, on this snapshot, with this hash of its vetted plan.
    pub fn new(who: &str, project: &str, snapshot: &str, plan: Digest) -> Self {
        let event = Event::new(Kind::QueryOpened, who).project(project);
        Self(event.with("snapshot", snapshot).with("plan", plan))
    }

    /// Adds what else belongs in the record: tables, columns, the rule pack's digest, the SQL's digest.
    pub fn with(self, name: &str, value: impl Into<Value>) -> Self {
        Self(self.0.with(name, value))
    }

    pub(crate) fn into_event(self, query: QueryId) -> Event {
        self.0.subject(query.to_string())
    }
}

/// A query that stands in the record and has not ended yet. It is spent by [`Opened::close`].
///
/// Dropped unspent, it writes `query-closed` with the outcome `abandoned`. That is best effort: a drop cannot
/// report an error, and a killed process drops nothing. [`crate::verify`] lists queries that were never closed.
#[must_use = "a query that was opened must be closed with its outcome"]
pub struct Opened {
    log: Log,
    query: QueryId,
    entry: EntryRef,
    who: String,
    project: Option<String>,
    is_spent: bool,
}

impl Opened {
    pub(crate) fn new(log: Log, entry: &Entry) -> Self {
        Self {
            log,
            query: QueryId::new(entry.seq()),
            entry: entry.reference(),
            who: entry.who().to_owned(),
            project: entry.project().map(str::to_owned),
            is_spent: false,
        }
    }

    /// The query's id.
    pub const fn query(&self) -> QueryId {
        self.query
    }

    /// The entry that opened it.
    pub const fn entry(&self) -> EntryRef {
        self.entry
    }

    /// Records how the query ended.
    ///
    /// # Errors
    ///
    /// Where the entry could not be written durably. Then nothing may be released: there is no receipt, and the
    /// record shows a query without an end.
    pub fn close(mut self, outcome: Outcome) -> Result<Closed, AuditError> {
        // Spent before the attempt: after a failed write nobody knows what is on disk, and a second entry could
        // contradict the first.
        self.is_spent = true;
        let entry = self.log.append(|_| outcome.describe(self.closing()))?;
        let leaf = crate::merkle::leaf(entry.to_line().as_bytes());
        Ok(Closed { query: self.query, entry: entry.reference(), leaf })
    }

    fn closing(&self) -> Event {
        let event = Event::new(Kind::QueryClosed, self.who.clone()).subject(self.query.to_string());
        Event { project: self.project.clone(), ..event }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if !self.is_spent {
            let event = self.closing().with("outcome", "abandoned");
            // Best effort, as the type says.
            drop(self.log.append(|_| event));
        }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({})", self.query)
    }
}

/// How a query ended. Reasons are rule words and kinds of faults, never data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A protected table left.
    Released {
        /// Its cells, the suppressed ones included.
        cells: u64,
        /// How many of them are suppressed.
        suppressed: u64,
        /// The digest of the released bytes.
        digest: Digest,
    },
    /// Rows were kept inside; nothing left.
    Kept {
        /// The table.
        name: String,
        /// Its rows.
        rows: u64,
        /// Its size.
        bytes: u64,
    },
    /// Disclosure control held the answer back, or the data did not give one.
    Withheld {
        /// The rule.
        reason: String,
    },
    /// The permit ended while the query ran, or somebody stopped it.
    Stopped {
        /// The policy or the person.
        reason: String,
    },
    /// A fault of ours: a worker that died, a full disk.
    Failed {
        /// The kind of fault.
        fault: String,
    },
}

impl Outcome {
    fn describe(self, event: Event) -> Event {
        match self {
            Self::Released { cells, suppressed, digest } => event
                .with("outcome", "released")
                .with("cells", cells)
                .with("suppressed", suppressed)
                .with("digest", digest),
            Self::Kept { name, rows, bytes } => {
                event.with("outcome", "kept").with("name", name).with("rows", rows).with("bytes", bytes)
            }
            Self::Withheld { reason } => event.with("outcome", "withheld").with("reason", reason),
            Self::Stopped { reason } => event.with("outcome", "stopped").with("reason", reason),
            Self::Failed { fault } => event.with("outcome", "failed").with("fault", fault),
        }
    }
}

/// The receipt of a query that stands in the record with its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an answer goes out with the receipt that it was recorded"]
pub struct Closed {
    query: QueryId,
    entry: EntryRef,
    leaf: Digest,
}

impl Closed {
    /// The query's id.
    pub const fn query(&self) -> QueryId {
        self.query
    }

    /// The entry that closed it.
    pub const fn entry(&self) -> EntryRef {
        self.entry
    }

    /// The hash of that entry as a leaf of the record's tree.
    pub const fn leaf(&self) -> Digest {
        self.leaf
    }
}
