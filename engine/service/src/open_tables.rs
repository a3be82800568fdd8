//! Tables that anybody may read: released before, and made open by a data officer. One JSON file each in `open/`.
//!
//! A table that is handed in must be one that left through the front door: its digest stands in the record as the
//! outcome of a query. So nothing can be published here that disclosure control has not seen.

use std::path::Path;

use audit::{Entry, Event, Kind};
use engine_protocol::{OpenTable, Opening, OpeningReply, ReleasedTable};
use governance::Role;
use serde::Serialize;
use time::macros::format_description;

use crate::guard::{Guard, GuardError};
use crate::identity::Standing;
use crate::reporting::said;

/// The folder in the environment.
const FOLDER: &str = "open";
/// Open tables that are shown.
const MOST: usize = 100;
/// Letters of a title.
const TITLE: usize = 200;

/// The open tables, the newest first.
pub(crate) fn list(guard: &Guard) -> Result<Vec<OpenTable>, GuardError> {
    let files = match std::fs::read_dir(guard.environment.room(FOLDER)) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(GuardError::Open(error)),
    };
    let mut tables = Vec::new();
    for file in files {
        let path = file.map_err(GuardError::Open)?.path();
        let is_table = path.extension().is_some_and(|extension| extension == "json");
        tables.extend(is_table.then(|| read(&path)).flatten());
    }
    tables.sort_by(|one: &OpenTable, other| {
        (&other.day, &other.table.query).cmp(&(&one.day, &one.table.query))
    });
    tables.truncate(MOST);
    Ok(tables)
}

fn read(path: &Path) -> Option<OpenTable> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Makes a table open.
pub(crate) fn open(guard: &Guard, wish: &Opening) -> Result<OpeningReply, GuardError> {
    let Opening { user, title_ja, title_en, table } = wish;
    if !is_officer(guard, user)? {
        return Ok(OpeningReply::NotAllowed);
    }
    let is_title = |title: &str| (1..=TITLE).contains(&title.trim().chars().count());
    if !is_title(title_ja) || !is_title(title_en) {
        return Ok(OpeningReply::Untitled);
    }
    // What the record has is the digest of the table without the certificate that is made for it.
    let bare = ReleasedTable { certificate: None, ..table.clone() };
    let digest = digest(&bare)?;
    if !was_released(guard, &digest)? {
        return Ok(OpeningReply::NotReleased);
    }
    let event = Event::new(Kind::TableOpened, user.as_str()).subject(table.query.as_str());
    guard.log.record(event.with("table", digest.as_str()))?;
    let day = guard.now().date().format(format_description!("[year]-[month]-[day]"));
    let day = day.map_err(|_| GuardError::Bug("a day can be written"))?;
    let (title_ja, title_en) = (title_ja.trim().to_owned(), title_en.trim().to_owned());
    let opened = OpenTable { title_ja, title_en, day, table: table.clone() };
    // Kept under the table's digest: the same table twice is one.
    write(&guard.environment.room(FOLDER), &digest, &opened).map_err(GuardError::Open)?;
    Ok(OpeningReply::Opened)
}

/// The digest by which the record knows a table that has no certificate.
pub(crate) fn digest(bare: &ReleasedTable) -> Result<String, GuardError> {
    let bytes = serde_json::to_vec(bare).map_err(|_| GuardError::Bug("a table can be written"))?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

/// Writes a file of this folder in one step, in place of an earlier one of the same name.
pub(crate) fn write(folder: &Path, name: &str, value: &impl Serialize) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!("{name}.json"));
    let temporary = path.with_extension("writing");
    std::fs::write(&temporary, serde_json::to_vec(value)?)?;
    std::fs::rename(&temporary, &path)
}

pub(crate) fn is_officer(guard: &Guard, user: &str) -> Result<bool, GuardError> {
    let standing = Standing::of(&guard.environment.meta()?, user, guard.now())?;
    Ok(standing.is_some_and(|standing| standing.roles.contains(&Role::DataOfficer)))
}

/// Says whether the record has a query that ended with exactly this table.
pub(crate) fn was_released(guard: &Guard, digest: &str) -> Result<bool, GuardError> {
    for entry in Entry::all(guard.log.path()).map_err(GuardError::Open)? {
        let entry = entry.map_err(GuardError::Open)?;
        let is_release = entry.kind() == Kind::QueryClosed && said(&entry, "outcome") == "released";
        if is_release && said(&entry, "digest") == digest {
            return Ok(true);
        }
    }
    Ok(false)
}
