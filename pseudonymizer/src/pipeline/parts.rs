//! A delivery cut into parts: what one thread reads in one go, and what is done again after a crash.
//!
//! The cut depends on the files alone. Small files of one family share a part; a large file is cut where a new group
//! of records begins.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};

use serde::{Deserialize, Serialize};

use super::delivery::{BLOCK, Delivery, ScannedFile};
use crate::formats::{Lines, Program};

/// A family is cut into this many parts, so that all threads have work; its parts are neither tiny nor huge.
const PARTS: u64 = 8;
const SMALLEST: u64 = 1 << 20;
const LARGEST: u64 = 128 << 20;

/// What one thread reads in one go: pieces of files of one family.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) number: u32,
    pub(super) family: String,
    pub(super) pieces: Vec<Piece>,
}

/// A file, or a range of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    pub(super) file: u32,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) lines_before: u64,
    pub(super) is_last: bool,
    /// Where the header that holds for the piece's first lines begins.
    pub(super) header: Option<u64>,
}

/// Cuts the delivery.
pub(super) fn cut(delivery: &Delivery) -> Result<Vec<Part>, CutError> {
    let mut parts: Vec<Part> = Vec::new();
    for (family, program) in &delivery.programs {
        let files: Vec<(usize, &ScannedFile)> = delivery
            .files
            .iter()
            .enumerate()
            .filter(|(number, _)| {
                delivery.manifest.files.get(*number).is_some_and(|listed| listed.family == *family)
            })
            .collect();
        let total: u64 = files.iter().map(|(_, file)| file.bytes).sum();
        let share = (total / PARTS).clamp(SMALLEST, LARGEST);
        let mut bytes = 0;
        let mut is_new = true;
        for (number, file) in files {
            for piece in pieces(number, file, program, share)? {
                if is_new || bytes >= share {
                    let number = u32::try_from(parts.len()).unwrap_or(u32::MAX);
                    parts.push(Part { number, family: family.clone(), pieces: Vec::new() });
                    bytes = 0;
                    is_new = false;
                }
                bytes += piece.to - piece.from;
                if let Some(part) = parts.last_mut() {
                    part.pieces.push(piece);
                }
            }
        }
    }
    Ok(parts)
}

/// Why a delivery cannot be cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: std::path::PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

fn pieces(number: usize, file: &ScannedFile, program: &Program, share: u64) -> Result<Vec<Piece>, CutError> {
    let read = |source| CutError::Read { path: file.path.clone(), source };
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut lines_before = 0;
    while let Some((to, lines)) = next_cut(file, program, from + share).map_err(read)? {
        pieces.push(Piece {
            file: number,
            from,
            to,
            lines_before,
            is_last: false,
            header: header(file, from),
        });
        (from, lines_before) = (to, lines);
    }
    pieces.push(Piece {
        file: number,
        from,
        to: file.bytes,
        lines_before,
        is_last: true,
        header: header(file, from),
    });
    Ok(pieces)
}

fn header(file: &ScannedFile, from: u64) -> Option<u64> {
    file.headers.iter().copied().take_while(|offset| *offset < from).last()
}

/// The first place from `target` on where a group of records begins, with the lines before it.
fn next_cut(file: &ScannedFile, program: &Program, target: u64) -> std::io::Result<Option<(u64, u64)>> {
    let is_cuttable = program.opener().is_some() || program.has_free_lines();
    if target >= file.bytes || !is_cuttable {
        return Ok(None);
    }
    let block = target / BLOCK as u64;
    let start = block * BLOCK as u64;
    let index = usize::try_from(block).unwrap_or(usize::MAX);
    let mut lines: u64 = file.block_lines.iter().take(index).sum();
    let mut source = File::open(&file.path)?;
    source.seek(SeekFrom::Start(start))?;
    let mut reader = Lines::new(source);
    let mut offset = start;
    // The first line of the block began before it, unless the block begins the file.
    let mut is_whole = start == 0;
    let opener = program.opener();
    let tag = opener.as_ref().map(|(at, tag)| (*at, tag.as_slice()));
    while let Some((length, begins)) = reader.next_raw(tag, program.delimiter())? {
        if is_whole && offset >= target && begins {
            return Ok(Some((offset, lines)));
        }
        offset += length;
        lines += 1;
        is_whole = true;
    }
    Ok(None)
}

/// Reads the header line at `offset`.
pub(super) fn read_header(file: &ScannedFile, offset: Option<u64>) -> std::io::Result<Vec<u8>> {
    let Some(offset) = offset else { return Ok(Vec::new()) };
    let mut source = File::open(&file.path)?;
    source.seek(SeekFrom::Start(offset))?;
    let mut lines = Lines::new(source);
    // A line that is longer than any record is no header.
    let line = lines.next_line()?.filter(|line| line.missing == 0);
    Ok(line.map(|line| line.bytes.to_vec()).unwrap_or_default())
}

#[cfg(test)]
mod tests;
