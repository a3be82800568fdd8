//! The texts of questions, sealed for auditors; the record has only a salted digest of each.
//!
//! A literal in a question can point at a person, so the record, which is copied and published in part, must not let
//! anybody try texts against it: the digest is taken under a salt of its own, and the salt lies here beside the text.
//! The same holds for the hash of its plan, which whoever has the catalogue can make of any text.
//! `ledger/questions/<day>`, one line for each question: the digest, then the text sealed under the ledger's key and
//! bound to the digest. A line is on disk before its question stands in the record. Once a day's file is removed,
//! what the record says of its questions can be tried against nothing any more.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use catalog_store::{Environment, KeyRole, SecretKey, decrypt, encrypt, from_hex, hex};
use serde::{Deserialize, Serialize};
use time::macros::format_description;
use time::{Date, OffsetDateTime, UtcOffset};

use crate::ledger_file::LedgerError;

/// The folder in the ledger's room.
const FOLDER: &str = "questions";

/// A question as it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// Its digest in the record.
    #[serde(skip)]
    pub digest: String,
    /// Who asked.
    pub user: String,
    /// For which project.
    pub project: String,
    /// What.
    pub sql: String,
    salt: String,
    /// The hash of its vetted plan, where it came to be vetted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
}

/// What the record says of a question: digests under a salt that lies with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Of the text.
    pub(crate) text: String,
    /// Of the hash of its plan, which whoever guesses the text could make as well.
    pub(crate) plan: Option<[u8; 32]>,
}

impl Text {
    /// Whether the record's digest of a plan is that of the plan that this question was vetted to.
    pub fn is_of_plan(&self, committed: &str) -> bool {
        let salt = from_hex(&self.salt).and_then(|salt| <[u8; 32]>::try_from(salt.as_slice()).ok());
        let (Some(salt), Some(plan)) = (salt, &self.plan) else { return false };
        of_plan(&salt, plan).to_hex().as_str() == committed
    }
}

fn of_plan(salt: &[u8; 32], plan: &str) -> blake3::Hash {
    // No text of a question begins with this word and the end of its line.
    blake3::keyed_hash(salt, format!("misu plan v1\n{plan}").as_bytes())
}

/// What a folder of texts has, and how many of its lines nobody can read.
#[derive(Debug, Default)]
pub struct Texts {
    /// The texts, day by day, in the order in which they were asked.
    pub texts: Vec<Text>,
    /// Lines that a crash cut off, that were changed, or whose key is gone.
    pub unreadable: u64,
}

/// The texts of one environment.
#[derive(Debug)]
pub(crate) struct TextFiles {
    environment: Environment,
    folder: PathBuf,
    /// Opened once; held by whoever writes a line.
    key: Mutex<Option<SecretKey>>,
}

impl TextFiles {
    pub(crate) fn new(environment: &Environment) -> Self {
        let folder = environment.room("ledger").join(FOLDER);
        Self { environment: environment.clone(), folder, key: Mutex::new(None) }
    }

    /// Keeps what a user asked, and the hash of the plan that it was vetted to; the digests for the record. It is on
    /// disk when this returns.
    pub(crate) fn keep(
        &self,
        (user, project, sql): (&str, &str, &str),
        plan: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<Committed, LedgerError> {
        let salt = SecretKey::random()?;
        let digest = blake3::keyed_hash(salt.as_bytes(), sql.as_bytes()).to_hex().to_string();
        let text = Text {
            digest: digest.clone(),
            user: user.to_owned(),
            project: project.to_owned(),
            sql: sql.to_owned(),
            salt: hex(salt.as_bytes()),
            plan: plan.map(str::to_owned),
        };
        let plan = plan.map(|plan| *of_plan(salt.as_bytes(), plan).as_bytes());
        let clear = serde_json::to_vec(&text).map_err(|_| LedgerError::Entry)?;
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        let key = match &mut *key {
            Some(key) => key,
            none => none.insert(self.environment.key(KeyRole::Ledger)?),
        };
        let sealed = hex(&encrypt(key, &bound_to(&digest), &clear)?);
        let path = self.folder.join(day(now));
        let failed = |source| LedgerError::Io { doing: "write", path: path.clone(), source };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        // The line begins with its end of line: what a crash cut off before spoils no line but itself.
        let line = format!("\n{digest} {sealed}");
        file.write_all(line.as_bytes()).and_then(|()| file.sync_data()).map_err(failed)?;
        Ok(Committed { text: digest, plan })
    }

    /// The texts of all days that are kept.
    pub(crate) fn read(&self) -> Result<Texts, LedgerError> {
        let keys = self.environment.keys_of(KeyRole::Ledger)?;
        let mut all = Texts::default();
        for path in self.days()? {
            let failed = |source| LedgerError::Io { doing: "read", path: path.clone(), source };
            let lines = std::fs::read_to_string(&path).map_err(failed)?;
            for line in lines.lines().filter(|line| !line.is_empty()) {
                match keys.iter().find_map(|key| open(line, key)) {
                    Some(text) => all.texts.push(text),
                    None => all.unreadable += 1,
                }
            }
        }
        Ok(all)
    }

    /// Removes the texts of every day before this one; how many days.
    pub(crate) fn forget(&self, before: Date) -> Result<u64, LedgerError> {
        let mut removed = 0;
        for path in self.days()? {
            let of = path.file_name().and_then(|name| name.to_str());
            let of = of.and_then(|name| Date::parse(name, format_description!("[year]-[month]-[day]")).ok());
            if of.is_some_and(|of| of < before) {
                std::fs::remove_file(&path).map_err(|source| LedgerError::Io {
                    doing: "remove",
                    path,
                    source,
                })?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// The files, the earliest first.
    fn days(&self) -> Result<Vec<PathBuf>, LedgerError> {
        let failed = |source| LedgerError::Io { doing: "read", path: self.folder.clone(), source };
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed(source)),
        };
        let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<PathBuf>>>();
        let mut paths = paths.map_err(failed)?;
        paths.sort_unstable();
        Ok(paths)
    }
}

/// A line's text; none where it is not what was written, under this key.
fn open(line: &str, key: &SecretKey) -> Option<Text> {
    let (digest, sealed) = line.split_once(' ')?;
    let clear = decrypt(key, &bound_to(digest), &from_hex(sealed)?)?;
    let text: Text = serde_json::from_slice(&clear).ok()?;
    Some(Text { digest: digest.to_owned(), ..text })
}

/// The day in Japan on which something is asked, as its file's name.
fn day(now: OffsetDateTime) -> String {
    let japan = UtcOffset::from_hms(9, 0, 0).ok().and_then(|japan| now.checked_to_offset(japan));
    let day = japan.unwrap_or(now).date();
    day.format(format_description!("[year]-[month]-[day]")).unwrap_or_default()
}

fn bound_to(digest: &str) -> Vec<u8> {
    format!("misu question v1\n{digest}").into_bytes()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use catalog_store::{Config, Environment, hex};
    use time::macros::{date, datetime};

    use super::TextFiles;

    const SQL: &str = "SELECT COUNT(DISTINCT person_id) FROM person WHERE birth_date = DATE '1950-01-02'";

    #[test]
    fn a_text_is_read_by_its_digest_and_lies_in_no_clear_byte() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(5))).unwrap();
        let files = TextFiles::new(&environment);
        assert_eq!(files.read().unwrap().texts, []);
        let now = datetime!(2026-11-20 15:30 UTC);
        let digests = [(); 2].map(|()| files.keep(("user", "project", SQL), None, now).unwrap().text);
        assert_ne!(digests[0], digests[1], "the same text twice has two salts");
        assert_ne!(digests[0], blake3::hash(SQL.as_bytes()).to_hex().to_string());

        // Half past midnight in Japan is the next day.
        let path = environment.room("ledger").join("questions/2026-11-21");
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(10).any(|window| SQL.as_bytes().starts_with(window)));

        // A crash cuts a line off; the next one is whole.
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"\n0123 45").unwrap();
        let plan = "5a".repeat(32);
        let third = files.keep(("other", "project", "SELECT 1"), Some(&plan), now).unwrap();
        let committed = third.plan.map(|plan| hex(&plan)).unwrap();
        let third = third.text;
        let read = files.read().unwrap();
        let found: Vec<_> = read.texts.iter().map(|text| (&*text.digest, &*text.user, &*text.sql)).collect();
        let expected =
            [(&*digests[0], "user", SQL), (&*digests[1], "user", SQL), (&*third, "other", "SELECT 1")];
        assert_eq!((found.as_slice(), read.unreadable), (expected.as_slice(), 1));

        // The plan is not in the record, and is told from another with the salt alone.
        assert_ne!(committed, plan);
        let of_plan = |at: usize, committed: &str| read.texts[at].is_of_plan(committed);
        assert!(of_plan(2, &committed) && !of_plan(2, &plan) && !of_plan(0, &committed));

        // A text moved under another digest is not read as what was asked there.
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(&digests[0], &digests[1])).unwrap();
        assert_eq!(files.read().unwrap().unreadable, 2);

        assert_eq!(files.forget(date!(2026 - 11 - 21)).unwrap(), 0);
        assert_eq!(files.forget(date!(2026 - 11 - 22)).unwrap(), 1);
        assert_eq!(files.read().unwrap().texts, []);
    }
}
