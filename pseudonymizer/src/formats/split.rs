//! A line's fields as byte ranges.
//!
//! Delimiters are single ASCII bytes, and no trail byte of CP932 is a comma, a tab or a double quote (they lie in
//! 0x40–0xFC), so splitting needs no decoding.

use catalog_model::Quotes;

use super::tail::PlainTail;

/// The fields of the present line.
///
/// A receipt's line ends in 31 day columns of which nearly all are empty: such a tail of equal fields is counted, not
/// split.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    ranges: Vec<(u32, u32)>,
    arranged: Vec<(u32, u32)>,
    /// Where the part begins that is not split yet; none where all is split.
    rest: Option<usize>,
    /// The first field and the number of fields of the tail, which is the unsplit rest.
    tail: Option<(usize, usize)>,
    /// A bit for each of the first 64 fields that is not empty, the tail not counted.
    filled: u64,
    /// Whether a field is empty here that is not so in the line.
    has_cleared: bool,
    /// The days of the tail, where it was looked over.
    days: Option<i32>,
}

impl Fields {
    /// Begins a line; false where it is longer than 4 GiB or a quoted item is not closed.
    ///
    /// Quoted lines are split at once; others by [`Fields::split_to`] and [`Fields::finish`].
    pub(crate) fn begin(&mut self, line: &[u8], delimiter: u8, quotes: Quotes) -> bool {
        self.ranges.clear();
        self.filled = 0;
        self.has_cleared = false;
        self.days = None;
        self.tail = None;
        self.rest = None;
        if u32::try_from(line.len()).is_err() {
            return false;
        }
        match quotes {
            Quotes::Never => {
                self.rest = Some(0);
                true
            }
            Quotes::Optional => self.split_quoted(line, delimiter),
        }
    }

    /// Splits a whole line; false as in [`Fields::begin`].
    pub(crate) fn split(&mut self, line: &[u8], delimiter: u8, quotes: Quotes) -> bool {
        let is_split = self.begin(line, delimiter, quotes);
        self.finish(line, delimiter, None);
        is_split
    }

    /// Splits the first fields, as many as are needed to have `count`.
    pub(crate) fn split_to(&mut self, line: &[u8], delimiter: u8, count: usize) {
        if self.ranges.len() >= count {
            return;
        }
        let Some(mut start) = self.rest else { return };
        let mut before = start;
        let mut left = line.get(start..).unwrap_or_default();
        // Most fields are short, so delimiters are looked for eight bytes at a time, all of the eight at once.
        while !left.is_empty() {
            let (word, more) = next_word(left, delimiter);
            let mut found = matches(word, delimiter);
            while found != 0 {
                let end = before + (found.trailing_zeros() / 8) as usize;
                self.push(start, end);
                start = end + 1;
                if self.ranges.len() == count {
                    self.rest = Some(start);
                    return;
                }
                found &= found - 1;
            }
            before += 8;
            left = more;
        }
        self.push(start, line.len());
        self.rest = None;
    }

    /// Splits what is left, but for a tail of equal fields that begins at `tail`: those are counted.
    pub(crate) fn finish(&mut self, line: &[u8], delimiter: u8, tail: Option<usize>) {
        self.split_to(line, delimiter, tail.unwrap_or(usize::MAX));
        if let (Some(at), Some(start)) = (tail, self.rest) {
            let rest = line.get(start..).unwrap_or_default();
            self.tail = Some((at, memchr::memchr_iter(delimiter, rest).count() + 1));
        }
    }

    /// The bytes of the tail, where the line has one that begins at field `at`.
    pub(crate) fn tail<'l>(&self, line: &'l [u8], at: usize) -> Option<&'l [u8]> {
        let (first, _) = self.tail?;
        let start = self.rest.filter(|_| first == at)?;
        line.get(start..)
    }

    /// The fields before the tail of a line that was split before, by their ends: nothing stands between two but the
    /// delimiter.
    pub(crate) fn restore(&mut self, ends: &[u8], filled: u64) {
        self.ranges.clear();
        let mut start = 0;
        self.ranges.extend(ends.iter().map(|end| {
            let end = u32::from(*end);
            (std::mem::replace(&mut start, end + 1), end)
        }));
        self.filled = filled;
        self.has_cleared = false;
        self.days = None;
        self.rest = None;
        self.tail = None;
    }

    /// Takes what begins at `start` as the tail of a line whose fields before it are there.
    pub(crate) fn restore_tail(&mut self, start: usize, tail: PlainTail) {
        self.rest = Some(start);
        self.tail = Some((self.ranges.len(), tail.count));
        self.days = Some(tail.days);
    }

    /// The days of the tail that begins at field `at`, where they are known.
    pub(crate) fn days(&self, at: usize) -> Option<i32> {
        self.days.filter(|_| self.tail.is_some_and(|(first, _)| first == at))
    }

    /// The ends of the fields before the tail.
    pub(crate) fn ends(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().map(|(_, end)| *end)
    }

    /// Says whether a field was made empty.
    pub(crate) const fn has_cleared(&self) -> bool {
        self.has_cleared
    }

    fn split_quoted(&mut self, line: &[u8], delimiter: u8) -> bool {
        let mut start = 0;
        loop {
            if line.get(start) != Some(&b'"') {
                let rest = line.get(start..).unwrap_or_default();
                let end = memchr::memchr(delimiter, rest).map_or(line.len(), |found| start + found);
                self.push(start, end);
                if end == line.len() {
                    return true;
                }
                start = end + 1;
                continue;
            }
            let Some(close) = closing_quote(line, start + 1) else { return false };
            self.push(start + 1, close);
            match line.get(close + 1) {
                None => return true,
                Some(byte) if *byte == delimiter => start = close + 2,
                Some(_) => return false,
            }
        }
    }

    // Lines longer than u32 were refused, so the casts are exact.
    #[expect(clippy::cast_possible_truncation, reason = "split() refuses lines longer than u32")]
    fn push(&mut self, start: usize, end: usize) {
        if self.ranges.len() < 64 {
            self.filled |= u64::from(end > start) << self.ranges.len();
        }
        self.ranges.push((start as u32, end as u32));
    }

    /// A bit for each of the first 64 fields that is not empty; fields of a tail have none.
    pub(crate) const fn filled(&self) -> u64 {
        self.filled
    }

    /// The field at `at` of a line that is text; nothing where there is none or it is in the tail.
    pub(crate) fn text<'l>(&self, line: &'l str, at: usize) -> Option<&'l str> {
        let (start, end) = self.ranges.get(at)?;
        line.get(*start as usize..*end as usize)
    }

    /// The number of fields.
    pub(crate) fn len(&self) -> usize {
        self.tail.map_or(self.ranges.len(), |(first, count)| first + count)
    }

    /// The field at `at`, empty where there is none.
    pub(crate) fn get<'l>(&self, line: &'l [u8], at: usize) -> &'l [u8] {
        match self.ranges.get(at) {
            Some((start, end)) => line.get(*start as usize..*end as usize).unwrap_or_default(),
            // A tail of one field.
            None => self.span(line, at, 1),
        }
    }

    /// The bytes from field `at` over `count` fields, delimiters between them included.
    pub(crate) fn span<'l>(&self, line: &'l [u8], at: usize, count: usize) -> &'l [u8] {
        if let Some((first, fields)) = self.tail
            && at >= first
        {
            // A tail is only ever asked for as a whole.
            let is_whole = at == first && count == fields;
            return if is_whole { self.tail(line, at).unwrap_or_default() } else { &[] };
        }
        let (Some((start, _)), Some((_, end))) =
            (self.ranges.get(at), self.ranges.get(at + count.max(1) - 1))
        else {
            return &[];
        };
        line.get(*start as usize..*end as usize).unwrap_or_default()
    }

    /// Puts the fields into another order: each from the place that `order` says, empty where it says none.
    pub(crate) fn arrange(&mut self, order: &[Option<usize>]) {
        self.arranged.clear();
        let ranges = order.iter().map(|from| self.ranges.get((*from)?).copied());
        self.arranged.extend(ranges.map(Option::unwrap_or_default));
        std::mem::swap(&mut self.ranges, &mut self.arranged);
        let bits = self.ranges.iter().take(64).zip(0_u32..);
        self.filled = bits.fold(0, |filled, ((start, end), at)| filled | u64::from(end > start) << at);
    }

    /// Makes the field at `at` empty (a value that means "none").
    pub(crate) fn clear(&mut self, at: usize) {
        if let Some((start, end)) = self.ranges.get_mut(at) {
            *end = *start;
            self.has_cleared = true;
            self.filled &= !1_u64.checked_shl(u32::try_from(at).unwrap_or(u32::MAX)).unwrap_or(0);
        }
    }
}

/// The next eight bytes and what is behind them; where there are fewer, bytes follow that are no delimiter.
pub(super) fn next_word(bytes: &[u8], delimiter: u8) -> (u64, &[u8]) {
    if let Some((eight, more)) = bytes.split_first_chunk::<8>() {
        return (u64::from_le_bytes(*eight), more);
    }
    let mut eight = [!delimiter; 8];
    eight.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    (u64::from_le_bytes(eight), &[])
}

/// The upper bit of each byte that is the delimiter.
pub(super) const fn matches(word: u64, delimiter: u8) -> u64 {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let differs = word ^ (0x0101_0101_0101_0101 * delimiter as u64);
    // Without the upper bits nothing carries from one byte into the next.
    !(((differs & LOW) + LOW) | differs | LOW)
}

/// How many bytes have their upper bit set, where no other bit is.
pub(super) const fn marked(found: u64) -> usize {
    // The bits of all bytes add up in the uppermost.
    ((found >> 7).wrapping_mul(0x0101_0101_0101_0101) >> 56) as usize
}

/// What stands behind so many delimiters begins here; nothing where there are fewer.
pub(crate) fn behind(line: &[u8], delimiter: u8, count: usize) -> Option<usize> {
    let (mut before, mut left, mut rest) = (0, count, line);
    while left > 0 && !rest.is_empty() {
        let (word, more) = next_word(rest, delimiter);
        let mut found = matches(word, delimiter);
        let here = marked(found);
        if here >= left {
            for _ in 1..left {
                found &= found - 1;
            }
            return Some(before + (found.trailing_zeros() / 8) as usize + 1);
        }
        left -= here;
        before += 8;
        rest = more;
    }
    (left == 0).then_some(before)
}

/// The fields of `bytes` that are not empty, each with its number; runs of empty fields are passed over eight at a time.
pub(crate) fn filled(bytes: &[u8], delimiter: u8) -> Filled<'_> {
    Filled { rest: bytes, delimiter, number: 0 }
}

/// See [`filled`].
#[derive(Clone, Debug)]
pub(crate) struct Filled<'b> {
    rest: &'b [u8],
    delimiter: u8,
    number: usize,
}

impl<'b> Iterator for Filled<'b> {
    type Item = (usize, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((eight, rest)) = self.rest.split_first_chunk::<8>()
            && *eight == [self.delimiter; 8]
        {
            self.rest = rest;
            self.number += 8;
        }
        while let Some((byte, rest)) = self.rest.split_first()
            && *byte == self.delimiter
        {
            self.rest = rest;
            self.number += 1;
        }
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|byte| *byte == self.delimiter).unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        Some((self.number, value))
    }
}

// A doubled quote stands for one; the pair stays in the range, since no field that is kept may contain a quote.
fn closing_quote(line: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let close = from + memchr::memchr(b'"', line.get(from..)?)?;
        if line.get(close + 1) != Some(&b'"') {
            return Some(close);
        }
        from = close + 2;
    }
}

#[cfg(test)]
mod tests {
    use catalog_model::Quotes;
    use proptest::prelude::*;

    use super::{Fields, behind, filled};

    fn split(line: &str, quotes: Quotes) -> Option<Vec<String>> {
        let mut fields = Fields::default();
        fields.begin(line.as_bytes(), b',', quotes).then(|| {
            fields.finish(line.as_bytes(), b',', None);
            (0..fields.len())
                .map(|at| String::from_utf8_lossy(fields.get(line.as_bytes(), at)).into_owned())
                .collect()
        })
    }

    #[test]
    fn fields_are_split_with_and_without_quotes() {
        let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(split("a,,b", Quotes::Never), texts(&["a", "", "b"]));
        assert_eq!(split("", Quotes::Never), texts(&[""]));
        assert_eq!(split("\"a\",b", Quotes::Never), texts(&["\"a\"", "b"]));
        assert_eq!(split("2,\"a,b\",\"\",c,", Quotes::Optional), texts(&["2", "a,b", "", "c", ""]));
        assert_eq!(split("\"a\"\"b\"", Quotes::Optional), texts(&["a\"\"b"]));
        assert_eq!(split("\"a", Quotes::Optional), None);
        assert_eq!(split("\"a\"b,c", Quotes::Optional), None);
    }

    proptest! {
        #[test]
        fn fields_are_those_of_a_plain_split(
            line in prop::collection::vec(prop_oneof![Just(b','), Just(b'-'), Just(0xAC_u8), any::<u8>()], 0..80),
            count in 1_usize..30,
        ) {
            let mut fields = Fields::default();
            prop_assert!(fields.begin(&line, b',', Quotes::Never));
            fields.split_to(&line, b',', count);
            fields.finish(&line, b',', None);
            let found: Vec<&[u8]> = (0..fields.len()).map(|at| fields.get(&line, at)).collect();
            prop_assert_eq!(found, line.split(|byte| *byte == b',').collect::<Vec<_>>());
            let plain = line.iter().enumerate().filter(|(_, byte)| **byte == b',').nth(count - 1);
            prop_assert_eq!(behind(&line, b',', count), plain.map(|(at, _)| at + 1));
            prop_assert_eq!(behind(&line, b',', 0), Some(0));
        }
    }

    #[test]
    fn a_tail_is_counted_and_its_filled_fields_are_found() {
        let line = b"SI,12,,,1,,,,,,,,,,,,23,";
        let mut fields = Fields::default();
        assert!(fields.begin(line, b',', Quotes::Never));
        fields.split_to(line, b',', 1);
        fields.finish(line, b',', Some(3));
        assert_eq!((fields.len(), fields.get(line, 1), fields.get(line, 2)), (18, &b"12"[..], &b""[..]));
        assert_eq!(fields.span(line, 3, 15), b",1,,,,,,,,,,,,23,");
        let found: Vec<_> = filled(fields.span(line, 3, 15), b',').collect();
        assert_eq!(found, [(1, &b"1"[..]), (13, &b"23"[..])]);
        // Too short for a tail: all of it is split.
        assert!(fields.begin(b"SI,1", b',', Quotes::Never));
        fields.finish(b"SI,1", b',', Some(3));
        assert_eq!((fields.len(), fields.tail(b"SI,1", 3)), (2, None));
        assert_eq!(filled(b"", b',').count() + filled(b",,,,,,,,,,,,", b',').count(), 0);
    }
}
