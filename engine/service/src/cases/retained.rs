//! What is kept of each release, sealed: the table, the question, what stood behind the cells.
//!
//! `ledger/outputs/<project>/<query>`, under the ledger's key and bound to its place. Reviewers look at it inside; it
//! is written before the answer goes out, so that nothing is out of which no copy is kept. Until the ledger has the
//! release the copy lies in `ledger/unsettled`: what a crash leaves there is a copy of an answer that nobody got, and is
//! removed by whoever holds the ledger next.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use catalog_store::{Environment, KeyRole, decrypt, encrypt};
use engine_protocol::{Beyond, EvidenceLine, LeftOut, ReleasedTable};
use serde::{Deserialize, Serialize};

use crate::ledger_file::LedgerError;

/// The folder in the ledger's room.
const FOLDER: &str = "outputs";
/// The folder of copies of which the ledger does not know yet, `<project>.<query>`.
const UNSETTLED: &str = "unsettled";

/// What is kept of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retained {
    pub(crate) query: String,
    pub(crate) project: String,
    pub(crate) asker: String,
    pub(crate) at: String,
    pub(crate) sql: String,
    pub(crate) plan: String,
    pub(crate) tables: Vec<String>,
    /// The lists that it names, each with the version that was meant; none in copies from before they were kept, and in
    /// those that another project's copy was made of.
    #[serde(default)]
    pub(crate) lists: Vec<String>,
    pub(crate) rule_digest: String,
    pub(crate) table: ReleasedTable,
    pub(crate) cells: Vec<EvidenceLine>,
    pub(crate) is_cut: bool,
    pub(crate) trace: Vec<(String, u64)>,
    /// How far apart the ends of a reader's interval for a hidden count are, at least; none in copies from before it was
    /// asked.
    #[serde(default)]
    pub(crate) hidden_interval: Option<u32>,
    /// What the audit beside earlier releases did not take in; none in copies from before it was counted.
    #[serde(default)]
    pub(crate) beyond: Option<Beyond>,
    /// Ledger entries before and the digest of the last one.
    pub(crate) ledger: (u64, String),
    /// The query in whose record it was made.
    pub(crate) opened: String,
    /// Who was left out of it; none where an earlier version kept it.
    #[serde(default)]
    pub(crate) left_out: Option<LeftOut>,
}

/// The kept releases of an environment.
#[derive(Debug)]
pub(crate) struct RetainedFiles<'e> {
    environment: &'e Environment,
    folder: PathBuf,
}

impl<'e> RetainedFiles<'e> {
    pub(crate) fn new(environment: &'e Environment) -> Self {
        Self { environment, folder: environment.room("ledger").join(FOLDER) }
    }

    /// Keeps a release; it is on disk when this returns.
    pub(crate) fn keep(&self, kept: &Retained) -> Result<(), LedgerError> {
        self.write(kept, &self.path(&kept.project, &kept.query))
    }

    /// Keeps a release that the ledger is about to have; it is on disk when this returns.
    pub(crate) fn prepare(&self, kept: &Retained) -> Result<(), LedgerError> {
        self.write(kept, &self.unsettled().join(format!("{}.{}", kept.project, kept.query)))
    }

    /// Puts prepared copies of the releases that the ledger has in their place, and removes the others: their answers
    /// never went out. Only for one who holds the ledger of so many entries.
    pub(crate) fn settle(&self, entries: u64) -> Result<(), LedgerError> {
        self.settle_beside(entries, None)
    }

    /// As [`RetainedFiles::settle`] for one who has just prepared this copy: it is not read again.
    pub(crate) fn settle_own(&self, entries: u64, own: &Retained) -> Result<(), LedgerError> {
        self.settle_beside(entries, Some(own))
    }

    fn settle_beside(&self, entries: u64, own: Option<&Retained>) -> Result<(), LedgerError> {
        for entry in std::fs::read_dir(self.unsettled()).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let place = name.to_str().and_then(|name| name.split_once('.'));
            let place = place.filter(|(project, query)| is_plain(project) && is_plain(query));
            let is_own = |own: &&Retained| place == Some((own.project.as_str(), own.query.as_str()));
            let before = match (own.filter(is_own), place) {
                (Some(own), _) => Some(own.ledger.0),
                (None, Some((project, query))) => self.read(&path, project, query)?.map(|kept| kept.ledger.0),
                (None, None) => None,
            };
            let failed = |source| LedgerError::Io { doing: "settle", path: path.clone(), source };
            match place.filter(|_| before.is_some_and(|before| before < entries)) {
                Some((project, query)) => {
                    let settled = self.path(project, query);
                    settled.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(failed)?;
                    std::fs::rename(&path, settled).map_err(failed)?;
                }
                None => std::fs::remove_file(&path).map_err(failed)?,
            }
        }
        Ok(())
    }

    fn unsettled(&self) -> PathBuf {
        self.folder.with_file_name(UNSETTLED)
    }

    fn write(&self, kept: &Retained, path: &Path) -> Result<(), LedgerError> {
        let key = self.environment.key(KeyRole::Ledger)?;
        let clear = serde_json::to_vec(kept).map_err(|_| LedgerError::Entry)?;
        let sealed = encrypt(&key, &bound_to(&kept.project, &kept.query), &clear)?;
        let failed = |source| LedgerError::Io { doing: "write", path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let temporary = path.with_extension("WRITING");
        let mut file = std::fs::File::create(&temporary).map_err(failed)?;
        file.write_all(&sealed).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&temporary, path).map_err(failed)
    }

    /// What is kept of a release of a project; none where there is none.
    pub(crate) fn find(&self, project: &str, query: &str) -> Result<Option<Retained>, LedgerError> {
        if !is_plain(project) || !is_plain(query) {
            return Ok(None);
        }
        self.read(&self.path(project, query), project, query)
    }

    fn read(&self, path: &Path, project: &str, query: &str) -> Result<Option<Retained>, LedgerError> {
        let sealed = match std::fs::read(path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LedgerError::Io { doing: "read", path: path.to_owned(), source }),
        };
        let keys = self.environment.keys_of(KeyRole::Ledger)?;
        let bound = bound_to(project, query);
        let clear = keys.iter().find_map(|key| decrypt(key, &bound, &sealed));
        let kept = clear.and_then(|clear| serde_json::from_slice(&clear).ok());
        kept.map(Some).ok_or_else(|| LedgerError::Retained(path.to_owned()))
    }

    /// What is kept of a release of whatever project.
    pub(crate) fn elsewhere(&self, query: &str) -> Result<Option<Retained>, LedgerError> {
        let projects = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for project in projects.filter_map(|entry| entry.file_name().into_string().ok()) {
            if let Some(kept) = self.find(&project, query)? {
                return Ok(Some(kept));
            }
        }
        Ok(None)
    }

    /// The queries of a project of which something is kept, the latest first.
    pub(crate) fn of_project(&self, project: &str) -> Vec<String> {
        let number = |name: &str| name.strip_prefix('q').and_then(|number| number.parse::<u64>().ok());
        let entries = std::fs::read_dir(self.folder.join(project)).into_iter().flatten().flatten();
        let mut queries: Vec<(u64, String)> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter_map(|name| Some((number(&name)?, name)))
            .collect();
        queries.sort_unstable_by(|one, other| other.cmp(one));
        queries.into_iter().map(|(_, name)| name).collect()
    }

    /// Where the certificate of a release lies.
    pub(crate) fn note(&self, project: &str, query: &str) -> PathBuf {
        self.path(project, query).with_extension("note")
    }

    fn path(&self, project: &str, query: &str) -> PathBuf {
        Path::new(&self.folder).join(project).join(query)
    }
}

/// Names become paths here: a project or query of another form is nobody's.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    !name.is_empty() && name.chars().all(plain)
}

fn bound_to(project: &str, query: &str) -> Vec<u8> {
    format!("misu retained release v1\n{project}\n{query}").into_bytes()
}

#[cfg(test)]
pub(super) mod tests {
    use catalog_store::{Config, Environment};
    use engine_protocol::ReleasedTable;

    use super::{Beyond, Retained, RetainedFiles};

    pub(crate) fn kept(project: &str, query: &str) -> Retained {
        let text = |text: &str| text.to_owned();
        Retained {
            query: text(query),
            project: text(project),
            asker: text("sato"),
            at: text("2026-11-21T00:00:00Z"),
            sql: text("SELECT 1"),
            plan: text("p"),
            tables: vec![text("person")],
            lists: vec![],
            rule_digest: text("d"),
            table: ReleasedTable {
                query: text(query),
                snapshot: text("s"),
                columns: vec![],
                rows: vec![],
                suppressed: 0,
                threshold: 10,
                rules: text("r"),
                certificate: None,
            },
            cells: vec![],
            is_cut: false,
            trace: vec![],
            hidden_interval: Some(8),
            beyond: Some(Beyond::default()),
            ledger: (1, text("h")),
            opened: text(query),
            left_out: None,
        }
    }

    #[test]
    fn a_copy_is_read_in_its_own_place_only_and_the_question_lies_in_no_clear_byte() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(5))).unwrap();
        let files = RetainedFiles::new(&environment);
        for query in ["q9", "q10"] {
            files.keep(&kept("one", query)).unwrap();
        }
        assert_eq!(files.find("one", "q9").unwrap(), Some(kept("one", "q9")));
        assert_eq!(files.find("two", "q9").unwrap(), None);
        assert_eq!(files.find("../outputs/one", "q9").unwrap(), None);
        assert_eq!(files.of_project("one"), ["q10", "q9"]);
        let room = environment.room("ledger").join("outputs/one");
        let bytes = std::fs::read(room.join("q9")).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"SELECT"));
        std::fs::copy(room.join("q9"), room.join("q10")).unwrap();
        assert!(files.find("one", "q10").is_err());
    }

    #[test]
    fn a_copy_of_what_the_ledger_never_had_is_removed_and_one_of_what_it_has_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(5))).unwrap();
        let files = RetainedFiles::new(&environment);
        // Both were to be the second entry: the first of them was never written to its end.
        files.prepare(&kept("one", "q9")).unwrap();
        files.settle(1).unwrap();
        assert_eq!(files.find("one", "q9").unwrap(), None);
        files.prepare(&kept("one", "q10")).unwrap();
        assert!(files.of_project("one").is_empty());
        std::fs::write(files.unsettled().join("one.WRITING"), "torn").unwrap();
        files.settle(2).unwrap();
        assert_eq!(files.find("one", "q10").unwrap(), Some(kept("one", "q10")));
        assert_eq!(std::fs::read_dir(files.unsettled()).unwrap().count(), 0);
        // Whoever prepared a copy settles it without a look into it, and what others left as ever.
        files.prepare(&kept("one", "q11")).unwrap();
        files.prepare(&kept("two", "q12")).unwrap();
        files.settle_own(1, &kept("two", "q12")).unwrap();
        assert_eq!(files.find("two", "q12").unwrap(), None);
        assert_eq!(files.find("one", "q11").unwrap(), None);
        files.prepare(&kept("two", "q12")).unwrap();
        files.settle_own(2, &kept("two", "q12")).unwrap();
        assert_eq!(files.find("two", "q12").unwrap(), Some(kept("two", "q12")));
    }
}
