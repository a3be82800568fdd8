//! Opt-out: identities whose persons are left out of every query from the next one on.
//!
//! A list of identities is keyed as a delivery's are, under every intake key that is left, present and former ones, the
//! environment's own and those of groups of data holders, and only the keys are kept, those of groups hashed once more
//! under the bridge key, encrypted in `links/`. A list that was sealed at a data holder comes as keys already, under its
//! group's key; clear deliveries tie them to the others.
//! For every snapshot they are resolved to person numbers, which the guard gives each worker. A key that is several
//! persons' resolves to nobody; any other key of the identity suffices. Nobody is listed: only counts are told.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog_model::{Catalogue, Encoding};
use catalog_store::{Environment, EnvironmentError, KeyError, KeyId, KeyRole, SecretKey, hex};
use classified::{Intake, Keyed};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::link::{self, LinkError};
use super::numbering;
use super::rotation::{linkage_epoch, persons_file};
use super::sealed::{SealedError, is_sealed, open_list};
use super::store::{read_json, write_whole};
use super::ties::{ListedKey, Ties};
use crate::claim::{Claim, Head};
use crate::keying::{Identity, KeyCache, Keyer, bridge_key, linkage_key};

const LIST: &str = "optout.json";
/// What stands before the id of a group's intake key where the key was hashed once more under the bridge key.
const BRIDGED: char = '~';

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
    /// Who sealed the list; none where it came in clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
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
    /// A sealed list was rejected.
    #[error("the sealed list was rejected")]
    Sealed(#[from] SealedError),
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

/// Every identity that opted out: its intake keys by scheme and, behind an `@`, the id of the intake key; of a group's,
/// what the bridge key makes of them, behind a [`BRIDGED`]. Lists of earlier builds have no id, or `former`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    identities: BTreeSet<BTreeMap<String, String>>,
}

/// A list as keys: what is packed of one that is sealed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listed {
    /// The keys of each identity, named as in [`List`].
    pub(crate) identities: Vec<BTreeMap<String, String>>,
    /// Lines that gave no key.
    pub(crate) unusable: u64,
}

/// What the guard reads.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exclusion {
    exclusion: String,
    persons: BTreeSet<u32>,
}

/// Adds the identities of a list: one in clear (UTF-8, comma separated, its first line naming identity roles), or the
/// folder of one that was sealed.
///
/// # Errors
///
/// The list cannot be read or is rejected, or something cannot be written.
pub fn opt_out(environment: &Environment, path: &Path) -> Result<OptedOut, OptOutError> {
    let (catalogue, _) = environment.catalogue()?;
    let (listed, holder) = match is_sealed(path) {
        true => open_list(environment, &catalogue, path).map(|(listed, holder)| (listed, Some(holder)))?,
        // Deliveries that were keyed before a rotation are known by the key of then, those of a group by the group's.
        false => (Listed::read(&catalogue, environment.keys().every_intake()?, path)?, None),
    };
    let Listed { identities: found, unusable } = listed;
    let identities = found.len() as u64;
    let before = List::read(environment)?.unwrap_or_default().identities;
    let whole: Vec<BTreeMap<String, String>> = before.into_iter().chain(found).collect();
    let mut list = List::default();
    list.add(bridged(environment, whole.clone())?);
    list.write(environment)?;
    // An earlier snapshot may know a person by a group's key that no delivery holds any more, so it is looked for here.
    let all = List { identities: list.identities.iter().cloned().chain(whole).collect() };
    let (persons, exclusion) = resolve_list(environment, &all)?;
    Ok(OptedOut { identities, unusable, total: list.identities.len() as u64, persons, exclusion, holder })
}

/// What names who is left out of a snapshot. It stands in the record and on releases, so it is keyed: person numbers
/// are few enough to be tried out, one by one and in pairs.
fn exclusion_id(secret: &[u8; 32], snapshot: &str, persons: &BTreeSet<u32>) -> String {
    let mut hasher = blake3::Hasher::new_keyed(secret);
    hasher.update(snapshot.as_bytes());
    persons.iter().for_each(|person| {
        hasher.update(&person.to_le_bytes());
    });
    hasher.finalize().to_hex().chars().take(16).collect()
}

/// Resolves the opt-outs for every snapshot; the persons left out of the latest, and the exclusion's id.
///
/// # Errors
///
/// The link table cannot be read, or an exclusion cannot be written.
pub(crate) fn resolve(environment: &Environment) -> Result<(u64, String), OptOutError> {
    match List::read(environment)? {
        Some(list) => resolve_list(environment, &list),
        None => Ok((0, String::new())),
    }
}

fn resolve_list(environment: &Environment, list: &List) -> Result<(u64, String), OptOutError> {
    let links = environment.room("links");
    let linkage = linkage_keys(environment, list)?;
    let room = environment.room("exclusions");
    let epoch = linkage_epoch(environment)?;
    let content = environment.key(KeyRole::Content)?;
    let secret =
        Zeroizing::new(blake3::derive_key("misu 2026-11 exclusion of a snapshot", content.as_bytes()));
    let mut latest = (0, String::new());
    for (_, manifest) in environment.snapshots()?.all().map_err(EnvironmentError::from)? {
        let numbers = persons_file(&links, manifest.id.as_str(), epoch);
        let known: HashMap<[u8; 32], u32> = numbering::read_persons(&environment.staged_files(), &numbers)
            .map_err(|error| OptOutError::Link(error.into()))?;
        let path = room.join(format!("{}.json", manifest.id));
        let mut persons = left_out(&path)?;
        persons.extend(linkage.iter().filter_map(|key| known.get(key)));
        let exclusion = exclusion_id(&secret, manifest.id.as_str(), &persons);
        let exclusion = Exclusion { exclusion, persons };
        let text = serde_json::to_vec(&exclusion).map_err(|error| io(&path)(error.into()))?;
        environment.still_held()?;
        write_whole(&path, &text).map_err(io(&path))?;
        latest = (exclusion.persons.len() as u64, exclusion.exclusion);
    }
    // The mark comes last: it says that every snapshot has its exclusion.
    let mark = room.join("list.json");
    environment.still_held()?;
    write_whole(&mark, b"{}\n").map_err(io(&mark))?;
    Ok(latest)
}

/// Who is left out of a snapshot already: nobody takes an opt-out back, also where the deliveries or keys that told of
/// it are gone.
fn left_out(path: &Path) -> Result<BTreeSet<u32>, OptOutError> {
    match read_json::<Exclusion>(path) {
        Ok(before) => Ok(before.persons),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(io(path)(error)),
    }
}

impl Listed {
    /// The identities of a list in clear as keys, under each of the intake keys.
    pub(crate) fn read(
        catalogue: &Catalogue,
        keys: impl IntoIterator<Item = (KeyId, SecretKey)>,
        path: &Path,
    ) -> Result<Self, OptOutError> {
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(io(path))?);
        let mut lines = text.lines().enumerate();
        let heading = lines.next().map(|(_, line)| line).unwrap_or_default().trim_start_matches('\u{FEFF}');
        let roles = heading.split(',').map(|role| {
            let known = catalogue.roles.keys().position(|known| known == role.trim());
            known.ok_or_else(|| OptOutError::Heading { path: path.to_owned(), role: role.trim().to_owned() })
        });
        let roles: Vec<usize> = roles.collect::<Result<_, _>>()?;
        let mut keyers = keyers(catalogue, keys)?;
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
            let mut is_usable = false;
            for (_, keyer) in &mut keyers {
                is_usable |= keyer.key(Claim { person: &identity, head: Head::default() }).is_some();
            }
            unusable += u64::from(!is_usable);
        }
        identity.erase();
        Ok(Self { identities: named(catalogue, keyers), unusable })
    }
}

/// A keyer under each intake key, with the key's id.
fn keyers(
    catalogue: &Catalogue,
    keys: impl IntoIterator<Item = (KeyId, SecretKey)>,
) -> Result<Vec<(KeyId, Keyer)>, OptOutError> {
    let keyer = |(id, key): (KeyId, SecretKey)| {
        let mut seen = [0; 32];
        SystemRandom::new().fill(&mut seen).map_err(|_| OptOutError::Random)?;
        let cache = Arc::new(KeyCache::new(seen));
        Ok((id, Keyer::new(catalogue, Encoding::Utf8, key.as_bytes(), cache)))
    };
    keys.into_iter().map(keyer).collect()
}

/// The identities of all keyers, which have seen the same ones in the same order, with all their keys.
fn named(catalogue: &Catalogue, keyers: Vec<(KeyId, Keyer)>) -> Vec<BTreeMap<String, String>> {
    let mut identities: Vec<BTreeMap<String, String>> = Vec::new();
    for (id, keyer) in keyers {
        let found = keyer.into_identities();
        identities.resize(identities.len().max(found.len()), BTreeMap::new());
        for (identity, to) in found.iter().zip(&mut identities) {
            for (scheme, key) in catalogue.schemes.iter().zip(&identity.keys.keys) {
                if let Some(key) = key {
                    to.insert(format!("{}@{id}", scheme.scheme), hex(key.as_bytes()));
                }
            }
        }
    }
    identities
}

/// The identities, with what the bridge key makes of their keys under groups' intake keys in the place of these: whoever
/// has a group's key could test guesses against them, and they stand beside those under the environment's own.
fn bridged(
    environment: &Environment,
    identities: Vec<BTreeMap<String, String>>,
) -> Result<Vec<BTreeMap<String, String>>, OptOutError> {
    let index = environment.keys().index()?;
    let of_groups = index.keys.iter().filter(|entry| entry.group.is_some());
    let groups: BTreeSet<&str> = of_groups.map(|entry| entry.id.as_str()).collect();
    if groups.is_empty() {
        return Ok(identities);
    }
    let key = environment.key(KeyRole::Bridge)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let kept = |(name, digits): (String, String)| {
        let of_group = name.split_once('@').filter(|(_, id)| groups.contains(*id));
        match of_group.zip(intake_key(&digits)) {
            Some(((scheme, id), intake)) => {
                let kept = bridge_key(&key, id, scheme, &intake);
                (format!("{scheme}{BRIDGED}{id}"), hex(kept.as_bytes()))
            }
            None => (name, digits),
        }
    };
    Ok(identities.into_iter().map(|identity| identity.into_iter().map(kept).collect()).collect())
}

/// The scheme of a key and the id of the intake key that it is under, from its name in a list.
fn scheme_and_id(name: &str) -> (&str, &str) {
    name.split_once(['@', BRIDGED]).unwrap_or((name, ""))
}

impl List {
    fn path(environment: &Environment) -> PathBuf {
        environment.room("links").join(LIST)
    }

    /// The list, where there is one; also one that an earlier build left in clear.
    fn read(environment: &Environment) -> Result<Option<Self>, OptOutError> {
        let path = Self::path(environment);
        if !path.exists() {
            return Ok(None);
        }
        let text = environment.staged_files().read(&path)?;
        serde_json::from_slice(&text).map(Some).map_err(|error| io(&path)(error.into()))
    }

    fn write(&self, environment: &Environment) -> Result<(), OptOutError> {
        let path = Self::path(environment);
        let text = serde_json::to_vec(self).map(Zeroizing::new).map_err(|error| io(&path)(error.into()))?;
        // A staged file is bound to its name, and may bear this ending while it is written.
        let temporary = environment.room("links").join(format!("{LIST}.writing"));
        environment.staged_files().write(&temporary, &text)?;
        File::open(&temporary).and_then(|file| file.sync_all()).map_err(io(&temporary))?;
        // Whoever took the environment meanwhile may have added to the list that was read.
        environment.still_held()?;
        std::fs::rename(&temporary, &path).map_err(io(&path))
    }

    /// Every key of every identity.
    fn keys(&self) -> Vec<ListedKey<'_>> {
        let all = self.identities.iter().flatten().filter_map(|(name, digits)| {
            let (scheme, under) = scheme_and_id(name);
            Some(ListedKey { under, scheme, key: intake_key(digits)?, is_bridged: name.contains(BRIDGED) })
        });
        all.collect()
    }

    /// Adds identities. One that shares a key with one that is there is that one, known by more keys, unless the two have
    /// different keys of one scheme: then both stay.
    fn add(&mut self, found: Vec<BTreeMap<String, String>>) {
        let mut holders: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        let mut all: Vec<BTreeMap<String, String>> = Vec::new();
        for identity in std::mem::take(&mut self.identities).into_iter().chain(found) {
            let mut sharing = identity.values().filter_map(|key| holders.get(key)).flatten();
            let at = sharing.find(|at| all.get(**at).is_some_and(|known| agree(known, &identity)));
            let at = at.copied().unwrap_or(all.len());
            if at == all.len() {
                all.push(BTreeMap::new());
            }
            for key in identity.values() {
                holders.entry(key.clone()).or_default().insert(at);
            }
            if let Some(known) = all.get_mut(at) {
                known.extend(identity);
            }
        }
        self.identities.extend(all);
    }
}

/// Whether no name has a key in one of the identities and another in the other.
fn agree(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> bool {
    other.iter().all(|(name, key)| one.get(name).is_none_or(|known| known == key))
}

/// How many identities that opted out are not known by every scheme that they have under every present intake key, the
/// environment's own and those of groups of data holders, and are tied to it by no delivery: later deliveries under it are
/// not recognised as theirs, and the lists are needed again.
///
/// # Errors
///
/// The list or the link table cannot be read.
pub fn opted_out_before(environment: &Environment) -> Result<u64, OptOutError> {
    let index = environment.keys().index()?;
    let present = index.intakes()?;
    if present.len() == 1 && present.iter().all(|key| key.epoch == 1) {
        return Ok(0);
    }
    let Some(list) = List::read(environment)? else { return Ok(0) };
    let schemes = schemes(environment)?;
    let parts = link::parts(environment)?;
    let ties = Ties::read(environment, &parts, &schemes, &list.keys())?;
    let is_under = |name: &str, digits: &str, id: &KeyId| {
        scheme_and_id(name).1 == id.as_str() || intake_key(digits).is_some_and(|key| ties.carry(key, id))
    };
    // A later delivery may have the fields of one scheme alone.
    let is_known = |identity: &BTreeMap<String, String>, id: &KeyId| {
        let known = identity.iter().filter(|(name, digits)| is_under(name, digits, id));
        let known: BTreeSet<&str> = known.map(|(name, _)| scheme_and_id(name).0).collect();
        identity.keys().all(|name| known.contains(scheme_and_id(name).0))
    };
    let is_lost =
        |identity: &&BTreeMap<String, String>| present.iter().any(|key| !is_known(identity, &key.id));
    Ok(list.identities.iter().filter(is_lost).count() as u64)
}

fn schemes(environment: &Environment) -> Result<Vec<String>, OptOutError> {
    let (catalogue, _) = environment.catalogue()?;
    Ok(catalogue.schemes.iter().map(|scheme| scheme.scheme.clone()).collect())
}

fn intake_key(digits: &str) -> Option<Keyed<Intake>> {
    let bytes = catalog_store::from_hex(digits)?;
    Some(Keyed::new(<[u8; 32]>::try_from(bytes).ok()?))
}

/// The linkage keys of every identity that opted out.
fn linkage_keys(environment: &Environment, list: &List) -> Result<BTreeSet<[u8; 32]>, OptOutError> {
    let schemes = schemes(environment)?;
    let listed = list.keys();
    let ties = Ties::read(environment, &link::parts(environment)?, &schemes, &listed)?;
    let key = environment.key(KeyRole::Linkage)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let linkage = |scheme: &str, intake: &Keyed<Intake>| *linkage_key(&key, scheme, intake).as_bytes();
    let firsts: HashSet<Keyed<Intake>> = listed.iter().map(|listed| ties.first(listed.key)).collect();
    let mut keys: BTreeSet<[u8; 32]> =
        listed.iter().map(|listed| linkage(listed.scheme, &ties.first(listed.key))).collect();
    // Earlier snapshots know a person by a key for which another stands since.
    let others = ties.others().filter(|(_, _, first)| firsts.contains(*first));
    keys.extend(others.filter_map(|(at, other, _)| Some(linkage(schemes.get(at)?, other))));
    Ok(keys)
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> OptOutError + '_ {
    move |source| OptOutError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Exclusion, List, exclusion_id, left_out};

    #[test]
    fn an_exclusion_is_named_by_who_is_in_it_and_by_nobody_without_the_key() {
        let name = |secret: u8, snapshot: &str, persons: &[u32]| {
            exclusion_id(&[secret; 32], snapshot, &persons.iter().copied().collect())
        };
        assert_eq!(name(7, "s", &[3, 5]), name(7, "s", &[5, 3, 5]));
        let others = [name(8, "s", &[3, 5]), name(7, "t", &[3, 5]), name(7, "s", &[3]), name(7, "s", &[])];
        assert!(others.iter().all(|other| *other != name(7, "s", &[3, 5])));
    }

    #[test]
    fn an_identity_that_comes_again_under_more_keys_is_one() {
        let identity = |keys: &[(&str, &str)]| -> BTreeMap<String, String> {
            keys.iter().map(|(name, key)| ((*name).to_owned(), (*key).to_owned())).collect()
        };
        let mut list = List::default();
        list.add(vec![identity(&[("id5", "aa"), ("id1@former", "bb")]), identity(&[("id5", "cc")])]);
        list.add(vec![identity(&[("id5@k2", "dd"), ("id5@k1", "aa")])]);
        let known = identity(&[("id5", "aa"), ("id1@former", "bb"), ("id5@k1", "aa"), ("id5@k2", "dd")]);
        assert_eq!(list.identities, [known, identity(&[("id5", "cc")])].into());
    }

    #[test]
    fn identities_that_share_a_key_and_differ_in_another_both_stay() {
        let identity = |keys: [(&str, &str); 2]| -> BTreeMap<String, String> {
            keys.map(|(name, key)| (name.to_owned(), key.to_owned())).into()
        };
        // Two namesakes, and one of them with a card of before.
        let one = identity([("id1@k1", "aa"), ("id2@k1", "ff")]);
        let namesake = identity([("id1@k1", "bb"), ("id2@k1", "ff")]);
        let former = identity([("id1@k1", "cc"), ("id2@k1", "ff")]);
        let mut list = List::default();
        list.add(vec![one.clone(), namesake.clone()]);
        list.add(vec![former.clone(), one.clone()]);
        assert_eq!(list.identities, [one, namesake, former].into());
    }

    #[test]
    fn whoever_is_left_out_of_a_snapshot_already_is_read_again_and_a_torn_list_is_no_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.json");
        assert!(left_out(&path).unwrap().is_empty());
        let exclusion = Exclusion { exclusion: "ab".to_owned(), persons: [3, 5].into() };
        std::fs::write(&path, serde_json::to_vec(&exclusion).unwrap()).unwrap();
        assert_eq!(left_out(&path).unwrap(), [3, 5].into());
        std::fs::write(&path, "{").unwrap();
        assert!(left_out(&path).is_err());
    }
}
