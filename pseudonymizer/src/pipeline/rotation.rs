//! What holds persons together when the linkage key changes: every linkage key is made again from the intake keys in
//! `links/`, and the numbers of persons move over to the new keys before the rotation counts.
//!
//! What holds them together when an intake key changes is [`super::ties`].

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use catalog_store::{Environment, KeyRole};
use classified::{Intake, Keyed, Linkage};
use ring::hmac;
use serde::Serialize;

use super::link::{self, LinkError, fixed};
use super::numbering;
use super::ties::Ties;
use crate::keying::linkage_key;
use crate::linkage::{Clusters, SchemeKind};
use crate::tables::{FileError, open};

/// What rotating the linkage key did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RotatedLinkage {
    /// Linkage keys that were made anew.
    pub recomputed: u64,
    /// Keys that no held delivery mentions; their persons' numbers stay unused.
    pub dropped: u64,
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
    environment.still_held()?;
    keys.settle(entry)?;
    for path in former {
        environment.still_held()?;
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
    let ties = Ties::read(environment, &parts, &schemes, &[])?;
    let [before, after] = [before, after].map(|key| hmac::Key::new(hmac::HMAC_SHA256, key));
    let translated = |scheme: &str, key: &Keyed<Intake>| {
        let [old, new] = [&before, &after].map(|under| linkage_key(under, scheme, key));
        Some((*old.as_bytes(), *new.as_bytes()))
    };
    let mut seen: HashSet<Keyed<Intake>> = HashSet::new();
    let (mut translation, files) = (HashMap::new(), environment.staged_files());
    for part in &parts {
        let path = link::identities_path(environment, part);
        for batch in open(&files, &path, 65_536)? {
            let batch = batch.map_err(|source| FileError::Arrow { path: path.clone(), source })?;
            for scheme in schemes.iter().filter(|scheme| batch.column_by_name(scheme).is_some()) {
                for key in fixed::<32>(&batch, scheme, &path)?.into_iter().flatten() {
                    let key = ties.first(Keyed::new(key));
                    if seen.insert(key) {
                        translation.extend(translated(scheme, &key));
                    }
                }
            }
        }
    }
    for (scheme, key, _) in ties.others() {
        translation.extend(schemes.get(scheme).and_then(|scheme| translated(scheme, key)));
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
