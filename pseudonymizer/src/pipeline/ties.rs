//! Which intake keys stand for the same field values: an overlap delivery carries them under two keys, and a clear
//! delivery ties the environment's own to those of every group of data holders.
//!
//! Linking knows a person by one of them, the environment's own before a group's and the earlier before the later. The
//! others are kept beside it, so that a person whom only a group knew keeps the number once a tie is found.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::ErrorKind;
use std::path::Path;

use arrow::array::RecordBatch;
use catalog_store::{Environment, KeyEntry, KeyId, KeyIndex, KeyRole};
use classified::{Bridge, Intake, Keyed};
use ring::hmac;

use super::ingest::{KEYED_UNDER, KeyedUnder};
use super::link::{self, LinkError, PartName, fixed};
use super::store::read_json;
use crate::keying::bridge_key;
use crate::linkage::UnionFind;
use crate::tables::{FileError, bridge_column, former_column, open};

/// The place of an intake key among all: of several keys a person is known by the one with the least.
type Rank = usize;

/// Keys that stand for the same field values.
#[derive(Debug, Default)]
pub(super) struct Ties {
    /// The scheme of each tied key, and the key that its person is known by.
    first: HashMap<Keyed<Intake>, (usize, Keyed<Intake>)>,
    /// Of those in the list, under which intake keys the same values are carried, by the key that the person is known by.
    under: HashMap<Keyed<Intake>, BTreeSet<Rank>>,
    ranks: HashMap<KeyId, Rank>,
}

/// A key in a list of identities. One under the intake key of a group of data holders is tied by clear deliveries,
/// whether or not a delivery of the group holds it.
pub(super) struct ListedKey<'l> {
    /// The id of the intake key.
    pub(super) under: &'l str,
    pub(super) scheme: &'l str,
    /// The key, or what stands for it here: what a clear delivery would have for it.
    pub(super) key: Keyed<Intake>,
    pub(super) is_bridged: bool,
}

/// One key of two that are tied.
#[derive(Clone, Copy)]
struct End {
    under: Rank,
    key: Keyed<Intake>,
}

impl Ties {
    /// Collects what the deliveries say, of the keys in a list as well.
    pub(super) fn read(
        environment: &Environment,
        parts: &[PartName],
        schemes: &[String],
        listed: &[ListedKey<'_>],
    ) -> Result<Self, LinkError> {
        let keyed = parts.iter().filter_map(|part| {
            let keyed = keyed_under(environment, part).transpose()?;
            Some(keyed.map(|keyed| (part, keyed)))
        });
        let keyed: Vec<(&PartName, KeyedUnder)> = keyed.collect::<Result<_, LinkError>>()?;
        let (ranks, mut pairs) = (ranks(&environment.keys().index()?), Pairs::default());
        for (part, keyed) in &keyed {
            let Some(former) = &keyed.former else { continue };
            let [later, earlier] = [&keyed.intake, former].map(|id| rank(&ranks, id));
            each_batch(environment, part, &mut |batch, path| {
                for (at, scheme) in schemes.iter().enumerate() {
                    for (one, two) in columns(batch, [scheme, &former_column(scheme)], path)? {
                        pairs.tie(at, End::of(later, one), End::of(earlier, two));
                    }
                }
                Ok(())
            })?;
        }
        bridges(environment, (keyed.as_slice(), schemes, listed), &ranks, &mut pairs)?;
        Ok(pairs.finish(ranks, listed))
    }

    /// The key that the person is known by who has this one.
    pub(super) fn first(&self, key: Keyed<Intake>) -> Keyed<Intake> {
        self.first.get(&key).map_or(key, |(_, first)| *first)
    }

    /// The keys that no person is known by, each with its scheme and the key that stands for it.
    pub(super) fn others(&self) -> impl Iterator<Item = (usize, &Keyed<Intake>, &Keyed<Intake>)> {
        let all = self.first.iter().map(|(key, (scheme, first))| (*scheme, key, first));
        all.filter(|(_, key, first)| key != first)
    }

    /// Whether the field values behind a key of the list are carried under the intake key `id` as well.
    pub(super) fn carry(&self, key: Keyed<Intake>, id: &KeyId) -> bool {
        self.under.get(&self.first(key)).is_some_and(|under| under.contains(&rank(&self.ranks, id)))
    }
}

impl End {
    const fn of(under: Rank, key: [u8; 32]) -> Self {
        Self { under, key: Keyed::new(key) }
    }
}

fn rank(ranks: &HashMap<KeyId, Rank>, id: &KeyId) -> Rank {
    ranks.get(id).copied().unwrap_or(Rank::MAX)
}

/// Ties, one by one.
#[derive(Default)]
struct Pairs {
    numbers: HashMap<Keyed<Intake>, u32>,
    ends: Vec<(usize, End)>,
    tied: HashSet<(u32, u32)>,
}

impl Pairs {
    fn tie(&mut self, scheme: usize, one: End, two: End) {
        let pair = [one, two].map(|end| self.number(scheme, end));
        self.tied.insert(pair.into());
    }

    fn number(&mut self, scheme: usize, end: End) -> u32 {
        let next = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(end.key).or_insert(next);
        if number == next {
            self.ends.push((scheme, end));
        }
        number
    }

    fn finish(self, ranks: HashMap<KeyId, Rank>, listed: &[ListedKey<'_>]) -> Ties {
        let mut sets = UnionFind::new(u32::try_from(self.ends.len()).unwrap_or(u32::MAX));
        for (one, two) in &self.tied {
            sets.union(*one, *two);
        }
        let mut least: HashMap<u32, (Rank, Keyed<Intake>)> = HashMap::new();
        for ((_, end), number) in self.ends.iter().zip(0..) {
            let found = (end.under, end.key);
            least.entry(sets.find(number)).and_modify(|least| *least = found.min(*least)).or_insert(found);
        }
        let of_list = listed.iter().filter_map(|listed| self.numbers.get(&listed.key));
        let of_list: HashSet<u32> = of_list.map(|number| sets.find(*number)).collect();
        let mut ties = Ties { ranks, ..Ties::default() };
        for ((scheme, End { under, key }), number) in self.ends.into_iter().zip(0..) {
            let set = sets.find(number);
            let first = least.get(&set).map_or(key, |(_, first)| *first);
            ties.first.insert(key, (scheme, first));
            if of_list.contains(&set) {
                ties.under.entry(first).or_default().insert(under);
            }
        }
        ties
    }
}

/// What clear deliveries tie: the keys that groups' deliveries and the list hold are hashed once more, and looked for
/// there.
fn bridges(
    environment: &Environment,
    (keyed, schemes, listed): (&[(&PartName, KeyedUnder)], &[String], &[ListedKey<'_>]),
    ranks: &HashMap<KeyId, Rank>,
    pairs: &mut Pairs,
) -> Result<(), LinkError> {
    let in_list: BTreeSet<&str> =
        listed.iter().filter(|listed| listed.is_bridged).map(|listed| listed.under).collect();
    let named = ranks.keys().filter(|id| in_list.contains(id.as_str()));
    let bridged: BTreeSet<&KeyId> = keyed.iter().flat_map(|(_, keyed)| &keyed.groups).chain(named).collect();
    if bridged.is_empty() {
        return Ok(());
    }
    let known = of_groups(environment, (keyed, schemes, listed), (ranks, &bridged), pairs)?;
    for (part, keyed) in keyed {
        let under = rank(ranks, &keyed.intake);
        for id in &keyed.groups {
            each_batch(environment, part, &mut |batch, path| {
                for (at, scheme) in schemes.iter().enumerate() {
                    for (own, tied) in columns(batch, [scheme, &bridge_column(scheme, id.as_str())], path)? {
                        let Some(of_group) = known.get(&Keyed::new(tied)) else { continue };
                        pairs.tie(at, End::of(under, own), *of_group);
                    }
                }
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// The keys under these intake keys that deliveries of groups and the list hold, each by what a clear delivery would have
/// for it. Two that have the same are tied: the list has no more of a key than that.
fn of_groups(
    environment: &Environment,
    (keyed, schemes, listed): (&[(&PartName, KeyedUnder)], &[String], &[ListedKey<'_>]),
    (ranks, ids): (&HashMap<KeyId, Rank>, &BTreeSet<&KeyId>),
    pairs: &mut Pairs,
) -> Result<HashMap<Keyed<Bridge>, End>, LinkError> {
    let bridge = environment.key(KeyRole::Bridge)?;
    let bridge = hmac::Key::new(hmac::HMAC_SHA256, bridge.as_bytes());
    let mut known: HashMap<Keyed<Bridge>, End> = HashMap::new();
    let mut seen: HashSet<Keyed<Intake>> = HashSet::new();
    let mut learn = |at: usize, bridged: Keyed<Bridge>, end: End| {
        let first = *known.entry(bridged).or_insert(end);
        if first.key != end.key {
            pairs.tie(at, first, end);
        }
    };
    for (at, bridged, end) in of_list(&bridge, (schemes, listed), (ranks, ids)) {
        learn(at, bridged, end);
    }
    for (part, keyed) in keyed {
        for (id, is_former) in [(Some(&keyed.intake), false), (keyed.former.as_ref(), true)] {
            let Some(id) = id.filter(|id| ids.contains(id)) else { continue };
            let under = rank(ranks, id);
            each_batch(environment, part, &mut |batch, path| {
                for (at, scheme) in schemes.iter().enumerate() {
                    let column = if is_former { former_column(scheme) } else { scheme.clone() };
                    for key in column_of(batch, &column, path)?.into_iter().flatten() {
                        let end = End::of(under, key);
                        if seen.insert(end.key) {
                            learn(at, bridge_key(&bridge, id.as_str(), scheme, &end.key), end);
                        }
                    }
                }
                Ok(())
            })?;
        }
    }
    Ok(known)
}

/// The same of the list alone, with the place of each key's scheme.
fn of_list(
    bridge: &hmac::Key,
    (schemes, listed): (&[String], &[ListedKey<'_>]),
    (ranks, ids): (&HashMap<KeyId, Rank>, &BTreeSet<&KeyId>),
) -> Vec<(usize, Keyed<Bridge>, End)> {
    let bridged = |listed: &ListedKey<'_>| {
        let ListedKey { under, scheme, key, is_bridged } = *listed;
        let at = schemes.iter().position(|known| known.as_str() == scheme)?;
        let id = ids.iter().find(|id| id.as_str() == under)?;
        let bridged = match is_bridged {
            true => Keyed::new(*key.as_bytes()),
            false => bridge_key(bridge, id.as_str(), scheme, &key),
        };
        Some((at, bridged, End { under: rank(ranks, id), key }))
    };
    listed.iter().filter_map(bridged).collect()
}

/// The order in which intake keys name a person: the environment's own before groups', the earlier made before the later,
/// so that a new key comes behind those of its kind.
fn ranks(index: &KeyIndex) -> HashMap<KeyId, Rank> {
    let mut all: Vec<&KeyEntry> = index.keys.iter().filter(|entry| entry.role == KeyRole::Intake).collect();
    all.sort_by_key(|entry| entry.group.is_some());
    all.into_iter().zip(0..).map(|(entry, rank)| (entry.id.clone(), rank)).collect()
}

/// Under which keys a part was keyed; none of deliveries from before keys had ids.
pub(super) fn keyed_under(
    environment: &Environment,
    part: &PartName,
) -> Result<Option<KeyedUnder>, LinkError> {
    let path = environment.room("links").join("staging").join(&part.folder).join(KEYED_UNDER);
    match read_json(&path) {
        Ok(keyed) => Ok(Some(keyed)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(link::io("read", &path)(error)),
    }
}

type Look<'l> = dyn FnMut(&RecordBatch, &Path) -> Result<(), FileError> + 'l;

fn each_batch(environment: &Environment, part: &PartName, look: &mut Look<'_>) -> Result<(), LinkError> {
    let (path, files) = (link::identities_path(environment, part), environment.staged_files());
    for batch in open(&files, &path, 65_536)? {
        let batch = batch.map_err(|source| FileError::Arrow { path: path.clone(), source })?;
        look(&batch, &path)?;
    }
    Ok(())
}

/// Two hashes of one line.
type Pair = ([u8; 32], [u8; 32]);

/// The values of two columns where both are there.
fn columns(batch: &RecordBatch, [one, two]: [&str; 2], path: &Path) -> Result<Vec<Pair>, FileError> {
    let both = column_of(batch, one, path)?.into_iter().zip(column_of(batch, two, path)?);
    Ok(both.filter_map(|(one, two)| Some((one?, two?))).collect())
}

/// The values of a column; nothing where the part was read before there was one.
fn column_of(batch: &RecordBatch, name: &str, path: &Path) -> Result<Vec<Option<[u8; 32]>>, FileError> {
    match batch.column_by_name(name) {
        Some(_) => fixed::<32>(batch, name, path),
        None => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use catalog_store::{KeyId, SecretKey};
    use classified::Keyed;

    use super::{End, ListedKey, Pairs};

    fn id(number: u8) -> KeyId {
        SecretKey::new([number; 32]).id()
    }

    #[test]
    fn a_person_is_known_by_the_environments_own_earliest_key_however_the_ties_run() {
        // Two epochs of the environment's own key, then those of two groups, one of which rotated.
        let ids: Vec<KeyId> = (0..5).map(id).collect();
        let ranks: HashMap<KeyId, usize> = ids.iter().cloned().zip(0..).collect();
        let end = |at: usize, key: u8| End::of(at, [key; 32]);
        let ties = [(end(3, 30), end(2, 20)), (end(1, 10), end(3, 30)), (end(1, 10), end(0, 1))];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let mut pairs = Pairs::default();
            order.iter().for_each(|at: &usize| pairs.tie(0, ties[*at].0, ties[*at].1));
            // Somebody else, whom two groups know and no clear delivery.
            pairs.tie(0, end(4, 41), end(2, 21));
            let listed = ListedKey { under: "", scheme: "", key: Keyed::new([10; 32]), is_bridged: false };
            let ties = pairs.finish(ranks.clone(), &[listed]);
            for key in [1, 10, 20, 30] {
                assert_eq!(ties.first(Keyed::new([key; 32])), Keyed::new([1; 32]));
            }
            assert_eq!(ties.first(Keyed::new([41; 32])), Keyed::new([21; 32]));
            assert_eq!(ties.first(Keyed::new([99; 32])), Keyed::new([99; 32]));
            assert_eq!(ties.others().count(), 4);
            assert!(ties.carry(Keyed::new([10; 32]), &ids[3]) && !ties.carry(Keyed::new([10; 32]), &ids[4]));
        }
    }
}
