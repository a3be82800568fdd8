//! Groups mentions that share a linkage key, and numbers the groups in keyed-hash order.

use classified::{Keyed, Linkage};

use super::union_find::UnionFind;

/// One identity as it was mentioned in one part of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Its linkage keys by scheme number.
    pub keys: Vec<Option<Keyed<Linkage>>>,
}

/// The groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clusters {
    /// The cluster of each mention, in the order of the mentions.
    pub of_mention: Vec<u32>,
    /// Every distinct key with its cluster, sorted by key.
    pub keys: Vec<(Keyed<Linkage>, u32)>,
    /// The number of clusters.
    pub count: u32,
    /// What the rule did, by scheme number.
    pub evidence: Vec<Evidence>,
}

/// What one scheme contributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Mentions that carry a key of the scheme.
    pub mentions: u64,
    /// Distinct keys.
    pub keys: u64,
    /// Joins of groups that were apart until then.
    pub joins: u64,
}

/// Groups mentions that share a key of any scheme. Clusters are numbered by their smallest key, so the numbers do not
/// depend on the order of the mentions.
pub fn cluster(mentions: &[Mention], schemes: usize) -> Clusters {
    let mut evidence = vec![Evidence::default(); schemes];
    let mut places: Vec<(Keyed<Linkage>, usize, u32)> = Vec::new();
    for (mention, number) in mentions.iter().zip(0_u32..) {
        for (scheme, key) in mention.keys.iter().enumerate() {
            if let (Some(key), Some(evidence)) = (key, evidence.get_mut(scheme)) {
                evidence.mentions += 1;
                places.push((*key, scheme, number));
            }
        }
    }
    places.sort_unstable();
    let mut sets = UnionFind::new(u32::try_from(mentions.len()).unwrap_or(u32::MAX));
    let mut last: Option<(Keyed<Linkage>, u32)> = None;
    for (key, scheme, number) in &places {
        let Some(evidence) = evidence.get_mut(*scheme) else { continue };
        match last {
            Some((known, first)) if known == *key => evidence.joins += u64::from(sets.union(first, *number)),
            _ => {
                evidence.keys += 1;
                last = Some((*key, *number));
            }
        }
    }
    number(mentions.len(), &places, &mut sets, evidence)
}

fn number(
    mentions: usize,
    places: &[(Keyed<Linkage>, usize, u32)],
    sets: &mut UnionFind,
    evidence: Vec<Evidence>,
) -> Clusters {
    const NONE: u32 = u32::MAX;
    let mut clusters = Clusters { of_mention: vec![NONE; mentions], evidence, ..Clusters::default() };
    let mut of_set = vec![NONE; mentions];
    // Keys come in order, so the first key of a set is its smallest.
    for (key, _, mention) in places {
        let set = sets.find(*mention) as usize;
        let Some(cluster) = of_set.get_mut(set) else { continue };
        if *cluster == NONE {
            *cluster = clusters.count;
            clusters.count += 1;
        }
        if clusters.keys.last().is_none_or(|(last, _)| last != key) {
            clusters.keys.push((*key, *cluster));
        }
    }
    for (mention, cluster) in
        clusters.of_mention.iter_mut().zip(0_u32..).map(|(slot, mention)| (mention, slot))
    {
        let set = sets.find(mention) as usize;
        *cluster = of_set.get(set).copied().unwrap_or(NONE);
    }
    clusters
}

#[cfg(test)]
mod tests {
    use classified::Keyed;
    use proptest::prelude::*;

    use super::{Mention, cluster};

    fn mentions(keys: &[[Option<u8>; 3]]) -> Vec<Mention> {
        let key = |scheme: usize, value: u8| {
            let mut bytes = [0; 32];
            bytes[0] = value.wrapping_mul(97);
            bytes[1] = u8::try_from(scheme).unwrap();
            Keyed::new(bytes)
        };
        keys.iter()
            .map(|keys| Mention {
                keys: keys
                    .iter()
                    .enumerate()
                    .map(|(scheme, value)| value.map(|value| key(scheme, value)))
                    .collect(),
            })
            .collect()
    }

    #[test]
    fn a_chain_of_shared_keys_is_one_person() {
        let found = cluster(
            &mentions(&[
                [Some(1), None, None],
                [Some(1), Some(2), None],
                [None, Some(2), None],
                [None, Some(3), None],
            ]),
            3,
        );
        assert_eq!(found.count, 2);
        assert_eq!(found.of_mention[0], found.of_mention[2]);
        assert_ne!(found.of_mention[0], found.of_mention[3]);
        assert_eq!(found.evidence.iter().map(|evidence| evidence.joins).sum::<u64>(), 2);
    }

    proptest! {
        #[test]
        fn the_order_of_mentions_does_not_matter(
            keys in prop::collection::vec(prop::array::uniform3(prop::option::of(0_u8..12)), 0..30),
            seed in any::<u64>(),
        ) {
            let keys: Vec<_> = keys.into_iter().filter(|keys| keys.iter().any(Option::is_some)).collect();
            let mut order: Vec<usize> = (0..keys.len()).collect();
            order.sort_by_key(|at| seed.wrapping_mul(*at as u64 + 7).rotate_left(17));
            let straight = cluster(&mentions(&keys), 3);
            let shuffled: Vec<_> = order.iter().map(|at| keys[*at]).collect();
            let shuffled = cluster(&mentions(&shuffled), 3);
            prop_assert_eq!(&straight.keys, &shuffled.keys);
            for (place, at) in order.iter().enumerate() {
                prop_assert_eq!(shuffled.of_mention[place], straight.of_mention[*at]);
            }
        }
    }
}
