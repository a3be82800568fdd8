//! Checkpoints: how many entries the record has and what their tree's root is, signed (C2SP tlog-checkpoint).
//!
//! A checkpoint that was handed out binds the record: entries before it cannot be changed, cut off or re-ordered
//! without its root changing. The review board's signature under the same text says that it has seen it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::digest::Digest;
use crate::note::{self, NoteError, NoteSigner, VerifierKey};

/// The size and the root of the tree, under the log's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, which is also the name of its key.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

/// A checkpoint with its signatures, as it is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    note: String,
    checkpoint: Checkpoint,
}

impl Checkpoint {
    /// Signs the checkpoint.
    pub fn sign(self, signer: &NoteSigner) -> SignedCheckpoint {
        let text = self.to_string();
        SignedCheckpoint { note: format!("{text}\n{}", signer.line(&text, 0)), checkpoint: self }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let root = BASE64.decode(root).ok()?.try_into().ok()?;
        let read = Self { origin: origin.to_owned(), size: size.parse().ok()?, root: Digest::new(root) };
        // One spelling only: what is signed is what is meant.
        (!origin.is_empty() && read.to_string() == text).then_some(read)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root.as_bytes()))
    }
}

impl SignedCheckpoint {
    /// Reads a note; whether it is signed is for [`SignedCheckpoint::verify`] to say.
    ///
    /// # Errors
    ///
    /// Where it is not the note of a checkpoint.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        let (text, _) = note::split(note)?;
        let checkpoint = Checkpoint::parse(text).ok_or(NoteError::Form)?;
        Ok(Self { note: note.to_owned(), checkpoint })
    }

    /// Checks that the key has signed it; the time that a witness's signature says, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// Where it has not.
    pub fn verify(&self, key: &VerifierKey) -> Result<Option<u64>, NoteError> {
        note::check(&self.note, key)
    }

    /// Adds the signature of a witness that has seen it at this time, in seconds since 1970.
    #[must_use]
    pub fn witness(mut self, signer: &NoteSigner, at: u64) -> Self {
        self.note.push_str(&signer.line(&self.checkpoint.to_string(), at));
        self
    }

    /// What is signed.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.note)
    }
}

#[cfg(test)]
mod tests {
    use super::{Checkpoint, SignedCheckpoint};
    use crate::merkle::leaf;
    use crate::note::{NoteError, NoteSigner, SignerKind};

    #[test]
    fn a_checkpoint_reads_back_with_both_signatures() {
        let log = NoteSigner::new("misu.example/log", SignerKind::Log, &[1; 32]).unwrap();
        let board = NoteSigner::new("board.example", SignerKind::Witness, &[2; 32]).unwrap();
        let point = Checkpoint { origin: "misu.example/log".to_owned(), size: 12, root: leaf(b"x") };
        let signed = point.clone().sign(&log).witness(&board, 1_800_000_000);
        let read = SignedCheckpoint::parse(&signed.to_string()).unwrap();
        assert_eq!(read.checkpoint(), &point);
        assert_eq!(read.verify(log.verifier()), Ok(None));
        assert_eq!(read.verify(board.verifier()), Ok(Some(1_800_000_000)));
        for (from, to) in [("\n12\n", "\n13\n"), ("\n12\n", "\n012\n"), ("\n12\n", "\n12\nmore\n")] {
            let changed = signed.to_string().replacen(from, to, 1);
            let fault = SignedCheckpoint::parse(&changed).and_then(|read| read.verify(log.verifier()));
            assert!(matches!(fault, Err(NoteError::Wrong | NoteError::Form)), "{to:?}");
        }
    }
}
