//! A backup of a small environment, taken back whole, and every way in which it is refused.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use audit::{Event, Kind, Log};
use catalog_store::{Config, Environment};
use time::OffsetDateTime;
use time::macros::datetime;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::{BackupError, RestoreOptions, Taken, backup, restore};

fn clock() -> OffsetDateTime {
    datetime!(2026-11-21 12:00 UTC)
}

struct Place {
    folder: tempfile::TempDir,
    environment: Environment,
    log: Log,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(1))).unwrap();
        let log = Log::create(&environment.room("audit"), clock).unwrap();
        log.record(Event::new(Kind::EnvironmentCreated, "misu")).unwrap();
        environment.meta().unwrap().begin_run("monthly", "recipe", "t").unwrap();
        std::fs::write(environment.room("workspaces").join("rows"), "rows").unwrap();
        std::fs::write(environment.room("policies").join("p.toml"), "permit").unwrap();
        std::fs::write(environment.room("keys").join("passphrase"), "secret").unwrap();
        Self { folder, environment, log }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn take(&self, name: &str, with_data: bool) -> Result<Taken, BackupError> {
        backup(&self.environment, &self.log, clock(), (&self.path(name), with_data))
    }

    fn restore(&self, name: &str, to: &str) -> Result<super::Restored, BackupError> {
        restore(&self.path(name), &self.path(to), clock, RestoreOptions::default())
    }

    /// The backup with its members as `change` makes them; a member that becomes nothing is left out.
    fn changed(&self, name: &str, change: impl Fn(&str, Vec<u8>) -> Option<(String, Vec<u8>)>) {
        let mut from = ZipArchive::new(File::open(self.path("whole")).unwrap()).unwrap();
        let mut to = ZipWriter::new(File::create(self.path(name)).unwrap());
        for at in 0..from.len() {
            let mut member = from.by_index(at).unwrap();
            let name = member.name().unwrap().into_owned();
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).unwrap();
            if let Some((name, bytes)) = change(&name, bytes) {
                to.start_file(name, SimpleFileOptions::default()).unwrap();
                to.write_all(&bytes).unwrap();
            }
        }
        to.finish().unwrap();
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn what_was_backed_up_comes_back_and_the_passphrase_does_not() {
    let place = Place::new();
    place.take("small", false).unwrap();
    place.take("large", true).unwrap();
    let restored = place.restore("small", "one").unwrap();
    assert_eq!((restored.rows, restored.entries, restored.missing), (1, 2, 0));
    assert_eq!(restored.ledger_holds, Some(true));
    let environment = Environment::open(&place.path("one")).unwrap();
    assert_eq!(environment.meta().unwrap().runs().unwrap().len(), 1);
    assert_eq!(read(&place.path("one/policies/p.toml")), "permit");
    assert!(!place.path("one/workspaces/rows").exists());
    assert!(!place.path("one/keys/passphrase").exists());
    place.restore("large", "two").unwrap();
    assert_eq!(read(&place.path("two/workspaces/rows")), "rows");
    // The restored record goes on where the backup ended, and says so.
    let log = read(&place.path("one/audit/log.jsonl"));
    assert!(log.lines().last().unwrap().contains("environment-restored"), "{log}");
}

#[test]
fn nothing_is_written_over() {
    let place = Place::new();
    place.take("whole", false).unwrap();
    assert!(matches!(place.take("whole", false), Err(BackupError::Io { doing: "make", .. })));
    assert!(matches!(place.restore("whole", "env"), Err(BackupError::NotEmpty(_))));
}

#[test]
fn while_somebody_writes_no_backup_is_taken() {
    let place = Place::new();
    let writer = place.environment.writer("ingest", "2026-11-21T00:00:00Z", || 100).unwrap();
    let error = place.take("whole", false).unwrap_err().to_string();
    assert!(error.contains("ingest is running"), "{error}");
    assert!(!place.path("whole").exists());
    drop(writer);
    place.take("whole", false).unwrap();
}

#[test]
fn a_backup_that_was_changed_is_no_environment() {
    let place = Place::new();
    place.take("whole", false).unwrap();
    let cases: [(&str, &str); 6] = [
        ("a file changed", "is not what the list says"),
        ("a file missing", "cannot be read"),
        ("a file too many", "is not what the list says"),
        ("the list changed", "not signed"),
        ("the metadata changed", "is not what the list says"),
        ("another key", "not signed"),
    ];
    for (at, (case, expected)) in cases.iter().enumerate() {
        place.changed(case, |name, mut bytes| {
            match (*case, name) {
                ("a file changed", "env/policies/p.toml") => bytes.push(b'x'),
                ("a file missing", "env/policies/p.toml") => return None,
                ("a file too many", "env/policies/p.toml") => {
                    return Some(("env/policies/q.toml".to_owned(), bytes));
                }
                ("the list changed", "list.json") => bytes.push(b'\n'),
                ("the metadata changed", "meta.json") => bytes.push(b' '),
                ("another key", "env/keys/manifest.pub") => {
                    bytes[0] = if bytes[0] == b'0' { b'1' } else { b'0' }
                }
                _ => {}
            }
            Some((name.to_owned(), bytes))
        });
        let error = place.restore(case, &format!("new{at}")).unwrap_err().to_string();
        assert!(error.contains(expected), "{case}: {error}");
        assert!(!place.path(&format!("new{at}/misu.toml")).exists(), "{case}");
    }
}

#[test]
fn somebody_elses_signed_backup_is_known_by_its_key() {
    let place = Place::new();
    place.take("whole", false).unwrap();
    let options =
        |signer: &str| RestoreOptions { signer: Some(signer.to_owned()), ..RestoreOptions::default() };
    let signer = read(&place.path("env/keys/manifest.pub"));
    let wrong = restore(&place.path("whole"), &place.path("a"), clock, options(&"0".repeat(64)));
    assert!(matches!(wrong, Err(BackupError::Unsigned(_))));
    restore(&place.path("whole"), &place.path("b"), clock, options(&signer)).unwrap();
}

#[test]
fn a_listed_name_that_leads_out_is_refused() {
    let place = Place::new();
    let list = super::List {
        format: 1,
        taken: String::new(),
        buckets: 4,
        demo_seed: Some(1),
        confinement: None,
        entries: 0,
        has_data: false,
        files: vec![super::Listed {
            name: "env/../../out".to_owned(),
            bytes: 1,
            blake3: blake3::hash(b"x").to_hex().to_string(),
        }],
    };
    // Signed by a key of the attacker's own, which is in the backup.
    let list = serde_json::to_vec(&list).unwrap();
    let signature = catalog_store::sign(&place.environment, super::PURPOSE, &list).unwrap();
    let mut zip = ZipWriter::new(File::create(place.path("evil")).unwrap());
    let members: [(&str, &[u8]); 4] = [
        ("env/../../out", b"x"),
        ("env/keys/manifest.pub", read(&place.path("env/keys/manifest.pub")).leak().as_bytes()),
        ("list.sig", signature.as_bytes()),
        ("list.json", &list),
    ];
    for (name, bytes) in members {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    let error = place.restore("evil", "deep/new").unwrap_err();
    assert!(matches!(error, BackupError::Name | BackupError::Changed(_)), "{error}");
    assert!(!place.path("out").exists());
}
