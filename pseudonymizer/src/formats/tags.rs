//! Record types by their tags, found without a hash: a tag of up to seven bytes is a number in a short sorted list, and
//! most have two letters, whose lower bits say where in it.

use std::collections::{BTreeMap, BTreeSet};

/// A map from short byte strings.
#[derive(Debug, Default)]
pub(crate) struct ByTag<T> {
    short: Vec<(u64, T)>,
    long: BTreeMap<Vec<u8>, T>,
    /// For the lower bits of two letters the place of their tag, from 1; 0 where there is none, [`SEVERAL`] where there are
    /// more; empty where no tag has two letters.
    pairs: Vec<u8>,
}

const SEVERAL: u8 = u8::MAX;

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
                Err(at) => {
                    self.short.insert(at, (number, value));
                    self.note_pairs();
                }
            },
        }
    }

    fn note_pairs(&mut self) {
        self.pairs.clear();
        for (at, (number, _)) in self.short.iter().enumerate() {
            let tag = unpacked(*number);
            let Some(pair) = pair(&tag) else { continue };
            self.pairs.resize(PAIRS, 0);
            if let Some(place) = self.pairs.get_mut(pair) {
                let is_free = *place == 0;
                *place = u8::try_from(at + 1).ok().filter(|_| is_free).unwrap_or(SEVERAL);
            }
        }
    }

    /// Says whether there is no entry.
    pub(crate) fn is_empty(&self) -> bool {
        self.short.is_empty() && self.long.is_empty()
    }

    /// The entry of a tag.
    pub(crate) fn get(&self, tag: &[u8]) -> Option<&T> {
        if let Some(place) =
            pair(tag).and_then(|pair| self.pairs.get(pair)).filter(|place| **place != SEVERAL)
        {
            let (number, value) = self.short.get(usize::from(*place).checked_sub(1)?)?;
            return (packed(tag) == Some(*number)).then_some(value);
        }
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
        let mut set = ByTag { short: Vec::with_capacity(codes.len()), ..ByTag::default() };
        codes.iter().for_each(|code| set.insert(code, ()));
        Self(set)
    }

    pub(crate) fn contains(&self, code: &[u8]) -> bool {
        self.0.get(code).is_some()
    }
}

/// How many pairs of lower bits there are.
const PAIRS: usize = 1 << 10;

/// The lower bits of two letters.
fn pair(tag: &[u8]) -> Option<usize> {
    let [first, second] = tag else { return None };
    Some(usize::from(first & 31) << 5 | usize::from(second & 31))
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

    /// Bytes of which some have the same lower bits.
    fn tag() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![2..3_usize, 0..10_usize]
            .prop_flat_map(|length| prop::collection::vec(prop_oneof![0_u8..3, 32_u8..34], length))
    }

    proptest! {
        #[test]
        fn a_tag_is_found_as_in_a_map(
            entries in prop::collection::vec((tag(), any::<u8>()), 0..40),
            asked in tag(),
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
