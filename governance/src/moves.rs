//! A move of a case, and why one is illegal.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::actor::Role;

/// One move: who did what, when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move<Action> {
    /// The person.
    pub who: String,
    /// When.
    #[serde(with = "instant")]
    pub at: OffsetDateTime,
    /// What.
    pub action: Action,
}

/// Times as RFC 3339 text.
mod instant {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;

    pub(super) fn serialize<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&at.format(&Rfc3339).map_err(serde::ser::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<OffsetDateTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        OffsetDateTime::parse(&text, &Rfc3339).map_err(serde::de::Error::custom)
    }
}

/// Why a move is not made. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// The case is not in a state in which this is done.
    #[error("this is not done while it is {state}")]
    State {
        /// The state's word.
        state: &'static str,
    },
    /// The person has not the role for it.
    #[error("this takes a {0}")]
    Role(Role),
    /// The person is not one of the case's own people.
    #[error("only the people whom it names may do this")]
    Stranger,
    /// The person is one of the case's own people.
    #[error("nobody reviews or decides on their own case")]
    Own,
    /// The person has declared an interest.
    #[error("a person who declared a conflict of interest takes no part")]
    Conflict,
    /// The person is not one of the assigned reviewers.
    #[error("only an assigned reviewer gives an opinion")]
    NotAssigned,
    /// The person has reviewed, so that somebody else decides.
    #[error("who reviewed does not decide")]
    Reviewed,
    /// It was done before: an opinion on this version, an appeal, a duty.
    #[error("this was done before")]
    Twice,
    /// Too few opinions have been given.
    #[error("{given} of {needed} opinions are given")]
    Opinions {
        /// Those given.
        given: usize,
        /// Those needed.
        needed: usize,
    },
    /// The decision contradicts the opinions.
    #[error("the opinions do not allow this decision")]
    Against,
    /// Answers of the form are missing or wrong, or duties are not done.
    #[error("not complete: {}", .0.join("; "))]
    Incomplete(Vec<String>),
    /// A file is not of a kind that may be attached.
    #[error("the file cannot be attached: {0}")]
    File(String),
    /// A text that the move demands is empty.
    #[error("{0} is missing")]
    Missing(&'static str),
}

impl Illegal {
    /// The rule's word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::State { .. } => "state",
            Self::Role(_) => "role",
            Self::Stranger => "stranger",
            Self::Own => "own-case",
            Self::Conflict => "conflict",
            Self::NotAssigned => "not-assigned",
            Self::Reviewed => "reviewed",
            Self::Twice => "twice",
            Self::Opinions { .. } => "opinions",
            Self::Against => "against",
            Self::Incomplete(_) => "incomplete",
            Self::File(_) => "file",
            Self::Missing(_) => "missing",
        }
    }

    /// Why not, in Japanese.
    pub fn ja(&self) -> String {
        match self {
            Self::State { .. } => "現在の状態ではこの操作はできません".to_owned(),
            Self::Role(role) => format!("この操作には役割「{}」が必要です", role.ja()),
            Self::Stranger => "この案件の関係者だけができる操作です".to_owned(),
            Self::Own => "自らの案件を審査・決定することはできません".to_owned(),
            Self::Conflict => "利益相反を申告した人は関与できません".to_owned(),
            Self::NotAssigned => "割り当てられた審査委員だけが意見を述べられます".to_owned(),
            Self::Reviewed => "意見を述べた人は決定できません".to_owned(),
            Self::Twice => "すでに行われています".to_owned(),
            Self::Opinions { given, needed } => {
                format!("意見が{needed}件必要ですが、{given}件しかありません")
            }
            Self::Against => "審査委員の意見と合わない決定です".to_owned(),
            Self::Incomplete(_) => "記入が完了していません".to_owned(),
            Self::File(_) => "この種類のファイルは添付できません".to_owned(),
            Self::Missing(_) => "必要な記載がありません".to_owned(),
        }
    }
}
