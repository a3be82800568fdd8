//! The short way over a tail of days: one look says that nothing is wrong, how many fields there are, and which have a
//! count.
//!
//! Nearly all fields of such a tail are empty, and the others have a short number. Anything else goes the general way,
//! whose outcome this one must have.

/// What a plain tail says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlainTail {
    /// How many fields it has.
    pub(crate) count: usize,
    /// A bit for each of the first 31 fields that has another number than nought.
    pub(crate) days: i32,
}

/// Looks over a tail whose fields may have numbers of up to `width` digits; nothing where there is anything else.
pub(crate) fn plain_tail(tail: &[u8], delimiter: u8, width: usize) -> Option<PlainTail> {
    let (mut before, mut days, mut length, mut rest) = (0_usize, 0_i32, 0, tail);
    while !rest.is_empty() {
        if let Some((eight, more)) = rest.split_first_chunk::<8>()
            && *eight == [delimiter; 8]
        {
            before += 8;
            length = 0;
            rest = more;
            continue;
        }
        let (some, more) = rest.split_at_checked(8).unwrap_or((rest, &[]));
        for byte in some {
            if *byte == delimiter {
                before += 1;
                length = 0;
            } else if byte.is_ascii_digit() && length < width {
                length += 1;
                days |= i32::from(*byte != b'0' && before < 31) << (before % 32);
            } else {
                return None;
            }
        }
        rest = more;
    }
    Some(PlainTail { count: before + 1, days })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{PlainTail, plain_tail};

    proptest! {
        #[test]
        fn a_plain_tail_is_what_its_fields_say(
            fields in prop::collection::vec(
                prop_oneof![8 => Just(String::new()), 2 => "[0-9]{1,4}", 1 => "[0-9a -]{0,3}"], 1..40,
            ),
            width in 1_usize..4,
        ) {
            let tail = fields.join(",");
            let is_plain = fields.iter().all(|field| field.len() <= width && field.bytes().all(|b| b.is_ascii_digit()));
            let has_count = |field: &String| field.bytes().any(|digit| digit != b'0');
            let days = fields.iter().take(31).enumerate().filter(|(_, field)| has_count(field));
            let days = days.fold(0, |days, (day, _)| days | 1 << day);
            let expected = is_plain.then_some(PlainTail { count: fields.len(), days });
            prop_assert_eq!(plain_tail(tail.as_bytes(), b',', width), expected);
        }
    }
}
