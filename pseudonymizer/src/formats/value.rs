//! How delivered bytes become a column's value.

use std::collections::HashMap;
use std::sync::Arc;

use catalog_model::{Catalogue, Column, ColumnKind, Encoding, Treatment};

use super::dates;
use super::program::Slot;
use super::quick::Quick;
use super::split::filled;

/// A column's sources and how they become its value.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) from: Vec<From>,
    pub(crate) make: Make,
    /// The short way to the value, where there is one.
    pub(crate) quick: Quick,
}

/// Where a value comes from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// A field of the record that makes the row.
    Own { at: usize, repeat: usize },
    /// A value kept from another record.
    Slot(Slot),
    /// The first of these kept values that there is.
    FirstOf(Vec<Slot>),
    /// The number of records of a type in the group.
    Count(usize),
    /// The repetition, for which the row is made, of a field that repeats at this distance.
    Each { at: usize, stride: usize },
    /// The piece, for which the row is made, of a field.
    Piece,
    /// Nowhere: the value is null.
    Nothing,
}

/// How bytes become a value.
#[derive(Debug)]
pub(crate) enum Make {
    Text,
    Date,
    Month,
    Int,
    Decimal5,
    Part(usize, usize),
    PaddedPart { width: usize, start: usize, length: usize },
    LastDigit { odd: Arc<str>, even: Arc<str> },
    Lookup(HashMap<Vec<u8>, Arc<str>>),
    Present,
    HasPiece(Vec<u8>),
    DaySet,
    DayCharacters,
    DaysBetween,
    Age,
    Product,
    NoneOf(Vec<Vec<u8>>),
    Count,
    ClaimRun,
    Surrogate,
    PaddedSurrogate(usize),
    Constant(Arc<str>),
}

/// A value on its way into a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// Text.
    Text(&'a str),
    /// A day, as days since 1970-01-01.
    Date(i32),
    /// A whole number.
    Int(i64),
    /// A number of hundred-thousandths.
    Decimal5(i64),
    /// Yes or no.
    Bool(bool),
    /// A set of days of the month.
    Days(i32),
    /// Bytes of which only a keyed surrogate may be stored.
    Key(&'a [u8]),
}

impl Make {
    pub(crate) fn new(catalogue: &Catalogue, column: &Column) -> Self {
        match &column.treat {
            Treatment::Plain | Treatment::Carry => match column.kind {
                ColumnKind::Date => Self::Date,
                ColumnKind::Month => Self::Month,
                ColumnKind::Int => Self::Int,
                ColumnKind::Decimal5 => Self::Decimal5,
                ColumnKind::Bool => Self::Present,
                ColumnKind::Days => Self::DaySet,
                ColumnKind::Id => Self::Surrogate,
                ColumnKind::String => Self::Text,
            },
            Treatment::Surrogate => Self::Surrogate,
            Treatment::PaddedSurrogate { width } => Self::PaddedSurrogate(*width),
            Treatment::Part(start, length) => Self::Part(*start, *length),
            Treatment::PaddedPart { width, start, length } => {
                Self::PaddedPart { width: *width, start: *start, length: *length }
            }
            Treatment::LastDigit { odd, even } => {
                Self::LastDigit { odd: odd.as_str().into(), even: even.as_str().into() }
            }
            Treatment::Lookup(attribute) => Self::Lookup(lookup(catalogue, column, attribute)),
            Treatment::Count => Self::Count,
            Treatment::Present => Self::Present,
            Treatment::HasPiece(piece) => Self::HasPiece(piece.as_bytes().to_vec()),
            Treatment::DaySet => Self::DaySet,
            Treatment::DayCharacters => Self::DayCharacters,
            Treatment::DaysBetween => Self::DaysBetween,
            Treatment::Age => Self::Age,
            Treatment::Product => Self::Product,
            Treatment::NoneOf(values) => {
                Self::NoneOf(values.iter().map(|value| value.as_bytes().to_vec()).collect())
            }
            Treatment::ClaimRun => Self::ClaimRun,
        }
    }

    /// Makes the value. `bytes` are the sources' bytes, checked before; `scratch` takes text that must be built.
    pub(crate) fn value<'a>(
        &'a self,
        bytes: &[&'a [u8]],
        encoding: Encoding,
        delimiter: u8,
        scratch: &'a mut Vec<u8>,
    ) -> Value<'a> {
        let first = bytes.first().copied().unwrap_or_default();
        let says_of_nothing =
            matches!(self, Self::Present | Self::HasPiece(_) | Self::NoneOf(_) | Self::Constant(_));
        if first.is_empty() && !says_of_nothing {
            return Value::Null;
        }
        match self {
            Self::Text => text(first, encoding, scratch),
            Self::Constant(value) => Value::Text(value),
            Self::Date => dates::date(first).map_or(Value::Null, |date| Value::Date(date.days())),
            Self::Month => {
                dates::month_of(first).map_or(Value::Null, |month| Value::Date(month.first_day().days()))
            }
            Self::Int => decimal5(first).map_or(Value::Null, |scaled| Value::Int(scaled / 100_000)),
            Self::Decimal5 => decimal5(first).map_or(Value::Null, Value::Decimal5),
            Self::Part(start, length) => text(part(first, *start, *length), encoding, scratch),
            Self::PaddedPart { width, start, length } => {
                pad(first, *width, scratch);
                std::str::from_utf8(part(scratch, *start, *length)).map_or(Value::Null, Value::Text)
            }
            Self::LastDigit { odd, even } => match first.last() {
                Some(digit) if digit.is_ascii_digit() => Value::Text(if digit % 2 == 1 { odd } else { even }),
                _ => Value::Null,
            },
            Self::Lookup(table) => table.get(first).map_or(Value::Null, |found| Value::Text(found)),
            // A feed without a field for the column does not know.
            Self::Present | Self::HasPiece(_) if bytes.is_empty() => Value::Null,
            Self::Present => Value::Bool(bytes.iter().any(|bytes| !bytes.is_empty())),
            Self::HasPiece(piece) => {
                Value::Bool(first.chunks(piece.len().max(1)).any(|candidate| candidate == piece.as_slice()))
            }
            Self::DaySet => day_set(first, delimiter),
            Self::DayCharacters => day_characters(first),
            Self::Product => product(first, bytes.get(1).copied().unwrap_or_default()),
            Self::NoneOf(values) => Value::Bool(values.iter().all(|value| value != first)),
            Self::DaysBetween => days_between(first, bytes.get(1).copied().unwrap_or_default()),
            Self::Age => age(first, bytes.get(1).copied().unwrap_or_default()),
            // A ward without a code is no ward, not the facility itself.
            Self::Surrogate if bytes.iter().any(|bytes| bytes.is_empty()) => Value::Null,
            Self::Surrogate => {
                scratch.clear();
                for bytes in bytes {
                    scratch.extend_from_slice(bytes);
                }
                Value::Key(scratch)
            }
            Self::PaddedSurrogate(width) => match pad_digits(first, *width, scratch) {
                true => Value::Key(scratch),
                false => Value::Null,
            },
            // These come from the group, not from bytes.
            Self::Count | Self::ClaimRun => Value::Null,
        }
    }
}

fn lookup(catalogue: &Catalogue, column: &Column, attribute: &str) -> HashMap<Vec<u8>, Arc<str>> {
    let system = column.codes.as_ref().and_then(|system| catalogue.codes.get(system));
    let codes = system.map(|system| system.codes.as_slice()).unwrap_or_default();
    codes
        .iter()
        .filter_map(|code| {
            Some((code.code.as_bytes().to_vec(), Arc::from(code.attributes.get(attribute)?.as_str())))
        })
        .collect()
}

fn text<'a>(bytes: &'a [u8], encoding: Encoding, scratch: &'a mut Vec<u8>) -> Value<'a> {
    if bytes.is_ascii() || encoding == Encoding::Utf8 {
        return std::str::from_utf8(bytes).map_or(Value::Null, Value::Text);
    }
    let decoded = encoding_rs::SHIFT_JIS.decode_without_bom_handling(bytes).0;
    scratch.clear();
    scratch.extend_from_slice(decoded.as_bytes());
    std::str::from_utf8(scratch).map_or(Value::Null, Value::Text)
}

/// The digits, filled with zeros on the left.
fn pad(bytes: &[u8], width: usize, scratch: &mut Vec<u8>) {
    let digits = bytes.trim_ascii();
    scratch.clear();
    scratch.resize(width.saturating_sub(digits.len()), b'0');
    scratch.extend_from_slice(digits);
}

/// The digits alone, filled with zeros on the left, as linkage reads an insurer's number; false where there is none or
/// more than the number has.
fn pad_digits(bytes: &[u8], width: usize, scratch: &mut Vec<u8>) -> bool {
    let digits = || bytes.iter().copied().filter(u8::is_ascii_digit);
    let count = digits().count();
    scratch.clear();
    scratch.extend(std::iter::repeat_n(b'0', width.saturating_sub(count)).chain(digits()));
    (1..=width).contains(&count)
}

fn part(bytes: &[u8], start: usize, length: usize) -> &[u8] {
    bytes.get(start..bytes.len().min(start + length)).unwrap_or_default()
}

// The check before guarantees at most 13 digits, a point and 5 digits, so the sum fits.
pub(super) fn decimal5(bytes: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match bytes.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, bytes),
    };
    let mut value = 0_i64;
    let mut places = None;
    for byte in digits {
        match byte {
            b'.' if places.is_none() => places = Some(0),
            b'0'..=b'9' => {
                value = value.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
                places = places.map(|places| places + 1);
            }
            _ => return None,
        }
    }
    for _ in places.unwrap_or(0)..5 {
        value = value.checked_mul(10)?;
    }
    Some(if is_negative { -value } else { value })
}

fn day_set(bytes: &[u8], delimiter: u8) -> Value<'static> {
    let counts =
        filled(bytes, delimiter).filter(|(_, value)| value.iter().any(|byte| (b'1'..=b'9').contains(byte)));
    days(counts.map(|(day, _)| day))
}

fn day_characters(bytes: &[u8]) -> Value<'static> {
    let marked = bytes.iter().enumerate().filter(|(_, byte)| !matches!(byte, b'0' | b' '));
    days(marked.map(|(day, _)| day))
}

// Bit 0 is the first day; 31 days leave the sign alone.
fn days(days: impl Iterator<Item = usize>) -> Value<'static> {
    let set = days.filter(|day| *day < 31).fold(0_i32, |set, day| set | 1 << day);
    if set == 0 { Value::Null } else { Value::Days(set) }
}

fn product(first: &[u8], second: &[u8]) -> Value<'static> {
    let whole = |bytes| decimal5(bytes).map(|scaled| scaled / 100_000);
    let product = whole(first).zip(whole(second)).and_then(|(first, second)| first.checked_mul(second));
    if second.is_empty() { Value::Null } else { product.map_or(Value::Null, Value::Int) }
}

fn days_between(from: &[u8], to: &[u8]) -> Value<'static> {
    match (dates::date(from), dates::date(to)) {
        (Some(from), Some(to)) => Value::Int(i64::from(to.days()) - i64::from(from.days())),
        _ => Value::Null,
    }
}

// Before birth there is no age.
fn age(birth: &[u8], on: &[u8]) -> Value<'static> {
    match (dates::date(birth), dates::date(on)) {
        (Some(birth), Some(on)) if on >= birth => Value::Int(i64::from(birth.years_until(on))),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use catalog_model::Encoding;

    use super::{Make, Value, age, day_characters, day_set, days_between, decimal5, part, product};

    #[test]
    fn decimals_are_scaled_to_five_places() {
        for (text, expected) in [
            ("1", Some(100_000)),
            ("00012", Some(1_200_000)),
            ("0.5", Some(50_000)),
            ("-2.00001", Some(-200_001)),
            (".12345", Some(12_345)),
            ("9999999999999.99999", Some(999_999_999_999_999_999)),
        ] {
            assert_eq!(decimal5(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_day_set_has_a_bit_for_each_day_with_a_count() {
        assert_eq!(day_set(b"1,,0,12,", b','), Value::Days(0b1001));
        assert_eq!(day_set(b",,,", b','), Value::Null);
        assert_eq!(day_set(b",,,,,,,,,, ,1,00,,,,,,,,,,,,,,,,,,2", b','), Value::Days(1 << 11 | 1 << 30));
        let all = vec!["1"; 31].join(",");
        assert_eq!(day_set(all.as_bytes(), b','), Value::Days(0x7FFF_FFFF));
    }

    #[test]
    fn a_number_in_several_widths_has_one_key() {
        let key = |bytes: &[u8]| {
            let (make, mut scratch) = (Make::PaddedSurrogate(8), Vec::new());
            match make.value(&[bytes], Encoding::Utf8, b',', &mut scratch) {
                Value::Key(key) => Some(key.to_vec()),
                _ => None,
            }
        };
        assert_eq!(key(b"131016"), Some(b"00131016".to_vec()));
        assert_eq!(key(b"00131016"), key(b"131016"));
        assert_eq!(key(b"13-1016 "), key(b"131016"));
        assert_ne!(key(b"131017"), key(b"131016"));
        assert_eq!((key(b"131016001"), key(b"--")), (None, None));
        assert_eq!(key(b""), None);
    }

    #[test]
    fn a_character_for_each_day_and_products() {
        assert_eq!(day_characters(b"0012 0"), Value::Days(0b1100));
        assert_eq!(day_characters(b"0000"), Value::Null);
        assert_eq!(product(b"52", b"2"), Value::Int(104));
        assert_eq!(product(b"-10", b"3"), Value::Int(-30));
        assert_eq!(product(b"52", b""), Value::Null);
        assert_eq!(product(b"9999999999999", b"9999999999999"), Value::Null);
    }

    #[test]
    fn parts_and_days_between() {
        assert_eq!(part(b"0100602", 0, 6), b"010060");
        assert_eq!(part(b"01", 0, 6), b"01");
        assert_eq!(part(b"01", 5, 2), b"");
        assert_eq!(days_between(b"20240228", b"20240301"), Value::Int(2));
        assert_eq!(days_between(b"20240228", b""), Value::Null);
        assert_eq!(age(b"19600501", b"20240430"), Value::Int(63));
        assert_eq!(age(b"3350501", b"20240501"), Value::Int(64));
        assert_eq!(age(b"20240501", b"20240430"), Value::Null);
    }
}
