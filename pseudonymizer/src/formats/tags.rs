//! Record types by their tags, found without a hash: a tag of up to seven bytes is a number in a short sorted list.

use std::collections::{BTreeMap, BTreeSet};

/// A map from short byte strings.
#[derive(Debug, Default)]
pub(crate) struct ByTag<T> {
    short: Vec<(u64, T)>,
    long: BTreeMap<Vec<u8>, T>,
}

impl<T> ByTag<T> {
    /// Adds an entry; of two with one tag the later counts.
    pub(crate) fn insert(&mut self, tag: &[u8], value: T) {
        match packed(tag) {
            None => {
                self.long.insert(tag.to_vec(), value);
            }
            Some(number) => match self.short.binary_search_by_key(&number, |(known, _)| *known) {
                Ok(at) => {
                    if let Some(entry) = self.short.get_mut(at) {
                        entry.1 = value;
                    }
                }
                Err(at) => self.short.insert(at, (number, value)),
            },
        }
    }

    /// Says whether there is no entry.
    pub(crate) fn is_empty(&self) -> bool {
        self.short.is_empty() && self.long.is_empty()
    }

    /// The entry of a tag.
    pub(crate) fn get(&self, tag: &[u8]) -> Option<&T> {
        let Some(number) = packed(tag) else { return self.long.get(tag) };
        let at = self.short.binary_search_by_key(&number, |(known, _)| *known).ok()?;
        self.short.get(at).map(|(_, value)| value)
    }

    /// Every tag with its entry.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Vec<u8>, &T)> {
        let short = self.short.iter().map(|(number, value)| (unpacked(*number), value));
        short.chain(self.long.iter().map(|(tag, value)| (tag.clone(), value)))
    }
}

/// The codes that a field may have.
#[derive(Debug)]
pub(crate) struct CodeSet(ByTag<()>);

impl CodeSet {
    pub(crate) fn new(codes: &BTreeSet<Vec<u8>>) -> Self {
        let mut set = ByTag { short: Vec::with_capacity(codes.len()), long: BTreeMap::new() };
        codes.iter().for_each(|code| set.insert(code, ()));
        Self(set)
    }

    pub(crate) fn contains(&self, code: &[u8]) -> bool {
        self.0.get(code).is_some()
    }
}

/// The bytes behind a leading one, which keeps apart what differs in length.
fn packed(bytes: &[u8]) -> Option<u64> {
    (bytes.len() < 8).then(|| bytes.iter().fold(1, |number, byte| number << 8 | u64::from(*byte)))
}

fn unpacked(number: u64) -> Vec<u8> {
    number.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).skip(1).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::ByTag;

    proptest! {
        #[test]
        fn a_tag_is_found_as_in_a_map(
            entries in prop::collection::vec((prop::collection::vec(0_u8..3, 0..10), any::<u8>()), 0..40),
            asked in prop::collection::vec(0_u8..3, 0..10),
        ) {
            let mut tags = ByTag::default();
            let mut map = BTreeMap::new();
            for (tag, value) in &entries {
                tags.insert(tag, *value);
                map.insert(tag.clone(), *value);
            }
            prop_assert_eq!(tags.get(&asked), map.get(&asked));
            prop_assert!(entries.iter().all(|(tag, _)| tags.get(tag) == map.get(tag)));
            let all: BTreeMap<Vec<u8>, u8> = tags.iter().map(|(tag, value)| (tag, *value)).collect();
            prop_assert_eq!(all, map);
        }
    }
}
