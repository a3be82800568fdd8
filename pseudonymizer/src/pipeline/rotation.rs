//! What holds persons together when keys change.
//!
//! A new linkage key: every linkage key is made again from the intake keys in `links/`, and the numbers of persons move
//! over to the new keys before the rotation counts. A new intake key: identities of an overlap delivery carry keys
//! under both, so a new intake key can be taken for the former one of the same field values. Whoever is in no overlap
//! cannot be followed, and is counted.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use catalog_store::{Environment, KeyRole};
use classified::{Intake, Keyed, Linkage};
use ring::hmac;
use serde::Serialize;

use super::ingest::{KEYED_UNDER, KeyedUnder};
use super::link::{self, LinkError, PartName, fixed};
use super::numbering;
use super::store::read_json;
use crate::keying::linkage_key;
use crate::linkage::{Clusters, SchemeKind};
use crate::tables::{FileError, former_column, open};

/// What rotating the linkage key did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RotatedLinkage {
    /// Linkage keys that were made anew.
    pub recomputed: u64,
    /// Keys that no held delivery mentions; their persons' numbers stay unused.
    pub dropped: u64,
}

/// How many persons a new intake key could lose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// Persons known under a former intake key.
    pub former: u64,
    /// Of these, persons whom an overlap delivery ties to the present key.
    pub inside: u64,
    /// Of these, persons in no overlap delivery: later deliveries will not be recognised as theirs by key.
    pub outside: u64,
}

/// Former intake keys by the later ones of the same field values.
#[derive(Debug, Default)]
pub(super) struct FormerKeys(HashMap<Keyed<Intake>, Keyed<Intake>>);

impl FormerKeys {
    /// Collects what the overlap deliveries say.
    pub(super) fn read(
        environment: &Environment,
        parts: &[PartName],
        schemes: &[String],
    ) -> Result<Self, LinkError> {
        let (mut former, files) = (Self::default(), environment.staged_files());
        for part in parts {
            if keyed_under(environment, part).is_none_or(|keyed| keyed.former.is_none()) {
                continue;
            }
            let path = link::identities_path(environment, part);
            for batch in open(&files, &path, 65_536)? {
                let batch = batch.map_err(|source| FileError::Arrow { path: path.clone(), source })?;
                for scheme in schemes {
                    let column = former_column(scheme);
                    if batch.column_by_name(scheme).is_none() || batch.column_by_name(&column).is_none() {
                        continue;
                    }
                    let later = fixed::<32>(&batch, scheme, &path)?;
                    let earlier = fixed::<32>(&batch, &column, &path)?;
                    let pairs = later.into_iter().zip(earlier);
                    former.0.extend(
                        pairs.filter_map(|(later, earlier)| Some((Keyed::new(later?), Keyed::new(earlier?)))),
                    );
                }
            }
        }
        Ok(former)
    }

    /// The earliest key that stands for the same field values, which is the one that persons are known by.
    pub(super) fn earliest(&self, key: Keyed<Intake>) -> Keyed<Intake> {
        // INVARIANT: an epoch follows another, so the chain ends; a forged circle would end here as well.
        let mut key = key;
        for _ in 0..self.0.len().min(64) {
            match self.0.get(&key) {
                Some(earlier) => key = *earlier,
                None => break,
            }
        }
        key
    }
}

/// The file with the person of every linkage key, for one snapshot and one epoch of the linkage key.
pub(super) fn persons_file(links: &Path, snapshot: &str, epoch: u32) -> PathBuf {
    match epoch {
        // Environments from before keys had epochs name it so.
        1 => links.join(format!("persons-{snapshot}.parquet")),
        epoch => links.join(format!("persons-{snapshot}-{epoch}.parquet")),
    }
}

/// The present epoch of the linkage key.
pub(super) fn linkage_epoch(environment: &Environment) -> Result<u32, LinkError> {
    Ok(environment.keys().index()?.current(KeyRole::Linkage)?.epoch)
}

/// Rotates the linkage key: what it made is made again, under the new key, before the new key counts.
///
/// # Errors
///
/// A key or file cannot be used; then the former key still counts.
pub fn rotate_linkage(environment: &Environment) -> Result<RotatedLinkage, LinkError> {
    let keys = environment.keys();
    let before = environment.key(KeyRole::Linkage)?;
    let (after, entry) = keys.next(KeyRole::Linkage)?;
    let links = environment.room("links");
    let mut rotated = RotatedLinkage::default();
    let snapshots = environment.snapshots().map_err(LinkError::Environment)?;
    let mut translation = translation(environment, before.as_bytes(), after.as_bytes())?;
    let digests = of_nameless(environment, [before.as_bytes(), after.as_bytes()], &translation)?;
    translation.extend(digests);
    let mut former = Vec::new();
    for (_, manifest) in snapshots.all().map_err(|error| LinkError::Environment(error.into()))? {
        let path = persons_file(&links, manifest.id.as_str(), entry.epoch - 1);
        if !path.exists() {
            continue;
        }
        let persons = numbering::read_persons(&environment.staged_files(), &path)?;
        let (mut recomputed, mut dropped) = (0, 0);
        let moved: HashMap<[u8; 32], u32> = persons
            .iter()
            .map(|(key, person)| match translation.get(key) {
                None if *key == numbering::HIGHEST => (*key, *person),
                Some(new) => {
                    recomputed += 1;
                    (*new, *person)
                }
                None => {
                    dropped += 1;
                    // The number stays taken under a key that nobody can have, since numbers are never used again.
                    (blake3::derive_key("misu 2026-11 number without a key", key), *person)
                }
            })
            .collect();
        numbering::write_numbers(
            &environment.staged_files(),
            &persons_file(&links, manifest.id.as_str(), entry.epoch),
            &moved,
        )?;
        (rotated.recomputed, rotated.dropped) = (recomputed, dropped);
        former.push(path);
    }
    super::store::sync_filesystem(&links).map_err(link::io("flush", &links))?;
    // From here on the new key counts; a process that is killed before leaves files that nobody reads.
    keys.settle(entry)?;
    for path in former {
        std::fs::remove_file(&path).map_err(link::io("remove", &path))?;
    }
    Ok(rotated)
}

/// The new linkage key of every former one, made again from the intake keys of every delivery that is held.
fn translation(
    environment: &Environment,
    before: &[u8; 32],
    after: &[u8; 32],
) -> Result<HashMap<[u8; 32], [u8; 32]>, LinkError> {
    let (catalogue, _) = environment.catalogue()?;
    let schemes: Vec<String> = catalogue.schemes.iter().map(|scheme| scheme.scheme.clone()).collect();
    let parts = link::parts(environment)?;
    let earlier = FormerKeys::read(environment, &parts, &schemes)?;
    let [before, after] = [before, after].map(|key| hmac::Key::new(hmac::HMAC_SHA256, key));
    let mut seen: HashSet<Keyed<Intake>> = HashSet::new();
    let (mut translation, files) = (HashMap::new(), environment.staged_files());
    for part in &parts {
        let path = link::identities_path(environment, part);
        for batch in open(&files, &path, 65_536)? {
            let batch = batch.map_err(|source| FileError::Arrow { path: path.clone(), source })?;
            for scheme in schemes.iter().filter(|scheme| batch.column_by_name(scheme).is_some()) {
                for key in fixed::<32>(&batch, scheme, &path)?.into_iter().flatten() {
                    let key = earlier.earliest(Keyed::new(key));
                    if seen.insert(key) {
                        let [old, new] = [&before, &after].map(|under| linkage_key(under, scheme, &key));
                        translation.insert(*old.as_bytes(), *new.as_bytes());
                    }
                }
            }
        }
    }
    Ok(translation)
}

/// The digests by which persons without a key of their own are known, each with that under the new key. A digest is made
/// of all keys of a person, so who is one person is told twice, under either key, and the mentions say which is which.
fn of_nameless(
    environment: &Environment,
    keys: [&[u8]; 2],
    translation: &HashMap<[u8; 32], [u8; 32]>,
) -> Result<HashMap<[u8; 32], [u8; 32]>, LinkError> {
    let (catalogue, _) = environment.catalogue()?;
    let schemes: Vec<String> = catalogue.schemes.iter().map(|scheme| scheme.scheme.clone()).collect();
    let kinds: Vec<SchemeKind> = catalogue.schemes.iter().map(SchemeKind::of).collect();
    let parts = link::parts(environment)?;
    let clusters =
        |key| Ok::<_, LinkError>(link::mentions_under(environment, &parts, &schemes, key)?.link(&kinds));
    let [before, after] = keys;
    Ok(digests_again(&clusters(before)?, &clusters(after)?, translation))
}

/// What stands for each key of `before` that is no linkage key, in `after`, which is made of the same mentions.
fn digests_again(
    before: &Clusters,
    after: &Clusters,
    translation: &HashMap<[u8; 32], [u8; 32]>,
) -> HashMap<[u8; 32], [u8; 32]> {
    let after_of: HashMap<u32, u32> =
        before.of_mention.iter().copied().zip(after.of_mention.iter().copied()).collect();
    let key_of: HashMap<u32, &Keyed<Linkage>> = after.keys.iter().map(|(key, of)| (*of, key)).collect();
    let nameless = before.keys.iter().filter(|(key, _)| !translation.contains_key(key.as_bytes()));
    nameless
        .filter_map(|(key, cluster)| Some((*key.as_bytes(), *key_of.get(after_of.get(cluster)?)?.as_bytes())))
        .collect()
}

/// Counts the persons whom a new intake key could lose, as the last linking has them.
///
/// # Errors
///
/// A file cannot be read.
pub fn overlap(environment: &Environment) -> Result<Overlap, LinkError> {
    let parts = link::parts(environment)?;
    let present = environment.keys().index()?.current(KeyRole::Intake)?.id.clone();
    let keyed: Vec<Option<KeyedUnder>> = parts.iter().map(|part| keyed_under(environment, part)).collect();
    let is_former = |keyed: &Option<KeyedUnder>| keyed.as_ref().is_some_and(|keyed| keyed.intake != present);
    // Deliveries from before keys had ids were made under the first one.
    let is_old = |keyed: &Option<KeyedUnder>| keyed.is_none();
    let has_rotated = environment.keys().index()?.current(KeyRole::Intake)?.epoch > 1;
    if !has_rotated || !keyed.iter().any(|keyed| is_former(keyed) || is_old(keyed)) {
        return Ok(Overlap::default());
    }
    let links = match link::current(environment, &parts) {
        Ok(links) => links,
        Err(LinkError::NotLinked | LinkError::Stale) => return Ok(Overlap::default()),
        Err(error) => return Err(error),
    };
    let mut offsets = link::offsets(environment, &parts)?;
    offsets.push(links.of_mention.len());
    let (mut former, mut tied) = (HashSet::new(), HashSet::new());
    for (keyed, range) in keyed.iter().zip(offsets.windows(2)) {
        let [from, to] = range else { continue };
        let clusters = links.of_mention.get(*from..*to).unwrap_or_default();
        if is_former(keyed) || is_old(keyed) {
            former.extend(clusters.iter().copied());
        }
        if keyed.as_ref().is_some_and(|keyed| keyed.former.is_some() && keyed.intake == present) {
            tied.extend(clusters.iter().copied());
        }
    }
    let inside = former.intersection(&tied).count() as u64;
    Ok(Overlap { former: former.len() as u64, inside, outside: former.len() as u64 - inside })
}

/// The earliest keys of those field values that an overlap delivery carries under the present intake key.
pub(super) fn tied(
    environment: &Environment,
    parts: &[PartName],
    schemes: &[String],
    former: &FormerKeys,
) -> Result<HashSet<Keyed<Intake>>, LinkError> {
    let present = environment.keys().index()?.current(KeyRole::Intake)?.id.clone();
    let (mut tied, files) = (HashSet::new(), environment.staged_files());
    for part in parts {
        if keyed_under(environment, part)
            .is_none_or(|keyed| keyed.former.is_none() || keyed.intake != present)
        {
            continue;
        }
        let path = link::identities_path(environment, part);
        for batch in open(&files, &path, 65_536)? {
            let batch = batch.map_err(|source| FileError::Arrow { path: path.clone(), source })?;
            for scheme in schemes.iter().filter(|scheme| batch.column_by_name(scheme).is_some()) {
                let keys = fixed::<32>(&batch, scheme, &path)?.into_iter().flatten();
                tied.extend(keys.map(|key| former.earliest(Keyed::new(key))));
            }
        }
    }
    Ok(tied)
}

fn keyed_under(environment: &Environment, part: &PartName) -> Option<KeyedUnder> {
    let folder = environment.room("links").join("staging").join(&part.folder);
    read_json(&folder.join(KEYED_UNDER)).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use catalog_model::Catalogue;
    use classified::Keyed;

    use super::digests_again;
    use crate::linkage::{Clusters, Mention, Mentions, SchemeKind};

    /// Two namesakes with cards of their own, and a record with the name alone, whose person has no key alone.
    fn linked(epoch: u8) -> (Clusters, Vec<[u8; 32]>) {
        let catalogue = Catalogue::builtin().unwrap();
        let kinds: Vec<SchemeKind> = catalogue.schemes.iter().map(SchemeKind::of).collect();
        let at = |name: &str| catalogue.schemes.iter().position(|scheme| scheme.scheme == name).unwrap();
        let key = |text: &str| *blake3::keyed_hash(&[epoch; 32], text.as_bytes()).as_bytes();
        let mut mentions = Mentions::new(kinds.len());
        let mut keys = vec![key("name")];
        for card in [Some("one"), Some("two"), None] {
            let mut of = vec![None; kinds.len()];
            of[at("id2")] = Some(Keyed::new(key("name")));
            if let Some(card) = card {
                of[at("id1")] = Some(Keyed::new(key(card)));
                keys.push(key(card));
            }
            let months = (24_280..24_290).collect();
            mentions.add(&Mention {
                keys: of,
                sex: Some(1),
                birth: Some(0),
                months,
                claims: 1,
                ..Mention::default()
            });
        }
        (mentions.link(&kinds), keys)
    }

    #[test]
    fn a_person_without_a_key_of_their_own_is_known_again_under_a_new_linkage_key() {
        let ((before, old), (after, new)) = (linked(1), linked(2));
        assert_eq!((before.count, after.count), (3, 3));
        let translation: HashMap<[u8; 32], [u8; 32]> = old.into_iter().zip(new).collect();
        let found = digests_again(&before, &after, &translation);
        let digest = |clusters: &Clusters| {
            let cluster = clusters.of_mention[2];
            let keys: Vec<_> = clusters.keys.iter().filter(|(_, of)| *of == cluster).collect();
            assert_eq!(keys.len(), 1);
            *keys[0].0.as_bytes()
        };
        assert_eq!(found, [(digest(&before), digest(&after))].into());
        assert_ne!(digest(&before), digest(&after));
    }
}
