//! What can be wrong with an application or a rule pack, with its file and key.

use serde::de::DeserializeOwned;

/// What is wrong with a file that people write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {key}: {problem}")]
pub struct FileFault {
    /// The file.
    pub file: String,
    /// The key inside the file, or the line where that is all that is known.
    pub key: String,
    /// What is wrong.
    pub problem: FileProblem,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileProblem {
    /// The text is not TOML of the expected form.
    #[error("{0}")]
    Form(String),
    /// A name that could not stand in a policy.
    #[error("{0:?} is not made of lower-case letters, digits, '-' and '_', beginning with a letter")]
    Name(String),
    /// Nothing where something is needed.
    #[error("empty")]
    Empty,
    /// A text that people are to read holds something invisible.
    #[error("holds a control character")]
    Control,
    /// The same thing is named twice.
    #[error("{0} is named twice")]
    Twice(String),
    /// A name that nothing defines.
    #[error("refers to {0}, which nothing defines")]
    Unknown(String),
    /// The application has no approval yet.
    #[error("not approved")]
    NotApproved,
    /// The end comes before the beginning.
    #[error("ends before it begins")]
    Backwards,
    /// A threshold that protects nobody.
    #[error("a cell of {0} protects nobody")]
    Threshold(u32),
    /// Nobody's class is kept where zeros are shown.
    #[error("zeros that are shown beside one cell say that everybody is in it")]
    Zeros,
}

/// One file while it is read: makes faults that name it.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a>(pub(crate) &'a str);

impl Reading<'_> {
    pub(crate) fn fault(self, key: &str, problem: FileProblem) -> FileFault {
        FileFault { file: self.0.to_owned(), key: key.to_owned(), problem }
    }

    pub(crate) fn toml<T: DeserializeOwned>(self, text: &str) -> Result<T, FileFault> {
        toml::from_str(text).map_err(|error| {
            let key = error
                .span()
                .map_or_else(|| "file".to_owned(), |span| format!("line {}", line(text, span.start)));
            self.fault(&key, FileProblem::Form(error.message().to_owned()))
        })
    }

    /// Checks a name that will stand in policies.
    pub(crate) fn name(self, key: &str, name: &str) -> Result<(), FileFault> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(is_plain) {
            return Ok(());
        }
        Err(self.fault(key, FileProblem::Name(name.to_owned())))
    }

    /// Checks a text that people will read.
    pub(crate) fn text(self, key: &str, text: &str) -> Result<(), FileFault> {
        if text.trim().is_empty() {
            return Err(self.fault(key, FileProblem::Empty));
        }
        if text.chars().any(char::is_control) {
            return Err(self.fault(key, FileProblem::Control));
        }
        Ok(())
    }
}

/// The line, from 1, in which a byte of the text stands.
pub(crate) fn line(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|byte| *byte == b'\n').count() + 1
}
