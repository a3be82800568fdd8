//! The short ways: what most columns and checks of a wide line need, without asking for each value how it is made.
//!
//! Nearly every value is one field of the line, turned into text, a number or a day, and most fields of a line are
//! empty. Where a column or a check is of that kind the program says so beforehand; everything else goes the general
//! way of [`super::value`] and [`super::check`], whose outcome the short way must have for any line whatever.

use super::check::FieldCheck;
use super::dates;
use super::program::Slot;
use super::split::Fields;
use super::value::{From, Make, Value, decimal5};

/// How a column's value is made of the fields at these places, where there is a short way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Quick {
    Text(usize),
    Date(usize),
    Int(usize),
    Decimal5(usize),
    Product(usize, usize),
    /// Days of a tail that was looked over.
    Days(usize),
    /// A value that was kept from another record.
    Kept(Slot, Kept),
    /// None, whatever the line says.
    Nothing,
    /// By [`Make::value`].
    #[default]
    General,
}

/// How a kept value is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Text,
    Date,
    Month,
    Int,
}

impl Kept {
    /// The value; nothing where it must go the general way.
    fn value(self, bytes: &[u8]) -> Option<Value<'_>> {
        if bytes.is_empty() {
            return Some(Value::Null);
        }
        Some(match self {
            Self::Text if !bytes.is_ascii() => return None,
            Self::Text => Value::Text(std::str::from_utf8(bytes).ok()?),
            Self::Date => dates::date(bytes).map_or(Value::Null, |date| Value::Date(date.days())),
            Self::Month => {
                dates::month_of(bytes).map_or(Value::Null, |month| Value::Date(month.first_day().days()))
            }
            Self::Int => whole(bytes).map_or(Value::Null, Value::Int),
        })
    }
}

impl Quick {
    /// The short way of an output.
    pub(crate) fn of(from: &[From], make: &Make) -> Self {
        let own = |from: &From| match from {
            From::Own { at, repeat } if *repeat <= 1 => Some(*at),
            _ => None,
        };
        let kept = |slot: &Slot, kept| Self::Kept(*slot, kept);
        match (make, from) {
            // Only what says something of nothing has a value without a source.
            (Make::Text | Make::Date | Make::Month | Make::Int | Make::Decimal5, [] | [From::Nothing]) => {
                Self::Nothing
            }
            (Make::Text, [From::Slot(slot)]) => kept(slot, Kept::Text),
            (Make::Date, [From::Slot(slot)]) => kept(slot, Kept::Date),
            (Make::Month, [From::Slot(slot)]) => kept(slot, Kept::Month),
            (Make::Int, [From::Slot(slot)]) => kept(slot, Kept::Int),
            (Make::Text, [only]) => own(only).map_or(Self::General, Self::Text),
            (Make::Date, [only]) => own(only).map_or(Self::General, Self::Date),
            (Make::Int, [only]) => own(only).map_or(Self::General, Self::Int),
            (Make::Decimal5, [only]) => own(only).map_or(Self::General, Self::Decimal5),
            (Make::DaySet, [From::Own { at, .. }]) => Self::Days(*at),
            (Make::Product, [first, second]) => own(first)
                .zip(own(second))
                .map_or(Self::General, |(first, second)| Self::Product(first, second)),
            _ => Self::General,
        }
    }

    /// The value; nothing where it must go the general way. `text` is the line, where it is text as it stands; `kept` gives
    /// what was kept of other records.
    pub(crate) fn value<'l>(
        self,
        fields: &Fields,
        line: &'l [u8],
        text: Option<&'l str>,
        kept: impl FnOnce(Slot) -> &'l [u8],
    ) -> Option<Value<'l>> {
        let value = match self {
            Self::General => return None,
            Self::Nothing => Value::Null,
            Self::Kept(slot, way) => return way.value(kept(slot)),
            Self::Text(at) => match fields.text(text?, at)? {
                "" => Value::Null,
                text => Value::Text(text),
            },
            Self::Date(at) => match fields.get(line, at) {
                [] => Value::Null,
                day => dates::date(day).map_or(Value::Null, |date| Value::Date(date.days())),
            },
            Self::Int(at) => whole(fields.get(line, at)).map_or(Value::Null, Value::Int),
            Self::Decimal5(at) => match fields.get(line, at) {
                [] => Value::Null,
                number => match digits(number) {
                    Some(whole) => Value::Decimal5(whole * SCALE),
                    None => decimal5(number).map_or(Value::Null, Value::Decimal5),
                },
            },
            Self::Days(at) => match fields.days(at)? {
                0 => Value::Null,
                days => Value::Days(days),
            },
            Self::Product(first, second) => {
                let factors = whole(fields.get(line, first)).zip(whole(fields.get(line, second)));
                let product = factors.and_then(|(first, second)| first.checked_mul(second));
                product.map_or(Value::Null, Value::Int)
            }
        };
        Some(value)
    }
}

const SCALE: i64 = 100_000;

/// A whole number; nothing of an empty field.
fn whole(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() {
        return None;
    }
    digits(bytes).or_else(|| decimal5(bytes).map(|scaled| scaled / SCALE))
}

/// A number of at most 13 digits and nothing else, which still fits when it is scaled.
fn digits(bytes: &[u8]) -> Option<i64> {
    if bytes.len() > 13 {
        return None;
    }
    bytes.iter().try_fold(0_i64, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| sum * 10 + i64::from(digit))
    })
}

/// Which of a record's checks look at one field each, in the order of the fields: they are found by the fields that
/// have a value, and an empty field costs nothing.
#[derive(Debug)]
pub(crate) struct Sieve {
    /// A bit for each field that is checked, and one for each that must not be empty.
    checked: u64,
    required: u64,
    /// The check of each field, by its place; any number where there is none.
    checks: [u8; 64],
    /// The checks behind these go the general way.
    count: usize,
}

impl Sieve {
    /// The checks from the first on that go in order of their fields.
    pub(crate) fn new(checks: &[FieldCheck]) -> Self {
        let mut sieve = Self { checked: 0, required: 0, checks: [0; 64], count: 0 };
        let mut next = 0;
        for (number, check) in (0_u8..).zip(checks) {
            let (true, Some(place)) = (check.at >= next && check.is_single(), sieve.checks.get_mut(check.at))
            else {
                break;
            };
            *place = number;
            next = check.at + 1;
            sieve.checked |= 1 << check.at;
            sieve.required |= u64::from(check.is_required()) << check.at;
            sieve.count += 1;
        }
        sieve
    }

    /// No check goes the short way.
    #[cfg(test)]
    pub(crate) const fn none() -> Self {
        Self { checked: 0, required: 0, checks: [0; 64], count: 0 }
    }

    /// How many checks, from the first, are these.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// The fields to look at, in their order, each with the number of its check; `filled` has a bit for each field that
    /// is not empty.
    pub(crate) fn due(&self, filled: u64) -> impl Iterator<Item = (usize, usize)> + '_ {
        let mut left = (filled & self.checked) | self.required;
        std::iter::from_fn(move || {
            let at = left.trailing_zeros() as usize;
            let check = *self.checks.get(at)?;
            left &= left - 1;
            Some((at, usize::from(check)))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    use catalog_model::{Catalogue, Encoding};
    use proptest::prelude::*;

    use crate::claim::{Claim, Head};
    use crate::formats::changed::{changed, changes};
    use crate::formats::{Claims, FilePart, FileSummary, Program, Reader, Value};
    use crate::keying::Identity;

    use super::{decimal5, digits, whole};

    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::builtin().unwrap());
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(cases);

    /// A file, and its family's program with and without the short ways.
    struct Case {
        family: String,
        quick: Program,
        general: Program,
        bytes: Vec<u8>,
    }

    fn cases() -> Vec<Case> {
        let root = std::env::current_dir().unwrap().join("tests/cases");
        let mut folders: Vec<_> =
            std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        let case = |folder: &std::path::PathBuf| {
            let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
            let family = text("family").trim().to_owned();
            let program = || Program::compile(&CATALOGUE, &family).unwrap();
            let input = text("input").replace("\r\n", "\n").replace('\n', "\r\n");
            let bytes = match program().encoding() {
                Encoding::Cp932 => encoding_rs::SHIFT_JIS.encode(&input).0.into_owned(),
                Encoding::Utf8 => input.into_bytes(),
            };
            let (quick, general) = (program(), program().without_short_ways());
            Case { family, quick, general, bytes }
        };
        folders.iter().map(case).collect()
    }

    /// Writes down everything that it is told; of a row, the values by column.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Told(Vec<String>, BTreeMap<usize, String>);

    impl Claims for Told {
        fn value(&mut self, table: usize, column: usize, value: Value<'_>) {
            assert!(self.1.insert(column, format!("{table} {column} {value:?}")).is_none());
        }

        fn end_row(&mut self, table: usize, record: u32, line: u64) {
            self.0.extend(std::mem::take(&mut self.1).into_values());
            self.0.push(format!("{table} {record} {line}"));
        }

        fn surrogate(&mut self, parts: &mut dyn Iterator<Item = &[u8]>) -> [u8; 16] {
            self.0.push(format!("{:?}", parts.map(<[u8]>::to_vec).collect::<Vec<_>>()));
            [0; 16]
        }

        fn claim(&mut self, claim: Claim<&Identity>) -> bool {
            let Head { record, line, lines, month, is_void, .. } = claim.head;
            self.0.push(format!("{record} {line} {lines} {month:?} {is_void}"));
            true
        }
    }

    fn read(program: &Program, bytes: &[u8]) -> (Vec<String>, String, u64) {
        let mut told = Told::default();
        let part = FilePart { file: 0, lines_before: 0, preamble: &[], is_last: true };
        let summary: FileSummary = Reader::new(program, 0).read(bytes, &part, &mut told).unwrap();
        let dropped: u64 = summary.dropped.iter().sum();
        assert_eq!(summary.read, summary.stored + dropped + summary.faults.len() as u64);
        (told.0, format!("{summary:?}"), summary.stored)
    }

    #[test]
    fn every_case_is_read_alike_by_both_ways_and_rows_come_of_most() {
        let stored: Vec<u64> = CASES
            .iter()
            .filter(|case| !case.quick.is_package())
            .map(|Case { family, quick, general, bytes }| {
                let found = read(quick, bytes);
                assert_eq!(found, read(general, bytes), "{family}");
                found.2
            })
            .collect();
        assert!(stored.iter().filter(|stored| **stored > 0).count() > stored.len() / 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn any_line_is_read_alike_by_both_ways(
            which in any::<prop::sample::Index>(),
            changes in changes(),
        ) {
            let Case { family, quick, general, bytes } = &CASES[which.index(CASES.len())];
            let bytes = changed(bytes.clone(), changes, 40);
            prop_assert_eq!(read(quick, &bytes), read(general, &bytes), "{}", family);
        }

        #[test]
        fn short_numbers_are_numbers(text in "-?[0-9]{0,15}(\\.[0-9]{0,6})?|[0-9 a/:]{0,4}") {
            let bytes = text.as_bytes();
            let general = decimal5(bytes).filter(|_| !bytes.is_empty());
            prop_assert_eq!(whole(bytes), general.map(|scaled| scaled / 100_000));
            if let Some(digits) = digits(bytes) {
                prop_assert_eq!(decimal5(bytes), Some(digits * 100_000));
            }
        }
    }
}
