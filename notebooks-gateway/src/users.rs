//! Who can sign in, until accounts with a second factor come: users with the digest of one random token each.

use std::fmt;

use serde::Deserialize;
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::secret;

/// The longest token that is looked at.
const LONGEST: usize = 512;

/// The users. The gateway knows digests only; a token is known to its user alone.
#[derive(Clone, Debug, Default)]
pub struct Users(Vec<(User, TokenDigest)>);

/// A user with the project for which questions are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub user: String,
    /// The project.
    pub project: String,
}

/// Why the list of users cannot be read. Messages name the place, never a digest.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The text is not a list of users.
    #[error("line {line}, column {column}: not of the form [{{\"user\": …, \"project\": …, \"sha256\": …}}]")]
    Form {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// A digest is not one.
    #[error("user {number}: sha256 is not 64 hexadecimal digits")]
    Digest {
        /// The user's number in the list, from 1.
        number: usize,
    },
    /// Two users have the same token.
    #[error("user {number}: the token is that of a user before")]
    Twice {
        /// The user's number in the list, from 1.
        number: usize,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct TokenDigest([u8; 32]);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    user: String,
    project: String,
    sha256: String,
}

impl Users {
    /// Reads a list of users: `[{"user": "…", "project": "…", "sha256": "<hexadecimal>"}]`.
    ///
    /// # Errors
    ///
    /// The text is not such a list, or two users have the same token.
    pub fn parse(text: &str) -> Result<Self, UsersError> {
        let entries: Vec<Entry> = serde_json::from_str(text)
            .map_err(|error| UsersError::Form { line: error.line(), column: error.column() })?;
        let mut users: Vec<(User, TokenDigest)> = Vec::new();
        for (number, Entry { user, project, sha256 }) in (1..).zip(entries) {
            let digest = TokenDigest(secret::parse(&sha256).ok_or(UsersError::Digest { number })?);
            if users.iter().any(|(_, other)| *other == digest) {
                return Err(UsersError::Twice { number });
            }
            users.push((User { user, project }, digest));
        }
        Ok(Self(users))
    }

    /// The user with this token. Every digest is compared whole, so that the time does not tell which one was near.
    pub(crate) fn find(&self, token: &str) -> Option<&User> {
        let token = token.trim();
        if token.is_empty() || token.len() > LONGEST {
            return None;
        }
        let presented = secret::fingerprint(token);
        let mut found = u64::MAX;
        for (number, (_, TokenDigest(digest))) in (0_u64..).zip(&self.0) {
            let is_same: Choice = digest.ct_eq(&presented);
            found.conditional_assign(&number, is_same);
        }
        self.0.get(usize::try_from(found).ok()?).map(|(user, _)| user)
    }

    /// Says whether nobody can sign in.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::{Users, UsersError};

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn list(digests: &[&str]) -> String {
        let users: Vec<String> = digests
            .iter()
            .zip(["one", "two", "three"])
            .map(|(digest, user)| format!(r#"{{"user":"{user}","project":"p","sha256":"{digest}"}}"#))
            .collect();
        format!("[{}]", users.join(","))
    }

    #[test]
    fn a_token_finds_its_user() {
        let users = Users::parse(&list(&[&"00".repeat(32), ABC, &"ff".repeat(32)])).unwrap();
        assert_eq!(users.find(" abc\n").unwrap().user, "two");
        for wrong in ["", " ", "abd", ABC, &"x".repeat(10_000)] {
            assert_eq!(users.find(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_bad_list_is_told_without_its_digests() {
        let message = |text: &str| Users::parse(text).unwrap_err().to_string();
        assert_eq!(message(&list(&["0f"])), "user 1: sha256 is not 64 hexadecimal digits");
        assert!(matches!(Users::parse(&list(&[ABC, ABC])), Err(UsersError::Twice { number: 2 })));
        assert!(message(r#"[{"user":"u"}]"#).starts_with("line 1, column 13: not of the form"));
        assert!(!format!("{:?}", Users::parse(&list(&[ABC])).unwrap()).contains("ba78"));
    }
}
