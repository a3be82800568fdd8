//! Which intake keys stand for the same field values: an overlap delivery carries them under two keys, and a clear
//! delivery ties the environment's own to those of every group of data holders.
//!
//! Linking knows a person by one of them, the environment's own before a group's and the earlier before the later. The
//! others are kept beside it, so that a person whom only a group knew keeps the number once a tie is found.

use std::collections::{BTreeSet, HashMap};
use std::io::ErrorKind;
use std::path::Path;

use arrow::array::RecordBatch;
use catalog_store::{Environment, KeyEntry, KeyId, KeyIndex, KeyRole};
use classified::{Bridge, Intake, Keyed};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use ring::hmac;

use super::ingest::{KEYED_UNDER, KeyedUnder};
use super::link::{self, LinkError, PartName, fixed};
use super::sorted::{Hashed, Sorted, leading};
use super::store::read_json;
use crate::keying::bridge_key;
use crate::linkage::UnionFind;
use crate::tables::{FileError, bridge_column, former_column, open};

/// The place of an intake key among all: of several keys a person is known by the one with the least.
type Rank = u32;

/// Keys that stand for the same field values, 45 bytes for each.
#[derive(Debug, Default)]
pub(super) struct Ties {
    known: Sorted<End>,
    /// Of each the place of the one that its person is known by.
    first: Vec<u32>,
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

/// One key of two that are tied, with the place of its scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    key: Keyed<Intake>,
    under: Rank,
    scheme: u32,
}

impl Hashed for End {
    fn leading(&self) -> u64 {
        leading(self.key.as_bytes())
    }
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
                for (scheme, at) in schemes.iter().zip(0..) {
                    for (one, two) in columns(batch, [scheme, &former_column(scheme)], path)? {
                        pairs.tie(End::of(later, one, at), End::of(earlier, two, at));
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
        self.known.place(&key).and_then(|at| self.first_of(at)).map_or(key, |first| first.key)
    }

    /// The keys that no person is known by, each with its scheme and the key that stands for it.
    pub(super) fn others(&self) -> impl Iterator<Item = (usize, &Keyed<Intake>, &Keyed<Intake>)> {
        let all = self.known.as_slice().iter().enumerate();
        let all = all.filter_map(|(at, end)| Some((end.scheme as usize, &end.key, &self.first_of(at)?.key)));
        all.filter(|(_, key, first)| key != first)
    }

    fn first_of(&self, at: usize) -> Option<&End> {
        self.known.as_slice().get(*self.first.get(at)? as usize)
    }

    /// Whether the field values behind a key of the list are carried under the intake key `id` as well.
    pub(super) fn carry(&self, key: Keyed<Intake>, id: &KeyId) -> bool {
        self.under.get(&self.first(key)).is_some_and(|under| under.contains(&rank(&self.ranks, id)))
    }
}

impl End {
    const fn of(under: Rank, key: [u8; 32], scheme: u32) -> Self {
        Self { key: Keyed::new(key), under, scheme }
    }
}

impl Sorted<End> {
    fn place(&self, key: &Keyed<Intake>) -> Option<usize> {
        self.find(leading(key.as_bytes()), |end| end.key == *key)
    }
}

fn rank(ranks: &HashMap<KeyId, Rank>, id: &KeyId) -> Rank {
    ranks.get(id).copied().unwrap_or(Rank::MAX)
}

/// Two keys that stand for the same field values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Tie(End, End);

impl Hashed for Tie {
    fn leading(&self) -> u64 {
        self.0.leading()
    }
}

/// Ties, one by one: 80 bytes for each pair of keys, however often it comes, and up to half as much again.
#[derive(Default)]
struct Pairs(Sorted<Tie>);

impl Pairs {
    fn tie(&mut self, one: End, two: End) {
        self.0.add(Tie(one.min(two), one.max(two)));
    }

    fn finish(self, ranks: HashMap<KeyId, Rank>, listed: &[ListedKey<'_>]) -> Ties {
        let pairs = self.0.into_vec();
        let known = Sorted::of(pairs.iter().flat_map(|Tie(one, two)| [*one, *two]).collect());
        let ends = known.as_slice();
        let number = |key: &Keyed<Intake>| known.place(key).and_then(|at| u32::try_from(at).ok());
        let mut sets = UnionFind::new(u32::try_from(ends.len()).unwrap_or(u32::MAX));
        for Tie(one, two) in &pairs {
            if let (Some(one), Some(two)) = (number(&one.key), number(&two.key)) {
                sets.union(one, two);
            }
        }
        drop(pairs);
        let of_list: BTreeSet<u32> =
            listed.iter().filter_map(|listed| Some(sets.find(number(&listed.key)?))).collect();
        let first = firsts(ends, &mut sets);
        let mut under: HashMap<Keyed<Intake>, BTreeSet<Rank>> = HashMap::new();
        for ((end, first), at) in ends.iter().zip(&first).zip(0..).filter(|_| !of_list.is_empty()) {
            if let Some(first) = ends.get(*first as usize).filter(|_| of_list.contains(&sets.find(at))) {
                under.entry(first.key).or_default().insert(end.under);
            }
        }
        Ties { known, first, under, ranks }
    }
}

/// The place of the key by which each one's person is known: of its set the one of the least rank, of these the smallest.
fn firsts(ends: &[End], sets: &mut UnionFind) -> Vec<u32> {
    let mut least: Vec<u32> = vec![u32::MAX; ends.len()];
    let rank = |at: u32| ends.get(at as usize).map_or(Rank::MAX, |end| end.under);
    for (end, at) in ends.iter().zip(0_u32..) {
        let Some(slot) = least.get_mut(sets.find(at) as usize) else { continue };
        if *slot == u32::MAX || end.under < rank(*slot) {
            *slot = at;
        }
    }
    let of = |at: u32| least.get(sets.find(at) as usize).copied().unwrap_or(at);
    (0_u32..).take(ends.len()).map(of).collect()
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
    let known = OfGroups::read(environment, (keyed, schemes, listed), (ranks, &bridged))?;
    known.tie(pairs);
    for (part, keyed) in keyed {
        let under = rank(ranks, &keyed.intake);
        for id in &keyed.groups {
            each_batch(environment, part, &mut |batch, path| {
                for (scheme, at) in schemes.iter().zip(0..) {
                    for (own, tied) in columns(batch, [scheme, &bridge_column(scheme, id.as_str())], path)? {
                        let Some(of_group) = known.find(&Keyed::new(tied)) else { continue };
                        pairs.tie(End::of(under, own, at), of_group);
                    }
                }
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// The keys that deliveries of groups and the list hold, found by what a clear delivery would have for each: 77 bytes for
/// one.
struct OfGroups {
    ends: Vec<End>,
    bridged: Sorted<Bridged>,
}

/// What a clear delivery would have for a key, and the key's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Bridged {
    key: Keyed<Bridge>,
    of: u32,
}

impl Hashed for Bridged {
    fn leading(&self) -> u64 {
        leading(self.key.as_bytes())
    }
}

impl OfGroups {
    /// Those under these intake keys.
    fn read(
        environment: &Environment,
        (keyed, schemes, listed): (&[(&PartName, KeyedUnder)], &[String], &[ListedKey<'_>]),
        (ranks, ids): (&HashMap<KeyId, Rank>, &BTreeSet<&KeyId>),
    ) -> Result<Self, LinkError> {
        let bridge = environment.key(KeyRole::Bridge)?;
        let bridge = hmac::Key::new(hmac::HMAC_SHA256, bridge.as_bytes());
        let (mut ends, mut bridged): (Vec<End>, Vec<Bridged>) = (Vec::new(), Vec::new());
        let mut learn = |these: Vec<End>, keys: Vec<Keyed<Bridge>>| {
            let first = u32::try_from(ends.len()).unwrap_or(u32::MAX);
            bridged.extend(keys.into_iter().zip(first..).map(|(key, of)| Bridged { key, of }));
            ends.extend(these);
        };
        for id in ids.iter().copied() {
            let these = keys_under(environment, (keyed, schemes), (id, rank(ranks, id)))?;
            let hashed = |end: &End| {
                let scheme = schemes.get(end.scheme as usize).map_or("", String::as_str);
                bridge_key(&bridge, id.as_str(), scheme, &end.key)
            };
            let keys = these.par_iter().map(hashed).collect();
            learn(these, keys);
        }
        let (these, keys) = of_list(&bridge, (schemes, listed), (ranks, ids)).into_iter().unzip();
        learn(these, keys);
        Ok(Self { ends, bridged: Sorted::of(bridged) })
    }

    /// Ties those for which a clear delivery would have the same: the list has no more of a key than that.
    fn tie(&self, pairs: &mut Pairs) {
        for same in self.bridged.as_slice().chunk_by(|one, two| one.key == two.key) {
            let mut ends = same.iter().filter_map(|bridged| self.ends.get(bridged.of as usize));
            let Some(first) = ends.next() else { continue };
            ends.filter(|end| end.key != first.key).for_each(|end| pairs.tie(*first, *end));
        }
    }

    fn find(&self, key: &Keyed<Bridge>) -> Option<End> {
        let at = self.bridged.find(leading(key.as_bytes()), |bridged| bridged.key == *key)?;
        self.ends.get(self.bridged.as_slice().get(at)?.of as usize).copied()
    }
}

/// The keys under one intake key that deliveries hold, each once.
fn keys_under(
    environment: &Environment,
    (keyed, schemes): (&[(&PartName, KeyedUnder)], &[String]),
    (id, under): (&KeyId, Rank),
) -> Result<Vec<End>, LinkError> {
    let mut found: Sorted<End> = Sorted::default();
    for (part, keyed) in keyed {
        for (of_part, is_former) in [(Some(&keyed.intake), false), (keyed.former.as_ref(), true)] {
            if of_part != Some(id) {
                continue;
            }
            each_batch(environment, part, &mut |batch, path| {
                for (scheme, at) in schemes.iter().zip(0..) {
                    let column = if is_former { former_column(scheme) } else { scheme.clone() };
                    let keys = column_of(batch, &column, path)?.into_iter().flatten();
                    keys.for_each(|key| found.add(End::of(under, key, at)));
                }
                Ok(())
            })?;
        }
    }
    Ok(found.into_vec())
}

/// The keys of the list alone, each with what a clear delivery would have for it.
fn of_list(
    bridge: &hmac::Key,
    (schemes, listed): (&[String], &[ListedKey<'_>]),
    (ranks, ids): (&HashMap<KeyId, Rank>, &BTreeSet<&KeyId>),
) -> Vec<(End, Keyed<Bridge>)> {
    let bridged = |listed: &ListedKey<'_>| {
        let ListedKey { under, scheme, key, is_bridged } = *listed;
        let (_, at) = schemes.iter().zip(0_u32..).find(|(known, _)| known.as_str() == scheme)?;
        let id = ids.iter().find(|id| id.as_str() == under)?;
        let bridged = match is_bridged {
            true => Keyed::new(*key.as_bytes()),
            false => bridge_key(bridge, id.as_str(), scheme, &key),
        };
        Some((End { key, under: rank(ranks, id), scheme: at }, bridged))
    };
    listed.iter().filter_map(bridged).collect()
}

/// The order in which intake keys name a person: the environment's own before groups', the earlier made before the later,
/// so that a new key comes behind those of its kind.
fn ranks(index: &KeyIndex) -> HashMap<KeyId, Rank> {
    let mut all: Vec<&KeyEntry> = index.keys.iter().filter(|entry| entry.role == KeyRole::Intake).collect();
    all.sort_by_key(|entry| entry.group.is_some());
    all.into_iter().zip(0_u32..).map(|(entry, rank)| (entry.id.clone(), rank)).collect()
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
        let ranks: HashMap<KeyId, u32> = ids.iter().cloned().zip(0..).collect();
        let end = |at: u32, key: u8| End::of(at, [key; 32], 0);
        let ties = [(end(3, 30), end(2, 20)), (end(1, 10), end(3, 30)), (end(1, 10), end(0, 1))];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let mut pairs = Pairs::default();
            order.iter().for_each(|at: &usize| pairs.tie(ties[*at].0, ties[*at].1));
            // Somebody else, whom two groups know and no clear delivery.
            pairs.tie(end(4, 41), end(2, 21));
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
