//! The texts of a part: each is kept and written once, elsewhere its number stands for it.
//!
//! Codes repeat by the million, so a text must be found faster than it could be copied: a table of its own over one
//! buffer, with a random seed, so that no delivery can be made of texts that fall into one place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::record_batch::RecordBatch;
use catalog_staged::{WORD, words_file};
use catalog_store::StagedFiles;

use super::files::{Digests, FileError, ParquetFile};

/// So many texts are kept at most before all are forgotten; one that comes again then gets a second number.
const MOST: usize = 1 << 21;
/// So many bytes of them.
const MOST_BYTES: usize = 64 << 20;

/// So many places for short texts that were asked for lately: they stay in a processor's cache.
const RECENT: usize = 1 << 11;

/// Numbers of texts, from 1.
pub(super) struct Words {
    seed: [u64; 2],
    /// Short texts that were asked for lately, each at the place that its bytes say, with its number.
    recent: Vec<(Short, u32)>,
    /// The upper half of a text's hash and its place among the kept texts, from 1; 0 where there is none.
    slots: Vec<(u32, u32)>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// See [`MOST`].
    most: usize,
    /// How many texts were forgotten.
    before: u32,
    /// How many of the kept texts are written.
    written: usize,
    file: Option<ParquetFile>,
    files: StagedFiles,
    path: PathBuf,
}

impl Words {
    /// No texts yet, for the part in `folder`.
    pub(super) fn new((files, folder): (&StagedFiles, &Path), seed: [u64; 2]) -> Self {
        Self {
            seed,
            recent: vec![(Short::default(), 0); RECENT],
            slots: vec![(0, 0); 1 << 12],
            bytes: Vec::new(),
            ends: Vec::new(),
            most: MOST,
            before: 0,
            written: 0,
            file: None,
            files: files.clone(),
            path: words_file(folder),
        }
    }

    /// The number of a text; nothing where there are more texts than numbers.
    pub(super) fn number(&mut self, text: &str) -> Option<u32> {
        let Some(short) = Short::of(text.as_bytes()) else { return self.found(text) };
        let place = short.place(self.seed);
        if let Some((known, number)) = self.recent.get(place)
            && *known == short
            && *number != 0
        {
            return Some(*number);
        }
        let number = self.found(text)?;
        if let Some(recent) = self.recent.get_mut(place) {
            *recent = (short, number);
        }
        Some(number)
    }

    /// The number of a text, wherever it stands.
    fn found(&mut self, text: &str) -> Option<u32> {
        let hash = hash(text.as_bytes(), self.seed);
        let mark = (hash >> 32) as u32;
        let mask = self.slots.len() - 1;
        #[expect(clippy::cast_possible_truncation, reason = "the lower bits of a hash")]
        let mut place = hash as usize & mask;
        loop {
            let (found, at) = self.slots.get(place).copied()?;
            if at == 0 {
                return self.add(text, place, mark);
            }
            if found == mark && self.text(at) == Some(text.as_bytes()) {
                return self.before.checked_add(at);
            }
            place = (place + 1) & mask;
        }
    }

    /// The kept text at a place, from 1.
    fn text(&self, at: u32) -> Option<&[u8]> {
        let at = at as usize;
        let start = if at < 2 { 0 } else { self.ends.get(at - 2).copied()? };
        self.bytes.get(start..self.ends.get(at - 1).copied()?)
    }

    fn add(&mut self, text: &str, place: usize, mark: u32) -> Option<u32> {
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len());
        let at = u32::try_from(self.ends.len()).ok()?;
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = (mark, at);
        }
        if self.ends.len() * 2 > self.slots.len() {
            self.grow()?;
        }
        self.before.checked_add(at)
    }

    fn grow(&mut self) -> Option<()> {
        let mut slots = vec![(0, 0); self.slots.len() * 2];
        let mask = slots.len() - 1;
        for at in 1..=u32::try_from(self.ends.len()).ok()? {
            let hash = hash(self.text(at)?, self.seed);
            #[expect(clippy::cast_possible_truncation, reason = "the lower bits of a hash")]
            let mut place = hash as usize & mask;
            while slots.get(place)?.1 != 0 {
                place = (place + 1) & mask;
            }
            *slots.get_mut(place)? = ((hash >> 32) as u32, at);
        }
        self.slots = slots;
        Some(())
    }

    /// Writes the texts that are not written yet, and forgets all where they are too many.
    pub(super) fn flush(&mut self) -> Result<(), FileError> {
        let new = self.written..self.ends.len();
        if new.is_empty() {
            return Ok(());
        }
        let texts = new.filter_map(|at| {
            let text = self.text(u32::try_from(at + 1).ok()?)?;
            std::str::from_utf8(text).ok()
        });
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        let batch = RecordBatch::try_from_iter_with_nullable([(WORD, texts, false)])
            .map_err(|source| FileError::Arrow { path: self.path.clone(), source })?;
        if self.file.is_none() {
            self.file = Some(ParquetFile::staged(&self.files, &self.path, batch.schema())?);
        }
        if let Some(file) = &mut self.file {
            file.write(&batch)?;
        }
        self.written = self.ends.len();
        if self.ends.len() > self.most || self.bytes.len() > MOST_BYTES {
            self.forget();
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.before = self.before.saturating_add(u32::try_from(self.ends.len()).unwrap_or(u32::MAX));
        self.slots.fill((0, 0));
        self.recent.fill((Short::default(), 0));
        self.bytes.clear();
        self.ends.clear();
        self.written = 0;
    }

    /// Writes what is left.
    pub(super) fn finish(mut self, digests: &mut Digests) -> Result<(), FileError> {
        self.flush()?;
        self.file.map_or(Ok(()), |file| digests.finish(file))
    }
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Words({})", self.ends.len())
    }
}

/// A text of up to sixteen bytes: its first and its last ones, which overlap, and its length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Short {
    head: u64,
    tail: u64,
    length: u32,
}

impl Short {
    fn of(bytes: &[u8]) -> Option<Self> {
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= 16)?;
        let (head, tail) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => (few(bytes), 0),
        };
        Some(Self { head, tail, length })
    }

    fn place(self, [first, second]: [u64; 2]) -> usize {
        let mixed = (self.head ^ second ^ u64::from(self.length)).wrapping_mul(first | 1);
        let mixed = (mixed ^ (mixed >> 32) ^ self.tail).wrapping_mul(second | 1);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the upper bits of a hash, as many as there are places"
        )]
        let place = (mixed >> (64 - RECENT.ilog2())) as usize;
        place
    }
}

/// Up to seven bytes as a number; with their length it says which they are.
fn few(bytes: &[u8]) -> u64 {
    match (bytes.split_first_chunk::<4>(), bytes.last_chunk::<4>(), bytes) {
        (Some((head, _)), Some(tail), _) => {
            u64::from(u32::from_le_bytes(*head)) | u64::from(u32::from_le_bytes(*tail)) << 32
        }
        (_, _, [one, .., last]) => {
            let middle = bytes.get(bytes.len() / 2).copied().unwrap_or(0);
            u64::from(*one) | u64::from(middle) << 8 | u64::from(*last) << 16
        }
        (_, _, [one]) => u64::from(*one),
        _ => 0,
    }
}

/// A hash of bytes: eight at a time are multiplied into 128 bits and folded.
fn hash(bytes: &[u8], [first, second]: [u64; 2]) -> u64 {
    let fold = |one: u64, other: u64| {
        let product = u128::from(one) * u128::from(other);
        #[expect(clippy::cast_possible_truncation, reason = "the lower half of the product")]
        let low = product as u64;
        low ^ (product >> 64) as u64
    };
    let mut state = second ^ (bytes.len() as u64);
    let mut rest = bytes;
    while let Some((eight, more)) = rest.split_first_chunk::<8>() {
        state = fold(state ^ u64::from_le_bytes(*eight), first);
        rest = more;
    }
    // The last one to seven bytes, those read twice told apart by the length.
    let left = few(rest);
    fold(fold(state ^ left, first | 1), second | 1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use catalog_store::StagedFiles;

    use super::Words;

    /// As good as a random one; a small number mixes badly.
    const SEED: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03];

    #[test]
    fn equal_texts_and_only_those_have_one_number_and_all_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut words = Words::new((&StagedFiles::Clear, folder.path()), SEED);
        let mut known: HashMap<String, u32> = HashMap::new();
        for turn in 0..3_u32 {
            for text in (0..20_000_u32).map(|number| format!("{:0w$}", number, w = (number % 20) as usize)) {
                let number = words.number(&text).unwrap();
                let next = u32::try_from(known.len()).unwrap() + 1;
                assert_eq!(*known.entry(text).or_insert(next), number, "{turn}");
            }
            words.flush().unwrap();
        }
        words.finish(&mut super::Digests::default()).unwrap();
        let file =
            super::super::open(&StagedFiles::Clear, &folder.path().join("words.parquet"), 1_000).unwrap();
        assert_eq!(file.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), known.len());
    }

    #[test]
    fn too_many_texts_are_forgotten_and_numbers_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut words = Words::new((&StagedFiles::Clear, folder.path()), SEED);
        words.most = 1_000;
        for number in 0..=1_000 {
            words.number(&format!("{number}")).unwrap();
        }
        words.flush().unwrap();
        assert!(words.ends.is_empty());
        assert_eq!(words.number("0"), Some(1_002));
        assert_eq!(words.number("0"), words.number("0"));
    }

    proptest! {
        #[test]
        fn numbers_agree_with_a_map(texts in prop::collection::vec("[0-9a-cあ-う]{0,18}", 1..200)) {
            let folder = tempfile::tempdir().unwrap();
            let mut words = Words::new((&StagedFiles::Clear, folder.path()), SEED);
            let mut known: HashMap<String, u32> = HashMap::new();
            for text in texts {
                let next = u32::try_from(known.len()).unwrap() + 1;
                let number = words.number(&text);
                prop_assert_eq!(number, Some(*known.entry(text).or_insert(next)));
            }
        }
    }
}
