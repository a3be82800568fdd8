//! Figures of the catalogue, in `open/figures/TABLE/COLUMN.json`: releases, each the answer to its column's question.
//!
//! The catalogue itself has no number. What a data officer puts beside a column is held against the sealed copy of a
//! release (the question and the table) and against the record (that it went out); and it is shown no longer once the
//! release is called back.

use audit::{Event, Kind};
use engine_protocol::{Figure, FigureReply, FigureWish, ReleasedTable};
use serde::{Deserialize, Serialize};
use time::macros::format_description;

use crate::cases::{self, RetainedFiles, Standing};
use crate::guard::{Guard, GuardError};
use crate::{describe, open_tables};

/// The folder in the environment.
const FOLDER: &str = "open/figures";

/// A figure as it lies on disk.
#[derive(Serialize, Deserialize)]
struct Kept {
    project: String,
    figure: Figure,
}

/// The figures of a table of the catalogue, in the order of its columns.
pub(crate) fn list(guard: &Guard, table: &str) -> Result<Vec<Figure>, GuardError> {
    let Some(table) = guard.catalogue.tables.get(table) else { return Ok(Vec::new()) };
    let folder = guard.environment.room(FOLDER).join(&table.table);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut figures = Vec::new();
    for column in &table.columns {
        let bytes = match std::fs::read(folder.join(format!("{}.json", column.name))) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(GuardError::Open(error)),
        };
        // A file that is no figure is shown by nobody.
        let Ok(kept) = serde_json::from_slice::<Kept>(&bytes) else { continue };
        if is_out(guard, &kept.project, &kept.figure.released)? {
            figures.push(kept.figure);
        }
    }
    Ok(figures)
}

/// Whether nobody called the release back, and nobody holds it.
fn is_out(guard: &Guard, project: &str, table: &ReleasedTable) -> Result<bool, GuardError> {
    let standing = cases::standing(&guard.office()?, project, &table.query)?;
    Ok(matches!(standing, None | Some(Standing::Free)))
}

/// Puts a figure beside its column.
pub(crate) fn show(guard: &Guard, wish: &FigureWish) -> Result<FigureReply, GuardError> {
    let FigureWish { user, project, table, column, released } = wish;
    if !open_tables::is_officer(guard, user)? {
        return Ok(FigureReply::NotAllowed);
    }
    let described = guard.catalogue.tables.get(table).map(|table| describe::table(guard, table));
    let Some(question) = described.and_then(|table| table.figure(column)) else {
        return Ok(FigureReply::OtherQuestion);
    };
    // What is kept and recorded is the table without the certificate that was made for it.
    let bare = ReleasedTable { certificate: None, ..released.clone() };
    let kept = RetainedFiles::new(&guard.environment).find(project, &bare.query)?;
    let Some(kept) = kept.filter(|kept| kept.table == bare) else { return Ok(FigureReply::NotReleased) };
    if kept.sql.trim() != question {
        return Ok(FigureReply::OtherQuestion);
    }
    if !open_tables::was_released(guard, &open_tables::digest(&bare)?)? || !is_out(guard, project, &bare)? {
        return Ok(FigureReply::NotReleased);
    }
    let event = Event::new(Kind::TableOpened, user.as_str()).project(project.as_str());
    guard.log.record(event.subject(bare.query.as_str()).with("figure", format!("{table}.{column}")))?;
    let day = guard.now().date().format(format_description!("[year]-[month]-[day]"));
    let day = day.map_err(|_| GuardError::Bug("a day can be written"))?;
    let figure = Figure { column: column.clone(), day, released: bare };
    let folder = guard.environment.room(FOLDER).join(table);
    let file = Kept { project: project.clone(), figure };
    open_tables::write(&folder, column, &file).map_err(GuardError::Open)?;
    Ok(FigureReply::Shown)
}
