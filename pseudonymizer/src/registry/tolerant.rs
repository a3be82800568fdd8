//! Records that are one in spite of errors: pairs worth comparing, their weights, and clusters that are consistent.

use std::collections::{BTreeMap, HashMap};

use super::declaration::{Registry, Tolerant};
use super::tokens::Tokens;
use super::weights::Weights;

/// The cluster of each record, named by its smallest record.
pub(super) fn clusters(registry: &Registry, tolerant: &Tolerant, records: &[Tokens]) -> Vec<u32> {
    let pairs = candidates(records, tolerant.most);
    let weights = Weights::estimate(registry, records, &pairs);
    let mut edges: Vec<(f64, u32, u32)> = pairs
        .into_iter()
        .map(|(one, two)| (weights.log_odds(one, two), one, two))
        .filter(|(odds, ..)| *odds >= tolerant.log_odds)
        .collect();
    edges.sort_by(|one, two| two.0.total_cmp(&one.0).then((one.1, one.2).cmp(&(two.1, two.2))));
    join(records.len(), &edges, &weights)
}

/// Pairs that share a hash which few records have: of a field, of a field without a character, or of two whole fields.
fn candidates(records: &[Tokens], most: usize) -> Vec<(u32, u32)> {
    let mut holders: HashMap<(usize, usize, u64), Vec<u32>> = HashMap::new();
    for (number, record) in (0_u32..).zip(records) {
        for (at, token) in record.0.iter().enumerate().filter(|(_, token)| token.whole != 0) {
            for near in &token.near {
                holders.entry((at, at, *near)).or_default().push(number);
            }
            for (other, second) in
                record.0.iter().enumerate().skip(at + 1).filter(|(_, token)| token.whole != 0)
            {
                // Both are hashes under one key, so a mixture of them is no worse kept than they are.
                let both = token.whole.rotate_left(21).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ second.whole;
                holders.entry((at, other, both)).or_default().push(number);
            }
        }
    }
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for holders in holders.values().filter(|holders| (2..=most).contains(&holders.len())) {
        for (at, one) in holders.iter().enumerate() {
            pairs.extend(holders.iter().skip(at + 1).map(|two| (*one, *two)));
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs.retain(|(one, two)| one != two);
    pairs
}

/// Joins clusters along the strongest edges first, where all their records together speak for it. A chain of likely
/// pairs whose ends have nothing in common is cut where it is weakest.
fn join(records: usize, edges: &[(f64, u32, u32)], weights: &Weights<'_>) -> Vec<u32> {
    let mut cluster_of: Vec<u32> = (0..).take(records).collect();
    let mut members: BTreeMap<u32, Vec<u32>> =
        cluster_of.iter().map(|record| (*record, vec![*record])).collect();
    for (_, one, two) in edges {
        let of = |record: u32| cluster_of.get(record as usize).copied().unwrap_or(record);
        let (low, high) = (of(*one).min(of(*two)), of(*one).max(of(*two)));
        let (Some(first), Some(second)) = (members.get(&low), members.get(&high)) else { continue };
        if low == high || !speaks_for(first, second, weights) {
            continue;
        }
        let moved = members.remove(&high).unwrap_or_default();
        for record in &moved {
            if let Some(slot) = cluster_of.get_mut(*record as usize) {
                *slot = low;
            }
        }
        members.entry(low).or_default().extend(moved);
    }
    cluster_of
}

/// Whether the pairs between two clusters are, on the whole, rather one person's than not.
fn speaks_for(one: &[u32], two: &[u32], weights: &Weights<'_>) -> bool {
    let pairs = one.iter().flat_map(|one| two.iter().map(move |two| weights.log_odds(*one, *two)));
    pairs.sum::<f64>() >= 0.0
}
