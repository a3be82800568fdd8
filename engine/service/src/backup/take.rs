//! Takes a backup.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use audit::{Event, Kind, Log};
use catalog_store::{Environment, sign};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{BackupError, FILES, FORMAT, LIST, List, Listed, META, PURPOSE, SIGNATURE, io};

/// What holds rows of persons, or is large: only with `--data`.
const DATA: [&str; 5] = ["links", "quarantine", "store/data", "store/staging", "workspaces"];
/// What is another machine's, a moment's, a secret that is kept elsewhere, or told by `meta.json` and `list.json`.
const LEFT: [&str; 7] =
    ["keys/passphrase", "lock", "meta.sqlite", "meta.sqlite-shm", "meta.sqlite-wal", "misu.toml", "scratch"];

/// A backup that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Files in it.
    pub files: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Rows of the metadata database.
    pub rows: usize,
    /// Whether the environment keeps its passphrase beside its keys, which the backup does not hold.
    pub passphrase_is_apart: bool,
}

/// Writes a backup of the environment to the new file `out`; `with_data` includes rows.
///
/// # Errors
///
/// Somebody writes in the environment, a key cannot be opened, or a file cannot be read or written.
pub fn backup(
    environment: &Environment,
    log: &Log,
    now: OffsetDateTime,
    (out, with_data): (&Path, bool),
) -> Result<Taken, BackupError> {
    // No delivery is read and no snapshot published as long as this is held.
    let _lock = environment.lock().map_err(|error| named(environment, error))?;
    log.record(Event::new(Kind::BackupTaken, "misu-guard").with("data", with_data))?;
    let mut archive = Archive::create(out)?;
    let written = write(environment, log, now, with_data, &mut archive).and_then(|taken| {
        archive.finish()?;
        Ok(taken)
    });
    if written.is_err() {
        // Half a backup must not be taken for one.
        let _ = std::fs::remove_file(out);
    }
    written
}

fn named(
    environment: &Environment,
    error: catalog_store::EnvironmentError,
) -> catalog_store::EnvironmentError {
    let holder = environment.meta().ok().and_then(|meta| meta.holder().ok().flatten());
    match (error, holder) {
        (catalog_store::EnvironmentError::Busy(_), Some(holder)) => {
            catalog_store::EnvironmentError::Held(Box::new(holder))
        }
        (error, _) => error,
    }
}

fn write(
    environment: &Environment,
    log: &Log,
    now: OffsetDateTime,
    with_data: bool,
    archive: &mut Archive,
) -> Result<Taken, BackupError> {
    let (rows, entries) = {
        // A release holds the ledger until it is recorded, so ledger first, as the guard does.
        let _ledger = held(&environment.room("ledger").join("releases"))?;
        let _log = held(log.path())?;
        let rows = environment.meta()?.dump()?;
        let text = serde_json::to_vec(&rows).map_err(|_| BackupError::Form(META))?;
        archive.add(META, text.as_slice())?;
        add_files(environment.root(), Path::new(""), &|path| !is_of(path, &DATA), archive)?;
        (rows.rows(), entries(log.path())?)
    };
    if with_data {
        // Files of rows are never changed: what the snapshots name stays as it is.
        add_files(environment.root(), Path::new(""), &|path| is_of(path, &DATA), archive)?;
    }
    let bytes = archive.listed.iter().map(|listed| listed.bytes).sum();
    let files = archive.listed.len();
    let config = environment.config();
    let list = List {
        format: FORMAT,
        taken: now.format(&Rfc3339).unwrap_or_default(),
        buckets: config.buckets,
        demo_seed: config.demo_seed,
        confinement: config.confinement.clone(),
        entries,
        has_data: with_data,
        files: std::mem::take(&mut archive.listed),
    };
    let list = serde_json::to_vec_pretty(&list).map_err(|_| BackupError::Form(LIST))?;
    archive.add(SIGNATURE, sign(environment, PURPOSE, &list)?.as_bytes())?;
    archive.add(LIST, list.as_slice())?;
    Ok(Taken { files, bytes, rows, passphrase_is_apart: environment.keys().keeps_its_passphrase() })
}

/// How many entries the record has, which verifies. It is held already, so that nobody else is waited for.
fn entries(log: &Path) -> Result<u64, BackupError> {
    let file = File::open(log).map_err(io("read", log))?;
    Ok(audit::verify(BufReader::new(file))?.entries)
}

/// Takes a file's lock until the value is dropped; nothing where there is no file yet.
fn held(path: &Path) -> Result<Option<File>, BackupError> {
    match File::open(path) {
        Ok(file) => {
            file.lock().map_err(io("lock", path))?;
            Ok(Some(file))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io("open", path)(error)),
    }
}

fn is_of(path: &Path, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

/// Adds the files below `root`/`folder` of which `wanted` says so, by name.
fn add_files(
    root: &Path,
    folder: &Path,
    wanted: &dyn Fn(&Path) -> bool,
    archive: &mut Archive,
) -> Result<(), BackupError> {
    let place = root.join(folder);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(&place).map_err(io("list", &place))? {
        entries.push(entry.map_err(io("list", &place))?);
    }
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = folder.join(entry.file_name());
        let kind = entry.file_type().map_err(io("look at", &entry.path()))?;
        if is_of(&path, &LEFT) {
            continue;
        }
        if kind.is_dir() {
            add_files(root, &path, wanted, archive)?;
        } else if kind.is_file() && wanted(&path) {
            let file = File::open(entry.path()).map_err(io("read", &entry.path()))?;
            archive.add(&format!("{FILES}{}", path.display()), file)?;
        }
    }
    Ok(())
}

/// The archive that is being written.
struct Archive {
    path: PathBuf,
    writer: Option<ZipWriter<BufWriter<File>>>,
    listed: Vec<Listed>,
}

impl Archive {
    fn create(path: &Path) -> Result<Self, BackupError> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(io("make", path))?;
        Ok(Self {
            path: path.to_owned(),
            writer: Some(ZipWriter::new(BufWriter::new(file))),
            listed: Vec::new(),
        })
    }

    fn add(&mut self, name: &str, mut from: impl std::io::Read) -> Result<(), BackupError> {
        let Some(writer) = &mut self.writer else { return Err(BackupError::Form("the archive")) };
        let options = SimpleFileOptions::default().unix_permissions(0o600).large_file(true);
        writer.start_file(name, options).map_err(|error| BackupError::Archive("written", error))?;
        let (mut hasher, mut bytes, mut block) = (blake3::Hasher::new(), 0_u64, vec![0; 1 << 16]);
        loop {
            let count = from.read(&mut block).map_err(io("read", Path::new(name)))?;
            let read = block.get(..count).unwrap_or_default();
            if read.is_empty() {
                break;
            }
            hasher.update(read);
            bytes += read.len() as u64;
            writer.write_all(read).map_err(io("write", &self.path))?;
        }
        let blake3 = hasher.finalize().to_hex().to_string();
        self.listed.push(Listed { name: name.to_owned(), bytes, blake3 });
        Ok(())
    }

    fn finish(&mut self) -> Result<(), BackupError> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let mut file = writer.finish().map_err(|error| BackupError::Archive("written", error))?;
        file.flush().map_err(io("write", &self.path))?;
        file.get_ref().sync_all().map_err(io("write", &self.path))
    }
}
