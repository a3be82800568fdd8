//! Signed notes: text with the signatures of named keys under it (C2SP signed-note and tlog-cosignature).
//!
//! Two kinds of signature: that of the log itself over the note's text, and that of a witness, here the review
//! board, over the time at which it saw the note and the text.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::digest::Digest;

const LOG: u8 = 0x01;
const WITNESS: u8 = 0x04;
/// A note is short; a longer one is not read.
const LONGEST: usize = 16 * 1024;

/// In which way a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignerKind {
    /// The log: over the text.
    Log,
    /// A witness: over the time and the text.
    Witness,
}

impl SignerKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Log => LOG,
            Self::Witness => WITNESS,
        }
    }
}

/// The public half of a note's key, as it is handed to verifiers: `name+hash+base64`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: SignerKind,
    public: [u8; 32],
}

/// A key that signs notes.
pub struct NoteSigner {
    pair: Ed25519KeyPair,
    key: VerifierKey,
}

/// Why a note is not one that a key has signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not the form of a note.
    #[error("not a signed note")]
    Form,
    /// Not the form of a verifier key.
    #[error("not a key of the form name+hash+base64")]
    Key,
    /// No signature of the key stands under it.
    #[error("the key has not signed it")]
    Unsigned,
    /// The signature is wrong: the text was changed.
    #[error("the signature does not belong to the text")]
    Wrong,
}

impl VerifierKey {
    /// Reads `name+hash+base64`.
    ///
    /// # Errors
    ///
    /// Where it is something else, or its hash is not that of the key.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        // A name has no plus, Base64 may have.
        let (name, rest) = text.trim().split_once('+').ok_or(NoteError::Key)?;
        let (_, key) = rest.split_once('+').ok_or(NoteError::Key)?;
        let bytes = BASE64.decode(key).map_err(|_| NoteError::Key)?;
        let (kind, public) = bytes.split_first().ok_or(NoteError::Key)?;
        let kind = match *kind {
            LOG => SignerKind::Log,
            WITNESS => SignerKind::Witness,
            _ => return Err(NoteError::Key),
        };
        let public = public.try_into().map_err(|_| NoteError::Key)?;
        let read = Self { name: name.to_owned(), kind, public };
        if is_name(name) && read.to_string() == text.trim() { Ok(read) } else { Err(NoteError::Key) }
    }

    /// The name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells keys of one name apart: the beginning of a hash of name, kind and key.
    fn hash(&self) -> [u8; 4] {
        let digest = Digest::of(&[self.name.as_bytes(), b"\n", &[self.kind.byte()], &self.public]);
        let mut hash = [0; 4];
        hash.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
        hash
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.kind.byte()];
        bytes.extend_from_slice(&self.public);
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.hash()), BASE64.encode(bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl NoteSigner {
    /// A signer of this name from the 32 bytes of an Ed25519 seed; nothing where the name has a space or a plus.
    pub fn new(name: &str, kind: SignerKind, seed: &[u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let public = pair.public_key().as_ref().try_into().ok()?;
        is_name(name).then(|| Self { pair, key: VerifierKey { name: name.to_owned(), kind, public } })
    }

    /// The public half.
    pub const fn verifier(&self) -> &VerifierKey {
        &self.key
    }

    /// The line that signs a text; `at` is the time in seconds since 1970, which only a witness's signature says.
    pub(crate) fn line(&self, text: &str, at: u64) -> String {
        let mut bytes = self.key.hash().to_vec();
        if self.key.kind == SignerKind::Witness {
            bytes.extend_from_slice(&at.to_be_bytes());
        }
        bytes.extend_from_slice(self.pair.sign(signed(self.key.kind, text, at).as_bytes()).as_ref());
        format!("\u{2014} {} {}\n", self.key.name, BASE64.encode(bytes))
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSigner({})", self.key.name)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || letter == '+')
}

fn signed(kind: SignerKind, text: &str, at: u64) -> String {
    match kind {
        SignerKind::Log => text.to_owned(),
        SignerKind::Witness => format!("cosignature/v1\ntime {at}\n{text}"),
    }
}

/// The text of a note and the lines of its signatures.
pub(crate) fn split(note: &str) -> Result<(&str, &str), NoteError> {
    if note.len() > LONGEST {
        return Err(NoteError::Form);
    }
    let at = note.rfind("\n\n").ok_or(NoteError::Form)?;
    let (text, signatures) = note.split_at_checked(at + 1).ok_or(NoteError::Form)?;
    let signatures = signatures.strip_prefix('\n').ok_or(NoteError::Form)?;
    if signatures.is_empty() || !signatures.ends_with('\n') {
        Err(NoteError::Form)
    } else {
        Ok((text, signatures))
    }
}

/// Checks that the key has signed the note; the time that a witness's signature says.
///
/// # Errors
///
/// Where it has not.
pub(crate) fn check(note: &str, key: &VerifierKey) -> Result<Option<u64>, NoteError> {
    let (text, signatures) = split(note)?;
    for line in signatures.lines() {
        let (name, signature) =
            line.strip_prefix("\u{2014} ").and_then(|line| line.split_once(' ')).ok_or(NoteError::Form)?;
        let bytes = BASE64.decode(signature).map_err(|_| NoteError::Form)?;
        if name == key.name
            && let Some(signature) = bytes.strip_prefix(&key.hash())
        {
            return check_one(text, key, signature);
        }
    }
    Err(NoteError::Unsigned)
}

fn check_one(text: &str, key: &VerifierKey, signature: &[u8]) -> Result<Option<u64>, NoteError> {
    let (at, signature) = match key.kind {
        SignerKind::Log => (None, signature),
        SignerKind::Witness => {
            let (at, signature) = signature.split_first_chunk::<8>().ok_or(NoteError::Form)?;
            (Some(u64::from_be_bytes(*at)), signature)
        }
    };
    UnparsedPublicKey::new(&ED25519, key.public)
        .verify(signed(key.kind, text, at.unwrap_or_default()).as_bytes(), signature)
        .map_err(|_| NoteError::Wrong)?;
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::{NoteError, NoteSigner, SignerKind, VerifierKey, check};

    fn signer(name: &str, kind: SignerKind) -> NoteSigner {
        NoteSigner::new(name, kind, &[7; 32]).unwrap()
    }

    #[test]
    fn a_note_is_verified_by_its_keys_alone() {
        let (log, board) =
            (signer("misu.example/log", SignerKind::Log), signer("board", SignerKind::Witness));
        let text = "misu.example/log\n3\nroot\n";
        let note = format!("{text}\n{}{}", log.line(text, 0), board.line(text, 1_700_000_000));
        assert_eq!(check(&note, log.verifier()), Ok(None));
        assert_eq!(check(&note, board.verifier()), Ok(Some(1_700_000_000)));
        let other = NoteSigner::new("misu.example/log", SignerKind::Log, &[8; 32]).unwrap();
        assert_eq!(check(&note, other.verifier()), Err(NoteError::Unsigned));
        let changed = note.replacen("\n3\n", "\n4\n", 1);
        assert_eq!(check(&changed, log.verifier()), Err(NoteError::Wrong));
        assert_eq!(check(&changed, board.verifier()), Err(NoteError::Wrong));
    }

    #[test]
    fn a_verifier_key_reads_back_and_a_changed_one_does_not() {
        let key = signer("misu.example/log", SignerKind::Log).verifier().clone();
        assert_eq!(VerifierKey::parse(&key.to_string()), Ok(key.clone()));
        for wrong in ["", "a+b", "misu+00000000+AQ==", &key.to_string().replacen("log", "lag", 1)] {
            assert_eq!(VerifierKey::parse(wrong), Err(NoteError::Key), "{wrong}");
        }
        assert!(NoteSigner::new("with space", SignerKind::Log, &[7; 32]).is_none());
    }

    #[test]
    fn a_verifier_key_with_a_plus_in_its_base64_reads_back() {
        let keys = (0..64).map(|seed| NoteSigner::new("log", SignerKind::Log, &[seed; 32]).unwrap());
        let keys: Vec<VerifierKey> = keys.map(|signer| signer.verifier().clone()).collect();
        assert!(keys.iter().any(|key| key.to_string().matches('+').count() > 2));
        for key in keys {
            assert_eq!(VerifierKey::parse(&key.to_string()), Ok(key));
        }
    }

    #[test]
    fn what_is_no_note_is_said_to_be_none() {
        let key = signer("log", SignerKind::Log);
        for wrong in ["", "text\n", "text\n\n", "text\n\nno dash\n", "text\n\n\u{2014} log ?\n"] {
            assert_eq!(check(wrong, key.verifier()), Err(NoteError::Form), "{wrong:?}");
        }
    }
}
