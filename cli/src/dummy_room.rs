//! An environment of dummy data: the same permit, catalogue, vetting, suppression and record as where the data are,
//! over tables about nobody.
//!
//! It is made anew each time in `FOLDER/env` of what `misu dummy` wrote, so that no answer depends on what was asked
//! before. It is a demo, whose keys protect nothing, and its files lie in clear.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use audit::Log;
use catalog_model::{FileEntry, ManifestBody, Period, SnapshotManifest, TableEntry, Versions};
use catalog_store::{Config, Environment, KeyRole};
use engine_protocol::LAPTOP;
use time::OffsetDateTime;

use crate::failure::{Failure, io};
use crate::programs::Program;

/// What the demo keys are derived from.
const SEED: u64 = 1;
/// The day until which permit and training hold in a room that nobody else uses.
const UNTIL: &str = "2099-03-31";
/// Who enters the person of the permit.
const OPERATOR: &str = "dummy-operator";

/// An environment of dummy data, and for whom it is.
pub(crate) struct DummyRoom {
    /// Its directory.
    pub(crate) env: PathBuf,
    /// The first person of the permit.
    pub(crate) user: String,
    /// The permit's project.
    pub(crate) project: String,
}

impl DummyRoom {
    /// Makes the room of what `misu dummy` wrote into a folder.
    pub(crate) fn make(folder: &Path) -> Result<Self, Failure> {
        let env = folder.join("env");
        clear(&env)?;
        let permit = folder.join("permit.toml");
        let text = std::fs::read_to_string(&permit).map_err(io("read", &permit))?;
        let mut permit = Permit::read(&text)?;
        let confinement = Some(LAPTOP.to_owned());
        let config = Config { confinement, ..Config::new(1, Some(SEED)) };
        let environment = Environment::create(&env, config)?;
        Log::create(&environment.room("audit"), OffsetDateTime::now_utc)
            .map_err(|error| Failure::Call(error.to_string()))?;
        let catalogue = environment.room("catalog");
        std::fs::remove_dir_all(&catalogue).map_err(io("clear", &catalogue))?;
        copy(&folder.join("catalog"), &catalogue)?;
        let snapshot = publish(&environment, folder, permit.period()?)?;
        permit.pin(snapshot.id.as_str())?;
        let path = environment.room("policies").join(format!("{}.toml", permit.project));
        std::fs::write(&path, permit.text()).map_err(io("write", path))?;
        enter(&env, OPERATOR, "operator")?;
        enter(&env, &permit.user, "researcher")?;
        Ok(Self { env, user: permit.user, project: permit.project })
    }
}

/// Removes an earlier room; anything else in the way is left alone.
fn clear(env: &Path) -> Result<(), Failure> {
    if !env.exists() {
        return Ok(());
    }
    let is_room = Environment::open(env).is_ok_and(|env| env.config().demo_seed == Some(SEED))
        && env.join("store/dummy").is_dir();
    if !is_room {
        return Err(Failure::Call(format!("{} is no room of dummy data; it is left alone", env.display())));
    }
    std::fs::remove_dir_all(env).map_err(io("remove", env))
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(to).map_err(io("create", to))?;
    for entry in std::fs::read_dir(from).map_err(io("read", from))? {
        let path = entry.map_err(io("read", from))?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            std::fs::copy(&path, &target).map_err(io("copy", &path))?;
        }
    }
    Ok(())
}

/// Commits the folder's tables as a snapshot of one bucket. Tables without a file are empty.
fn publish(environment: &Environment, folder: &Path, period: Period) -> Result<SnapshotManifest, Failure> {
    let (catalogue, digest) = environment.catalogue()?;
    let place = environment.room("store").join("dummy");
    std::fs::create_dir_all(&place).map_err(io("create", &place))?;
    let mut tables = BTreeMap::new();
    for name in catalogue.tables.keys() {
        let from = folder.join(format!("{name}.parquet"));
        let mut entry =
            TableEntry { schema: "dummy".to_owned(), period_column: None, rows: 0, files: Vec::new() };
        if from.is_file() {
            let file = table_file(&from, name, &place)?;
            entry.rows = file.rows;
            entry.files.push(file);
        }
        tables.insert(name.clone(), entry);
    }
    // Where the table of persons is not granted no other one is about more persons than it has rows.
    let persons = tables.get("person").map(|entry| entry.rows).filter(|rows| *rows > 0);
    let persons = persons.or_else(|| tables.values().map(|entry| entry.rows).max()).unwrap_or(0);
    let body = ManifestBody {
        format: 1,
        buckets: 1,
        period,
        persons,
        versions: Versions {
            catalogue: digest,
            normalisation: catalogue.profile.as_str().to_owned(),
            linkage: "dummy".to_owned(),
        },
        tables,
    };
    let key = environment.key(KeyRole::Manifest)?;
    let call = |error: catalog_store::SnapshotError| Failure::Call(error.to_string());
    environment.snapshots()?.commit(body, "dummy", &key).map_err(call)
}

fn table_file(from: &Path, name: &str, place: &Path) -> Result<FileEntry, Failure> {
    let bytes = std::fs::read(from).map_err(io("read", from))?;
    let to = place.join(format!("{name}.parquet"));
    std::fs::write(&to, &bytes).map_err(io("write", to))?;
    let digest = blake3::hash(&bytes).to_hex().to_string();
    let rows = synthetic_dummy::rows(&bytes)
        .map_err(|_| Failure::Call(format!("{} is no Parquet file", from.display())))?;
    Ok(FileEntry {
        path: format!("dummy/{name}.parquet"),
        bucket: Some(0),
        year: None,
        months: None,
        rows,
        bytes: bytes.len() as u64,
        content: digest.clone(),
        blake3: digest,
        keys: BTreeMap::new(),
    })
}

fn enter(env: &Path, user: &str, role: &str) -> Result<(), Failure> {
    let env = env.display().to_string();
    let who = ["people", "set", "--env", &env, "--as", OPERATOR, user, "--role", role];
    let more = ["--trained-until", UNTIL, "--organisation", "dummy"];
    let arguments: Vec<String> = who.into_iter().chain(more).map(str::to_owned).collect();
    Program::Guard.output(&arguments).map(drop)
}

/// The permit that `misu dummy` wrote.
struct Permit {
    table: toml::Table,
    project: String,
    user: String,
}

impl Permit {
    fn read(text: &str) -> Result<Self, Failure> {
        let table: toml::Table = text.parse().map_err(|_| wrong("is no permit"))?;
        let project = table.get("project").and_then(toml::Value::as_str);
        let people = table.get("person").and_then(toml::Value::as_array);
        let user = people.and_then(|people| people.first()?.get("user")?.as_str());
        let (Some(project), Some(user)) = (project, user) else { return Err(wrong("names nobody")) };
        let (project, user) = (project.to_owned(), user.to_owned());
        Ok(Self { table, project, user })
    }

    /// The months that the permit covers, which are those of the dummy data.
    fn period(&self) -> Result<Period, Failure> {
        let period = self.table.get("approval").and_then(|approval| approval.get("period"));
        let month = |end: &str| period?.get(end)?.as_str()?.parse().ok();
        match (month("from"), month("to")) {
            (Some(from), Some(to)) => Ok(Period { from, to }),
            _ => Err(wrong("has no period")),
        }
    }

    /// Pins the permit to a snapshot, for as long as the room may be used.
    fn pin(&mut self, snapshot: &str) -> Result<(), Failure> {
        let approval = self.table.get_mut("approval").and_then(toml::Value::as_table_mut);
        let approval = approval.ok_or_else(|| wrong("has no approval"))?;
        approval.insert("snapshot".to_owned(), snapshot.into());
        approval.insert("valid_until".to_owned(), format!("{UNTIL}T00:00:00Z").into());
        Ok(())
    }

    fn text(&self) -> String {
        self.table.to_string()
    }
}

fn wrong(what: &str) -> Failure {
    Failure::Call(format!("permit.toml {what}; make the folder with misu dummy"))
}

#[cfg(test)]
mod tests {
    use super::Permit;

    #[test]
    fn a_permit_is_pinned_and_nothing_else_of_it_changes() {
        let text = "project = \"p\"\n[[person]]\nuser = \"u\"\n[approval]\nsnapshot = \"old\"\nvalid_until = \"x\"\n\
                    [approval.period]\nfrom = \"2023-04\"\nto = \"2023-09\"\n";
        let mut permit = Permit::read(text).unwrap();
        assert_eq!(permit.period().unwrap().to.to_string(), "2023-09");
        permit.pin("new").unwrap();
        let again = Permit::read(&permit.text()).unwrap();
        assert_eq!(again.table["approval"]["snapshot"].as_str(), Some("new"));
        assert_eq!(again.table["approval"]["period"]["from"].as_str(), Some("2023-04"));
        assert_eq!((again.project.as_str(), again.user.as_str()), ("p", "u"));
        assert!(Permit::read("project = \"p\"").is_err());
    }
}
