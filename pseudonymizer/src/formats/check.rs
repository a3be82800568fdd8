//! What a field's bytes may be: checked once, so that everything behind can rely on it.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use catalog_model::{Encoding, FaultKind, Field, FieldKind, Width};
use zeroize::Zeroizing;

use super::dates;
use super::tags::CodeSet;

/// The check of one field, compiled from its layout.
#[derive(Debug)]
pub(crate) struct FieldCheck {
    pub(crate) at: usize,
    pub(crate) key: Arc<str>,
    repeat: usize,
    stride: usize,
    pieces: Option<usize>,
    kind: FieldKind,
    width: Width,
    is_required: bool,
    codes: Option<CodeSet>,
    none: Vec<Vec<u8>>,
}

/// What a field turned out to be.
pub(crate) enum Finding {
    /// It may be used.
    Good,
    /// It means "none".
    None,
    /// It may not be used.
    Bad(FaultKind),
}

impl FieldCheck {
    pub(crate) fn new(field: &Field, codes: Option<&BTreeSet<Vec<u8>>>) -> Self {
        Self {
            at: field.at,
            key: field.key.as_str().into(),
            repeat: field.repeat.max(1),
            stride: field.stride.max(1),
            pieces: field.pieces,
            kind: field.kind,
            width: field.width,
            is_required: field.required,
            codes: codes.map(CodeSet::new),
            none: field.none.iter().map(|value| value.as_bytes().to_vec()).collect(),
        }
    }

    /// The check of a position that no field describes, in a family that describes all.
    pub(crate) fn undescribed(at: usize) -> Self {
        Self {
            at,
            key: format!("position {}", at + 1).into(),
            repeat: 1,
            stride: 1,
            pieces: None,
            kind: FieldKind::Empty,
            width: Width::Any,
            is_required: false,
            codes: None,
            none: Vec::new(),
        }
    }

    /// Says whether nothing can be wrong with the field, so that it need not be looked at.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_required
            && self.kind == FieldKind::Text
            && self.codes.is_none()
            && self.none.is_empty()
            && self.pieces.is_none()
    }

    /// Says whether an empty value is a fault.
    pub(crate) const fn is_required(&self) -> bool {
        self.is_required
    }

    /// Says whether the field does not repeat.
    pub(crate) const fn is_single(&self) -> bool {
        self.repeat == 1
    }

    /// The positions of the field.
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let (at, stride) = (self.at, self.stride);
        (0..self.repeat).map(move |number| at + number * stride)
    }

    /// How many fields lie between the first and the last place, both counted; one where an empty place is a fault.
    pub(crate) const fn span(&self) -> usize {
        if self.is_required { 1 } else { (self.repeat - 1) * self.stride + 1 }
    }

    /// Up to how many digits a value may have, where digits are all that it may have and any of them will do.
    pub(crate) fn plain_width(&self) -> Option<usize> {
        let is_plain = matches!(self.kind, FieldKind::Number | FieldKind::Digits)
            && !self.is_required
            && self.codes.is_none()
            && self.none.is_empty()
            && self.pieces.is_none();
        match self.width {
            Width::AtMost(width) if is_plain && width <= 13 => Some(width),
            _ => None,
        }
    }

    /// Judges one value.
    pub(crate) fn judge(&self, value: &[u8]) -> Finding {
        let is_blank = match value.first() {
            None => true,
            Some(first) => *first == b' ' && value.iter().all(|byte| *byte == b' '),
        };
        if is_blank {
            return if self.is_required { Finding::Bad(FaultKind::Missing) } else { Finding::None };
        }
        if self.none.iter().any(|none| none == value) {
            return if self.is_required { Finding::Bad(FaultKind::Missing) } else { Finding::None };
        }
        if let Some(kind) = self.kind_fault(value) {
            return Finding::Bad(kind);
        }
        let has_width = match self.width {
            Width::Any => true,
            Width::Exactly(width) => value.len() == width,
            Width::AtMost(width) => value.len() <= width,
        };
        let is_whole = self.pieces.is_none_or(|pieces| value.len().is_multiple_of(pieces));
        if !has_width || !is_whole {
            return Finding::Bad(FaultKind::Width);
        }
        match &self.codes {
            Some(codes) if !codes.contains(value) => Finding::Bad(FaultKind::Code),
            _ => Finding::Good,
        }
    }

    fn kind_fault(&self, value: &[u8]) -> Option<FaultKind> {
        let all = |allowed: fn(&u8) -> bool| value.iter().all(allowed);
        let (is_good, fault) = match self.kind {
            FieldKind::Text => (true, FaultKind::Characters),
            FieldKind::Code => (all(u8::is_ascii_graphic), FaultKind::Characters),
            FieldKind::Digits => (is_digits(value), FaultKind::Characters),
            FieldKind::Number => (is_number(value, false), FaultKind::Number),
            FieldKind::Decimal => (is_number(value, true), FaultKind::Number),
            FieldKind::Date => (dates::date(value).is_some(), FaultKind::Date),
            FieldKind::Month => (dates::month(value).is_some(), FaultKind::Month),
            FieldKind::Empty => (false, FaultKind::Unexpected),
        };
        (!is_good).then_some(fault)
    }
}

/// Says whether all bytes are ASCII digits, eight at a time where there are as many.
fn is_digits(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((eight, more)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        // A digit has 3 above and, with 6 added, still 3: nothing carries from one byte to the next that has 3 above.
        let upper = word & 0xF0F0_F0F0_F0F0_F0F0;
        let carried = (word & 0x0F0F_0F0F_0F0F_0F0F) + 0x0606_0606_0606_0606;
        if upper != 0x3030_3030_3030_3030 || carried & 0xF0F0_F0F0_F0F0_F0F0 != 0 {
            return false;
        }
        rest = more;
    }
    rest.iter().all(u8::is_ascii_digit)
}

// Up to 13 digits before the point and 5 behind it fit the stored types; more is out of range.
fn is_number(value: &[u8], with_point: bool) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let (whole, fraction) = match memchr::memchr(b'.', digits) {
        Some(at) if with_point => {
            (digits.get(..at).unwrap_or_default(), digits.get(at + 1..).unwrap_or_default())
        }
        _ => (digits, [].as_slice()),
    };
    let has_digit = !whole.is_empty() || !fraction.is_empty();
    has_digit && whole.len() <= 13 && fraction.len() <= 5 && is_digits(whole) && is_digits(fraction)
}

/// Says whether the line's bytes are of the encoding.
///
/// A UTF-8 line can pass as CP932 (each three-byte kana reads as a kanji and a half-width kana), so a line that is
/// valid UTF-8 with a character from the CJK blocks is taken for what it is: the wrong encoding.
pub(crate) fn is_encoded(line: &[u8], encoding: Encoding) -> bool {
    if line.is_ascii() {
        return true;
    }
    match encoding {
        Encoding::Utf8 => std::str::from_utf8(line).is_ok(),
        Encoding::Cp932 => {
            let is_utf8 = std::str::from_utf8(line).is_ok_and(|text| text.chars().any(|c| c >= '\u{2000}'));
            !is_utf8 && is_cp932(line)
        }
    }
}

/// A line in CP932 as UTF-8, in a file that may have either.
pub(crate) fn as_utf8(line: &[u8], may_be_cp932: bool) -> Option<Zeroizing<String>> {
    let is_cp932 = may_be_cp932 && is_encoded(line, Encoding::Cp932);
    is_cp932.then(|| Zeroizing::new(encoding_rs::SHIFT_JIS.decode_without_bom_handling(line).0.into_owned()))
}

/// For each first byte which second bytes it may have: a bit for each. A byte that stands alone is in the first row.
static PAIRS: LazyLock<Vec<[u64; 4]>> = LazyLock::new(|| {
    let is_one = |bytes: &[u8]| {
        encoding_rs::SHIFT_JIS.decode_without_bom_handling_and_without_replacement(bytes).is_some()
    };
    let row = |first: u8| {
        let mut row = [0; 4];
        for second in 0..=u8::MAX {
            let is_good = if first == 0 { is_one(&[second]) } else { is_one(&[first, second]) };
            if let Some(word) = row.get_mut(usize::from(second / 64)) {
                *word |= u64::from(is_good) << (second % 64);
            }
        }
        row
    };
    (0..=u8::MAX).map(row).collect()
});

/// Says whether the bytes are CP932, as the decoder would, without decoding them.
fn is_cp932(bytes: &[u8]) -> bool {
    let pairs = PAIRS.as_slice();
    let has = |first: u8, second: u8| {
        let word = pairs.get(usize::from(first)).and_then(|row| row.get(usize::from(second / 64)));
        word.is_some_and(|word| word >> (second % 64) & 1 == 1)
    };
    let mut rest = bytes;
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if first.is_ascii() || has(0, *first) {
            continue;
        }
        let Some((second, more)) = rest.split_first() else { return false };
        if !has(*first, *second) {
            return false;
        }
        rest = more;
    }
    true
}

#[cfg(test)]
mod tests {
    use catalog_model::Encoding;

    use proptest::prelude::*;

    use super::{is_cp932, is_digits, is_encoded, is_number};

    proptest! {
        #[test]
        fn what_is_cp932_can_be_decoded(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x80_u8..=0xFF, Just(b'A')], 0..12),
        ) {
            let decoded = encoding_rs::SHIFT_JIS.decode_without_bom_handling_and_without_replacement(&bytes);
            prop_assert_eq!(is_cp932(&bytes), decoded.is_some());
        }

        #[test]
        fn digits_are_digits(bytes in prop::collection::vec(0x2E_u8..0x3C, 0..20), odd in any::<u8>()) {
            let plain = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
            prop_assert_eq!(is_digits(&bytes), plain(&bytes));
            let mut digits: Vec<u8> = bytes.iter().map(|byte| b'0' + byte % 10).collect();
            prop_assert!(is_digits(&digits));
            if let Some(byte) = digits.first_mut() {
                *byte = odd;
            }
            prop_assert_eq!(is_digits(&digits), plain(&digits));
        }
    }

    #[test]
    fn numbers_are_whole_or_with_five_places() {
        for (text, whole, decimal) in [
            ("0", true, true),
            ("-12", true, true),
            ("1.5", false, true),
            (".5", false, true),
            ("1.", false, true),
            (".", false, false),
            ("-", false, false),
            ("1.123456", false, false),
            ("12345678901234", false, false),
            ("1e3", false, false),
            ("１", false, false),
        ] {
            assert_eq!(is_number(text.as_bytes(), false), whole, "{text}");
            assert_eq!(is_number(text.as_bytes(), true), decimal, "{text}");
        }
    }

    #[test]
    fn utf8_is_not_taken_for_cp932() {
        let cp932 = |text: &str| encoding_rs::SHIFT_JIS.encode(text).0.into_owned();
        for text in ["架空　花子", "カクウ　ハナコ", "ｶｸｳ ﾊﾅｺ", "髙﨑①㈱", "〜―∥"]
        {
            assert!(is_encoded(&cp932(text), Encoding::Cp932), "{text}");
            assert!(!is_encoded(text.as_bytes(), Encoding::Cp932), "{text}");
            assert!(is_encoded(text.as_bytes(), Encoding::Utf8), "{text}");
        }
        assert!(!is_encoded(&[b'a', 0x81], Encoding::Cp932));
        assert!(!is_encoded(&[b'a', 0xFF, b'b'], Encoding::Cp932));
    }
}
