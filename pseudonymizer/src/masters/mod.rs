//! Official code masters → the names and dates of codes in an environment's catalogue.
//!
//! Tables carry codes; the catalogue carries their names. A master file is read by the same reader as a delivery, by
//! the layouts of `layouts/master/`; each record becomes an [`Entry`]. An edition is merged with those before it
//! ([`merge`]) and lies in `codes/imported/<system>.toml`, or under a name of its own where several masters fill one
//! system, beside the codes that came with the program.
//! No English name is made up, and nothing is fetched: a custodian brings the files.

mod merge;
mod read;
mod text;

use std::path::{Path, PathBuf};

use catalog_model::{Catalogue, CodeSystem, Date, Edition};
use catalog_store::{Environment, EnvironmentError};

use crate::formats::{Fault, ProgramError};

pub use merge::{Absent, Change, Entry};

/// What the import of one file did.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The file.
    pub file: PathBuf,
    /// The day from which the edition holds.
    pub edition: Date,
    /// Lines read.
    pub lines: u64,
    /// Lines that became entries.
    pub entries: u64,
    /// Blank lines, headings and end-of-file marks.
    pub dropped: u64,
    /// Lines that could not be read: line, field and kind, never a value.
    pub faults: Vec<Fault>,
    /// What changed, by code system, or by the name under which a master's part of one is kept.
    pub changes: Vec<(String, Change)>,
}

/// Why a master was not imported; the catalogue is as it was.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The layout cannot be compiled.
    #[error(transparent)]
    Layout(#[from] ProgramError),
    /// The layout is not that of a master.
    #[error("layout {0} is not that of a master")]
    NotAMaster(String),
    /// Nobody said from when the edition holds.
    #[error("{0} does not name its edition; give the day from which it holds with --edition YYYY-MM-DD")]
    NoEdition(PathBuf),
    /// A newer edition is there already.
    #[error(
        "{file} is the edition of {edition}, and that of {newest} was imported before; import the older one first"
    )]
    Older {
        /// The file.
        file: PathBuf,
        /// Its edition.
        edition: Date,
        /// The newest edition that is there.
        newest: Date,
    },
    /// The same code stands in the file twice, for one day.
    #[error("{file}: line {line}: code: the same code stood on line {first}")]
    Twice {
        /// The file.
        file: PathBuf,
        /// The second line.
        line: u64,
        /// The first line.
        first: u64,
    },
    /// No line of the file could be read.
    #[error("{file}: none of {lines} lines is a record of a master; the first: line {line}: {field}{kind}")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Lines read.
        lines: u64,
        /// The first bad line.
        line: u64,
        /// Its field, with a separator, where one is known.
        field: String,
        /// What is wrong with it.
        kind: &'static str,
    },
    /// The file seems to be a part of the master.
    #[error(
        "{file} leaves out {ended} of the {in_force} codes of {system} that are in force; give --whole if they all ended, --changes-only if the file has changes alone"
    )]
    Part {
        /// The file.
        file: PathBuf,
        /// The code system.
        system: String,
        /// Codes that would end.
        ended: u64,
        /// Codes in force.
        in_force: u64,
    },
    /// What was imported before cannot be read.
    #[error("{path} is not as an import left it: {problem}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Imports one file by the layout `family`. The same file twice changes nothing.
///
/// # Errors
///
/// The file cannot be read by the layout, is older than what is there, seems to be a part of the master, or the catalogue
/// cannot be written.
pub fn import(
    environment: &Environment,
    file: &Path,
    family: &str,
    edition: Option<Date>,
    absent: Absent,
) -> Result<Imported, MasterError> {
    let (catalogue, _) = environment.catalogue()?;
    let bytes = std::fs::read(file).map_err(io("read", file))?;
    let edition =
        edition.or_else(|| named_edition(file)).ok_or_else(|| MasterError::NoEdition(file.to_owned()))?;
    let read = read::read(&catalogue, family, file, &bytes)?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let blake3 = blake3::hash(&bytes).to_hex().to_string();
    // Where lines could not be read, a code that seems absent may stand on one of them.
    let absent = if read.faults.is_empty() { absent } else { Absent::Stay };
    let mut changes = Vec::new();
    let mut texts = Vec::new();
    for ((kept, system), entries) in read.entries {
        let path = environment.room("catalog").join("codes/imported").join(format!("{kept}.toml"));
        let known = known(&path, &catalogue, &system)?;
        if let Some(newest) = known.editions.last().map(|known| known.date).filter(|newest| *newest > edition)
        {
            return Err(MasterError::Older { file: file.to_owned(), edition, newest });
        }
        let head = Edition {
            date: edition,
            file: name.clone(),
            blake3: blake3.clone(),
            codes: entries.len() as u64,
        };
        let (merged, change) = merge::merge(known, head, entries, absent).map_err(|many| {
            let (ended, in_force) = (many.ended, many.in_force);
            MasterError::Part { file: file.to_owned(), system: system.clone(), ended, in_force }
        })?;
        texts.push((path, text::toml(&merged)));
        changes.push((kept, change));
    }
    for (path, text) in texts {
        write(&path, &text)?;
    }
    let entries = changes.iter().map(|(_, change)| change.entries).sum();
    Ok(Imported {
        file: file.to_owned(),
        edition,
        lines: read.lines,
        entries,
        dropped: read.dropped,
        faults: read.faults,
        changes,
    })
}

/// The day in the file's name (`b_20240601.txt`), where there is exactly one.
fn named_edition(file: &Path) -> Option<Date> {
    let stem = file.file_stem()?.to_str()?;
    let mut days = stem
        .split(|character: char| !character.is_ascii_digit())
        .filter(|digits| digits.len() == 8)
        .filter_map(|digits| crate::formats::date(digits.as_bytes()));
    days.next().filter(|_| days.next().is_none())
}

/// What was imported into a system before.
fn known(path: &Path, catalogue: &Catalogue, system: &str) -> Result<CodeSystem, MasterError> {
    if path.is_file() {
        let text = std::fs::read_to_string(path).map_err(io("read", path))?;
        return toml::from_str(&text).map_err(|error| MasterError::Form {
            path: path.to_owned(),
            problem: error.message().to_owned(),
        });
    }
    let shipped = catalogue.codes.get(system);
    let mut empty = shipped.cloned().ok_or_else(|| MasterError::NotAMaster(system.to_owned()))?;
    empty.codes.clear();
    empty.editions.clear();
    Ok(empty)
}

fn write(path: &Path, text: &str) -> Result<(), MasterError> {
    if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(io("create", folder))?;
    // The name ends otherwise than a catalogue file until the text is whole.
    let temporary = path.with_extension("writing");
    std::fs::write(&temporary, text).map_err(io("write", &temporary))?;
    std::fs::rename(&temporary, path).map_err(io("complete", path))
}

fn io<'p>(action: &'static str, path: &'p Path) -> impl FnOnce(std::io::Error) -> MasterError + 'p {
    move |source| MasterError::Io { action, path: path.to_owned(), source }
}
