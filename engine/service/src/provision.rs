//! Rows that leave for a project: anonymized rows of its own tables, with its pseudonyms in the place of persons, in
//! encrypted files whose keys go another way.
//!
//! Only columns that the approved application names leave, and only where two officers agreed, who are told which, of
//! what question, and to whom; the worker refuses rows of too few persons. Everything of one provision has
//! one set of pseudonyms; one that is made again has another, which the record counts. Projects match each other's rows
//! only where the permit of each says so.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use audit::{Entry, Event, Kind, QueryId, Value, class};
use catalog_model::{Class, WorkspaceColumn};
use catalog_store::{
    Agreed, KeptTable, KeyError, KeyRole, ProjectPseudonyms, Provision as PseudonymsFor, SecretKey, hex,
};
use engine_protocol::{FileKeys, KeptFile, PROVIDED_PERSON, PersonKey, Question};
use policies::{JointProvision, Policies, RowProvision};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::airlock::{self, Asked};
use crate::guard::{Guard, GuardError};
use crate::working::{self, Provided};

/// The name under which rows pass through vetting; nothing is kept under it. The second is for a table of that name.
const PASSING: [&str; 2] = ["provided_rows", "provided_again"];

/// Why rows are not provided; nothing left.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The permit provides for no rows.
    #[error("the permit of {0} is not in force, or provides for no rows outside")]
    NotApproved(String),
    /// The permit does not name the table.
    #[error("the permit does not name ws.{0} among the tables that are provided")]
    NotNamed(String),
    /// The permit does not name the column.
    #[error("the permit does not name column {column} of ws.{table}; keep the table without it")]
    ColumnNotNamed {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A column has the name that the pseudonym gets.
    #[error("column project_pseudonym of ws.{0} has the name of the pseudonym; keep it under another name")]
    PersonsName(String),
    /// A project that the rows are for, or whose rows they may be matched with, is halted.
    #[error("the use of {0} is halted")]
    Halted(String),
    /// The project had too many answers denied.
    #[error(
        "{0} is locked for the answers that it was denied; nothing is provided until somebody lets it go on"
    )]
    Locked(String),
    /// The permit changed while rows were made.
    #[error("the permit of {0} says something else than when the officers agreed")]
    Changed(String),
    /// There is no such table.
    #[error("there is no ws.{0}, or its time has ended")]
    Gone(String),
    /// A column would match the rows of any two projects.
    #[error(
        "column {column} of ws.{table} holds a number that is the same for every project; keep the table without it"
    )]
    Shared {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Another project's permit does not say the same.
    #[error(
        "the permit of {other} is not in force, or does not name the joint provision {name} for the same projects"
    )]
    NotJoint {
        /// The other project.
        other: String,
        /// The joint provision.
        name: String,
    },
    /// The rows could not be made.
    #[error("no rows of ws.{table}: {why}")]
    NoRows {
        /// The table.
        table: String,
        /// What was said of it.
        why: String,
    },
    /// Something lies where the rows would go.
    #[error("{0} exists; rows and keys go to places of their own")]
    Taken(PathBuf),
    /// The keys would travel with the rows.
    #[error("{0} lies in the folder of the rows; keys go another way")]
    Together(PathBuf),
    /// A file cannot be used.
    #[error("cannot use {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The guard cannot work.
    #[error(transparent)]
    Guard(#[from] GuardError),
}

impl ProvisionError {
    /// Whether a permit, a halt or a lock does not allow it.
    pub const fn is_denied(&self) -> bool {
        match self {
            Self::NotApproved(_)
            | Self::NotNamed(_)
            | Self::ColumnNotNamed { .. }
            | Self::NotJoint { .. }
            | Self::Halted(_)
            | Self::Locked(_)
            | Self::Changed(_) => true,
            Self::PersonsName(_)
            | Self::Gone(_)
            | Self::Shared { .. }
            | Self::NoRows { .. }
            | Self::Taken(_)
            | Self::Together(_)
            | Self::Io { .. }
            | Self::Guard(_) => false,
        }
    }

    /// The word in the record.
    const fn word(&self) -> &'static str {
        match self {
            Self::NotApproved(_) => "not-approved",
            Self::NotNamed(_) => "table-not-named",
            Self::ColumnNotNamed { .. } => "column-not-named",
            Self::PersonsName(_) => "name-of-pseudonym",
            Self::Halted(_) => "halted",
            Self::Locked(_) => "denials",
            Self::Changed(_) => "permit-changed",
            Self::Gone(_) => "no-table",
            Self::Shared { .. } => "shared-number",
            Self::NotJoint { .. } => "not-joint",
            Self::NoRows { .. } => "no-rows",
            Self::Taken(_) | Self::Together(_) => "place",
            Self::Io { .. } => "disk",
            Self::Guard(_) => "guard",
        }
    }
}

impl From<KeyError> for ProvisionError {
    fn from(error: KeyError) -> Self {
        Self::Guard(error.into())
    }
}

/// A provision that the permits allow; officers agree on it.
#[derive(Debug)]
pub struct Provision {
    project: String,
    tables: BTreeMap<String, Leaving>,
    terms: RowProvision,
    epoch: u32,
    /// The id of the project master key.
    master: String,
}

/// A table whose rows leave.
#[derive(Debug)]
struct Leaving {
    kept: KeptTable,
    /// The question that it was made by: its id in the record, and what the record has of its plan.
    source: String,
}

impl Leaving {
    /// Its columns but the person's.
    fn columns(&self) -> String {
        let columns = self.kept.table.columns.iter().filter(|column| !column.is_person);
        columns.map(|column| column.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// A class of how many rows are kept of it.
    fn rows(&self) -> &'static str {
        class(self.kept.files.iter().fold(0_u64, |rows, file| rows.saturating_add(file.rows)))
    }
}

impl Provision {
    /// The provision of these tables of a project, as the permits and the record have it now. What is refused is
    /// recorded.
    ///
    /// # Errors
    ///
    /// The permits do not allow it, or a table is not there.
    pub fn plan(guard: &Guard, project: &str, tables: &[String]) -> Result<Self, ProvisionError> {
        let planned = Self::planned(guard, project, tables);
        if let Err(error) = &planned {
            guard.log.record(failed(project, error)).map_err(GuardError::from)?;
        }
        planned
    }

    fn planned(guard: &Guard, project: &str, tables: &[String]) -> Result<Self, ProvisionError> {
        let now = guard.now();
        let terms = allowed(guard, project)?;
        let space = guard.workspaces.read(project).map_err(GuardError::from)?;
        let log = guard.log.path();
        let named = tables.iter().map(|name: &String| -> Result<(String, Leaving), ProvisionError> {
            let kept = space.tables.get(name).filter(|kept| kept.expires > now.unix_timestamp());
            let kept = kept.ok_or_else(|| ProvisionError::Gone(name.clone()))?.clone();
            may_leave(&terms, name, &kept)?;
            let source = source(log, &kept.query)?;
            Ok((name.clone(), Leaving { kept, source }))
        });
        let tables = named.collect::<Result<_, _>>()?;
        let (epoch, master) = epoch(log, project, &name(project, terms.joint.as_ref()))?;
        let present = || -> Result<String, KeyError> {
            Ok(guard.environment.keys().index()?.current(KeyRole::Project)?.id.to_string())
        };
        let master = master.map_or_else(present, Ok)?;
        Ok(Self { project: project.to_owned(), tables, terms, epoch, master })
    }

    /// Whether rows and keys can go to these places: nothing lies there, and the keys not among the rows.
    ///
    /// # Errors
    ///
    /// One is taken, or the keys would lie in the rows' folder.
    pub fn places(places: (&Path, &Path)) -> Result<(), ProvisionError> {
        free(places)
    }

    /// What officers agree on: these columns of these tables as they are, to this receiver, under these pseudonyms.
    pub fn act(&self) -> String {
        let tables = self.tables.iter().map(|(name, leaving)| {
            let (id, columns) = (&leaving.kept.table.id, leaving.columns());
            format!("ws.{name} ({columns}) {id} of {}, {} rows", leaving.source, leaving.rows())
        });
        format!(
            "provide {} to {} in epoch {} of {}",
            tables.collect::<Vec<_>>().join(", "),
            self.receiver(),
            self.epoch,
            self.master
        )
    }

    /// What an officer reads before agreeing, line by line.
    pub fn lines(&self) -> Vec<String> {
        let table = |(name, leaving): (&String, &Leaving)| {
            let (columns, by) = (leaving.columns(), &leaving.kept.by);
            format!(
                "ws.{name}: columns {columns}; {} rows; made by {by}, question {}",
                leaving.rows(),
                leaving.source
            )
        };
        let receiver = format!("receiver: {}, epoch {}", self.receiver(), self.epoch);
        self.tables.iter().map(table).chain([receiver]).collect()
    }

    /// Who gets the rows, and whose rows they can be matched with.
    fn receiver(&self) -> String {
        let own = format!("project {}", self.project);
        let name = self.name();
        if name == own { own } else { format!("{own}, {name}") }
    }

    fn name(&self) -> String {
        name(&self.project, self.terms.joint.as_ref())
    }

    /// The epoch of its pseudonyms.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Makes the rows, records that they leave, and writes them into the new folder `out` and their keys into the new
    /// file `keys`. What does not succeed is recorded as well, with the request that the officers agreed on.
    ///
    /// # Errors
    ///
    /// A table is refused or cannot be read, or something cannot be written.
    pub fn carry_out(
        &self,
        guard: &Guard,
        agreed: &Agreed,
        (out, keys): (&Path, &Path),
    ) -> Result<(), ProvisionError> {
        let done = self.leave(guard, agreed, (out, keys));
        if let Err(error) = &done {
            let event = failed(&self.project, error).subject(self.name());
            guard.log.record(event.with("request", agreed.request.as_str())).map_err(GuardError::from)?;
        }
        done
    }

    fn leave(
        &self,
        guard: &Guard,
        agreed: &Agreed,
        (out, keys): (&Path, &Path),
    ) -> Result<(), ProvisionError> {
        free((out, keys))?;
        let pseudonyms = PersonKey::new(*self.pseudonyms(guard)?.key().as_bytes());
        let officers = format!("{}, {}", agreed.first, agreed.second);
        let mut made = Vec::new();
        for (name, leaving) in &self.tables {
            let question = self.question(name, &leaving.kept);
            let (key, file_keys) = self.file_keys(name, &leaving.kept)?;
            let given = (file_keys.clone(), pseudonyms.clone());
            let of = Provided { officers: &officers, question: &question, table: name };
            let file = working::provided(guard, &of, given)?;
            let file = file.map_err(|why| ProvisionError::NoRows { table: name.clone(), why })?;
            made.push(Made { name, leaving, file, key, bound_to: hex(&file_keys.bound_to) });
        }
        let places = Places::take((out, keys))?;
        // Looked at once more, as it is now: workers take their time.
        let recorded = self.still(guard).and_then(|()| {
            let recorded = guard.log.record(self.event(agreed, &made));
            recorded.map(drop).map_err(|error| GuardError::from(error).into())
        });
        if let Err(error) = recorded {
            places.give_back();
            return Err(error);
        }
        self.write(&made, places)
    }

    /// Whether everything that the officers agreed on still holds.
    fn still(&self, guard: &Guard) -> Result<(), ProvisionError> {
        if allowed(guard, &self.project)? == self.terms {
            return Ok(());
        }
        Err(ProvisionError::Changed(self.project.clone()))
    }

    /// The pseudonyms of this project, or of the projects that match each other's.
    fn pseudonyms(&self, guard: &Guard) -> Result<ProjectPseudonyms, KeyError> {
        let master = guard.environment.keys().with_id(KeyRole::Project, &self.master)?;
        let joint = self.terms.joint.as_ref();
        let projects: Vec<&str> =
            joint.into_iter().flat_map(|joint| &joint.projects).map(String::as_str).collect();
        let whose = match joint {
            Some(joint) => PseudonymsFor::Joint { permit: &joint.name, projects: &projects },
            None => PseudonymsFor::Project(&self.project),
        };
        Ok(ProjectPseudonyms::new(&master, &whose, self.epoch))
    }

    /// The statement that the rows pass vetting by: all columns of the table, for the person who kept it.
    fn question(&self, name: &str, kept: &KeptTable) -> Question {
        let quoted = |column: &WorkspaceColumn| format!("\"{}\"", column.name.replace('"', "\"\""));
        let columns: Vec<String> = kept.table.columns.iter().map(quoted).collect();
        let passing = PASSING.into_iter().find(|passing| *passing != name).unwrap_or_default();
        let sql = format!("CREATE TABLE ws.{passing} AS SELECT {} FROM ws.{name}", columns.join(", "));
        Question { user: kept.by.clone(), project: self.project.clone(), sql }
    }

    /// One new key for a whole file, in the form that other readers of Parquet take as well.
    fn file_keys(&self, name: &str, kept: &KeptTable) -> Result<(SecretKey, FileKeys), KeyError> {
        let key = SecretKey::random()?;
        let column = |column: &WorkspaceColumn| match column.is_person {
            true => PROVIDED_PERSON.to_owned(),
            false => column.name.clone(),
        };
        let columns = kept.table.columns.iter().map(|of| (column(of), key.as_bytes().to_vec())).collect();
        let bound_to = format!("misu/provided/v1/{}/{}/{name}", self.project, self.epoch).into_bytes();
        let keys = FileKeys { bound_to, footer: key.as_bytes().to_vec(), columns };
        Ok((key, keys))
    }

    fn event(&self, agreed: &Agreed, made: &[Made<'_>]) -> Event {
        let each = |said: fn(&Made<'_>) -> String| -> Vec<String> {
            made.iter().map(|made| format!("ws.{} {}", made.name, said(made))).collect()
        };
        Event::new(Kind::RowsProvided, "guard")
            .project(self.project.clone())
            .subject(self.name())
            .with("receiver", self.receiver())
            .with("epoch", self.epoch)
            .with("master", self.master.as_str())
            .with("files", each(|made| made.digest()))
            .with("columns", each(|made| made.leaving.columns()))
            .with("rows", each(|made| class(made.file.rows).to_owned()))
            .with("sources", each(|made| made.leaving.source.clone()))
            .with("first", agreed.first.as_str())
            .with("second", agreed.second.as_str())
            .with("request", agreed.request.as_str())
    }

    fn write(&self, made: &[Made<'_>], places: Places<'_>) -> Result<(), ProvisionError> {
        for made in made {
            let path = places.out.join(made.path());
            let written = File::create_new(&path).and_then(|mut file| {
                file.write_all(&made.file.bytes)?;
                file.sync_all()
            });
            written.map_err(io(&path))?;
        }
        let list = KeyList {
            project: &self.project,
            provision: &self.name(),
            epoch: self.epoch,
            files: made.iter().map(Made::listed).collect(),
        };
        let text = serde_json::to_vec_pretty(&list).map(Zeroizing::new);
        let text = text.map_err(|error| io(places.keys)(error.into()))?;
        let mut file = places.file;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(io(places.keys))?;
        let folders = [Some(places.out), places.out.parent(), places.keys.parent()];
        folders.into_iter().flatten().try_for_each(|folder| {
            File::open(here(folder)).and_then(|folder| folder.sync_all()).map_err(io(folder))
        })
    }
}

fn failed(project: &str, error: &ProvisionError) -> Event {
    Event::new(Kind::ProvisionFailed, "guard").project(project).with("reason", error.word())
}

/// Where rows and keys go: a new folder and a new file.
struct Places<'p> {
    out: &'p Path,
    keys: &'p Path,
    file: File,
}

impl<'p> Places<'p> {
    /// Makes both, before anything is recorded.
    fn take((out, keys): (&'p Path, &'p Path)) -> Result<Self, ProvisionError> {
        std::fs::create_dir(out).map_err(io(out))?;
        let new = File::options().write(true).create_new(true).mode(0o600).open(keys);
        let file = new.inspect_err(|_| drop(std::fs::remove_dir(out))).map_err(io(keys))?;
        Ok(Self { out, keys, file })
    }

    /// Takes both away again; nothing is in them.
    fn give_back(self) {
        // Best effort: what stays is empty.
        let _ = std::fs::remove_dir(self.out);
        let _ = std::fs::remove_file(self.keys);
    }
}

fn free((out, keys): (&Path, &Path)) -> Result<(), ProvisionError> {
    if let Some(taken) = [out, keys].into_iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(ProvisionError::Taken(taken.to_owned()));
    }
    let (rows, list) = (resolved(out).map_err(io(out))?, resolved(keys).map_err(io(keys))?);
    if list.starts_with(&rows) { Err(ProvisionError::Together(keys.to_owned())) } else { Ok(()) }
}

/// The place without links, as far as it is there.
fn resolved(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let there = path.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    Ok(there.canonicalize()?.join(path.strip_prefix(there).unwrap_or(&path)))
}

/// The folder of a path that names none is the one where the program stands.
fn here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// A file that was made, with its key.
struct Made<'p> {
    name: &'p str,
    leaving: &'p Leaving,
    file: KeptFile,
    key: SecretKey,
    bound_to: String,
}

impl Made<'_> {
    fn path(&self) -> String {
        format!("{}.parquet", self.name)
    }

    fn digest(&self) -> String {
        blake3::hash(&self.file.bytes).to_hex().to_string()
    }

    fn listed(&self) -> ListedKey {
        let key = Zeroizing::new(hex(self.key.as_bytes()));
        ListedKey { path: self.path(), blake3: self.digest(), aad_prefix: self.bound_to.clone(), key }
    }
}

/// The keys of a provision, as its receiver gets them.
#[derive(Serialize)]
struct KeyList<'p> {
    project: &'p str,
    provision: &'p str,
    epoch: u32,
    files: Vec<ListedKey>,
}

/// How one file is opened: Parquet's modular encryption, one key for footer and columns; digits in hexadecimal.
#[derive(Serialize)]
struct ListedKey {
    path: String,
    blake3: String,
    aad_prefix: String,
    #[serde(serialize_with = "key")]
    key: Zeroizing<String>,
}

fn key<S: Serializer>(key: &Zeroizing<String>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(key)
}

/// What a project's permit says of rows outside now, where nothing that happened since forbids it.
fn allowed(guard: &Guard, project: &str) -> Result<RowProvision, ProvisionError> {
    let policies = guard.permits.policies(&guard.catalogue).map_err(GuardError::from)?;
    let terms = terms(&policies, project, guard.now())?;
    let others = terms.joint.iter().flat_map(|joint| &joint.projects).map(String::as_str);
    if let Some(halted) = others.chain([project]).find(|project| guard.halts.is_halted(project)) {
        return Err(ProvisionError::Halted(halted.to_owned()));
    }
    let outputs = policies.application(project).map(policies::Application::outputs);
    let outputs = outputs.ok_or(GuardError::Bug("a permit has its application"))?;
    let asked = Asked { project, user: "guard", outputs, is_planned: true, broken: None };
    if airlock::is_locked(guard, asked)? {
        return Err(ProvisionError::Locked(project.to_owned()));
    }
    Ok(terms.clone())
}

/// What a project's permit says of rows outside, where it and those that it is joined with are in force.
fn terms<'p>(
    policies: &'p Policies,
    project: &str,
    now: OffsetDateTime,
) -> Result<&'p RowProvision, ProvisionError> {
    let of = |project: &str| {
        let application = policies.application(project).filter(|application| application.is_in_force(now));
        application.and_then(|application| application.provision())
    };
    let terms = of(project).ok_or_else(|| ProvisionError::NotApproved(project.to_owned()))?;
    let others = terms.joint.iter().flat_map(|joint| joint.projects.iter().map(move |other| (joint, other)));
    for (joint, other) in others {
        if of(other).and_then(|terms| terms.joint.as_ref()) != Some(joint) {
            return Err(ProvisionError::NotJoint { other: other.clone(), name: joint.name.clone() });
        }
    }
    Ok(terms)
}

/// Whether a table is named with all its columns, and none of them holds a number that is the same for every project.
fn may_leave(terms: &RowProvision, name: &str, kept: &KeptTable) -> Result<(), ProvisionError> {
    let named = terms.tables.get(name).ok_or_else(|| ProvisionError::NotNamed(name.to_owned()))?;
    let is_shared = |class: &Class| match class {
        Class::Direct | Class::Link | Class::Text | Class::Person | Class::Record => true,
        Class::Facility | Class::Insurer | Class::Municipality => true,
        Class::Exact | Class::Quasi | Class::Sensitive | Class::Measure | Class::Plain => false,
    };
    kept.table.columns.iter().filter(|column| !column.is_person).try_for_each(|column| {
        let (table, name) = (name.to_owned(), column.name.clone());
        if name == PROVIDED_PERSON {
            Err(ProvisionError::PersonsName(table))
        } else if column.held.iter().any(is_shared) {
            Err(ProvisionError::Shared { table, column: name })
        } else if named.contains(&name) {
            Ok(())
        } else {
            Err(ProvisionError::ColumnNotNamed { table, column: name })
        }
    })
}

/// The question that a table was made by, as the record has it: its id, and the digest of its plan.
fn source(log: &Path, query: &str) -> Result<String, ProvisionError> {
    let Some(id) = QueryId::parse(query) else { return Ok(query.to_owned()) };
    for entry in Entry::all(log).map_err(io(log))? {
        let entry = entry.map_err(io(log))?;
        if entry.seq() != id.seq() {
            continue;
        }
        let plan = match entry.body().value("plan") {
            Some(Value::Text(plan)) => plan.as_str(),
            _ => "",
        };
        return Ok(format!("{query} {plan}").trim_end().to_owned());
    }
    Ok(query.to_owned())
}

/// What the record calls a provision: whose pseudonyms it has.
fn name(project: &str, joint: Option<&JointProvision>) -> String {
    joint.map_or_else(
        || format!("project {project}"),
        |joint| {
            let projects: Vec<&str> = joint.projects.iter().map(String::as_str).collect();
            format!("joint {} of {}", joint.name, projects.join(" "))
        },
    )
}

/// The epoch of a provision that is made now, and the master key of what others got in it. A project that has had its
/// rows in the present epoch begins the next one; the others of a joint provision follow it there.
fn epoch(log: &Path, project: &str, name: &str) -> Result<(u32, Option<String>), ProvisionError> {
    let mut present: Option<(u32, String, bool)> = None;
    for entry in Entry::all(log).map_err(io(log))? {
        let entry = entry.map_err(io(log))?;
        if entry.kind() != Kind::RowsProvided || entry.subject() != Some(name) {
            continue;
        }
        let (Some(Value::Whole(epoch)), Some(Value::Text(master))) =
            (entry.body().value("epoch"), entry.body().value("master"))
        else {
            continue;
        };
        let epoch = u32::try_from(*epoch).unwrap_or(u32::MAX);
        let is_own = entry.project() == Some(project);
        present = Some(match present {
            Some((known, master, had)) if known == epoch => (known, master, had || is_own),
            _ => (epoch, master.clone(), is_own),
        });
    }
    Ok(match present {
        None => (1, None),
        Some((epoch, _, true)) => (epoch.saturating_add(1), None),
        Some((epoch, master, false)) => (epoch, Some(master)),
    })
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> ProvisionError + '_ {
    move |source| ProvisionError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use audit::{Event, Kind, Log};
    use catalog_model::Catalogue;
    use policies::{Application, Policies};
    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::{Places, ProvisionError, epoch, free, name, terms};

    const OTHER: &str = include_str!("../../../policies/tests/applications/other.toml");

    fn application(project: &str, section: &str) -> Application {
        let text = OTHER.replace("project = \"other\"", &format!("project = \"{project}\""));
        Application::parse("a.toml", &format!("{text}\n{section}")).unwrap()
    }

    const JOINT: &str = "[provision]\ntables = { cohort = [\"sex\"] }\n\
                         joint = { name = \"j\", projects = [\"one\", \"two\"] }";

    fn found(sections: [(&str, &str); 2], now: OffsetDateTime) -> Result<String, String> {
        let applications = sections.map(|(project, section)| application(project, section));
        let policies = Policies::load(applications, &Catalogue::builtin().unwrap()).unwrap();
        let found = terms(&policies, "one", now).map_err(|error: ProvisionError| error.to_string())?;
        Ok(name("one", found.joint.as_ref()))
    }

    #[test]
    fn projects_share_pseudonyms_only_where_the_permit_of_each_says_so() {
        let (now, late) = (datetime!(2026-11-21 00:00 UTC), datetime!(2028-01-01 00:00 UTC));
        let alone = "[provision]\ntables = { cohort = [\"sex\"] }";
        assert_eq!(found([("one", JOINT), ("two", JOINT)], now).unwrap(), "joint j of one two");
        assert_eq!(found([("one", alone), ("two", JOINT)], now).unwrap(), "project one");
        let renamed = JOINT.replace("\"j\"", "\"k\"");
        for other in ["", alone, renamed.as_str()] {
            let said = found([("one", JOINT), ("two", other)], now).unwrap_err();
            assert!(said.starts_with("the permit of two is not in force, or does not name"), "{said}");
        }
        let said = found([("one", JOINT), ("three", JOINT.replace("two", "three").as_str())], now);
        assert!(said.unwrap_err().starts_with("the permit of two"));
        for (section, now) in [("", now), (JOINT, late)] {
            let said = found([("one", section), ("two", JOINT)], now).unwrap_err();
            assert!(said.starts_with("the permit of one is not in force"), "{said}");
        }
    }

    fn provided(log: &Log, project: &str, name: &str, (epoch, master): (u32, &str)) {
        let event = Event::new(Kind::RowsProvided, "guard").project(project).subject(name);
        log.record(event.with("epoch", epoch).with("master", master)).unwrap();
    }

    #[test]
    fn a_provision_that_is_made_again_has_a_new_epoch_and_others_of_a_joint_one_follow() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path(), || datetime!(2026-11-21 00:00 UTC)).unwrap();
        let next = |project: &str, name: &str| epoch(log.path(), project, name).unwrap();
        let held = |master: &str| Some(master.to_owned());
        assert_eq!(next("one", "project one"), (1, None));
        provided(&log, "one", "project one", (1, "m1"));
        assert_eq!(next("one", "project one"), (2, None));
        assert_eq!(next("one", "joint j of one two"), (1, None));
        provided(&log, "one", "joint j of one two", (1, "m1"));
        assert_eq!(next("two", "joint j of one two"), (1, held("m1")));
        provided(&log, "two", "joint j of one two", (1, "m1"));
        assert_eq!(next("two", "joint j of one two"), (2, None));
        // Under a new master key; whoever comes later gets what the present epoch has.
        provided(&log, "two", "joint j of one two", (2, "m2"));
        assert_eq!(next("one", "joint j of one two"), (2, held("m2")));
        assert_eq!(next("two", "joint j of one two"), (3, None));
    }

    #[test]
    fn keys_do_not_lie_with_the_rows_and_nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink(folder.path(), at("link")).unwrap();
        let said = |keys: &str| free((&at("rows"), &at(keys))).map_err(|error| error.to_string());
        assert_eq!(said("keys"), Ok(()));
        for inside in ["rows", "rows/keys", "rows/deep/keys", "link/rows/keys", "rows/../keys"] {
            assert!(said(inside).unwrap_err().contains("lies in the folder of the rows"), "{inside}");
        }
        assert!(said("link").unwrap_err().contains("exists"));
        let (rows, keys) = (at("rows"), at("keys"));
        let places = Places::take((&rows, &keys)).unwrap();
        assert!(said("other").unwrap_err().contains("exists"));
        places.give_back();
        assert_eq!(said("keys"), Ok(()));
        // Where the keys have no place, none is taken for the rows.
        assert!(Places::take((&at("rows"), &at("nowhere/keys"))).is_err());
        assert!(!at("rows").exists());
    }
}
