//! The release ledger on disk: sealed, append-only, durable before an answer goes out.
//!
//! One file, `<env>/ledger/releases`, of frames: length, key id, sealed bytes. Each frame is sealed under the
//! environment's ledger key and bound to its number and to the digest of the frame before, so none can be changed,
//! moved, or taken out of the middle. What was cut off the end is noticed because the audit record notes the ledger's
//! length and the digest of its last frame with every release: a ledger that is behind the record, or that is not the
//! one of which the record speaks, releases nothing. The same stands in the entry of every checkpoint ([`standing`]).
//!
//! It is kept for as long as the environment, and never shrinks: nothing takes a release out of what its reader has, so
//! whatever the ledger forgot could be subtracted from the next answer. That holds for releases of projects that ended, of
//! snapshots that were pruned and of data that were erased.
//!
//! A frame that was not written to its end belongs to an answer that nobody got; the next append overwrites it. A frame
//! that was, whose answer was lost in a crash, answers the same question again.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use audit::Event;
use catalog_store::{
    Edition, Environment, EnvironmentError, KeyError, KeyRole, SamePersons, SecretKey, decrypt, encrypt,
};
use engine_disclosure::{Ledger, LedgerEntry};
use time::OffsetDateTime;

use crate::ledger_entry;
use crate::recent::{Noted, Recent};

/// The file's name in the ledger's room.
const FILE: &str = "releases";
/// What the chain begins with.
const START: &str = "misu ledger v1";

/// What keys the words by which the record knows questions again.
const KNOWN: &str = "misu 2026-11 questions that the record knows again";

/// The words by which the record knows a question again.
#[derive(Debug)]
pub(crate) struct Known {
    /// What questions about the same rows have in common, whatever values they name.
    pub(crate) family: String,
    /// What it says of its rows.
    pub(crate) rows: String,
}

/// The ledger of one environment, read as far as it was when last looked at.
#[derive(Debug)]
pub(crate) struct LedgerFile {
    path: PathBuf,
    ledger: Ledger,
    read: u64,
    frames: u64,
    head: blake3::Hash,
    /// The digest of each frame.
    heads: Vec<blake3::Hash>,
    /// The edition of the list of numbers of one person that the cohorts are compared by.
    same: Option<Edition>,
}

/// Why the ledger cannot be used; then nothing is released.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file system refused.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A key cannot be had.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// Bytes cannot be sealed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A frame is not what was written.
    #[error("entry {0} of the release ledger was changed, or its key is gone")]
    Changed(u64),
    /// What is kept of a release is not what was written.
    #[error("{0} was changed, or its key is gone")]
    Retained(PathBuf),
    /// An entry cannot be written as bytes.
    #[error("an entry of the release ledger cannot be written")]
    Entry,
    /// The record knows of more releases than the ledger.
    #[error("the release ledger has {has} entries, the record knows of {noted}: an old copy was put back")]
    Behind {
        /// Entries that are there.
        has: u64,
        /// Entries that the record knows of.
        noted: u64,
    },
    /// The entry of this number is not the one of which the record speaks.
    #[error(
        "entry {0} of the release ledger is not the one that the record knows of: another ledger was put here"
    )]
    Other(u64),
    /// The record cannot be read.
    #[error("cannot read the record for the ledger's length")]
    Record(#[source] std::io::Error),
}

/// The ledger while nobody else writes it.
pub(crate) struct Held<'l> {
    own: &'l mut LedgerFile,
    file: File,
}

impl LedgerFile {
    /// The ledger of an environment, not read yet.
    pub(crate) fn new(environment: &Environment) -> Self {
        let path = environment.room("ledger").join(FILE);
        let head = blake3::hash(START.as_bytes());
        let (ledger, heads) = (Ledger::default(), Vec::new());
        Self { path, ledger, read: 0, frames: 0, head, heads, same: None }
    }

    /// Takes the ledger for one release and reads what others added.
    ///
    /// # Errors
    ///
    /// It is not the ledger of which the record speaks, or cannot be read.
    pub(crate) fn hold(&mut self, environment: &Environment, noted: &Noted) -> Result<Held<'_>, LedgerError> {
        let file = self.open()?;
        if file.metadata().map_err(|source| self.io("read", source))?.len() < self.read {
            // A shorter one was put here while this one was known.
            *self = Self::new(environment);
        }
        let mut held = Held { own: self, file };
        held.catch_up(environment)?;
        held.own.know(environment)?;
        let last = noted.entries.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        let known = last.and_then(|at| held.own.heads.get(at)).map(blake3::Hash::to_hex);
        is_noted(noted, held.own.frames, known.as_ref().map(|known| known.as_str()))?;
        Ok(held)
    }

    fn open(&self) -> Result<File, LedgerError> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| self.io("make the folder of", source))?;
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&self.path);
        let file = file.map_err(|source| self.io("open", source))?;
        file.lock().map_err(|source| self.io("lock", source))?;
        Ok(file)
    }

    fn io(&self, doing: &'static str, source: std::io::Error) -> LedgerError {
        LedgerError::Io { doing, path: self.path.clone(), source }
    }
}

impl Held<'_> {
    /// Everything released so far.
    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.own.ledger
    }

    /// How many releases are kept, and the digest of the last frame.
    pub(crate) fn head(&self) -> (u64, String) {
        (self.own.frames, self.own.head.to_hex().to_string())
    }

    /// Keeps a release; it is on disk when this returns. How the record may know its family and what it says of its
    /// `rows` again: nobody without the ledger's key can try what they stand for.
    pub(crate) fn keep(
        &mut self,
        environment: &Environment,
        entry: LedgerEntry,
        rows: &str,
    ) -> Result<Known, LedgerError> {
        let key = environment.key(KeyRole::Ledger)?;
        let told = blake3::derive_key(KNOWN, key.as_bytes());
        let word = |text: &str| {
            let place = format!("{}\n{text}", entry.project);
            blake3::keyed_hash(&told, place.as_bytes()).to_hex().chars().take(16).collect::<String>()
        };
        let known = Known { family: word(&entry.family), rows: word(rows) };
        let (entry, written) = entry.ready_while(|entry| self.append(&key, entry));
        written?;
        self.own.ledger.keep_ready(entry);
        Ok(known)
    }

    /// Writes an entry behind the others; it is on disk when this returns.
    fn append(&mut self, key: &SecretKey, entry: &LedgerEntry) -> Result<(), LedgerError> {
        let clear = ledger_entry::written(entry).ok_or(LedgerError::Entry)?;
        let sealed = encrypt(key, &bound_to(self.own.frames, &self.own.head), &clear)?;
        let frame = framed(&sealed);
        let written = self.write(&frame);
        written.map_err(|source| self.own.io("write", source))?;
        self.own.advance(&frame);
        Ok(())
    }

    fn write(&mut self, frame: &[u8]) -> std::io::Result<()> {
        // Whatever stands behind the last whole frame was never answered.
        self.file.set_len(self.own.read)?;
        self.file.seek(SeekFrom::Start(self.own.read))?;
        self.file.write_all(frame)?;
        self.file.sync_all()?;
        match self.own.path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    fn catch_up(&mut self, environment: &Environment) -> Result<(), LedgerError> {
        let mut bytes = Vec::new();
        let from = SeekFrom::Start(self.own.read);
        let read = self.file.seek(from).and_then(|_| self.file.read_to_end(&mut bytes));
        read.map_err(|source| self.own.io("read", source))?;
        let mut rest = bytes.as_slice();
        let mut keys: Option<Vec<SecretKey>> = None;
        while let Some((sealed, after)) = unframed(rest) {
            let (number, bound) = (self.own.frames, bound_to(self.own.frames, &self.own.head));
            if keys.is_none() {
                keys = Some(environment.keys_of(KeyRole::Ledger)?);
            }
            let clear = keys.iter().flatten().find_map(|key| decrypt(key, &bound, sealed));
            let entry = clear.and_then(|clear| ledger_entry::read(&clear));
            let entry = entry.ok_or(LedgerError::Changed(number))?;
            self.own.ledger.keep(entry);
            let length = rest.len() - after.len();
            let frame = rest.get(..length).unwrap_or_default();
            self.own.advance(frame);
            rest = after;
        }
        Ok(())
    }
}

impl LedgerFile {
    /// Learns which numbers turned out to be one person's since it was last looked at.
    fn know(&mut self, environment: &Environment) -> Result<(), LedgerError> {
        let same = SamePersons::of(environment);
        // Before the list is read: what is written meanwhile is read the next time.
        let edition = Some(same.edition()?);
        if self.same != edition {
            self.ledger.know(same.pairs()?);
            self.same = edition;
        }
        Ok(())
    }

    fn advance(&mut self, frame: &[u8]) {
        self.read += frame.len() as u64;
        self.frames += 1;
        self.head = blake3::hash(frame);
        self.heads.push(self.head);
    }
}

fn bound_to(number: u64, head: &blake3::Hash) -> Vec<u8> {
    [START.as_bytes(), &number.to_le_bytes(), head.as_bytes()].concat()
}

fn framed(sealed: &[u8]) -> Vec<u8> {
    [&(sealed.len() as u64).to_le_bytes(), sealed].concat()
}

/// The sealed bytes of the first frame and what follows it; none where it is not there to its end.
fn unframed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

/// Whether a ledger of so many entries, with this digest of the last one noted, is the one of which the record speaks.
fn is_noted(noted: &Noted, has: u64, known: Option<&str>) -> Result<(), LedgerError> {
    if has < noted.entries {
        return Err(LedgerError::Behind { has, noted: noted.entries });
    }
    match (&noted.head, known) {
        (Some(head), Some(known)) if head != known => Err(LedgerError::Other(noted.entries - 1)),
        _ => Ok(()),
    }
}

/// Adds to an entry where the ledger stands: how many entries lie there, the digest of the last, and whether it is the
/// ledger of which the record speaks. It takes no key, since only digests are compared.
///
/// # Errors
///
/// The record or the ledger cannot be read.
pub fn standing(environment: &Environment, log: &Path, event: Event) -> Result<Event, LedgerError> {
    // The record first: what is released meanwhile only makes the ledger longer.
    stands(environment, &noted(log)?, event)
}

/// As [`standing`], where it is known what the record notes.
pub(crate) fn stands(environment: &Environment, noted: &Noted, event: Event) -> Result<Event, LedgerError> {
    let path = environment.room("ledger").join(FILE);
    let failed = |source| LedgerError::Io { doing: "read", path: path.clone(), source };
    let found = match File::open(&path) {
        Ok(file) => file.lock().and_then(|()| heads(file, noted.entries)).map_err(failed)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Heads::default(),
        Err(source) => return Err(failed(source)),
    };
    let last = found.last.unwrap_or_else(|| blake3::hash(START.as_bytes()));
    let known = found.noted.as_ref().map(blake3::Hash::to_hex);
    let is = match is_noted(noted, found.entries, known.as_ref().map(|known| known.as_str())) {
        Ok(()) => "as-recorded",
        Err(LedgerError::Behind { .. }) => "behind",
        Err(_) => "other",
    };
    let event = event.with("ledger", is).with("ledger_entries", found.entries);
    Ok(event.with("ledger_head", last.to_hex().to_string()))
}

/// The digests of two frames.
#[derive(Default)]
struct Heads {
    /// Whole frames that are there.
    entries: u64,
    /// The last one's.
    last: Option<blake3::Hash>,
    /// That of the frame that the record notes.
    noted: Option<blake3::Hash>,
}

fn heads(mut file: File, noted: u64) -> std::io::Result<Heads> {
    let end = file.metadata()?.len();
    let (mut found, mut at, mut last) = (Heads::default(), 0_u64, None);
    let mut length = [0_u8; 8];
    while at.saturating_add(8) <= end {
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut length)?;
        let size = u64::from_le_bytes(length).saturating_add(8);
        if size > end - at {
            break;
        }
        found.entries += 1;
        if found.entries == noted {
            found.noted = Some(hashed(&mut file, (at, size))?);
        }
        last = Some((at, size));
        at += size;
    }
    found.last = last.map(|place| hashed(&mut file, place)).transpose()?;
    Ok(found)
}

fn hashed(file: &mut File, (at, size): (u64, u64)) -> std::io::Result<blake3::Hash> {
    file.seek(SeekFrom::Start(at))?;
    let mut frame = Vec::new();
    std::io::Read::by_ref(file).take(size).read_to_end(&mut frame)?;
    Ok(blake3::hash(&frame))
}

/// What a record notes last of the ledger.
pub(crate) fn noted(log: &Path) -> Result<Noted, LedgerError> {
    let mut recent = Recent::default();
    recent.catch_up(log, OffsetDateTime::UNIX_EPOCH).map_err(LedgerError::Record)?;
    Ok(recent.noted())
}

#[cfg(test)]
mod tests {
    use audit::{Event, Kind};
    use catalog_store::{Config, Environment, SamePersons};
    use engine_disclosure::{Cohort, LedgerEntry};

    use super::{LedgerError, LedgerFile, standing};
    use crate::recent::Noted;

    fn entry(question: &str) -> LedgerEntry {
        LedgerEntry {
            question: question.to_owned(),
            project: "p".to_owned(),
            snapshot: "s".to_owned(),
            family: "f".to_owned(),
            answer: question.as_bytes().to_vec(),
            cohorts: vec![Cohort {
                id: question.to_owned(),
                persons: (0..50).collect(),
                is_derived: false,
                form: None,
            }],
        }
    }

    fn environment() -> (tempfile::TempDir, Environment) {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(5))).unwrap();
        (folder, environment)
    }

    /// That the record knows of so many entries.
    fn of(entries: u64) -> Noted {
        Noted { entries, head: None }
    }

    fn keep(environment: &Environment, question: &str) {
        let mut file = LedgerFile::new(environment);
        file.hold(environment, &of(0)).unwrap().keep(environment, entry(question), "").unwrap();
    }

    #[test]
    fn what_was_kept_is_there_after_a_restart_once() {
        let (_folder, environment) = environment();
        let mut first = LedgerFile::new(&environment);
        first.hold(&environment, &of(0)).unwrap().keep(&environment, entry("one"), "").unwrap();
        // Another process adds one, and the first sees it.
        keep(&environment, "two");
        let held = first.hold(&environment, &of(2)).unwrap();
        assert_eq!((held.ledger().releases(), held.ledger().cohorts()), (2, 2));
        drop(held);
        let mut again = LedgerFile::new(&environment);
        let held = again.hold(&environment, &of(2)).unwrap();
        assert_eq!(held.ledger().answer("one"), Some(b"one".as_slice()));
    }

    #[test]
    fn a_merge_between_two_questions_is_seen_before_the_second_is_answered() {
        let (_folder, environment) = environment();
        let mut file = LedgerFile::new(&environment);
        file.hold(&environment, &of(0)).unwrap().keep(&environment, entry("one"), "").unwrap();
        // Without one of the fifty, twelve of whom the next snapshot has under other numbers.
        let persons = (0..37).chain(100..112).collect();
        let after = Cohort { id: "after".to_owned(), persons, is_derived: false, form: None };
        assert!(!file.hold(&environment, &of(1)).unwrap().ledger().is_near(&after, 10));
        SamePersons::of(&environment).add((0..12).map(|number| (100 + number, 38 + number))).unwrap();
        assert!(file.hold(&environment, &of(1)).unwrap().ledger().is_near(&after, 10));
        // Another process knows as well.
        let mut again = LedgerFile::new(&environment);
        assert!(again.hold(&environment, &of(1)).unwrap().ledger().is_near(&after, 10));
    }

    #[test]
    fn a_frame_that_a_crash_cut_off_is_written_over() {
        let (_folder, environment) = environment();
        keep(&environment, "one");
        let path = environment.room("ledger").join("releases");
        let whole = std::fs::read(&path).unwrap();
        keep(&environment, "two");
        let both = std::fs::read(&path).unwrap();
        for cut in [whole.len() + 3, whole.len() + 20, both.len() - 1] {
            std::fs::write(&path, &both[..cut]).unwrap();
            let mut file = LedgerFile::new(&environment);
            let mut held = file.hold(&environment, &of(1)).unwrap();
            assert_eq!((held.ledger().releases(), held.ledger().answer("two")), (1, None));
            held.keep(&environment, entry("two"), "").unwrap();
            drop(held);
            assert_eq!(
                LedgerFile::new(&environment).hold(&environment, &of(2)).unwrap().ledger().releases(),
                2
            );
        }
    }

    #[test]
    fn an_old_copy_and_a_changed_byte_release_nothing() {
        let (_folder, environment) = environment();
        keep(&environment, "one");
        let path = environment.room("ledger").join("releases");
        let old = std::fs::read(&path).unwrap();
        keep(&environment, "two");
        let mut running = LedgerFile::new(&environment);
        assert_eq!(running.hold(&environment, &of(2)).unwrap().ledger().releases(), 2);
        std::fs::write(&path, &old).unwrap();
        for mut file in [LedgerFile::new(&environment), running] {
            let behind = file.hold(&environment, &of(2)).err();
            assert!(matches!(behind, Some(LedgerError::Behind { has: 1, noted: 2 })));
        }
        let mut changed = old;
        changed[40] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        let error = LedgerFile::new(&environment).hold(&environment, &of(0)).err();
        assert!(matches!(error, Some(LedgerError::Changed(0))));
    }

    #[test]
    fn another_ledger_of_the_same_length_or_longer_releases_nothing() {
        let (_folder, environment) = environment();
        keep(&environment, "one");
        let path = environment.room("ledger").join("releases");
        let forked = std::fs::read(&path).unwrap();
        keep(&environment, "two");
        let (entries, head) = LedgerFile::new(&environment).hold(&environment, &of(2)).unwrap().head();
        let noted = Noted { entries, head: Some(head) };
        assert!(LedgerFile::new(&environment).hold(&environment, &noted).is_ok());
        std::fs::write(&path, &forked).unwrap();
        for more in ["another", "and one more"] {
            keep(&environment, more);
            let error = LedgerFile::new(&environment).hold(&environment, &noted).err();
            assert!(matches!(error, Some(LedgerError::Other(1))), "{error:?}");
        }
    }

    #[test]
    fn where_the_ledger_stands_is_told_without_a_key() {
        let (folder, environment) = environment();
        let log = folder.path().join("log.jsonl");
        let says = |body: &str| {
            let at = "2026-11-21T11:00:00.000Z";
            let line = format!(
                "{{\"seq\":0,\"at\":\"{at}\",\"kind\":\"ledger-kept\",\"who\":\"guard\",\"body\":{body}}}\n"
            );
            std::fs::write(&log, line).unwrap();
            format!("{:?}", standing(&environment, &log, Event::new(Kind::CheckpointSigned, "x")).unwrap())
        };
        assert!(says("{}").contains("as-recorded"));
        keep(&environment, "one");
        keep(&environment, "two");
        let (_, head) = LedgerFile::new(&environment).hold(&environment, &of(2)).unwrap().head();
        assert!(says(&format!("{{\"entries\":2,\"head\":\"{head}\"}}")).contains("as-recorded"));
        assert!(says(&format!("{{\"entries\":2,\"head\":\"{head}\"}}")).contains(&head));
        assert!(says("{\"entries\":2,\"head\":\"00\"}").contains("other"));
        assert!(says("{\"entries\":3,\"head\":\"00\"}").contains("behind"));
    }
}
