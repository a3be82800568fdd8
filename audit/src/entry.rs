//! One entry: its canonical line, and the hash that seals it to the entry before.
//!
//! The line is a JSON object whose members stand in one order: `seq`, `at`, `kind`, `who`, `project` and `subject`
//! where there are any, `body`, `prev`, `hash`. The hash is the SHA-256 of a domain word and of the same object
//! without its `hash` member, so that any program can recompute it: cut the line's last 75 bytes and close the
//! brace.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use time::OffsetDateTime;

use crate::digest::Digest;
use crate::event::Event;
use crate::json::{self, Cursor, Made, Misplaced};
use crate::kind::Kind;
use crate::moment;
use crate::value::{Body, Value, write_text};

/// Hashed before every entry, so that no other document of the project has the same hash.
const DOMAIN: &[u8] = b"misu audit entry v1\n";

/// Most lines are no longer than this.
const SHORT: usize = 512;

/// The longest line, without its newline: a reader of a foreign file never holds more.
pub(crate) const LONGEST: usize = 256 * 1024;

/// An entry whose line was well formed and whose hash is right. What it says of the entry before it is for
/// [`crate::verify`] to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    seq: u64,
    at: OffsetDateTime,
    event: Event,
    prev: Digest,
    hash: Digest,
}

/// Which entry, and what it said: enough to find it and to see that it is still the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntryRef {
    seq: u64,
    hash: Digest,
}

/// What is wrong with one line, taken alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// The line is not in the canonical form.
    #[error("not an entry's canonical form: expected {expected} at byte {at}")]
    Form {
        /// The byte of the line, from 0.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// The kind is a word that this program does not know.
    #[error("unknown kind {0:?}")]
    Kind(String),
    /// The line is longer than any entry.
    #[error("longer than the {LONGEST} bytes of the longest entry")]
    Long,
    /// The line's content does not give the line's hash.
    #[error("the content and the hash do not belong together: a byte was changed")]
    Changed,
}

impl From<Misplaced> for LineFault {
    fn from(Misplaced { at, expected }: Misplaced) -> Self {
        Self::Form { at, expected }
    }
}

impl Entry {
    /// Seals an event behind the entry `head`: the entry and its line. Nothing where the time or the number has no
    /// place in a log.
    pub(crate) fn seal(head: Option<EntryRef>, at: OffsetDateTime, event: Event) -> Option<(Self, String)> {
        let seq = following(head)?;
        let prev = head.map_or(Digest::ZERO, EntryRef::hash);
        let mut entry = Self { seq, at: moment::canonical(at)?, event, prev, hash: Digest::ZERO };
        let mut line = entry.unsealed();
        entry.hash = Digest::of(&[DOMAIN, line.as_bytes(), b"}"]);
        entry.close(&mut line);
        Some((entry, line))
    }

    /// Reads a line without its newline, and recomputes its hash.
    ///
    /// # Errors
    ///
    /// Where the line is not exactly what [`Entry::to_line`] would write.
    pub fn parse(line: &[u8]) -> Result<Self, LineFault> {
        let Line { seq, at, kind, who, project, subject, body, prev, hash } = Line::<Value>::parse(line)?;
        let (project, subject) = (project.map(Cow::into_owned), subject.map(Cow::into_owned));
        let event = Event { kind, who: who.into_owned(), project, subject, body: json::body(body) };
        Ok(Self { seq, at, event, prev, hash })
    }

    /// The canonical line, without a newline.
    pub fn to_line(&self) -> String {
        let mut line = self.unsealed();
        self.close(&mut line);
        line
    }

    /// The entries of a log at `path`, one after the other. They are not verified; what is no entry is passed over, as
    /// behind the last newline may stand one that is being written.
    ///
    /// # Errors
    ///
    /// The file cannot be opened; each item, it cannot be read on.
    pub fn all(path: &Path) -> std::io::Result<impl Iterator<Item = std::io::Result<Self>>> {
        let lines = BufReader::new(File::open(path)?).split(b'\n');
        Ok(lines.filter_map(|line| line.map(|line| Self::parse(&line).ok()).transpose()))
    }

    /// Everything before the hash, without the closing brace.
    fn unsealed(&self) -> String {
        let mut out = String::with_capacity(SHORT);
        // Writing to a string cannot fail.
        let _ = write!(out, "{{\"seq\":{},\"at\":\"", self.seq);
        moment::write(&mut out, self.at);
        for part in ["\",\"kind\":\"", self.event.kind.as_str(), "\",\"who\":"] {
            out.push_str(part);
        }
        write_text(&mut out, &self.event.who);
        for (name, value) in [(",\"project\":", &self.event.project), (",\"subject\":", &self.event.subject)]
        {
            if let Some(value) = value {
                out.push_str(name);
                write_text(&mut out, value);
            }
        }
        out.push_str(",\"body\":");
        self.event.body.write(&mut out);
        out.push_str(",\"prev\":\"");
        self.prev.write(&mut out);
        out.push('"');
        out
    }

    fn close(&self, line: &mut String) {
        line.push_str(",\"hash\":\"");
        self.hash.write(line);
        line.push_str("\"}");
    }

    /// The entry's number; the first is 0.
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// When it was written, in UTC.
    pub const fn at(&self) -> OffsetDateTime {
        self.at
    }

    /// What it is about.
    pub const fn kind(&self) -> Kind {
        self.event.kind
    }

    /// The program or the user that acted.
    pub fn who(&self) -> &str {
        &self.event.who
    }

    /// The project, where there is one.
    pub fn project(&self) -> Option<&str> {
        self.event.project.as_deref()
    }

    /// The snapshot, query or delivery that it is about, where there is one.
    pub fn subject(&self) -> Option<&str> {
        self.event.subject.as_deref()
    }

    /// What else it says.
    pub const fn body(&self) -> &Body {
        &self.event.body
    }

    /// The hash of the entry before.
    pub const fn prev(&self) -> Digest {
        self.prev
    }

    /// The entry's number and hash.
    pub const fn reference(&self) -> EntryRef {
        EntryRef { seq: self.seq, hash: self.hash }
    }

    /// Says whether this entry continues `head`: its number follows and it names the hash.
    pub(crate) fn continues(&self, head: Option<EntryRef>) -> bool {
        continues((self.seq, self.prev), head)
    }
}

impl EntryRef {
    /// Takes up a reference that was noted elsewhere.
    pub const fn new(seq: u64, hash: Digest) -> Self {
        Self { seq, hash }
    }

    /// Reads a reference as [`fmt::Display`] writes it: number, colon, hash.
    pub fn parse(text: &str) -> Option<Self> {
        let (seq, hash) = text.split_once(':')?;
        let read = Self { seq: seq.parse().ok()?, hash: Digest::parse(hash)? };
        (read.to_string() == text).then_some(read)
    }

    /// The entry's number; the first is 0.
    pub const fn seq(self) -> u64 {
        self.seq
    }

    /// The entry's hash.
    pub const fn hash(self) -> Digest {
        self.hash
    }
}

impl fmt::Display for EntryRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// The number of the entry after `head`.
pub(crate) fn following(head: Option<EntryRef>) -> Option<u64> {
    head.map_or(Some(0), |head| head.seq.checked_add(1))
}

/// A line's members, as parts of the line where they can be.
pub(crate) struct Line<'a, V> {
    pub(crate) seq: u64,
    pub(crate) at: OffsetDateTime,
    pub(crate) kind: Kind,
    who: Cow<'a, str>,
    project: Option<Cow<'a, str>>,
    pub(crate) subject: Option<Cow<'a, str>>,
    body: Vec<(Cow<'a, str>, V)>,
    prev: Digest,
    hash: Digest,
}

impl<'a, V: Made<'a>> Line<'a, V> {
    /// Reads a line without its newline, and recomputes its hash.
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, LineFault> {
        if line.len() > LONGEST {
            return Err(LineFault::Long);
        }
        let line = std::str::from_utf8(line)
            .map_err(|error| LineFault::Form { at: error.valid_up_to(), expected: "UTF-8" })?;
        let mut cursor = Cursor::new(line);
        let (seq, at) = numbered(&mut cursor)?;
        cursor.expect(",\"kind\":")?;
        let word = cursor.text()?;
        let Some(kind) = Kind::parse(&word) else { return Err(LineFault::Kind(word.into_owned())) };
        cursor.expect(",\"who\":")?;
        let who = cursor.text()?;
        let mut named = |name: &str| if cursor.skip(name) { cursor.text().map(Some) } else { Ok(None) };
        let (project, subject) = (named(",\"project\":")?, named(",\"subject\":")?);
        cursor.expect(",\"body\":")?;
        let body = cursor.object()?;
        cursor.expect(",\"prev\":")?;
        let prev = cursor.digest()?;
        let content = line.get(..cursor.at()).unwrap_or("");
        cursor.expect(",\"hash\":")?;
        let hash = cursor.digest()?;
        cursor.expect("}")?;
        if !cursor.is_at_end() {
            cursor.fail("the end of the line")?;
        }
        if Digest::of(&[DOMAIN, content.as_bytes(), b"}"]) != hash {
            return Err(LineFault::Changed);
        }
        Ok(Self { seq, at, kind, who, project, subject, body, prev, hash })
    }

    /// The entry's number and hash.
    pub(crate) const fn reference(&self) -> EntryRef {
        EntryRef { seq: self.seq, hash: self.hash }
    }

    /// Says whether this entry continues `head`.
    pub(crate) fn continues(&self, head: Option<EntryRef>) -> bool {
        continues((self.seq, self.prev), head)
    }
}

/// An entry continues another where its number follows and it names the hash.
fn continues((seq, prev): (u64, Digest), head: Option<EntryRef>) -> bool {
    following(head) == Some(seq) && prev == head.map_or(Digest::ZERO, EntryRef::hash)
}

fn numbered(cursor: &mut Cursor<'_>) -> Result<(u64, OffsetDateTime), LineFault> {
    cursor.expect("{\"seq\":")?;
    let Ok(seq) = u64::try_from(cursor.whole()?) else { return Ok(cursor.fail("a number from 0")?) };
    cursor.expect(",\"at\":")?;
    let Some(at) = moment::parse(&cursor.text()?) else { return Ok(cursor.fail("a time in UTC")?) };
    Ok((seq, at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::{Entry, EntryRef, LONGEST, LineFault};
    use crate::{Digest, Event, Kind, Value};

    fn entry(event: Event) -> Entry {
        Entry::seal(None, datetime!(2026-11-21 00:00 UTC), event).unwrap().0
    }

    fn events() -> impl Strategy<Value = Event> {
        let kinds = prop::sample::select(Kind::ALL);
        let words = (any::<String>(), any::<Option<String>>(), any::<Option<String>>());
        let values = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            any::<Vec<bool>>().prop_map(Value::from),
        ];
        let body = prop::collection::btree_map(any::<String>(), values, 0..5);
        (kinds, words, body).prop_map(|(kind, (who, project, subject), body)| Event {
            kind,
            who,
            project,
            subject,
            body: body.into_iter().collect(),
        })
    }

    proptest! {
        #[test]
        fn a_line_is_read_and_written_back(event in events(), seconds in 0_i64..250_000_000_000, seq: u64) {
            let head = EntryRef::new(seq / 2, Digest::of(&[&seq.to_be_bytes()]));
            let at = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
            let (entry, line) = Entry::seal(Some(head), at, event).unwrap();
            prop_assert_eq!(&entry.to_line(), &line);
            let read = Entry::parse(line.as_bytes()).unwrap();
            prop_assert_eq!(read.to_line(), line);
            prop_assert!(read.continues(Some(head)));
            prop_assert_eq!(read, entry);
        }

        #[test]
        fn any_changed_bit_is_found(event in events(), place: prop::sample::Index, bit in 0..8_u8) {
            let mut line = entry(event).to_line().into_bytes();
            let place = place.index(line.len());
            line[place] ^= 1 << bit;
            prop_assert!(Entry::parse(&line).is_err());
        }
    }

    #[test]
    fn another_program_can_recompute_the_hash() {
        let entry = entry(Event::new(Kind::View, "auditor"));
        let line = entry.to_line();
        let content = format!("{}}}", line.get(..line.len() - 75).unwrap());
        let other: serde_json::Value = serde_json::from_str(&line).unwrap();
        let hash = Digest::of(&[b"misu audit entry v1\n", content.as_bytes()]).to_string();
        assert_eq!(other["hash"], hash.as_str());
    }

    #[test]
    fn a_line_longer_than_any_entry_is_not_read() {
        let long = entry(Event::new(Kind::View, "auditor").with("text", "x".repeat(LONGEST)));
        assert_eq!(Entry::parse(long.to_line().as_bytes()), Err(LineFault::Long));
    }
}
