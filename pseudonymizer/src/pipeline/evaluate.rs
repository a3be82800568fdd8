//! How good the linkage is, where the truth is known: pairwise precision and recall over claims; and what was planted.
//!
//! Only for synthetic deliveries: the truth lies in `records.csv` (delivery, file, line, truth_id), one row for the
//! first line of each receipt, stay, claim or certification, and in `faults.csv`, one row for each fault.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use arrow::array::Array as _;
use catalog_model::Month;
use catalog_store::{DeliveryRecord, Environment, EnvironmentError, MetaError};
use serde::{Deserialize, Serialize};

use super::link::{self, LinkError};
use crate::linkage::{self, Agreement, Carried, Causes, Method, True};
use crate::tables::{FileError, open};

/// How good the linkage is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Over all claims whose person is known in truth and in the linkage.
    #[serde(flatten)]
    pub all: Agreement,
    /// Over those that carry ID1 and ID2, beside what these alone would find.
    pub methods: BTreeMap<Method, Agreement>,
    /// Why persons were split or merged.
    pub causes: Causes,
    /// The faults that were planted in the deliveries, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub planted: BTreeMap<String, u64>,
}

/// Why the linkage cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The truth cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A line of the truth is not of the expected form.
    #[error("{path}, line {line}: not of the form delivery,file,line,truth_id")]
    Form {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// The link table cannot be used.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// A table file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Compares the current linking with the truth in `truth`.
///
/// # Errors
///
/// The truth or the link table cannot be read.
pub fn evaluate(environment: &Environment, truth: &Path) -> Result<Evaluation, EvaluationError> {
    let folder = truth;
    let (truth, persons) = read_truth(&folder.join("records.csv"))?;
    let lives = read_lives(folder, &persons)?;
    let parts = link::parts(environment)?;
    let links = link::current(environment, &parts)?;
    let offsets = link::offsets(environment, &parts)?;
    let deliveries = environment.meta()?.deliveries()?;
    let (catalogue, _) = environment.catalogue()?;
    let schemes: Vec<String> = catalogue.schemes.iter().map(|scheme| scheme.scheme.clone()).collect();
    let mentions = link::mentions(environment, &parts, &schemes)?;
    let staged_files = environment.staged_files();
    let mut counts: HashMap<(u64, usize), u64> = HashMap::new();
    for (part, offset) in parts.iter().zip(offsets) {
        let Some(delivery) = deliveries.iter().find(|delivery| delivery.id == part.delivery) else {
            continue;
        };
        let Some(of_delivery) = truth.get(&delivery.name) else { continue };
        let path = environment
            .room("store")
            .join("staging")
            .join(&part.folder)
            .join(format!("{:05}", part.number))
            .join("claims.parquet");
        for batch in open(&staged_files, &path, 65_536)? {
            let batch = batch.map_err(|source| FileError::Arrow { path: path.clone(), source })?;
            let files = link::numbers(&batch, "file", &path)?;
            let lines = link::numbers(&batch, "line", &path)?;
            let identities = link::numbers(&batch, "identity", &path)?;
            for row in (0..batch.num_rows()).filter(|row| identities.is_valid(*row)) {
                let file = delivery.files.get(files.value(row) as usize).map(|file| file.path.as_str());
                let person = file.and_then(|file| of_delivery.get(&(file.to_owned(), lines.value(row))));
                if let Some(person) = person {
                    *counts.entry((*person, offset + identities.value(row) as usize)).or_default() += 1;
                }
            }
        }
    }
    let carried: Vec<Carried> = counts
        .into_iter()
        .filter_map(|((truth, mention), claims)| {
            let profile = *mentions.profile_of().get(mention)?;
            Some(Carried { truth, profile, person: *links.of_mention.get(mention)?, claims })
        })
        .collect();
    let scheme = |name: &str| schemes.iter().position(|scheme| scheme == name);
    let methods = match (scheme("id1"), scheme("id2")) {
        (Some(id1), Some(id2)) => linkage::methods(&carried, mentions.profiles(), id1, id2),
        _ => BTreeMap::new(),
    };
    let all = linkage::compare(carried.iter().map(|one| (one.truth, u64::from(one.person), one.claims)));
    let planted = read_planted(folder, &deliveries)?;
    Ok(Evaluation { all, methods, causes: linkage::causes(&carried, &lives), planted })
}

/// The faults that the truth says were planted in these deliveries, by kind; none where it has no such file.
fn read_planted(
    folder: &Path,
    deliveries: &[DeliveryRecord],
) -> Result<BTreeMap<String, u64>, EvaluationError> {
    let mut planted = BTreeMap::new();
    for fields in lines(&folder.join("faults.csv"))? {
        let (Some(name), Some(kind)) = (fields.first(), fields.last()) else { continue };
        if deliveries.iter().any(|delivery| delivery.name == *name) {
            *planted.entry(kind.clone()).or_default() += 1;
        }
    }
    Ok(planted)
}

/// What the truth says of each person's life; nothing where it has no such files.
fn read_lives(folder: &Path, persons: &HashMap<String, u64>) -> Result<HashMap<u64, True>, EvaluationError> {
    let mut lives: HashMap<u64, True> = HashMap::new();
    for fields in lines(&folder.join("persons.csv"))? {
        let [id, sex, birth, _, twin] = fields.as_slice() else { continue };
        let Some(person) = persons.get(id) else { continue };
        let life = lives.entry(*person).or_default();
        life.sex = sex.parse().unwrap_or(0);
        life.birth.clone_from(birth);
        life.twin_of = persons.get(twin).copied();
    }
    for fields in lines(&folder.join("events.csv"))? {
        let [id, kind, date] = fields.as_slice() else { continue };
        let month = date.get(..7).and_then(|month| month.parse::<Month>().ok()).map(Month::index);
        let (Some(person), Some(month)) = (persons.get(id), month) else { continue };
        let life = lives.entry(*person).or_default();
        match kind.as_str() {
            "name change" => life.name_changes.push(month),
            "insurance change" => life.card_changes.push(month),
            _ => {}
        }
    }
    Ok(lives)
}

/// The fields of each line of a file without quotes, but for the heading; none where there is no such file.
fn lines(path: &Path) -> Result<Vec<Vec<String>>, EvaluationError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path)
        .map_err(|source| EvaluationError::Read { path: path.to_owned(), source })?;
    Ok(text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect())
}

type Truth = HashMap<String, HashMap<(String, u32), u64>>;

fn read_truth(path: &Path) -> Result<(Truth, HashMap<String, u64>), EvaluationError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| EvaluationError::Read { path: path.to_owned(), source })?;
    let mut truth = Truth::new();
    let mut persons: HashMap<String, u64> = HashMap::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let form = || EvaluationError::Form { path: path.to_owned(), line: number + 1 };
        let mut fields = line.split(',');
        let (Some(delivery), Some(file), Some(at), Some(person)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(form());
        };
        let at = at.parse().map_err(|_| form())?;
        let next = persons.len() as u64;
        let person = *persons.entry(person.to_owned()).or_insert(next);
        truth.entry(delivery.to_owned()).or_default().insert((file.to_owned(), at), person);
    }
    Ok((truth, persons))
}
