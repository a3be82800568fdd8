//! A file's bytes as numbered lines, through one buffer that grows only with the longest line.

use std::io::{self, Read};

use zeroize::Zeroize;

/// A delivery has thousands of small files, so the buffer begins small; it is erased as far as it was ever filled.
const BUFFER: usize = 1 << 17;
/// No record is longer. What a longer line has more is passed over, so that a file without line ends is not held whole.
const LONGEST: usize = 1 << 22;

/// Reads lines that end in LF or CRLF; the last may lack its end.
#[derive(Debug)]
pub struct Lines<R> {
    source: R,
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
}

impl<R: Read> Lines<R> {
    /// Reads lines from `source`.
    pub fn new(source: R) -> Self {
        Self { source, buffer: vec![0; BUFFER], start: 0, end: 0, filled: 0, passed: 0, is_exhausted: false }
    }

    /// The next line, or nothing at the end of the file.
    ///
    /// # Errors
    ///
    /// The source cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut searched = 0;
        self.passed = 0;
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
        Some(Line { bytes, is_ended, missing: self.passed })
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

    #[test]
    fn of_a_line_longer_than_any_record_only_the_beginning_is_held() {
        let mut text = vec![b'x'; 9 << 20];
        text.extend_from_slice(b"\r\ny\r\n");
        let mut lines = Lines::new(text.as_slice());
        let line = lines.next_line().unwrap().unwrap();
        assert!(line.is_ended && line.bytes.len() as u64 + line.missing == 9 << 20 && line.missing > 0);
        let line = lines.next_line().unwrap().unwrap();
        assert_eq!((line.bytes, line.missing), (&b"y"[..], 0));
        assert!(lines.next_line().unwrap().is_none());
        assert!(lines.buffer.len() <= 2 * super::LONGEST);
        // Where a file is cut into parts, its whole length counts.
        let mut lines = Lines::new(text.as_slice());
        assert_eq!(lines.next_raw(None, b',').unwrap(), Some(((9 << 20) + 2, true)));
        assert_eq!(lines.next_raw(None, b',').unwrap(), Some((3, true)));
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
