//! Links every identity of every delivery: intake keys become linkage keys, linkage keys become clusters.
//!
//! The result lies below `links/`, under a name made from its inputs; `links/current` says which one holds. Linking
//! again without a new delivery changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arrow::array::{Array as _, ArrayRef, AsArray as _, FixedSizeBinaryBuilder, RecordBatch, UInt32Array};
use arrow::datatypes::{Int32Type, UInt8Type, UInt32Type};
use catalog_store::{
    DeliveryRecord, Environment, EnvironmentError, KeyError, KeyId, KeyRole, MetaError, StagedFiles,
};
use classified::{Keyed, Linkage};
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::mentions::MentionReader;
use super::spent::Spent;
use super::store::{fresh_folder, read_json, settle_folder, sync_filesystem, write_json, write_whole};
use super::ties::Ties;
use crate::keying::linkage_key;
use crate::linkage::{self, Clusters, ConflictKind, Mentions, NO_KEY, Rule, SchemeKind};
use crate::tables::{FileError, ParquetFile, open};

const CURRENT: &str = "current";
/// Which clusters have a key that several have.
const SHARERS: &str = "sharers.parquet";
/// So many rows are laid out at a time.
const ROWS: usize = 65_536;

/// What linking found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked {
    /// The name of the result, made from its inputs.
    pub run: String,
    /// Identities, as distinct key sets per part of a delivery.
    pub mentions: u64,
    /// Distinct key sets over all parts.
    pub profiles: u64,
    /// Clusters, which are the persons of the next publish.
    pub persons: u64,
    /// What each scheme contributed.
    pub schemes: Vec<SchemeEvidence>,
    /// What each rule contributed.
    pub rules: BTreeMap<Rule, RuleEvidence>,
    /// Keys whose holders stay apart, by kind.
    pub conflicts: BTreeMap<ConflictKind, u64>,
    /// Persons by the number of their key sets.
    pub sizes: BTreeMap<u32, u64>,
}

/// What one scheme contributed to linking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemeEvidence {
    /// The scheme.
    pub scheme: String,
    /// Identities that carry a key of it.
    pub mentions: u64,
    /// Distinct keys.
    pub keys: u64,
    /// Keys that several persons have.
    pub shared: u64,
    /// Persons who have a key of it.
    pub persons: u64,
    /// Persons who have several.
    pub several: u64,
}

/// What one rule contributed to linking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleEvidence {
    /// Joins of groups that were apart until then.
    pub joins: u64,
    /// Persons in whose making it had a part.
    pub persons: u64,
}

/// Why identities cannot be linked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// A file of the link table cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
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
    /// There is nothing to link.
    #[error("no delivery was taken in yet; run `misu ingest` first")]
    NoDelivery,
    /// Nothing was linked yet.
    #[error("identities were not linked yet; run `misu link` first")]
    NotLinked,
    /// Deliveries came after the last linking.
    #[error("deliveries were taken in after the last linking; run `misu link` again")]
    Stale,
    /// There are more identities than numbers.
    #[error("more than 4 294 967 295 identities")]
    TooMany,
}

/// One part of one delivery, in the order in which mentions are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PartName {
    pub(super) delivery: String,
    /// The folder of the delivery's present reading below `staging/`.
    pub(super) folder: String,
    pub(super) number: u32,
}

/// Links every identity of the environment.
///
/// # Errors
///
/// There is nothing to link, or a file cannot be read or written.
pub fn link(environment: &Environment) -> Result<Linked, LinkError> {
    Ok(link_timed(environment)?.0)
}

/// As [`link`], with what keying took where identities were linked and not found to be linked already.
///
/// # Errors
///
/// As [`link`].
pub fn link_timed(environment: &Environment) -> Result<(Linked, Option<Spent>), LinkError> {
    let begun = Instant::now();
    let parts = parts(environment)?;
    if parts.is_empty() {
        return Err(LinkError::NoDelivery);
    }
    let (catalogue, _) = environment.catalogue()?;
    let schemes: Vec<String> = catalogue.schemes.iter().map(|scheme| scheme.scheme.clone()).collect();
    let links = environment.room("links");
    let run = run_name(&parts, &schemes, &linkage_id(environment)?);
    let folder = links.join(format!("run-{run}"));
    if folder.exists() {
        environment.still_held()?;
        write_whole(&links.join(CURRENT), run.as_bytes()).map_err(io("write", &links))?;
        let summary = read_json(&folder.join("summary.json")).map_err(io("read", &folder))?;
        return Ok((summary, None));
    }
    let key = environment.key(KeyRole::Linkage)?;
    let (mentions, ties, keying) = read_mentions(environment, &parts, &schemes, key.as_bytes())?;
    let count = mentions.len();
    let kinds: Vec<SchemeKind> = catalogue.schemes.iter().map(SchemeKind::of).collect();
    let mut clusters = mentions.link(&kinds);
    add_others(&mut clusters, &ties, &schemes, key.as_bytes());
    let summary = summarise(&run, &schemes, count, &clusters);
    settle(environment, &folder, &clusters, &summary)?;
    Ok((summary, Some(Spent { keying, all: begun.elapsed() })))
}

/// Adds the keys that stand for those that persons are known by: whoever was known by one of them before the tie was
/// found keeps the number.
fn add_others(clusters: &mut Clusters, ties: &Ties, schemes: &[String], key: &[u8; 32]) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let (mut owned, mut shared, mut sharers) = (Vec::new(), Vec::new(), Vec::new());
    for (scheme, other, first) in ties.others() {
        let Some(scheme) = schemes.get(scheme) else { continue };
        let [other, first] = [other, first].map(|intake| linkage_key(&key, scheme, intake));
        match clusters.keys.binary_search_by_key(&first, |(key, _)| *key) {
            Ok(at) => owned.extend(clusters.keys.get(at).map(|(_, cluster)| (other, *cluster))),
            Err(_) if clusters.shared.binary_search(&first).is_ok() => {
                let from = clusters.sharers.partition_point(|(key, _)| *key < first);
                let of_first = clusters.sharers.iter().skip(from).take_while(|(key, _)| *key == first);
                sharers.extend(of_first.map(|(_, cluster)| (other, *cluster)));
                shared.push(other);
            }
            // A given name, by which nobody is known.
            Err(_) => {}
        }
    }
    clusters.keys.extend(owned);
    clusters.keys.sort_unstable();
    clusters.shared.extend(shared);
    clusters.shared.sort_unstable();
    clusters.sharers.extend(sharers);
    clusters.sharers.sort_unstable();
}

/// Writes the result of a linking into `folder` and lets it hold.
fn settle(
    environment: &Environment,
    folder: &Path,
    clusters: &Clusters,
    summary: &Linked,
) -> Result<(), LinkError> {
    let (links, run) = (environment.room("links"), &summary.run);
    let temporary = folder.with_extension("writing");
    fresh_folder(&temporary).map_err(io("create", &temporary))?;
    write_clusters(&environment.staged_files(), &temporary, clusters)?;
    write_json(&temporary.join("summary.json"), summary).map_err(io("write", &temporary))?;
    settle_folder(&temporary, folder).map_err(io("complete", folder))?;
    sync_filesystem(&links).map_err(io("flush", &links))?;
    environment.still_held()?;
    write_whole(&links.join(CURRENT), run.as_bytes()).map_err(io("write", &links))?;
    drop_former(environment, &links, run)
}

/// Every mention of every part, in order.
pub(super) fn mentions(
    environment: &Environment,
    parts: &[PartName],
    schemes: &[String],
) -> Result<Mentions, LinkError> {
    let key = environment.key(KeyRole::Linkage)?;
    mentions_under(environment, parts, schemes, key.as_bytes())
}

/// As [`mentions`], under any linkage key.
pub(super) fn mentions_under(
    environment: &Environment,
    parts: &[PartName],
    schemes: &[String],
    key: &[u8],
) -> Result<Mentions, LinkError> {
    Ok(read_mentions(environment, parts, schemes, key)?.0)
}

/// Every mention of every part, the ties of their keys, and how long their linkage keys took.
fn read_mentions(
    environment: &Environment,
    parts: &[PartName],
    schemes: &[String],
    key: &[u8],
) -> Result<(Mentions, Ties, Duration), LinkError> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let ties = Ties::read(environment, parts, schemes, &[])?;
    let (mut mentions, files) = (Mentions::new(schemes.len()), environment.staged_files());
    let mut reader = MentionReader::new(&files, schemes, &key, &ties);
    for part in parts {
        let staged = environment.room("store").join("staging").join(&part.folder);
        let staged = staged.join(format!("{:05}", part.number));
        reader.read(&identities_path(environment, part), &staged, &mut mentions)?;
    }
    u32::try_from(mentions.len()).map_err(|_| LinkError::TooMany)?;
    let keying = reader.keying();
    Ok((mentions, ties, keying))
}

// A former linking may hold keys of persons whose delivery was recalled; it can be made again from what is held.
fn drop_former(environment: &Environment, links: &Path, run: &str) -> Result<(), LinkError> {
    for entry in std::fs::read_dir(links).map_err(io("clear", links))? {
        let path = entry.map_err(io("clear", links))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.strip_prefix("run-").is_some_and(|other| other != run) && path.is_dir() {
            environment.still_held()?;
            std::fs::remove_dir_all(&path).map_err(io("clear", &path))?;
        }
    }
    Ok(())
}

/// Every part of every delivery, ordered by delivery id and part number.
pub(super) fn parts(environment: &Environment) -> Result<Vec<PartName>, LinkError> {
    let deliveries = environment.meta()?.deliveries()?;
    let of = |delivery: DeliveryRecord| {
        let folder = delivery.staged();
        (0..delivery.parts).map(move |number| PartName {
            delivery: delivery.id.clone(),
            folder: folder.clone(),
            number,
        })
    };
    Ok(deliveries.into_iter().flat_map(of).collect())
}

/// The name that linking what is there now gives its result.
pub(crate) fn next_run(environment: &Environment) -> Result<String, LinkError> {
    let (catalogue, _) = environment.catalogue()?;
    let schemes: Vec<String> = catalogue.schemes.iter().map(|scheme| scheme.scheme.clone()).collect();
    Ok(run_name(&parts(environment)?, &schemes, &linkage_id(environment)?))
}

/// The name of the linking that holds, if any.
pub(crate) fn current_run(environment: &Environment) -> Option<String> {
    std::fs::read_to_string(environment.room("links").join(CURRENT)).ok()
}

/// The cluster of every mention and of every key, as the current linking has them.
#[derive(Default)]
pub(super) struct CurrentLinks {
    pub(super) of_mention: Vec<u32>,
    pub(super) keys: Vec<([u8; 32], u32)>,
    /// Keys of several persons, by which nobody is known again.
    pub(super) shared: Vec<[u8; 32]>,
    /// The same keys with each cluster that has one, and digests by which somebody may have been known before; nothing
    /// in a linking of earlier builds.
    pub(super) sharers: Vec<([u8; 32], u32)>,
    pub(super) count: u32,
}

/// Reads the current linking, which must cover `parts`.
pub(super) fn current(environment: &Environment, parts: &[PartName]) -> Result<CurrentLinks, LinkError> {
    let links = environment.room("links");
    let pointer = links.join(CURRENT);
    let run = std::fs::read_to_string(&pointer).map_err(|_| LinkError::NotLinked)?;
    let (catalogue, _) = environment.catalogue()?;
    let schemes: Vec<String> = catalogue.schemes.iter().map(|scheme| scheme.scheme.clone()).collect();
    if run != run_name(parts, &schemes, &linkage_id(environment)?) {
        return Err(LinkError::Stale);
    }
    let (folder, files) = (links.join(format!("run-{run}")), environment.staged_files());
    let mut current = CurrentLinks::default();
    for batch in open(&files, &folder.join("mentions.parquet"), 65_536)? {
        let batch = batch.map_err(|source| FileError::Arrow { path: folder.clone(), source })?;
        current.of_mention.extend(numbers(&batch, "cluster", &folder)?.values());
    }
    for (key, cluster) in read_keys(&files, &folder.join("keys.parquet"))? {
        if cluster == NO_KEY {
            current.shared.push(key);
            continue;
        }
        current.keys.push((key, cluster));
        current.count = current.count.max(cluster + 1);
    }
    let sharers = folder.join(SHARERS);
    if sharers.exists() {
        current.sharers = read_keys(&files, &sharers)?;
    }
    Ok(current)
}

/// Keys with their clusters, as [`write_keys`] wrote them.
fn read_keys(files: &StagedFiles, path: &Path) -> Result<Vec<([u8; 32], u32)>, FileError> {
    let mut keys = Vec::new();
    for batch in open(files, path, ROWS)? {
        let batch = batch.map_err(|source| FileError::Arrow { path: path.to_owned(), source })?;
        let clusters = numbers(&batch, "cluster", path)?;
        let of_batch = fixed::<32>(&batch, "key", path)?.into_iter().zip(clusters.values());
        keys.extend(of_batch.filter_map(|(key, cluster)| Some((key?, *cluster))));
    }
    Ok(keys)
}

/// The identities of one part, as the person table needs them.
pub(super) struct PartIdentity {
    pub(super) sex: Option<u8>,
    pub(super) birth: Option<i32>,
    pub(super) first_month: Option<i32>,
    pub(super) last_month: Option<i32>,
    pub(super) claims: u32,
}

pub(super) fn read_identities(
    environment: &Environment,
    part: &PartName,
) -> Result<Vec<PartIdentity>, LinkError> {
    let (path, files) = (identities_path(environment, part), environment.staged_files());
    let mut identities = Vec::new();
    for batch in open(&files, &path, 65_536)? {
        let batch = batch.map_err(|source| FileError::Arrow { path: path.clone(), source })?;
        let missing = |column: &str| FileError::Column { path: path.clone(), column: column.to_owned() };
        let months = |column: &str| {
            let array = batch.column_by_name(column).and_then(|array| array.as_primitive_opt::<Int32Type>());
            array.ok_or_else(|| missing(column))
        };
        let sexes = batch.column_by_name("sex").and_then(|array| array.as_primitive_opt::<UInt8Type>());
        let sexes = sexes.ok_or_else(|| missing("sex"))?;
        let (births, firsts, lasts) = (months("birth")?, months("first_month")?, months("last_month")?);
        let claims = numbers(&batch, "claims", &path)?;
        let rows = sexes.iter().zip(births).zip(firsts).zip(lasts).zip(claims.values());
        identities.extend(rows.map(|((((sex, birth), first_month), last_month), claims)| PartIdentity {
            sex,
            birth,
            first_month,
            last_month,
            claims: *claims,
        }));
    }
    Ok(identities)
}

/// The number of the first mention of each part.
pub(super) fn offsets(environment: &Environment, parts: &[PartName]) -> Result<Vec<usize>, LinkError> {
    let mut offsets = Vec::with_capacity(parts.len());
    let (mut next, files) = (0, environment.staged_files());
    for part in parts {
        offsets.push(next);
        let path = identities_path(environment, part);
        for batch in open(&files, &path, 65_536)? {
            next += batch.map_err(|source| FileError::Arrow { path: path.clone(), source })?.num_rows();
        }
    }
    Ok(offsets)
}

pub(super) fn identities_path(environment: &Environment, part: &PartName) -> PathBuf {
    environment.room("links").join("staging").join(&part.folder).join(format!("{:05}.parquet", part.number))
}

fn linkage_id(environment: &Environment) -> Result<KeyId, LinkError> {
    Ok(environment.keys().index()?.current(KeyRole::Linkage)?.id.clone())
}

fn run_name(parts: &[PartName], schemes: &[String], linkage: &KeyId) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 linking run");
    hasher.update(linkage::RULES.as_bytes()).update(linkage.as_str().as_bytes());
    for name in schemes {
        hasher.update(name.as_bytes()).update(b"\0");
    }
    for part in parts {
        hasher.update(part.folder.as_bytes()).update(&part.number.to_le_bytes());
    }
    hasher.finalize().to_hex().chars().take(16).collect()
}

fn summarise(run: &str, schemes: &[String], mentions: usize, clusters: &Clusters) -> Linked {
    let schemes = schemes.iter().zip(&clusters.evidence).map(|(scheme, evidence)| SchemeEvidence {
        scheme: scheme.clone(),
        mentions: evidence.mentions,
        keys: evidence.keys,
        shared: evidence.shared,
        persons: evidence.persons,
        several: evidence.several,
    });
    let linkage = &clusters.linkage;
    let rules = linkage.joins.iter().map(|(rule, joins)| {
        let persons = linkage.persons.get(rule).copied().unwrap_or(0);
        (*rule, RuleEvidence { joins: *joins, persons })
    });
    let mut conflicts = BTreeMap::new();
    for conflict in &linkage.conflicts {
        *conflicts.entry(conflict.kind).or_default() += 1;
    }
    Linked {
        run: run.to_owned(),
        mentions: mentions as u64,
        profiles: u64::from(clusters.profiles),
        persons: u64::from(clusters.count),
        schemes: schemes.collect(),
        rules: rules.collect(),
        conflicts,
        sizes: clusters.sizes.clone(),
    }
}

fn write_clusters(files: &StagedFiles, folder: &Path, clusters: &Clusters) -> Result<(), FileError> {
    let mentions = UInt32Array::from_iter_values(clusters.of_mention.iter().copied());
    write(files, &folder.join("mentions.parquet"), vec![("cluster", std::sync::Arc::new(mentions))])?;
    // Keys of several persons stand at the end, with no cluster.
    let shared: Vec<(Keyed<Linkage>, u32)> = clusters.shared.iter().map(|key| (*key, NO_KEY)).collect();
    write_keys(files, &folder.join("keys.parquet"), [clusters.keys.as_slice(), shared.as_slice()])?;
    write_keys(files, &folder.join(SHARERS), [clusters.sharers.as_slice()])
}

/// Writes keys with their clusters, one list after the other.
fn write_keys<const N: usize>(
    files: &StagedFiles,
    path: &Path,
    lists: [&[(Keyed<Linkage>, u32)]; N],
) -> Result<(), FileError> {
    let mut file = ParquetFile::links(files, path, key_rows(&[], path)?.schema())?;
    for some in lists.into_iter().flat_map(|list| list.chunks(ROWS)) {
        file.write(&key_rows(some, path)?)?;
    }
    file.finish()?;
    Ok(())
}

/// Keys with their clusters as rows.
fn key_rows(all: &[(Keyed<Linkage>, u32)], path: &Path) -> Result<RecordBatch, FileError> {
    let mut keys = FixedSizeBinaryBuilder::with_capacity(all.len(), 32);
    for (key, _) in all {
        keys.append_value(key.as_bytes()).unwrap_or_else(|_| keys.append_null());
    }
    let numbers = UInt32Array::from_iter_values(all.iter().map(|(_, cluster)| *cluster));
    let columns: Vec<(&str, ArrayRef)> =
        vec![("key", std::sync::Arc::new(keys.finish())), ("cluster", std::sync::Arc::new(numbers))];
    RecordBatch::try_from_iter(columns).map_err(|source| FileError::Arrow { path: path.to_owned(), source })
}

/// Writes one small file of the link table.
pub(super) fn write(
    files: &StagedFiles,
    path: &Path,
    columns: Vec<(&str, ArrayRef)>,
) -> Result<(), FileError> {
    let batch = RecordBatch::try_from_iter(columns)
        .map_err(|source| FileError::Arrow { path: path.to_owned(), source })?;
    let mut file = ParquetFile::links(files, path, batch.schema())?;
    file.write(&batch)?;
    file.finish()?;
    Ok(())
}

/// A column of numbers.
pub(super) fn numbers<'b>(
    batch: &'b RecordBatch,
    column: &str,
    path: &Path,
) -> Result<&'b UInt32Array, FileError> {
    batch
        .column_by_name(column)
        .and_then(|array| array.as_primitive_opt::<UInt32Type>())
        .ok_or_else(|| FileError::Column { path: path.to_owned(), column: column.to_owned() })
}

/// A column of values of `N` bytes.
pub(super) fn fixed<const N: usize>(
    batch: &RecordBatch,
    column: &str,
    path: &Path,
) -> Result<Vec<Option<[u8; N]>>, FileError> {
    let array = batch
        .column_by_name(column)
        .and_then(|array| array.as_fixed_size_binary_opt())
        .ok_or_else(|| FileError::Column { path: path.to_owned(), column: column.to_owned() })?;
    let value = |row| array.is_valid(row).then(|| array.value(row).try_into().ok()).flatten();
    Ok((0..array.len()).map(value).collect())
}

pub(super) fn io<'p>(action: &'static str, path: &'p Path) -> impl FnOnce(std::io::Error) -> LinkError + 'p {
    move |source| LinkError::Io { action, path: path.to_owned(), source }
}
