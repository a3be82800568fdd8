//! Linkage keys of one scheme, numbered in the order in which they were first seen.
//!
//! A key is a keyed hash, so its own bytes say where it lies and nothing is hashed again. The table holds numbers only:
//! a key takes its 32 bytes and five to eleven of the table, about half of what a hash map of keys takes.

use classified::{Keyed, Linkage};

/// Where the table has no key.
const FREE: u32 = u32::MAX;
const FEWEST_SLOTS: usize = 16;

/// Keys and their numbers.
#[derive(Debug)]
pub(super) struct Numbered {
    keys: Vec<Keyed<Linkage>>,
    /// Numbers of keys, by open addresses; as many as a power of two.
    table: Vec<u32>,
}

impl Default for Numbered {
    fn default() -> Self {
        Self { keys: Vec::new(), table: vec![FREE; FEWEST_SLOTS] }
    }
}

impl Numbered {
    /// The number of a key, which is the next where it was not seen before.
    pub(super) fn number(&mut self, key: Keyed<Linkage>) -> u32 {
        // A quarter of the table stays free, so that looking ends soon.
        if self.keys.len() >= self.table.len() / 4 * 3 {
            self.grow();
        }
        let next = u32::try_from(self.keys.len()).unwrap_or(FREE);
        let mut at = self.place(&key);
        while let Some(slot) = self.table.get_mut(at) {
            if *slot == FREE {
                *slot = next;
                self.keys.push(key);
                return next;
            }
            let number = *slot;
            if self.key(number) == Some(key) {
                return number;
            }
            at = self.after(at);
        }
        next
    }

    /// The key of this number.
    pub(super) fn key(&self, number: u32) -> Option<Keyed<Linkage>> {
        self.keys.get(number as usize).copied()
    }

    /// How many keys there are.
    pub(super) const fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys in the order of their numbers.
    pub(super) fn into_keys(self) -> Vec<Keyed<Linkage>> {
        self.keys
    }

    fn grow(&mut self) {
        self.table = vec![FREE; self.table.len() * 2];
        for (key, number) in self.keys.iter().zip(0_u32..) {
            let mut at = self.place(key);
            while let Some(slot) = self.table.get_mut(at) {
                if *slot == FREE {
                    *slot = number;
                    break;
                }
                at = self.after(at);
            }
        }
    }

    /// Where looking for a key begins.
    fn place(&self, key: &Keyed<Linkage>) -> usize {
        let leading = key.as_bytes().first_chunk().map_or(0, |leading| u64::from_le_bytes(*leading));
        usize::try_from(leading).unwrap_or(0) & (self.table.len() - 1)
    }

    const fn after(&self, at: usize) -> usize {
        (at + 1) & (self.table.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use classified::Keyed;
    use proptest::prelude::*;

    use super::Numbered;

    proptest! {
        #[test]
        fn keys_have_the_numbers_that_a_map_gives_them(seeds in prop::collection::vec((0_u16..300, any::<bool>()), 0..400)) {
            let (mut numbered, mut map) = (Numbered::default(), HashMap::new());
            for (seed, is_crowded) in seeds {
                // Crowded keys begin alike, so that they look for a place one after the other.
                let mut bytes = *blake3::hash(&seed.to_le_bytes()).as_bytes();
                if is_crowded {
                    bytes[..8].fill(0xff);
                }
                let key = Keyed::new(bytes);
                let next = u32::try_from(map.len()).unwrap();
                let expected = *map.entry(key).or_insert(next);
                prop_assert_eq!(numbered.number(key), expected);
            }
            prop_assert_eq!(numbered.len(), map.len());
            prop_assert!(map.iter().all(|(key, number)| numbered.key(*number) == Some(*key)));
            let keys = numbered.into_keys();
            prop_assert!(map.into_iter().all(|(key, number)| keys[number as usize] == key));
        }
    }
}
