//! Says of a step whether it must run, from what lies in the environment; nothing is changed here.

use std::path::{Path, PathBuf};

use catalog_store::{Environment, EnvironmentError, FileKeyring, MetaError, SnapshotError, Standing};

use super::recipe::{Kind, Recipe, Work};
use crate::linkage::RULES;
use crate::pipeline::{
    Delivery, LinkError, Rejection, SealedError, current_run, deliveries_in, identify_sealed, is_sealed,
    next_run,
};

/// A step with nothing left to expand: a folder of deliveries has become its deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its name: the step's, and the delivery's folder behind it where there are several.
    pub name: String,
    /// What it does.
    pub work: Work,
    /// The step of the file that it belongs to.
    pub step: String,
    /// The steps of the file that it waits for.
    pub after: Vec<String>,
}

/// Whether a step must run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// A digest of everything that the step depends on; empty where that is not known before other steps ran.
    pub input: String,
    /// What an earlier run made of the same input, where that still stands: then the step is skipped.
    pub made: Option<String>,
    /// Why it runs or is skipped.
    pub why: String,
}

/// Why nothing can be decided.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The link table cannot be used.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The snapshots cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A delivery has no list of files.
    #[error("the delivery is rejected")]
    Delivery(#[from] Rejection),
    /// A sealed delivery is nobody's whom the environment knows, or of another form.
    #[error("the sealed delivery is rejected")]
    Sealed(#[from] SealedError),
    /// A folder or a report cannot be used.
    #[error("cannot use {path}")]
    Read {
        /// The folder or the report.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// The steps of a recipe over an environment, each with whether it would run now.
///
/// # Errors
///
/// The environment or a folder of deliveries cannot be read.
pub fn plan(environment: &Environment, recipe: &Recipe) -> Result<Vec<(Planned, Decision)>, DecideError> {
    let mut planned: Vec<(Planned, Decision)> = Vec::new();
    for step in expand(recipe)? {
        let runs_before = planned
            .iter()
            .find(|(before, decision)| decision.made.is_none() && step.after.contains(&before.step))
            .map(|(before, _)| before.name.clone());
        let decision = match runs_before {
            Some(before) if step.work.kind() != Kind::Ingest => {
                Decision { input: String::new(), made: None, why: format!("{before} runs before it") }
            }
            _ => decide(environment, &step.work)?,
        };
        planned.push((step, decision));
    }
    Ok(planned)
}

/// The steps with folders of deliveries expanded, in the order of the deliveries' names.
pub(super) fn expand(recipe: &Recipe) -> Result<Vec<Planned>, DecideError> {
    let mut planned = Vec::new();
    for step in &recipe.steps {
        let one = |name: String, work: Work| Planned {
            name,
            work,
            step: step.name.clone(),
            after: step.after.clone(),
        };
        let Work::Ingest { delivery } = &step.work else {
            planned.push(one(step.name.clone(), step.work.clone()));
            continue;
        };
        let read = |source| DecideError::Read { path: delivery.clone(), source };
        let folders = deliveries_in(delivery).map_err(read)?;
        match folders.as_slice() {
            [] => return Err(Rejection::NoManifest(delivery.clone()).into()),
            [only] if only == delivery => {
                planned.push(one(step.name.clone(), step.work.clone()));
                continue;
            }
            _ => {}
        }
        for folder in folders {
            let last = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            planned.push(one(format!("{}/{last}", step.name), Work::Ingest { delivery: folder }));
        }
    }
    Ok(planned)
}

/// Whether this work must be done now.
pub(super) fn decide(environment: &Environment, work: &Work) -> Result<Decision, DecideError> {
    match work {
        Work::Ingest { delivery } => ingest(environment, delivery),
        Work::Link => link(environment),
        Work::Publish => publish(environment),
        Work::Quality { report } => quality(environment, report),
    }
}

fn ingest(environment: &Environment, folder: &Path) -> Result<Decision, DecideError> {
    let id = match is_sealed(folder) {
        true => identify_sealed(environment, folder)?,
        false => Delivery::identify(folder)?,
    };
    let known = environment.meta()?.delivery(&id)?;
    let is_begun = environment.room("store").join("staging").join(&id).exists();
    let why = match known.as_ref().map(|known| (&known.standing, known)) {
        Some((Standing::Held, known)) => format!("taken in at {}", known.taken_in),
        Some((Standing::Recalled { at, .. }, _)) => format!("recalled at {at}"),
        Some((Standing::Replaced { at, by }, _)) => format!("replaced at {at} by {by}"),
        None if is_begun => "an earlier run took in a part of it".to_owned(),
        None => "not taken in yet".to_owned(),
    };
    Ok(Decision { made: known.map(|known| known.id), input: id, why })
}

fn link(environment: &Environment) -> Result<Decision, DecideError> {
    let next = next_run(environment)?;
    let current = current_run(environment);
    let why = match &current {
        Some(run) if *run == next => format!("linking {run} covers every delivery"),
        Some(_) => "deliveries changed after the last linking".to_owned(),
        None => "nothing was linked yet".to_owned(),
    };
    Ok(Decision { made: current.filter(|run| *run == next), input: next, why })
}

fn publish(environment: &Environment) -> Result<Decision, DecideError> {
    let input = publish_input(environment)?;
    let head = environment.snapshots()?.head()?.map(|(_, head)| head);
    let states = FileKeyring::new(environment).states()?;
    let made = environment.meta()?.made_of(Kind::Publish.as_str(), &input)?;
    let stands = made.filter(|made| {
        head.as_ref().is_some_and(|head| head.id.as_str() == made.as_str() && states.all_kept(head))
    });
    let why = match (&stands, &head) {
        (Some(id), _) => format!("snapshot {} has this content", id.get(..12).unwrap_or(id)),
        (None, Some(head)) if !states.all_kept(head) => {
            "the last snapshot has files that open no more, or that no erasure would end".to_owned()
        }
        (None, Some(_)) => "linking, catalogue or rules changed after the last snapshot".to_owned(),
        (None, None) => "there is no snapshot yet".to_owned(),
    };
    Ok(Decision { input, made: stands, why })
}

/// Everything that a snapshot is made of: what is linked, of which months and without what was erased, by which
/// catalogue, rules and normalisation, in how many buckets. The deliveries and their readings are in the name of the
/// linking.
fn publish_input(environment: &Environment) -> Result<String, DecideError> {
    let (read, catalogue) = environment.catalogue()?;
    let profile = read.profile.as_str();
    let (run, buckets) = (next_run(environment)?, environment.config().buckets.to_string());
    let deliveries = environment.meta()?.deliveries()?;
    let months: String = deliveries.iter().map(|delivery| format!("{};", delivery.month)).collect();
    let erased = environment.erasures()?;
    let erased: String = erased.iter().map(|one| format!("{} {:?};", one.database, one.year)).collect();
    let parts: [&str; 7] = [&run, &catalogue, profile, RULES, &buckets, &months, &erased];
    Ok(digest("misu 2026-11 pipeline publish", &parts))
}

fn quality(environment: &Environment, report: &Path) -> Result<Decision, DecideError> {
    let snapshot = environment.snapshots()?.head()?.map(|(_, head)| head.id.to_string()).unwrap_or_default();
    let run = next_run(environment)?;
    let input = digest("misu 2026-11 pipeline quality", &[&snapshot, &run, &report.to_string_lossy()]);
    let made = environment.meta()?.made_of(Kind::Quality.as_str(), &input)?;
    let there = std::fs::read(report).ok().map(|bytes| blake3::hash(&bytes).to_hex().to_string());
    let stands = made.filter(|made| there.as_ref() == Some(made));
    let why = match (&stands, there) {
        (Some(_), _) => "the report is of this snapshot".to_owned(),
        (None, Some(_)) => "the snapshot, the deliveries or the report changed".to_owned(),
        (None, None) => "there is no report yet".to_owned(),
    };
    Ok(Decision { input, made: stands, why })
}

fn digest(domain: &'static str, parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key(domain);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hasher.finalize().to_hex().chars().take(32).collect()
}
