//! What is asked about a question that runs: how far it is, and that it be stopped.
//!
//! Whoever asks a question may give it a word of their own, and finds it by that word while it runs. What is told is the
//! stage and no more: rows and bytes as they are read would tell of the data.

use serde::{Deserialize, Serialize};

/// The asker's word for a question of theirs, while it runs. Nobody else's question is found by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunName(String);

/// The longest word.
const LONGEST: usize = 64;

/// A word that cannot be a question's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a question's word has 1 to {LONGEST} letters, digits, - and _")]
pub struct NoRunName;

impl RunName {
    /// Reads a word.
    ///
    /// # Errors
    ///
    /// It is empty, too long, or has other characters than letters, digits, `-` and `_`.
    pub fn parse(text: impl Into<String>) -> Result<Self, NoRunName> {
        let text = text.into();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let is_word = (1..=LONGEST).contains(&text.len()) && text.chars().all(is_plain);
        if is_word { Ok(Self(text)) } else { Err(NoRunName) }
    }

    /// The word itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RunName {
    type Error = NoRunName;

    fn try_from(text: String) -> Result<Self, NoRunName> {
        Self::parse(text)
    }
}

impl From<RunName> for String {
    fn from(name: RunName) -> Self {
        name.0
    }
}

/// Something asked about a question that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningAsk {
    /// The user who asked the question.
    pub user: String,
    /// The project for which it was asked.
    pub project: String,
    /// The asker's word for it.
    pub name: RunName,
    /// What is asked about it.
    pub act: RunningAct,
}

/// What is asked about a question that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunningAct {
    /// How far is it?
    Stage,
    /// Stop it.
    Cancel,
}

/// What is told about a question that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "running")]
pub enum RunningReply {
    /// No question of this user and project runs under this word: it has ended, or was never asked.
    NotRunning,
    /// It runs.
    At {
        /// How far it is.
        stage: RunStage,
    },
    /// It is told to stop; what was decided before it could be is answered all the same.
    Stopping,
}

/// How far a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStage {
    /// It is judged.
    Vetting,
    /// It waits for its turn.
    Waiting,
    /// A worker reads.
    Reading,
    /// What may be shown is decided.
    Protecting,
    /// Its end is written into the record.
    Recording,
}

impl RunStage {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vetting => "vetting",
            Self::Waiting => "waiting",
            Self::Reading => "reading",
            Self::Protecting => "protecting",
            Self::Recording => "recording",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NoRunName, RunName};

    #[test]
    fn a_word_is_short_and_plain() {
        for word in ["a", "3f", "run-1_b", &"x".repeat(64)] {
            assert_eq!(RunName::parse(word).unwrap().as_str(), word);
        }
        for word in ["", "a b", "a/b", "語", &"x".repeat(65)] {
            assert_eq!(RunName::parse(word), Err(NoRunName), "{word}");
            assert!(serde_json::from_value::<RunName>(word.into()).is_err());
        }
    }
}
