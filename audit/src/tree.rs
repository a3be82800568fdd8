//! The tree that grows behind the log, and its checkpoints on disk.
//!
//! The log's lines are what counts; `<env>/audit/tree/` holds what follows from them: tiles, how far the tree has
//! been grown (`position`), the last checkpoint (`checkpoint`) and every earlier one (`checkpoints/<size>`).
//! Growing reads only the lines that are new, checks that each continues the one before, and refuses to sign where
//! the log no longer gives the root of the last checkpoint.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::digest::Digest;
use crate::entry::{Entry, EntryRef, LineFault};
use crate::merkle::{self, Subtrees as _};
use crate::note::{NoteError, NoteSigner};
use crate::tiles::{Edge, Tiles};

/// The folder beside the log.
pub const TREE_FOLDER: &str = "tree";

/// The tree behind a log.
#[derive(Debug)]
pub struct Tree {
    folder: PathBuf,
    log: PathBuf,
}

/// Why a tree cannot be grown or read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// An entry of the log is not whole.
    #[error("entry {seq} of the log was changed")]
    Line {
        /// The entry.
        seq: u64,
        /// What is wrong with it.
        source: LineFault,
    },
    /// An entry of the log does not continue the one before.
    #[error("entry {seq} of the log does not continue the entry before it")]
    Unchained {
        /// The entry.
        seq: u64,
    },
    /// The stored checkpoint is not one.
    #[error("the stored checkpoint cannot be used")]
    Note(#[from] NoteError),
    /// The log has fewer entries than a checkpoint, or other ones.
    #[error("the log is not that of the checkpoint over {size} entries: it was cut off or rewritten")]
    Rewritten {
        /// The checkpoint's size.
        size: u64,
    },
    /// The entry is not in the tree.
    #[error("the tree has {size} entries")]
    NotThere {
        /// The tree's size.
        size: u64,
    },
}

/// How far the tree has been grown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    /// Leaves.
    size: u64,
    /// The byte behind the last one's newline.
    bytes: u64,
    /// The last entry.
    head: Option<EntryRef>,
}

/// The proof that an entry stands in the record of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// The entry's number.
    pub seq: u64,
    /// The hashes beside its path.
    pub hashes: Vec<Digest>,
    /// The checkpoint.
    pub checkpoint: SignedCheckpoint,
}

impl Tree {
    /// The tree behind the log in this folder.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.join(TREE_FOLDER), log: folder.join(crate::LOG_FILE) }
    }

    /// Grows the tree to the log's end and signs a checkpoint over it. The last one is kept where nothing is new.
    ///
    /// # Errors
    ///
    /// Where the log is damaged, or is not a continuation of what the last checkpoint says.
    pub fn checkpoint(&self, signer: &NoteSigner) -> Result<SignedCheckpoint, TreeError> {
        let last = self.last()?;
        let tiles = self.grow()?;
        let size = tiles.size();
        let root = self.io(merkle::root(&tiles, size))?;
        if let Some(last) = &last {
            let old = last.checkpoint();
            if old.size > size || self.io(merkle::root(&tiles, old.size))? != old.root {
                return Err(TreeError::Rewritten { size: old.size });
            }
            if old.size == size && last.verify(signer.verifier()).is_ok() {
                return Ok(last.clone());
            }
        }
        let origin = signer.verifier().name().to_owned();
        let signed = Checkpoint { origin, size, root }.sign(signer);
        self.keep(&signed)?;
        Ok(signed)
    }

    /// The last checkpoint, where there is one.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn last(&self) -> Result<Option<SignedCheckpoint>, TreeError> {
        match fs::read_to_string(self.folder.join("checkpoint")) {
            Ok(note) => Ok(Some(SignedCheckpoint::parse(&note)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => self.io(Err(error)),
        }
    }

    /// Stores a checkpoint that a witness has signed in place of the same one without that signature.
    ///
    /// # Errors
    ///
    /// Where it is not the stored one.
    pub fn keep_witnessed(&self, signed: &SignedCheckpoint) -> Result<(), TreeError> {
        let stored = self.last()?;
        if stored.is_none_or(|stored| stored.checkpoint() != signed.checkpoint()) {
            return Err(TreeError::Rewritten { size: signed.checkpoint().size });
        }
        self.keep(signed)
    }

    /// Proves that an entry stands in the record of the last checkpoint.
    ///
    /// # Errors
    ///
    /// Where the last checkpoint does not reach it.
    pub fn inclusion(&self, seq: u64) -> Result<InclusionProof, TreeError> {
        let checkpoint = self.last()?.ok_or(TreeError::NotThere { size: 0 })?;
        let size = checkpoint.checkpoint().size;
        let hashes = self.io(merkle::inclusion(&self.tiles()?, seq, size))?;
        let hashes = hashes.ok_or(TreeError::NotThere { size })?;
        Ok(InclusionProof { seq, hashes, checkpoint })
    }

    /// Proves that the record of `old` entries is the beginning of that of the last checkpoint.
    ///
    /// # Errors
    ///
    /// Where the last checkpoint is over fewer entries.
    pub fn consistency(&self, old: u64) -> Result<(Vec<Digest>, SignedCheckpoint), TreeError> {
        let checkpoint = self.last()?.ok_or(TreeError::NotThere { size: 0 })?;
        let size = checkpoint.checkpoint().size;
        let hashes = self.io(merkle::consistency(&self.tiles()?, old, size))?;
        Ok((hashes.ok_or(TreeError::NotThere { size })?, checkpoint))
    }

    /// The first entry of a log whose line is not the one that the tiles were made of; nothing where all are.
    ///
    /// # Errors
    ///
    /// Where log or tiles cannot be read.
    pub fn first_changed(&self, log: impl BufRead) -> Result<Option<u64>, TreeError> {
        let tiles = self.tiles()?;
        for (seq, line) in
            (0..tiles.size()).zip(log.split(b'\n').map(Some).chain(std::iter::repeat_with(|| None)))
        {
            let line = self.of_log(line.transpose())?;
            let known = self.io(tiles.subtree(0, seq))?;
            if line.is_none_or(|line| merkle::leaf(&line) != known) {
                return Ok(Some(seq));
            }
        }
        Ok(None)
    }

    fn tiles(&self) -> Result<Tiles, TreeError> {
        Ok(Tiles::new(&self.folder, self.position()?.size))
    }

    /// Takes the log's new lines into the tiles.
    fn grow(&self) -> Result<Tiles, TreeError> {
        self.io(fs::create_dir_all(&self.folder))?;
        let from = self.position()?;
        match self.grow_from(from) {
            // Tiles follow from the log: what a crash left half written is made again.
            Err(TreeError::Io { .. }) if from != Position::default() => self.grow_from(Position::default()),
            grown => grown,
        }
    }

    fn grow_from(&self, mut position: Position) -> Result<Tiles, TreeError> {
        let mut edge = self.io(Edge::read(Tiles::new(&self.folder, position.size)))?;
        let mut log = self.of_log(File::open(&self.log))?;
        self.of_log(log.lock_shared())?;
        self.of_log(log.seek(SeekFrom::Start(position.bytes)))?;
        let mut lines = BufReader::new(log);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = self.of_log(lines.read_until(b'\n', &mut line))?;
            // What has no newline yet is not an entry yet.
            let Some(content) = line.strip_suffix(b"\n") else { break };
            position = next(position, content, read as u64)?;
            self.io(edge.push(merkle::leaf(content)))?;
        }
        let tiles = self.io(edge.finish())?;
        self.write("position", &position.to_string())?;
        Ok(tiles)
    }

    fn position(&self) -> Result<Position, TreeError> {
        match fs::read_to_string(self.folder.join("position")) {
            Ok(text) => Ok(Position::parse(&text).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Position::default()),
            Err(error) => self.io(Err(error)),
        }
    }

    fn keep(&self, signed: &SignedCheckpoint) -> Result<(), TreeError> {
        self.io(fs::create_dir_all(self.folder.join("checkpoints")))?;
        let size = signed.checkpoint().size;
        self.write(&format!("checkpoints/{size}"), &signed.to_string())?;
        self.write("checkpoint", &signed.to_string())
    }

    /// Writes a small file so that a crash leaves the old one or the new one.
    fn write(&self, name: &str, text: &str) -> Result<(), TreeError> {
        let path = self.folder.join(name);
        let new = path.with_extension("new");
        let written = File::create(&new).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)
        });
        self.io(written)
    }

    fn io<T>(&self, result: io::Result<T>) -> Result<T, TreeError> {
        result.map_err(|source| TreeError::Io { path: self.folder.clone(), source })
    }

    fn of_log<T>(&self, result: io::Result<T>) -> Result<T, TreeError> {
        result.map_err(|source| TreeError::Io { path: self.log.clone(), source })
    }
}

/// Checks that a log has the entries that a checkpoint speaks of: as many, with this root.
///
/// # Errors
///
/// Where the log cannot be read, or was cut off or rewritten before the checkpoint's end.
pub fn verify_checkpoint(mut log: impl BufRead, checkpoint: &Checkpoint) -> Result<(), TreeError> {
    let mut tree = merkle::Growing::default();
    let mut line = Vec::new();
    while tree.size() < checkpoint.size {
        line.clear();
        let read = log.read_until(b'\n', &mut line);
        read.map_err(|source| TreeError::Io { path: PathBuf::from(crate::LOG_FILE), source })?;
        let Some(content) = line.strip_suffix(b"\n") else { break };
        tree.push(merkle::leaf(content));
    }
    if tree.size() == checkpoint.size && tree.root() == checkpoint.root {
        Ok(())
    } else {
        Err(TreeError::Rewritten { size: checkpoint.size })
    }
}

fn next(position: Position, line: &[u8], bytes: u64) -> Result<Position, TreeError> {
    let seq = position.size;
    let entry = Entry::parse(line).map_err(|source| TreeError::Line { seq, source })?;
    if entry.seq() != seq || !entry.continues(position.head) {
        return Err(TreeError::Unchained { seq });
    }
    Ok(Position { size: seq + 1, bytes: position.bytes + bytes, head: Some(entry.reference()) })
}

impl Position {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (size, bytes) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let head = match words.next() {
            Some(head) => Some(EntryRef::parse(head)?),
            None => None,
        };
        Some(Self { size, bytes, head })
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.size, self.bytes)?;
        match self.head {
            Some(head) => writeln!(f, " {head}"),
            None => writeln!(f),
        }
    }
}
