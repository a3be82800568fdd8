//! A file's bytes as numbered lines, through one buffer that grows only with the longest line.

use std::io::{self, Read};

use zeroize::Zeroize;

/// A delivery has thousands of small files, so the buffer begins small; it is erased as far as it was ever filled.
const BUFFER: usize = 1 << 17;
/// A quoted item with line ends is not longer; what seems to be longer is a quote that nobody closed.
const LONGEST_ITEM: usize = 1 << 16;
/// No record is longer. What a longer line has more is passed over, so that a file without line ends is not held whole.
const LONGEST: usize = 1 << 22;

/// Reads lines that end in LF or CRLF; the last may lack its end. Those of [`Lines::of_records`] may end in CR as well,
/// and go on where an end stands in a quoted item.
#[derive(Debug)]
pub struct Lines<R> {
    source: R,
    /// The byte between items, where they may be quoted and hold line ends.
    delimiter: Option<u8>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    filled: usize,
    /// Bytes of the present line that were passed over.
    passed: u64,
    is_exhausted: bool,
}

/// One line without its end.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The bytes without CR and LF.
    pub bytes: &'a [u8],
    /// Whether the line had an end; only the last line of a file may lack one.
    pub is_ended: bool,
    /// How many bytes at its end are missing here, the line being longer than any record.
    pub missing: u64,
    /// How many line ends stand within it, in quoted items.
    pub inner: u64,
}

impl<R: Read> Lines<R> {
    /// Reads lines from `source`.
    pub fn new(source: R) -> Self {
        let buffer = vec![0; BUFFER];
        Self { source, delimiter: None, buffer, start: 0, end: 0, filled: 0, passed: 0, is_exhausted: false }
    }

    /// Reads lines that end in LF, CRLF or CR, outside of items that stand in double quotes between `delimiter`s.
    pub fn of_records(source: R, delimiter: u8) -> Self {
        let mut lines = Self::new(source);
        lines.delimiter = Some(delimiter);
        lines
    }

    /// The next line, or nothing at the end of the file.
    ///
    /// # Errors
    ///
    /// The source cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.passed = 0;
        match self.delimiter {
            Some(delimiter) => self.next_record(delimiter),
            None => self.next_fed(),
        }
    }

    fn next_fed(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut searched = 0;
        loop {
            let window = self.buffer.get(self.start..self.end).unwrap_or_default();
            if let Some(found) = window.get(searched..).and_then(|rest| memchr::memchr(b'\n', rest)) {
                let length = searched + found;
                let begin = self.start;
                self.start += length + 1;
                return Ok(self.line(begin, length, true));
            }
            searched = window.len();
            if searched > LONGEST {
                self.passed += (searched - LONGEST) as u64;
                self.end = self.start + LONGEST;
                searched = LONGEST;
            }
            if self.is_exhausted {
                let begin = self.start;
                self.start = self.end;
                return Ok(if searched == 0 { None } else { self.line(begin, searched, false) });
            }
            self.fill()?;
        }
    }

    fn next_record(&mut self, delimiter: u8) -> io::Result<Option<Line<'_>>> {
        let mut passed = 0;
        loop {
            let window = self.buffer.get(self.start..self.end).unwrap_or_default();
            let (is_last, begin) = (self.is_exhausted, self.start);
            if let Some(Ending { at, width, inner }) = ending(window, delimiter, is_last) {
                self.start += at + width;
                let bytes = self.buffer.get(begin..begin + at).unwrap_or_default();
                return Ok(Some(Line { bytes, is_ended: true, missing: passed, inner }));
            }
            if is_last {
                self.start = self.end;
                let bytes = self.buffer.get(begin..self.end).unwrap_or_default();
                let line = Line { bytes, is_ended: false, missing: passed, inner: 0 };
                return Ok((!line.bytes.is_empty()).then_some(line));
            }
            // Without an end in so many bytes the rest is passed over; the last may be the CR of CRLF.
            let over = window.len().saturating_sub(LONGEST + 1);
            if over > 0 {
                passed += over as u64;
                let tail = self.end - 1;
                self.buffer.copy_within(tail..self.end, begin + LONGEST);
                self.end -= over;
            }
            self.fill()?;
        }
    }

    /// Skips the next line; its length with its end, and whether `tag` stands in the field that it belongs in (any line
    /// has it where there is no tag).
    ///
    /// # Errors
    ///
    /// The source cannot be read.
    pub fn next_raw(
        &mut self,
        tag: Option<(usize, &[u8])>,
        delimiter: u8,
    ) -> io::Result<Option<(u64, bool)>> {
        let begins = |bytes: &[u8]| {
            tag.is_none_or(|(at, tag)| {
                bytes.split(|byte| *byte == delimiter).nth(at) == Some(tag) && bytes.len() > tag.len()
            })
        };
        let Some(line) = self.next_line()? else { return Ok(None) };
        let length = line.bytes.len() as u64 + line.missing;
        let (is_ended, begins) = (line.is_ended, begins(line.bytes));
        // CR was taken off; the byte at the line's length tells whether it was there.
        let has_cr = is_ended && self.start >= 2 && self.buffer.get(self.start - 2) == Some(&b'\r');
        Ok(Some((length + u64::from(is_ended) + u64::from(has_cr), begins)))
    }

    fn line(&self, begin: usize, length: usize, is_ended: bool) -> Option<Line<'_>> {
        let bytes = self.buffer.get(begin..begin + length)?;
        let bytes = if is_ended { bytes.strip_suffix(b"\r").unwrap_or(bytes) } else { bytes };
        Some(Line { bytes, is_ended, missing: self.passed, inner: 0 })
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            let mut larger = vec![0; self.buffer.len() * 2];
            for (to, from) in larger.iter_mut().zip(&self.buffer) {
                *to = *from;
            }
            std::mem::replace(&mut self.buffer, larger).zeroize();
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let read = self.source.read(room)?;
        self.end += read;
        self.filled = self.filled.max(self.end);
        self.is_exhausted = read == 0;
        Ok(())
    }
}

/// Where a record ends, in how many bytes, and how many line ends it holds.
struct Ending {
    at: usize,
    width: usize,
    inner: u64,
}

/// The end of the record that begins the window; nothing where more bytes are needed to tell, or none is there.
fn ending(window: &[u8], delimiter: u8, is_last: bool) -> Option<Ending> {
    let first = memchr::memchr2(b'\r', b'\n', window)?;
    let is_plain = memchr::memchr(b'"', window.get(..first)?).is_none();
    let look = window.get(..LONGEST_ITEM).unwrap_or(window);
    let found = if is_plain { Quoted::Ends(first, 0) } else { quoted(look, delimiter) };
    let (at, inner) = match found {
        Quoted::Ends(at, inner) => (at, inner),
        Quoted::Open if look.len() < LONGEST_ITEM && !is_last => return None,
        // A quote that nobody closed, or that stands for itself, holds no line end.
        Quoted::Open | Quoted::Malformed => (first, 0),
    };
    let width = match (window.get(at), window.get(at + 1)) {
        (Some(b'\r'), None) if !is_last => return None,
        (Some(b'\r'), Some(b'\n')) => 2,
        _ => 1,
    };
    Some(Ending { at, width, inner })
}

/// How a record with quoted items goes on.
enum Quoted {
    /// It ends here, after so many line ends in items.
    Ends(usize, u64),
    /// An item is still open, or the record has no end yet.
    Open,
    /// Something follows a quoted item.
    Malformed,
}

/// Reads a record's quoted items over.
fn quoted(bytes: &[u8], delimiter: u8) -> Quoted {
    let (mut place, mut inner, mut before) = (Place::Begin, 0, 0);
    for (at, byte) in bytes.iter().copied().enumerate() {
        place = match (place, byte) {
            (Place::Item, b'"') => Place::Closed,
            (Place::Item, _) => {
                inner += u64::from(byte == b'\r' || (byte == b'\n' && before != b'\r'));
                Place::Item
            }
            (_, b'\r' | b'\n') => return Quoted::Ends(at, inner),
            (Place::Begin | Place::Closed, b'"') => Place::Item,
            (_, _) if byte == delimiter => Place::Begin,
            (Place::Closed, _) => return Quoted::Malformed,
            (Place::Begin | Place::Plain, _) => Place::Plain,
        };
        before = byte;
    }
    Quoted::Open
}

/// Where in a record a byte stands.
#[derive(Clone, Copy)]
enum Place {
    /// At the beginning of an item.
    Begin,
    /// In an item without quotes.
    Plain,
    /// In a quoted item.
    Item,
    /// Behind its closing quote, or between the two of a doubled one.
    Closed,
}

// The buffer held names and numbers.
impl<R> Drop for Lines<R> {
    fn drop(&mut self) {
        self.buffer.get_mut(..self.filled).unwrap_or_default().zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    fn all(text: &[u8]) -> Vec<(Vec<u8>, bool)> {
        let mut lines = Lines::new(text);
        let mut found = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            found.push((line.bytes.to_vec(), line.is_ended));
        }
        found
    }

    #[test]
    fn line_ends_are_taken_off_and_the_last_may_lack_one() {
        let line = |text: &str, is_ended| (text.as_bytes().to_vec(), is_ended);
        assert_eq!(
            all(b"a\r\nb\n\r\nc"),
            [line("a", true), line("b", true), line("", true), line("c", false)]
        );
        assert_eq!(all(b"a\r"), [line("a\r", false)]);
        assert_eq!(all(b""), []);
    }

    #[test]
    fn a_line_longer_than_the_buffer_is_whole() {
        let long = vec![b'x'; 3 << 20];
        let mut text = long.clone();
        text.extend_from_slice(b"\r\ny");
        assert_eq!(all(&text), [(long, true), (b"y".to_vec(), false)]);
    }

    /// Reads nine megabytes that are one line or record, and `y`.
    fn only_the_beginning_is_held(mut lines: Lines<&[u8]>) {
        let line = lines.next_line().unwrap().unwrap();
        assert!(line.is_ended && line.bytes.len() as u64 + line.missing == 9 << 20 && line.missing > 0);
        let line = lines.next_line().unwrap().unwrap();
        assert_eq!((line.bytes, line.missing), (&b"y"[..], 0));
        assert!(lines.next_line().unwrap().is_none());
        assert!(lines.buffer.len() <= 2 * super::LONGEST);
    }

    #[test]
    fn of_a_line_longer_than_any_record_only_the_beginning_is_held() {
        let mut text = vec![b'x'; 9 << 20];
        text.extend_from_slice(b"\r\ny\r\n");
        only_the_beginning_is_held(Lines::new(text.as_slice()));
        // Where a file is cut into parts, its whole length counts.
        let mut lines = Lines::new(text.as_slice());
        assert_eq!(lines.next_raw(None, b',').unwrap(), Some(((9 << 20) + 2, true)));
        assert_eq!(lines.next_raw(None, b',').unwrap(), Some((3, true)));
    }

    fn records(text: &[u8]) -> Vec<(String, bool, u64)> {
        let mut lines = Lines::of_records(text, b',');
        let mut found = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            assert_eq!(line.missing, 0);
            found.push((String::from_utf8_lossy(line.bytes).into_owned(), line.is_ended, line.inner));
        }
        found
    }

    #[test]
    fn a_record_ends_by_any_end_and_not_within_a_quoted_item() {
        let line = |text: &str, is_ended, inner| (text.to_owned(), is_ended, inner);
        assert_eq!(
            records(b"a\rb\r\nc\n\rd"),
            [
                line("a", true, 0),
                line("b", true, 0),
                line("c", true, 0),
                line("", true, 0),
                line("d", false, 0)
            ]
        );
        assert_eq!(
            records(b"1,\"x\r\ny\rz\n\",2\r\n3,\"\"\"q\"\"\",\"\"\r"),
            [line("1,\"x\r\ny\rz\n\",2", true, 3), line("3,\"\"\"q\"\"\",\"\"", true, 0)]
        );
        // A quote in the midst of an item is a byte like others.
        assert_eq!(records(b"5\",a\r6,\"b\"\r"), [line("5\",a", true, 0), line("6,\"b\"", true, 0)]);
        assert_eq!(records(b""), []);
        assert_eq!(records(b"a\r"), [line("a", true, 0)]);
    }

    #[test]
    fn a_quote_that_nobody_closed_takes_no_other_line() {
        let line = |text: &str, inner| (text.to_owned(), true, inner);
        assert_eq!(
            records(b"1,\"open,2\r\n3,\"closed\nitem\"\r\n"),
            [line("1,\"open,2", 0), line("3,\"closed\nitem\"", 1)]
        );
        assert_eq!(records(b"1,\"open\r\n2,b\r\n"), [line("1,\"open", 0), line("2,b", 0)]);
        let mut long = b"1,\"open\r\n".to_vec();
        long.extend(b"2,b\r\n".repeat(super::LONGEST_ITEM));
        let found = records(&long);
        assert_eq!((found.len(), found[0].0.as_str()), (super::LONGEST_ITEM + 1, "1,\"open"));
    }

    #[test]
    fn of_a_record_longer_than_any_only_the_beginning_is_held() {
        let mut text = vec![b'x'; 9 << 20];
        text.extend_from_slice(b"\ry\r\n");
        only_the_beginning_is_held(Lines::of_records(text.as_slice(), b','));
    }

    #[test]
    fn a_line_opens_a_group_where_its_tag_stands_in_its_place() {
        let mut lines = Lines::new(b"8,1,0,MN,x\r\n1,2,0,RE,MN\nMN,1\n8,3,0,MN\n".as_slice());
        let mut found = Vec::new();
        while let Some(line) = lines.next_raw(Some((3, b"MN")), b',').unwrap() {
            found.push(line);
        }
        assert_eq!(found, [(12, true), (12, false), (5, false), (9, true)]);
    }
}
