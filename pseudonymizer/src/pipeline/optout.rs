//! Opt-out: identities whose persons are left out of every query from the next one on.
//!
//! A list of identities is keyed as a delivery's are and only the keys are kept, sealed apart in `links/`. For every
//! snapshot they are resolved to person numbers, which the guard gives each worker. A key that is several persons'
//! resolves to nobody; any other key of the identity suffices. Nobody is listed: only counts are told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog_model::{Catalogue, Encoding};
use catalog_store::{Environment, EnvironmentError, KeyError, KeyRole, hex};
use classified::{Intake, Keyed};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};

use super::link::{self, LinkError};
use super::numbering;
use super::rotation::{FormerKeys, linkage_epoch, persons_file};
use super::store::{read_json, write_whole};
use crate::claim::{Claim, Head};
use crate::keying::{Identity, KeyCache, Keyer, linkage_key};

const LIST: &str = "optout.json";

/// What an opt-out list did; counts only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OptedOut {
    /// Lines of the list that an identity scheme could be built from.
    pub identities: u64,
    /// Lines that none could be built from.
    pub unusable: u64,
    /// Identities that opted out by now, all lists together.
    pub total: u64,
    /// Persons left out of the latest snapshot.
    pub persons: u64,
    /// The id of the exclusion on the latest snapshot.
    pub exclusion: String,
}

/// Why an opt-out cannot be taken in; then nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum OptOutError {
    /// The list has no heading, or one that names no identity role.
    #[error("{path}: the first line names identity roles, separated by commas; {role} is none")]
    Heading {
        /// The list.
        path: PathBuf,
        /// What is no role.
        role: String,
    },
    /// A line has other fields than the heading.
    #[error("{path}: line {line} has other fields than the heading")]
    Line {
        /// The list.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// A file cannot be used.
    #[error("cannot use {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The link table cannot be used.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// Every identity that opted out: its intake keys by scheme.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    identities: BTreeSet<BTreeMap<String, String>>,
}

/// What the guard reads.
#[derive(Debug, Serialize)]
struct Exclusion<'a> {
    exclusion: &'a str,
    persons: &'a BTreeSet<u32>,
}

/// Adds the identities of a list (UTF-8, comma separated, its first line naming identity roles).
///
/// # Errors
///
/// The list cannot be read, or something cannot be written.
pub fn opt_out(environment: &Environment, path: &Path) -> Result<OptedOut, OptOutError> {
    let (catalogue, _) = environment.catalogue()?;
    let (found, unusable) = keyed(environment, &catalogue, path)?;
    let file = environment.room("links").join(LIST);
    let mut list: List = if file.exists() { read_json(&file).map_err(io(&file))? } else { List::default() };
    let identities = found.len() as u64;
    list.identities.extend(found);
    let text = serde_json::to_vec(&list).map_err(|error| io(&file)(error.into()))?;
    write_whole(&file, &text).map_err(io(&file))?;
    let (persons, exclusion) = resolve(environment)?;
    Ok(OptedOut { identities, unusable, total: list.identities.len() as u64, persons, exclusion })
}

/// Resolves the opt-outs for every snapshot; the persons left out of the latest, and the exclusion's id.
///
/// # Errors
///
/// The link table cannot be read, or an exclusion cannot be written.
pub(crate) fn resolve(environment: &Environment) -> Result<(u64, String), OptOutError> {
    let links = environment.room("links");
    let file = links.join(LIST);
    if !file.exists() {
        return Ok((0, String::new()));
    }
    let list: List = read_json(&file).map_err(io(&file))?;
    let linkage = linkage_keys(environment, &list)?;
    let room = environment.room("exclusions");
    let epoch = linkage_epoch(environment)?;
    let mut latest = (0, String::new());
    for (_, manifest) in environment.snapshots()?.all().map_err(EnvironmentError::from)? {
        let numbers = persons_file(&links, manifest.id.as_str(), epoch);
        let known: HashMap<[u8; 32], u32> = numbering::read_persons(&environment.staged_files(), &numbers)
            .map_err(|error| OptOutError::Link(error.into()))?;
        let persons: BTreeSet<u32> = linkage.iter().filter_map(|key| known.get(key)).copied().collect();
        let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 exclusion");
        hasher.update(manifest.id.as_str().as_bytes());
        persons.iter().for_each(|person| {
            hasher.update(&person.to_le_bytes());
        });
        let id: String = hasher.finalize().to_hex().chars().take(16).collect();
        let path = room.join(format!("{}.json", manifest.id));
        let text = serde_json::to_vec(&Exclusion { exclusion: &id, persons: &persons })
            .map_err(|error| io(&path)(error.into()))?;
        write_whole(&path, &text).map_err(io(&path))?;
        latest = (persons.len() as u64, id);
    }
    // The mark comes last: it says that every snapshot has its exclusion.
    let mark = room.join("list.json");
    write_whole(&mark, b"{}\n").map_err(io(&mark))?;
    Ok(latest)
}

/// The identities of a list as keys, and how many lines gave none.
fn keyed(
    environment: &Environment,
    catalogue: &Catalogue,
    path: &Path,
) -> Result<(Vec<BTreeMap<String, String>>, u64), OptOutError> {
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(io(path))?);
    let mut lines = text.lines().enumerate();
    let heading = lines.next().map(|(_, line)| line).unwrap_or_default().trim_start_matches('\u{FEFF}');
    let roles = heading.split(',').map(|role| {
        let known = catalogue.roles.keys().position(|known| known == role.trim());
        known.ok_or_else(|| OptOutError::Heading { path: path.to_owned(), role: role.trim().to_owned() })
    });
    let roles: Vec<usize> = roles.collect::<Result<_, _>>()?;
    let mut seen_key = [0; 32];
    SystemRandom::new().fill(&mut seen_key).map_err(|_| OptOutError::Random)?;
    let intake = environment.key(KeyRole::Intake)?;
    let cache = Arc::new(KeyCache::new(seen_key));
    let mut keyer = Keyer::new(catalogue, Encoding::Utf8, intake.as_bytes(), cache);
    // Deliveries that were keyed before a rotation are known by the former key.
    for (_, former) in environment.keys().former(KeyRole::Intake)?.into_iter().take(1) {
        keyer = keyer.under_both(former.as_bytes());
    }
    let mut unusable = 0;
    let mut identity = Identity::new(catalogue.roles.len());
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split(',').collect();
        if fields.len() != roles.len() {
            return Err(OptOutError::Line { path: path.to_owned(), line: number + 1 });
        }
        identity.erase();
        for (role, field) in roles.iter().zip(fields) {
            identity.set(*role, field.trim().as_bytes());
        }
        if keyer.key(Claim { person: &identity, head: Head::default() }).is_none() {
            unusable += 1;
        }
    }
    identity.erase();
    let named = |keys: &[Option<Keyed<Intake>>], to: &mut BTreeMap<String, String>, mark: &str| {
        for (scheme, key) in catalogue.schemes.iter().zip(keys) {
            if let Some(key) = key {
                to.insert(format!("{}{mark}", scheme.scheme), hex(key.as_bytes()));
            }
        }
    };
    let identities = keyer.into_identities().into_iter().map(|identity| {
        let mut keys = BTreeMap::new();
        named(&identity.keys.keys, &mut keys, "");
        named(&identity.keys.former, &mut keys, "@former");
        keys
    });
    Ok((identities.collect(), unusable))
}

/// The linkage keys of every identity that opted out.
fn linkage_keys(environment: &Environment, list: &List) -> Result<BTreeSet<[u8; 32]>, OptOutError> {
    let (catalogue, _) = environment.catalogue()?;
    let schemes: Vec<String> = catalogue.schemes.iter().map(|scheme| scheme.scheme.clone()).collect();
    let former = FormerKeys::read(environment, &link::parts(environment)?, &schemes)?;
    let key = environment.key(KeyRole::Linkage)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let mut keys = BTreeSet::new();
    for (name, digits) in list.identities.iter().flatten() {
        let scheme = name.trim_end_matches("@former");
        let bytes = catalog_store::from_hex(digits).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let Some(bytes) = bytes else { continue };
        let intake = former.earliest(Keyed::new(bytes));
        keys.insert(*linkage_key(&key, scheme, &intake).as_bytes());
    }
    Ok(keys)
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> OptOutError + '_ {
    move |source| OptOutError::Io { path: path.to_owned(), source }
}
