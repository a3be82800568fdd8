//! Statements signed by the environment's audit key: what was destroyed, what a release is certified to be.
//!
//! A statement is a signed note (C2SP signed-note): a first line that says what it is, one line of JSON, an empty
//! line, the signature. The first line keeps a statement of one kind from being read as another, or as a checkpoint.

use std::fmt;

use crate::note::{self, NoteError, NoteSigner, VerifierKey};

/// What a statement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatementKind {
    /// What was destroyed: a project's workspace, keys and permit, or the keys of a dataset's fiscal year.
    Deletion,
    /// What a release is certified to be.
    Certificate,
}

impl StatementKind {
    /// The first line.
    const fn line(self) -> &'static str {
        match self {
            Self::Deletion => "misu statement v1: deletion record",
            Self::Certificate => "misu statement v1: release certificate",
        }
    }
}

/// A statement with its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedStatement {
    note: String,
    kind: StatementKind,
    json: String,
}

impl SignedStatement {
    /// Signs what a line of JSON says; nothing where it is more than one line.
    pub fn sign(kind: StatementKind, json: &str, signer: &NoteSigner) -> Option<Self> {
        if json.is_empty() || json.contains(char::is_control) {
            return None;
        }
        let text = format!("{}\n{json}\n", kind.line());
        let note = format!("{text}\n{}", signer.line(&text, 0));
        Some(Self { note, kind, json: json.to_owned() })
    }

    /// Reads a statement of this kind; whether it is signed is for [`SignedStatement::verify`] to say.
    ///
    /// # Errors
    ///
    /// Where it is not one.
    pub fn parse(kind: StatementKind, note: &str) -> Result<Self, NoteError> {
        let (text, _) = note::split(note)?;
        let json = text.strip_prefix(kind.line()).and_then(|rest| rest.strip_prefix('\n'));
        let json = json.and_then(|rest| rest.strip_suffix('\n')).ok_or(NoteError::Form)?;
        if json.is_empty() || json.contains(char::is_control) {
            return Err(NoteError::Form);
        }
        Ok(Self { note: note.to_owned(), kind, json: json.to_owned() })
    }

    /// Checks that the key has signed it.
    ///
    /// # Errors
    ///
    /// Where it has not.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        note::check(&self.note, key).map(drop)
    }

    /// What it says, as one line of JSON.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// What it is about.
    pub const fn kind(&self) -> StatementKind {
        self.kind
    }
}

impl fmt::Display for SignedStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.note)
    }
}

#[cfg(test)]
mod tests {
    use super::{SignedStatement, StatementKind};
    use crate::note::{NoteError, NoteSigner, SignerKind};

    #[test]
    fn a_statement_is_of_its_kind_and_of_its_text() {
        let signer = NoteSigner::new("misu/record", SignerKind::Log, &[1; 32]).unwrap();
        let signed = SignedStatement::sign(StatementKind::Deletion, "{\"a\":1}", &signer).unwrap();
        let read = SignedStatement::parse(StatementKind::Deletion, &signed.to_string()).unwrap();
        assert_eq!((read.json(), read.verify(signer.verifier())), ("{\"a\":1}", Ok(())));
        let other = SignedStatement::parse(StatementKind::Certificate, &signed.to_string());
        assert_eq!(other.unwrap_err(), NoteError::Form);
        let changed = signed.to_string().replace(":1}", ":2}");
        let changed = SignedStatement::parse(StatementKind::Deletion, &changed).unwrap();
        assert_eq!(changed.verify(signer.verifier()), Err(NoteError::Wrong));
        assert!(SignedStatement::sign(StatementKind::Deletion, "{}\n{}", &signer).is_none());
    }
}
