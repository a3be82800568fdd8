//! The short way over a tail of days: one look says that nothing is wrong, how many fields there are, and which have a
//! count.
//!
//! Nearly all fields of such a tail are empty, and the others have a short number. Anything else goes the general way,
//! whose outcome this one must have.

use super::split::{marked, matches, next_word};

/// The upper bit of each of eight bytes.
const UPPER: u64 = 0x8080_8080_8080_8080;

/// What a plain tail says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlainTail {
    /// How many fields it has.
    pub(crate) count: usize,
    /// A bit for each of the first 31 fields that has another number than nought.
    pub(crate) days: i32,
}

/// Looks over a tail whose fields may have numbers of up to `width` digits; nothing where there is anything else.
///
/// Eight bytes at a time, and of those the digits alone one by one.
pub(crate) fn plain_tail(tail: &[u8], delimiter: u8, width: usize) -> Option<PlainTail> {
    let (mut before, mut days, mut rest) = (0_usize, 0_i32, tail);
    // The field of the last digit, and how many digits it has so far.
    let (mut field, mut length) = (usize::MAX, 0_usize);
    let empty = 0x0101_0101_0101_0101 * u64::from(delimiter);
    while !rest.is_empty() {
        let there = UPPER >> (8 * (8 - rest.len().min(8)));
        let (word, more) = next_word(rest, delimiter);
        if word == empty {
            before += 8;
            rest = more;
            continue;
        }
        let (delimiters, mut numbers) = (matches(word, delimiter), digits(word));
        if delimiters | numbers != there {
            return None;
        }
        while numbers != 0 {
            let at = numbers.trailing_zeros() - 7;
            let here = before + marked(delimiters & ((1_u64 << at) - 1));
            length = if here == field { length + 1 } else { 1 };
            field = here;
            if length > width {
                return None;
            }
            let is_some = word >> at & 0xFF != u64::from(b'0');
            days |= i32::from(is_some && here < 31) << (here % 32);
            numbers &= numbers - 1;
        }
        before += marked(delimiters);
        rest = more;
    }
    Some(PlainTail { count: before + 1, days })
}

/// The upper bit of each byte that is an ASCII digit.
const fn digits(word: u64) -> u64 {
    // Of seven bits each, so that nothing carries from one byte into the next.
    let low = word & !UPPER;
    let (from_zero, above_nine) = (low + 0x5050_5050_5050_5050, low + 0x4646_4646_4646_4646);
    from_zero & !above_nine & !word & UPPER
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{PlainTail, plain_tail};

    proptest! {
        #[test]
        fn a_plain_tail_is_what_its_fields_say(
            written in prop::collection::vec(
                prop_oneof![
                    8 => Just(Vec::<u8>::new()),
                    2 => prop::collection::vec(b'0'..=b'9', 1..14),
                    1 => prop::collection::vec(b'/'..=b':', 1..4),
                    1 => prop::collection::vec(any::<u8>(), 0..4),
                ],
                1..40,
            ),
            width in 1_usize..14,
        ) {
            let tail = written.join(&b',');
            // A byte may be the delimiter itself.
            let fields: Vec<&[u8]> = tail.split(|byte| *byte == b',').collect();
            let is_plain = fields.iter().all(|field| field.len() <= width && field.iter().all(u8::is_ascii_digit));
            let has_count = |field: &[u8]| field.iter().any(|digit| *digit != b'0');
            let days = fields.iter().take(31).enumerate().filter(|(_, field)| has_count(field));
            let days = days.fold(0, |days, (day, _)| days | 1 << day);
            let expected = is_plain.then_some(PlainTail { count: fields.len(), days });
            prop_assert_eq!(plain_tail(&tail, b',', width), expected);
        }
    }
}
