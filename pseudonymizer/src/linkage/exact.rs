//! Records that share a key, at the speed of memory: components over columns of 64-bit keys.
//!
//! Interning keys is what linking costs, because a table of all keys lies outside every cache. So keys are spread over
//! partitions by their leading bits first, and each partition has a table small enough to stay inside. Two different
//! keys of `n` are taken for one with a chance of n² / 2⁶⁵: one in 10⁵ for twenty million.

use std::sync::atomic::{AtomicU32, Ordering};

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

/// Where a record has no key.
pub const NONE: u64 = 0;

// Keys of a partition, so that its table of 12 bytes a slot lies in a second-level cache.
const PER_PARTITION: usize = 16_384;

/// Disjoint sets that several threads join at once. A parent is never larger than its child, so a set is named by its
/// smallest member whatever the order of the joins.
#[derive(Debug)]
struct SharedSets(Vec<AtomicU32>);

impl SharedSets {
    fn new(size: usize) -> Self {
        Self((0..u32::try_from(size).unwrap_or(u32::MAX)).map(AtomicU32::new).collect())
    }

    fn parent(&self, at: u32) -> u32 {
        self.0.get(at as usize).map_or(at, |parent| parent.load(Ordering::Relaxed))
    }

    fn find(&self, member: u32) -> u32 {
        let mut at = member;
        loop {
            let parent = self.parent(at);
            if parent == at {
                return at;
            }
            // Halving the path: a stale grandparent is an ancestor still.
            let grandparent = self.parent(parent);
            if grandparent != parent
                && let Some(slot) = self.0.get(at as usize)
            {
                slot.store(grandparent, Ordering::Relaxed);
            }
            at = grandparent;
        }
    }

    fn union(&self, one: u32, two: u32) {
        let (mut one, mut two) = (self.find(one), self.find(two));
        while one != two {
            let (low, high) = (one.min(two), one.max(two));
            let Some(slot) = self.0.get(high as usize) else { return };
            match slot.compare_exchange(high, low, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(_) => (one, two) = (self.find(high), self.find(low)),
            }
        }
    }
}

/// The records of a stretch of a column, by partition.
struct Spread {
    entries: Vec<(u32, u32, u32)>,
    ends: Vec<u32>,
}

impl Spread {
    /// Spreads the keys of the records from `first` on by their leading `bits`.
    fn new(keys: &[u64], first: usize, bits: u32) -> Self {
        let partition = |key: u64| usize::try_from(key >> (64 - bits)).unwrap_or(0);
        let mut ends = vec![0_u32; (1 << bits) + 1];
        for key in keys.iter().filter(|key| **key != NONE) {
            if let Some(count) = ends.get_mut(partition(*key) + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for count in &mut ends {
            sum += *count;
            *count = sum;
        }
        let mut entries = vec![(0, 0, 0); sum as usize];
        let mut next = ends.clone();
        for (key, record) in keys.iter().zip(first..).filter(|(key, _)| **key != NONE) {
            let Some(place) = next.get_mut(partition(*key)) else { continue };
            if let Some(entry) = entries.get_mut(*place as usize) {
                *entry = (high(*key), low(*key), u32::try_from(record).unwrap_or(u32::MAX));
            }
            *place += 1;
        }
        Self { entries, ends }
    }

    fn partition(&self, number: usize) -> &[(u32, u32, u32)] {
        let end = |at: usize| self.ends.get(at).map_or(0, |end| *end as usize);
        self.entries.get(end(number)..end(number + 1)).unwrap_or_default()
    }
}

const fn high(key: u64) -> u32 {
    (key >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
const fn low(key: u64) -> u32 {
    key as u32
}

/// The component of each record, named by its smallest record. Each column is taken and freed as soon as it is read.
pub fn components(columns: Vec<Vec<u64>>) -> Vec<u32> {
    let records = columns.iter().map(Vec::len).max().unwrap_or(0);
    let sets = SharedSets::new(records);
    let bits = (records / PER_PARTITION).max(2).ilog2().min(14);
    let threads = rayon::current_num_threads().max(1);
    for column in columns {
        let stretch = column.len().div_ceil(threads).max(1);
        let stretches: Vec<(usize, &[u64])> = (0..).step_by(stretch).zip(column.chunks(stretch)).collect();
        let spread: Vec<Spread> =
            stretches.into_par_iter().map(|(first, keys)| Spread::new(keys, first, bits)).collect();
        drop(column);
        (0..1_usize << bits).into_par_iter().for_each_init(Vec::new, |table, partition| {
            join(&sets, &spread, partition, table);
        });
    }
    (0..u32::try_from(records).unwrap_or(u32::MAX)).into_par_iter().map(|record| sets.find(record)).collect()
}

/// Joins the records of one partition that share a key, by a table of open addresses.
fn join(sets: &SharedSets, spread: &[Spread], partition: usize, table: &mut Vec<(u32, u32, u32)>) {
    const FREE: u32 = u32::MAX;
    let entries: usize = spread.iter().map(|spread| spread.partition(partition).len()).sum();
    let slots = (entries * 2).next_power_of_two().max(2);
    table.clear();
    table.resize(slots, (0, 0, FREE));
    for (high, low, record) in spread.iter().flat_map(|spread| spread.partition(partition)).copied() {
        // The leading bits name the partition, so the place comes from the lower half.
        let mut at = low as usize & (slots - 1);
        while let Some(slot) = table.get_mut(at) {
            match *slot {
                (_, _, FREE) => {
                    *slot = (high, low, record);
                    break;
                }
                (h, l, first) if (h, l) == (high, low) => {
                    sets.union(first, record);
                    break;
                }
                _ => at = (at + 1) & (slots - 1),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{NONE, components};

    /// The slow reference: relabel until nothing changes.
    fn reference(columns: &[Vec<u64>]) -> Vec<u32> {
        let records = columns[0].len();
        let mut labels: Vec<u32> = (0..u32::try_from(records).unwrap()).collect();
        loop {
            let before = labels.clone();
            for column in columns {
                for one in 0..records {
                    for two in 0..records {
                        if column[one] == column[two] && column[one] != NONE {
                            labels[one] = labels[one].min(labels[two]);
                        }
                    }
                }
            }
            if labels == before {
                return labels;
            }
        }
    }

    proptest! {
        #[test]
        fn components_are_those_of_the_reference(
            rows in prop::collection::vec((0_u64..12, 0_u64..12), 1..40),
            salt in any::<u64>(),
        ) {
            let key = |key: u64| if key == 0 { NONE } else { key.wrapping_mul(salt | 1) };
            let columns = vec![
                rows.iter().map(|row| key(row.0)).collect::<Vec<_>>(),
                rows.iter().map(|row| key(row.1)).collect::<Vec<_>>(),
            ];
            prop_assert_eq!(components(columns.clone()), reference(&columns));
        }
    }

    #[test]
    fn many_records_over_many_partitions_find_their_partners() {
        let column: Vec<u64> =
            (0..200_000_u64).map(|n| (n / 2 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
        let found = components(vec![column]);
        assert!(found.iter().zip(0_u32..).all(|(component, record)| *component == record / 2 * 2));
    }
}
