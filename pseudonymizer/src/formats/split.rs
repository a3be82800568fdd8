//! A line's fields as byte ranges.
//!
//! Delimiters are single ASCII bytes, and no trail byte of CP932 is a comma, a tab or a double quote (they lie in
//! 0x40–0xFC), so splitting needs no decoding.

use catalog_model::Quotes;

/// The fields of the present line.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    ranges: Vec<(u32, u32)>,
    arranged: Vec<(u32, u32)>,
}

impl Fields {
    /// Splits `line`; false where it is longer than 4 GiB or a quoted item is not closed.
    pub(crate) fn split(&mut self, line: &[u8], delimiter: u8, quotes: Quotes) -> bool {
        self.ranges.clear();
        if u32::try_from(line.len()).is_err() {
            return false;
        }
        match quotes {
            Quotes::Never => {
                // Most fields of a receipt line are empty: looking at each byte beats searching for the next delimiter.
                let mut start = 0;
                for (end, byte) in line.iter().enumerate() {
                    if *byte == delimiter {
                        self.push(start, end);
                        start = end + 1;
                    }
                }
                self.push(start, line.len());
                true
            }
            Quotes::Optional => self.split_quoted(line, delimiter),
        }
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
        self.ranges.push((start as u32, end as u32));
    }

    /// The number of fields.
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The field at `at`, empty where there is none.
    pub(crate) fn get<'l>(&self, line: &'l [u8], at: usize) -> &'l [u8] {
        self.span(line, at, 1)
    }

    /// The bytes from field `at` over `count` fields, delimiters between them included.
    pub(crate) fn span<'l>(&self, line: &'l [u8], at: usize, count: usize) -> &'l [u8] {
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
    }

    /// Makes the field at `at` empty (a value that means "none").
    pub(crate) fn clear(&mut self, at: usize) {
        if let Some((start, end)) = self.ranges.get_mut(at) {
            *end = *start;
        }
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

    use super::Fields;

    fn split(line: &str, quotes: Quotes) -> Option<Vec<String>> {
        let mut fields = Fields::default();
        fields.split(line.as_bytes(), b',', quotes).then(|| {
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
}
