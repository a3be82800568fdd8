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
    /// The person has given an opinion on this version.
    #[error("an opinion on this version was given before")]
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
    /// Answers of the form are missing or wrong.
    #[error("the form is not complete: {}", .0.join("; "))]
    Incomplete(Vec<String>),
    /// A text that the move demands is empty.
    #[error("{0} is missing")]
    Missing(&'static str),
}
