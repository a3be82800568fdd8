//! Removes snapshots that no permit needs, and the data files that no remaining snapshot names.
//!
//! The latest snapshot stays, since numbers of persons and facilities count on from it. The list of numbers of one person
//! stays too: by it what was released from a removed snapshot is compared. A permit needs its snapshot until its application is taken
//! out of `policies/`, also after its last day, because what it released must stay reproducible.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use catalog_model::{SnapshotId, SnapshotManifest};
use catalog_store::{Environment, EnvironmentError, KeyRole, SnapshotError};
use serde::{Deserialize, Serialize};

use super::rotation::persons_file;

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Ids of the snapshots removed, oldest first.
    pub snapshots: Vec<String>,
    /// Ids of those that stay because a permit is pinned to them, or because they are the latest.
    pub kept: Vec<String>,
    /// Data files removed, also those that a publish left before its commit.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Why snapshots cannot be removed.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The snapshots cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// What a permit needs cannot be told, so nothing is removed.
    #[error("{path} does not say which snapshot its permit is pinned to; nothing was removed")]
    Permit {
        /// The application.
        path: PathBuf,
    },
    /// A file or directory cannot be used.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

// Only the pin is read here; everything else about an application is for the package that judges it.
#[derive(Deserialize)]
struct Pinned {
    approval: Approval,
}

#[derive(Deserialize)]
struct Approval {
    snapshot: String,
}

/// Removes what no permit needs; with `is_dry` it only says what that would be.
///
/// # Errors
///
/// A permit's pin cannot be read (then nothing is removed), or something cannot be removed.
pub fn prune(environment: &Environment, is_dry: bool) -> Result<Pruned, PruneError> {
    // The files come first: what is published after they are listed is not among them.
    let store = environment.room("store");
    let mut found = Vec::new();
    files(&store.join("data"), &mut found)?;
    let snapshots = environment.snapshots()?;
    let pins = pins(&environment.room("policies"))?;
    let (kept, gone) = divided(snapshots.all()?, &pins);
    let kept_ids: BTreeSet<&str> = kept.iter().map(|(_, manifest)| manifest.id.as_str()).collect();
    let ids =
        |some: &[Numbered]| some.iter().map(|(_, manifest)| manifest.id.to_string()).collect::<Vec<_>>();
    let mut pruned = Pruned { snapshots: ids(&gone), kept: ids(&kept), ..Pruned::default() };
    // One that was published again, in other files, is there under its newer number.
    pruned.snapshots.retain(|id| !kept_ids.contains(id.as_str()));
    for (number, manifest) in &gone {
        if is_dry {
            continue;
        }
        environment.still_held()?;
        snapshots.remove(*number)?;
        if !kept_ids.contains(manifest.id.as_str()) {
            forget_numbers(environment, &manifest.id)?;
        }
    }
    let named: BTreeSet<&str> = kept
        .iter()
        .flat_map(|(_, manifest)| manifest.body.tables.values())
        .flat_map(|table| table.files.iter().map(|file| file.path.as_str()))
        .collect();
    for path in found {
        let name = path.strip_prefix(&store).unwrap_or(&path).to_string_lossy().into_owned();
        if named.contains(name.as_str()) {
            continue;
        }
        pruned.files += 1;
        pruned.bytes += std::fs::metadata(&path).map_err(io("read", &path))?.len();
        if !is_dry {
            // A file that a publish wrote and has not committed yet is named by nothing: whoever publishes holds the lease.
            environment.still_held()?;
            std::fs::remove_file(&path).map_err(io("remove", &path))?;
        }
    }
    Ok(pruned)
}

/// A manifest with its number.
type Numbered = (u64, SnapshotManifest);

/// The snapshots that stay, the latest and the newest of each that is pinned; and the others.
fn divided(all: Vec<Numbered>, pins: &BTreeSet<String>) -> (Vec<Numbered>, Vec<Numbered>) {
    let head = all.last().map(|(number, _)| *number);
    let newest: BTreeMap<String, u64> =
        all.iter().map(|(number, manifest)| (manifest.id.to_string(), *number)).collect();
    let is_pinned = |number: u64, id: &str| pins.contains(id) && newest.get(id) == Some(&number);
    all.into_iter()
        .partition(|(number, manifest)| Some(*number) == head || is_pinned(*number, manifest.id.as_str()))
}

/// The snapshots that applications in `folder` are pinned to.
fn pins(folder: &Path) -> Result<BTreeSet<String>, PruneError> {
    let mut pins = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(io("read", folder))? {
        let path = entry.map_err(io("read", folder))?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(io("read", &path))?;
        let pinned: Option<Pinned> = toml::from_str(&text).ok();
        let id = pinned.and_then(|pinned| SnapshotId::parse(&pinned.approval.snapshot));
        pins.insert(id.ok_or(PruneError::Permit { path })?.to_string());
    }
    Ok(pins)
}

// The latest snapshot's lists hold every number that was ever given.
fn forget_numbers(environment: &Environment, id: &SnapshotId) -> Result<(), PruneError> {
    let (links, reports) = (environment.room("links"), environment.room("reports"));
    let index = environment.keys().index().map_err(EnvironmentError::from)?;
    let epoch = index.current(KeyRole::Linkage).map_err(EnvironmentError::from)?.epoch;
    for path in [
        persons_file(&links, id.as_str(), epoch),
        links.join(format!("facilities-{id}.parquet")),
        reports.join(format!("duplicates-{id}.json")),
    ] {
        if path.exists() {
            environment.still_held()?;
            std::fs::remove_file(&path).map_err(io("remove", &path))?;
        }
    }
    Ok(())
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), PruneError> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(io("read", folder))? {
        let path = entry.map_err(io("read", folder))?.path();
        if path.is_dir() { files(&path, found)? } else { found.push(path) }
    }
    found.sort();
    Ok(())
}

fn io<'p>(action: &'static str, path: &'p Path) -> impl FnOnce(std::io::Error) -> PruneError + 'p {
    move |source| PruneError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use catalog_model::{ManifestBody, Period, SnapshotId, SnapshotManifest, Versions};

    use super::divided;

    fn manifest(digest: u8) -> SnapshotManifest {
        let month = "2023-04".parse().unwrap();
        SnapshotManifest {
            id: SnapshotId::from_digest(&[digest; 32]),
            body: ManifestBody {
                format: 1,
                buckets: 1,
                period: Period { from: month, to: month },
                persons: 0,
                versions: Versions {
                    catalogue: String::new(),
                    normalisation: String::new(),
                    linkage: String::new(),
                },
                tables: BTreeMap::new(),
            },
            published: String::new(),
            parent: None,
            signer: String::new(),
            signature: String::new(),
        }
    }

    #[test]
    fn of_content_that_was_published_twice_the_newer_number_stays() {
        let all = |digests: [u8; 4]| (1..).zip(digests.map(manifest)).collect::<Vec<_>>();
        let stays = |digests: [u8; 4], pinned: u8| {
            let pins = [SnapshotId::from_digest(&[pinned; 32]).to_string()].into();
            let (kept, _) = divided(all(digests), &pins);
            kept.into_iter().map(|(number, _)| number).collect::<Vec<u64>>()
        };
        assert_eq!(stays([7, 8, 7, 9], 7), [3, 4]);
        assert_eq!(stays([7, 8, 9, 7], 7), [4]);
        assert_eq!(stays([7, 8, 9, 9], 5), [4]);
    }
}
