//! Rows that leave for a project: anonymized rows of its own tables, with its pseudonyms in the place of persons, in
//! encrypted files whose keys go another way.
//!
//! Only what the approved application names leaves, and only where two officers agreed. Everything of one provision has
//! one set of pseudonyms; one that is made again has another, which the record counts. Projects match each other's rows
//! only where the permit of each says so.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use audit::{Entry, Event, Kind, Value};
use catalog_model::Class;
use catalog_store::{
    Agreed, KeptTable, KeyError, KeyRole, ProjectPseudonyms, Provision as PseudonymsFor, SecretKey, hex,
};
use engine_protocol::{FileKeys, KeptFile, PROVIDED_PERSON, PersonKey, Question};
use policies::{JointProvision, Policies, RowProvision};
use serde::Serialize;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::guard::{Guard, GuardError};
use crate::working;

/// The name under which rows pass through vetting; nothing is kept under it.
const PASSING: &str = "provided_rows";

/// Why rows are not provided; nothing left.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The permit provides for no rows.
    #[error("the permit of {0} is not in force, or provides for no rows outside")]
    NotApproved(String),
    /// The permit does not name the table.
    #[error("the permit does not name ws.{0} among the tables that are provided")]
    NotNamed(String),
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
    /// Whether a permit does not allow it.
    pub const fn is_denied(&self) -> bool {
        matches!(self, Self::NotApproved(_) | Self::NotNamed(_) | Self::NotJoint { .. })
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
    tables: BTreeMap<String, KeptTable>,
    joint: Option<JointProvision>,
    epoch: u32,
    /// The id of the project master key.
    master: String,
}

impl Provision {
    /// The provision of these tables of a project, as the permits and the record have it now.
    ///
    /// # Errors
    ///
    /// The permits do not allow it, or a table is not there.
    pub fn plan(guard: &Guard, project: &str, tables: &[String]) -> Result<Self, ProvisionError> {
        let policies = guard.permits.policies(&guard.catalogue).map_err(GuardError::from)?;
        let now = guard.now();
        let terms = terms(&policies, project, now)?;
        let space = guard.workspaces.read(project).map_err(GuardError::from)?;
        let named = tables.iter().map(|name| {
            let kept = space.tables.get(name).filter(|kept| kept.expires > now.unix_timestamp());
            let kept = kept.ok_or_else(|| ProvisionError::Gone(name.clone()))?;
            may_leave(terms, name, kept).map(|()| (name.clone(), kept.clone()))
        });
        let tables = named.collect::<Result<_, _>>()?;
        let joint = terms.joint.clone();
        let (epoch, master) = epoch(guard.log.path(), project, &name(project, joint.as_ref()))?;
        let present = || -> Result<String, KeyError> {
            Ok(guard.environment.keys().index()?.current(KeyRole::Project)?.id.to_string())
        };
        let master = master.map_or_else(present, Ok)?;
        Ok(Self { project: project.to_owned(), tables, joint, epoch, master })
    }

    /// What officers agree on: these tables as they are, under these pseudonyms.
    pub fn act(&self) -> String {
        let table = |(name, kept): (&String, &KeptTable)| format!("ws.{name} {}", kept.table.id);
        let tables: Vec<String> = self.tables.iter().map(table).collect();
        format!(
            "provide {} of {} under {} in epoch {} of {}",
            tables.join(", "),
            self.project,
            name(&self.project, self.joint.as_ref()),
            self.epoch,
            self.master
        )
    }

    /// The epoch of its pseudonyms.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Makes the rows, records that they leave, and writes them into the new folder `out` and their keys into the new
    /// file `keys`.
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
        let pseudonyms = PersonKey::new(*self.pseudonyms(guard)?.key().as_bytes());
        let officers = format!("{}, {}", agreed.first, agreed.second);
        let mut made = Vec::new();
        for (name, kept) in &self.tables {
            let question = self.question(name, kept);
            let (key, file_keys) = self.file_keys(name, kept)?;
            let given = (file_keys.clone(), pseudonyms.clone());
            let file = working::provided(guard, (&officers, &question), given)?;
            let file = file.map_err(|why| ProvisionError::NoRows { table: name.clone(), why })?;
            made.push(Made { name, file, key, bound_to: hex(&file_keys.bound_to) });
        }
        guard.log.record(self.event(agreed, &made)).map_err(GuardError::from)?;
        self.write(&made, (out, keys))
    }

    /// The pseudonyms of this project, or of the projects that match each other's.
    fn pseudonyms(&self, guard: &Guard) -> Result<ProjectPseudonyms, KeyError> {
        let master = guard.environment.keys().with_id(KeyRole::Project, &self.master)?;
        let joint = self.joint.as_ref();
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
        let columns: Vec<&str> = kept.table.columns.iter().map(|column| column.name.as_str()).collect();
        let sql = format!("CREATE TABLE ws.{PASSING} AS SELECT {} FROM ws.{name}", columns.join(", "));
        Question { user: kept.by.clone(), project: self.project.clone(), sql }
    }

    /// One new key for a whole file, in the form that other readers of Parquet take as well.
    fn file_keys(&self, name: &str, kept: &KeptTable) -> Result<(SecretKey, FileKeys), KeyError> {
        let key = SecretKey::random()?;
        let column = |column: &catalog_model::WorkspaceColumn| match column.is_person {
            true => PROVIDED_PERSON.to_owned(),
            false => column.name.clone(),
        };
        let columns = kept.table.columns.iter().map(|of| (column(of), key.as_bytes().to_vec())).collect();
        let bound_to = format!("misu/provided/v1/{}/{}/{name}", self.project, self.epoch).into_bytes();
        let keys = FileKeys { bound_to, footer: key.as_bytes().to_vec(), columns };
        Ok((key, keys))
    }

    fn event(&self, agreed: &Agreed, made: &[Made<'_>]) -> Event {
        let files = made.iter().map(|made| format!("ws.{} {}", made.name, made.digest()));
        Event::new(Kind::RowsProvided, "guard")
            .project(self.project.clone())
            .subject(name(&self.project, self.joint.as_ref()))
            .with("epoch", self.epoch)
            .with("master", self.master.as_str())
            .with("files", files.collect::<Vec<String>>())
            .with("first", agreed.first.as_str())
            .with("second", agreed.second.as_str())
            .with("request", agreed.request.as_str())
    }

    fn write(&self, made: &[Made<'_>], (out, keys): (&Path, &Path)) -> Result<(), ProvisionError> {
        std::fs::create_dir(out).map_err(io(out))?;
        for made in made {
            let path = out.join(made.path());
            std::fs::write(&path, &made.file.bytes).map_err(io(&path))?;
        }
        let list = KeyList {
            project: &self.project,
            provision: &name(&self.project, self.joint.as_ref()),
            epoch: self.epoch,
            files: made.iter().map(Made::listed).collect(),
        };
        let text = serde_json::to_vec_pretty(&list).map(Zeroizing::new);
        let text = text.map_err(|error| io(keys)(error.into()))?;
        let new = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(keys);
        new.and_then(|mut file| file.write_all(&text)).map_err(io(keys))
    }
}

/// A file that was made, with its key.
struct Made<'p> {
    name: &'p str,
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
        let key = hex(self.key.as_bytes());
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
    key: String,
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

/// Whether a table is named, and none of its columns holds a number that is the same for every project.
fn may_leave(terms: &RowProvision, name: &str, kept: &KeptTable) -> Result<(), ProvisionError> {
    if !terms.tables.contains(name) {
        return Err(ProvisionError::NotNamed(name.to_owned()));
    }
    let is_shared = |class: &Class| match class {
        Class::Direct | Class::Link | Class::Text | Class::Person | Class::Record | Class::Facility => true,
        Class::Exact | Class::Quasi | Class::Sensitive | Class::Measure | Class::Plain => false,
    };
    let shared = kept.table.columns.iter().find(|of| !of.is_person && of.held.iter().any(is_shared));
    shared.map_or(Ok(()), |column| {
        Err(ProvisionError::Shared { table: name.to_owned(), column: column.name.clone() })
    })
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

    use super::{ProvisionError, epoch, name, terms};

    const OTHER: &str = include_str!("../../../policies/tests/applications/other.toml");

    fn application(project: &str, section: &str) -> Application {
        let text = OTHER.replace("project = \"other\"", &format!("project = \"{project}\""));
        Application::parse("a.toml", &format!("{text}\n{section}")).unwrap()
    }

    const JOINT: &str = "[provision]\ntables = [\"cohort\"]\n\
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
        let alone = "[provision]\ntables = [\"cohort\"]";
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
}
