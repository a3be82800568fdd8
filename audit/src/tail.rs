//! The end of a log: its last entry, and what a crash in the middle of an append left behind it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use time::OffsetDateTime;

use crate::entry::{Entry, EntryRef, LONGEST, LineFault};

/// How much of the file is read first; most lines are far shorter.
const FIRST_READ: u64 = 4096;

/// One append of one entry writes at most three lines, and so does a torn one.
const FARTHEST: u64 = 4 * (LONGEST as u64 + 1);

/// The end of a log file.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The last entry.
    pub(crate) head: Option<EntryRef>,
    /// Its time.
    pub(crate) at: Option<OffsetDateTime>,
    /// The byte behind the last entry's newline.
    pub(crate) end: u64,
    /// What stands there.
    pub(crate) rest: Rest,
}

/// What stands behind the last newline.
#[derive(Debug)]
pub(crate) enum Rest {
    /// Nothing: the last append ended well.
    Nothing,
    /// The beginning of an entry that was never acknowledged.
    Torn(u64),
    /// A whole entry without its newline.
    Whole(Box<Entry>),
}

/// Why the end of a log is not one to append to.
#[derive(Debug)]
pub(crate) enum TailError {
    Read(io::Error),
    Line(LineFault),
    /// Behind the last newline stands an entry that does not continue the one before.
    Unchained,
}

impl From<io::Error> for TailError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl From<LineFault> for TailError {
    fn from(fault: LineFault) -> Self {
        Self::Line(fault)
    }
}

/// Reads the end of a log that nobody else is writing to.
pub(crate) fn read(file: &mut File) -> Result<Tail, TailError> {
    let length = file.metadata()?.len();
    let mut size = FIRST_READ;
    loop {
        let start = length.saturating_sub(size);
        let block = read_from(file, start, length)?;
        if let Some((line, rest)) = last_line(&block, start == 0) {
            let last = line.map(Entry::parse).transpose()?;
            let (head, at) = (last.as_ref().map(Entry::reference), last.as_ref().map(Entry::at));
            let end = length - rest.len() as u64;
            return Ok(Tail { head, at, end, rest: judge(rest, head)? });
        }
        if size > FARTHEST {
            return Err(LineFault::Long.into());
        }
        size = size.saturating_mul(4);
    }
}

fn read_from(file: &mut File, start: u64, end: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut block = Vec::new();
    file.take(end - start).read_to_end(&mut block)?;
    Ok(block)
}

/// The last line that has its newline, and what stands behind it; nothing where the line begins before the block.
fn last_line(block: &[u8], is_whole_file: bool) -> Option<(Option<&[u8]>, &[u8])> {
    let newline = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b'\n');
    let Some(end) = newline(block) else { return is_whole_file.then_some((None, block)) };
    let (lines, rest) = block.split_at(end);
    let start = match newline(lines) {
        Some(before) => before + 1,
        None if is_whole_file => 0,
        None => return None,
    };
    Some((Some(lines.get(start..).unwrap_or(&[])), rest.get(1..).unwrap_or(&[])))
}

/// Says what the bytes behind the last newline are.
pub(crate) fn judge(rest: &[u8], head: Option<EntryRef>) -> Result<Rest, TailError> {
    if rest.is_empty() {
        return Ok(Rest::Nothing);
    }
    // A crash leaves the beginning of what was written. A whole entry with another byte in place of its newline is
    // not that: somebody or something changed the end of an acknowledged line, which must not be cut off.
    if let Some((_, line)) = rest.split_last()
        && Entry::parse(line).is_ok()
    {
        return Err(LineFault::Form { at: line.len(), expected: "the end of the line" }.into());
    }
    match Entry::parse(rest) {
        Ok(entry) if entry.continues(head) => Ok(Rest::Whole(Box::new(entry))),
        Ok(_) => Err(TailError::Unchained),
        Err(_) => Ok(Rest::Torn(rest.len() as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::last_line;

    #[test]
    fn the_last_line_is_found_or_asked_for_again() {
        assert_eq!(last_line(b"", true), Some((None, &b""[..])));
        assert_eq!(last_line(b"torn", true), Some((None, &b"torn"[..])));
        assert_eq!(last_line(b"a\n", true), Some((Some(&b"a"[..]), &b""[..])));
        assert_eq!(last_line(b"a\nb\nto", true), Some((Some(&b"b"[..]), &b"to"[..])));
        assert_eq!(last_line(b"a\nb\nto", false), Some((Some(&b"b"[..]), &b"to"[..])));
        assert_eq!(last_line(b"b\nto", false), None);
        assert_eq!(last_line(b"torn", false), None);
    }
}
