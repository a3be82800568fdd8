//! Numbers that were looked up before, in a table without collisions to resolve: a place holds what came there last.

/// As many values as most keys have, and a few more.
const PLACES: usize = 1 << 12;

/// What was looked up before.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    /// The value and its number; made with the first look-up.
    places: Vec<Option<(u128, u32)>>,
}

impl Memo {
    /// The number of a value, found anew where another value came to its place.
    pub(crate) fn number(&mut self, value: u128, find: impl FnOnce() -> u32) -> u32 {
        if self.places.is_empty() {
            self.places = vec![None; PLACES];
        }
        let Some(place) = self.places.get_mut(place(value)) else { return find() };
        match place {
            Some((known, number)) if *known == value => *number,
            _ => {
                let number = find();
                *place = Some((value, number));
                number
            }
        }
    }
}

/// Values that differ in a few digits come to different places.
#[expect(
    clippy::cast_possible_truncation,
    reason = "both halves are folded in, and few of the upper bits are kept"
)]
const fn place(value: u128) -> usize {
    let folded = (value as u64 ^ (value >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (folded >> (u64::BITS - PLACES.trailing_zeros())) as usize
}

/// A text of up to fifteen bytes as a number that no other text has.
///
/// Most codes are of few bytes, which are put together faster than they are copied. Their number is of 64 bits: the
/// length, then the bytes. The number of a longer one is beyond: its length stands in the highest byte.
pub(crate) fn packed(text: &str) -> Option<u128> {
    if text.len() < 8 {
        let number = text.bytes().fold(text.len() as u64, |number, byte| number << 8 | u64::from(byte));
        return Some(number.into());
    }
    let mut bytes = [0; 16];
    let (length, letters) = bytes.split_last_mut()?;
    letters.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    *length = u8::try_from(text.len()).ok()?;
    Some(u128::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{Memo, packed};

    proptest! {
        #[test]
        fn a_number_is_that_of_the_value(values in prop::collection::vec(0_u128..100_000, 0..20_000)) {
            let mut memo = Memo::default();
            for value in values {
                prop_assert_eq!(u128::from(memo.number(value, || u32::try_from(value).unwrap())), value);
            }
        }

        #[test]
        fn packed_texts_differ_where_the_texts_do(texts in prop::collection::vec("[a\u{0}é]{0,16}", 0..40)) {
            let mut known = BTreeMap::new();
            for text in &texts {
                match packed(text) {
                    Some(number) => prop_assert_eq!(*known.entry(number).or_insert(text), text),
                    None => prop_assert!(text.len() > 15),
                }
            }
        }
    }
}
