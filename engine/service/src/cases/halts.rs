//! Halts: one project, or all, stopped at once. The guard looks before a question runs, while it runs, and before it
//! is answered.
//!
//! A halt is a file below `policies/halts/`, so that every guard of the environment sees it, and so that it outlives
//! them. A file that cannot be read halts all.

use std::io;
use std::path::{Path, PathBuf};

use audit::{Event, Kind};
use engine_protocol::{Governed, Halt};
use governance::{Actor, Illegal, Role};

use super::stored::{has_office, instant};
use super::{GovernError, Office};

/// The folder below `policies/`.
const FOLDER: &str = "halts";
/// The file that halts all; no project has a name with a capital letter.
const ALL: &str = "ALL";

/// The halts of an environment.
#[derive(Clone, Debug)]
pub(crate) struct Halts(PathBuf);

impl Halts {
    /// The halts below the environment's policies.
    pub(crate) fn new(policies: &Path) -> Self {
        Self(policies.join(FOLDER))
    }

    /// Whether a project is halted, by itself or with all.
    pub(crate) fn is_halted(&self, project: &str) -> bool {
        // A name that could not be a project's is nobody's, and no path either; the permit denies it.
        if !is_plain(project) {
            return false;
        }
        // What cannot be known is not risked.
        [ALL, project].into_iter().any(|name| self.file(name).try_exists().unwrap_or(true))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.json"))
    }

    fn list(&self) -> Result<Vec<Halt>, GovernError> {
        let failed = |source| GovernError::Io { doing: "read", path: self.0.clone(), source };
        let entries = match std::fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut halts = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let text = std::fs::read_to_string(&path).map_err(failed)?;
                halts.push(serde_json::from_str(&text).unwrap_or_else(|_| unreadable(&path)));
            }
        }
        halts.sort_by(|one: &Halt, other: &Halt| one.project.cmp(&other.project));
        Ok(halts)
    }

    fn write(&self, halt: &Halt) -> Result<(), GovernError> {
        let path = self.file(halt.project.as_deref().unwrap_or(ALL));
        let failed = |source| GovernError::Io { doing: "write", path: path.clone(), source };
        let text = serde_json::to_string(halt).map_err(|_| GovernError::Bug("a halt can be written"))?;
        std::fs::create_dir_all(&self.0).map_err(failed)?;
        let temporary = path.with_extension("writing");
        std::fs::write(&temporary, text).map_err(failed)?;
        std::fs::rename(&temporary, &path).map_err(failed)
    }
}

fn unreadable(path: &Path) -> Halt {
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
    let project = name.filter(|name| name != ALL);
    Halt { project, who: String::new(), at: String::new(), reason: "cannot be read".to_owned() }
}

/// Stops one project, or all: a data officer or an operator, at once and alone.
pub(super) fn halt(
    office: &Office<'_>,
    actor: &Actor,
    project: Option<&str>,
    reason: &str,
) -> Result<Governed, GovernError> {
    if !actor.is(Role::DataOfficer) && !actor.is(Role::Operator) {
        return Err(Illegal::Role(Role::DataOfficer).into());
    }
    checked(project, reason)?;
    let halts = Halts::new(&office.environment.room("policies"));
    let halt = Halt {
        project: project.map(str::to_owned),
        who: actor.user().to_owned(),
        at: instant(office.now),
        reason: reason.trim().to_owned(),
    };
    // Stopped first: a record that cannot be written must not keep anybody from stopping.
    halts.write(&halt)?;
    office.log.record(event(Kind::UseHalted, actor, project, reason))?;
    governed(&halts, actor)
}

/// Lets one project, or all, go on: a data officer.
pub(super) fn resume(
    office: &Office<'_>,
    actor: &Actor,
    project: Option<&str>,
    reason: &str,
) -> Result<Governed, GovernError> {
    if !actor.is(Role::DataOfficer) {
        return Err(Illegal::Role(Role::DataOfficer).into());
    }
    checked(project, reason)?;
    let halts = Halts::new(&office.environment.room("policies"));
    let path = halts.file(project.unwrap_or(ALL));
    // Recorded first: nothing goes on that is not in the record. A project whose budget of denials is used up goes on
    // as well, without a halt of its own.
    office.log.record(event(Kind::UseResumed, actor, project, reason))?;
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(GovernError::Io { doing: "remove", path, source })
        }
        _ => governed(&halts, actor),
    }
}

fn event(kind: Kind, actor: &Actor, project: Option<&str>, reason: &str) -> Event {
    let event = Event::new(kind, actor.user()).with("reason", reason.trim());
    match project {
        Some(project) => event.project(project),
        None => event.subject("all"),
    }
}

/// A project's name is a file's name here.
fn checked(project: Option<&str>, reason: &str) -> Result<(), GovernError> {
    if project.is_some_and(|project| !is_plain(project)) {
        return Err(super::field::unreadable("project"));
    }
    if reason.trim().is_empty() { Err(Illegal::Missing("a reason").into()) } else { Ok(()) }
}

fn is_plain(project: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    !project.is_empty() && project.chars().all(plain)
}

/// What is halted, for whoever has an office in the house; others are told nothing.
pub(super) fn view(office: &Office<'_>, reader: &Actor) -> Result<Governed, GovernError> {
    let halts = Halts::new(&office.environment.room("policies"));
    if has_office(reader) {
        governed(&halts, reader)
    } else {
        Ok(Governed::Halted { halts: vec![], may: false })
    }
}

fn governed(halts: &Halts, reader: &Actor) -> Result<Governed, GovernError> {
    let may = reader.is(Role::DataOfficer) || reader.is(Role::Operator);
    Ok(Governed::Halted { halts: halts.list()?, may })
}

#[cfg(test)]
mod tests {
    use engine_protocol::Halt;

    use super::Halts;

    fn halt(project: Option<&str>) -> Halt {
        let text = |text: &str| text.to_owned();
        Halt { project: project.map(text), who: text("kondo"), at: text("now"), reason: text("x") }
    }

    #[test]
    fn a_project_is_halted_by_itself_or_with_all() {
        let folder = tempfile::tempdir().unwrap();
        let halts = Halts::new(folder.path());
        assert!(!halts.is_halted("one"));
        halts.write(&halt(Some("one"))).unwrap();
        assert_eq!(["one", "two"].map(|project| halts.is_halted(project)), [true, false]);
        halts.write(&halt(None)).unwrap();
        assert!(halts.is_halted("two"));
        assert_eq!(halts.list().unwrap().len(), 2);
        // A halt that nobody can read is one.
        std::fs::write(folder.path().join("halts/three.json"), "?").unwrap();
        assert!(halts.list().unwrap().iter().any(|halt| halt.project.as_deref() == Some("three")));
    }
}
