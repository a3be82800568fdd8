//! Lines that were read before: a code with its points and times comes by the thousand, in the same bytes.
//!
//! What a line's bytes come to, its fields, that nothing is wrong with them, and the number of the phrase that its values
//! make, depends on the bytes alone, so it is found again by them. Of a line with a tail of days only what stands before
//! the tail is known. Kept are short lines of ASCII that name nobody and have no value that may not be stored; one
//! that falls into another's place takes it.

use super::program::{Program, Record};
use super::split::{Fields, behind};
use super::tail::plain_tail;

/// Longer lines are not kept.
const LONGEST: usize = 48;
/// Lines with more fields are not kept.
const FIELDS: usize = 16;
/// Places in the beginning and at most, as powers of two: few enough that they stay in a processor's cache.
const FIRST: u32 = 9;
const MOST: u32 = 13;
/// Places grow by this power of two.
const STEP: u32 = 2;
/// After so many lines of one record type it is judged whether they come again.
const TRIAL: u32 = 4_096;

/// The lines, each at the place that its bytes say.
#[derive(Debug, Default)]
pub(crate) struct KnownLines {
    cells: Vec<Cell>,
    /// The places are two to the power of this.
    bits: u32,
    /// How many lines were kept since there were so many places.
    kept: usize,
    rates: Vec<Rate>,
}

/// How many lines of a record type were known.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    asked: u32,
    found: u32,
    is_off: bool,
}

/// What is known of a line, or of the part before its tail.
#[derive(Clone, Copy, Debug)]
struct Cell {
    bytes: [u8; LONGEST],
    /// 0 where there is none.
    length: u8,
    count: u8,
    ends: [u8; FIELDS],
    filled: u16,
    phrase: Option<u32>,
}

const EMPTY: Cell =
    Cell { bytes: [0; LONGEST], length: 0, count: 0, ends: [0; FIELDS], filled: 0, phrase: None };

impl KnownLines {
    /// Finds a line that was read before, with nothing wrong: its record type and its place here. Its fields are in
    /// `fields` then.
    pub(crate) fn recall(
        &mut self,
        line: &[u8],
        program: &Program,
        fields: &mut Fields,
    ) -> Option<(usize, usize)> {
        let tag = line.split(|byte| *byte == program.delimiter).next()?;
        let number = *program.by_tag.get(tag)?;
        let record = program.records.get(number).filter(|record| record.is_remembered)?;
        if !self.is_worth(number) {
            return None;
        }
        let place = self.find_whole(line, (program.delimiter, record), fields);
        self.note(number, place.is_some());
        place.map(|place| (number, place))
    }

    fn find_whole(
        &self,
        line: &[u8],
        (delimiter, record): (u8, &Record),
        fields: &mut Fields,
    ) -> Option<usize> {
        let Some(tail) = record.tail else { return self.find(line, fields) };
        let end = behind(line, delimiter, tail)?;
        let place = self.find(line.get(..end)?, fields)?;
        // Of the tail nothing is known.
        fields.restore_tail(end, plain_tail(line.get(end..)?, delimiter, record.tail_width?)?);
        record.columns.contains(&fields.len()).then_some(place)
    }

    /// Remembers a line that nothing is wrong with; its place, where it may be kept.
    pub(crate) fn remember(
        &mut self,
        line: &[u8],
        number: usize,
        (program, fields): (&Program, &Fields),
    ) -> Option<usize> {
        let record = program.records.get(number).filter(|record| record.is_remembered)?;
        let is_unkept = fields.has_cleared() || fields.filled() & record.unkept != 0;
        if is_unkept || !self.is_worth(number) {
            return None;
        }
        let end = match record.tail {
            Some(tail) => behind(line, program.delimiter, tail)?,
            None => line.len(),
        };
        self.keep(line.get(..end)?, fields)
    }

    /// Whether lines of a record type come again often enough that it pays to look for them.
    fn is_worth(&self, record: usize) -> bool {
        self.rates.get(record).is_none_or(|rate| !rate.is_off)
    }

    /// Notes whether a line was known.
    fn note(&mut self, record: usize, is_known: bool) {
        if self.rates.len() <= record {
            self.rates.resize(record + 1, Rate::default());
        }
        let Some(rate) = self.rates.get_mut(record) else { return };
        rate.asked += 1;
        rate.found += u32::from(is_known);
        if rate.asked == TRIAL {
            *rate = Rate { is_off: rate.found < TRIAL / 2, ..Rate::default() };
        }
    }

    /// Finds a line by its bytes, or by those before its tail, and puts its fields into `fields`: its place here.
    fn find(&self, bytes: &[u8], fields: &mut Fields) -> Option<usize> {
        let place = place(bytes, self.bits);
        let cell = self.cells.get(place)?;
        if cell.bytes.get(..usize::from(cell.length))? != bytes || bytes.is_empty() {
            return None;
        }
        fields.restore(cell.ends.get(..usize::from(cell.count))?, u64::from(cell.filled));
        Some(place)
    }

    /// Keeps a line, whose fields nothing is wrong with; its place, where it can be kept.
    fn keep(&mut self, bytes: &[u8], fields: &Fields) -> Option<usize> {
        let mut cell = EMPTY;
        cell.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        cell.length = u8::try_from(bytes.len()).ok()?;
        cell.filled = u16::try_from(fields.filled()).ok()?;
        for end in fields.ends() {
            *cell.ends.get_mut(usize::from(cell.count))? = u8::try_from(end).ok()?;
            cell.count += 1;
        }
        if self.kept >= self.cells.len() && self.bits < MOST {
            self.grow();
        }
        self.kept += 1;
        let place = place(bytes, self.bits);
        *self.cells.get_mut(place)? = cell;
        Some(place)
    }

    fn grow(&mut self) {
        self.bits = if self.bits == 0 { FIRST } else { (self.bits + STEP).min(MOST) };
        let before = std::mem::replace(&mut self.cells, vec![EMPTY; 1 << self.bits]);
        self.kept = 0;
        for cell in before.into_iter().filter(|cell| cell.length > 0) {
            let bytes = cell.bytes.get(..usize::from(cell.length)).unwrap_or_default();
            if let Some(to) = self.cells.get_mut(place(bytes, self.bits)) {
                *to = cell;
                self.kept += 1;
            }
        }
    }

    /// The phrase of the line at a place.
    pub(crate) fn phrase(&self, place: usize) -> Option<u32> {
        self.cells.get(place)?.phrase
    }

    /// Notes the phrase of the line at a place.
    pub(crate) fn set_phrase(&mut self, place: usize, phrase: Option<u32>) {
        if let Some(cell) = self.cells.get_mut(place) {
            cell.phrase = phrase;
        }
    }
}

/// A place among two to the power of `bits`. Nobody gains by a choice of lines that fall into one: each is read anew.
fn place(bytes: &[u8], bits: u32) -> usize {
    const MIXER: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |state: u64, word: u64| {
        let mixed = (state ^ word).wrapping_mul(MIXER);
        mixed ^ mixed >> 29
    };
    let mut state = bytes.len() as u64;
    let mut rest = bytes;
    while let Some((eight, more)) = rest.split_first_chunk::<8>() {
        state = mix(state, u64::from_le_bytes(*eight));
        rest = more;
    }
    let last = match bytes.last_chunk::<8>() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    let state = mix(state, last).wrapping_mul(MIXER);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the upper bits of a hash, as many as there are places"
    )]
    let place = state.checked_shr(64 - bits).unwrap_or(0) as usize;
    place
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use catalog_model::Quotes;
    use proptest::prelude::*;

    use super::KnownLines;
    use crate::formats::split::Fields;

    fn split(line: &str) -> Fields {
        let mut fields = Fields::default();
        assert!(fields.split(line.as_bytes(), b',', Quotes::Never));
        fields
    }

    proptest! {
        #[test]
        fn a_line_is_found_as_it_was_kept_or_not_at_all(
            lines in prop::collection::vec(("[A-C]{2}(,[0-9a]{0,3}){0,7}", any::<bool>()), 1..3_000),
        ) {
            let mut known = KnownLines::default();
            let mut kept: HashMap<String, u32> = HashMap::new();
            let mut fields = Fields::default();
            for (number, (line, is_new)) in (0_u32..).zip(lines) {
                let place = known.find(line.as_bytes(), &mut fields);
                if let Some(place) = place {
                    prop_assert_eq!(known.phrase(place), kept.get(&line).copied());
                    let whole = split(&line);
                    prop_assert_eq!(fields.len(), whole.len());
                    prop_assert_eq!(fields.filled(), whole.filled());
                    for at in 0..whole.len() {
                        prop_assert_eq!(fields.get(line.as_bytes(), at), whole.get(line.as_bytes(), at));
                    }
                }
                if place.is_none() || is_new {
                    let place = known.keep(line.as_bytes(), &split(&line)).unwrap();
                    known.set_phrase(place, Some(number));
                    kept.insert(line.clone(), number);
                    prop_assert_eq!(known.find(line.as_bytes(), &mut fields), Some(place));
                }
            }
        }
    }

    #[test]
    fn record_types_whose_lines_never_come_again_are_not_looked_for() {
        let mut known = KnownLines::default();
        for number in 0..super::TRIAL {
            known.note(1, false);
            known.note(2, number % 2 == 0);
        }
        assert_eq!([0, 1, 2, 3].map(|record| known.is_worth(record)), [true, false, true, true]);
    }

    #[test]
    fn a_line_that_is_too_long_or_has_too_many_fields_is_not_kept() {
        let mut known = KnownLines::default();
        for line in ["", &"1".repeat(49), &",".repeat(16)] {
            assert_eq!(known.keep(line.as_bytes(), &split(line)).filter(|_| !line.is_empty()), None);
            assert_eq!(known.find(line.as_bytes(), &mut Fields::default()), None);
        }
        assert!(known.keep(",".repeat(15).as_bytes(), &split(&",".repeat(15))).is_some());
        assert!(known.keep("1".repeat(48).as_bytes(), &split(&"1".repeat(48))).is_some());
    }
}
