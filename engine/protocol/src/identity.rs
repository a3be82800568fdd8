//! Who asks: what stands beside every request on the guard's socket, and what is asked about sessions and accounts.
//!
//! Whoever reaches the socket is not believed when they say who they are. They hand over what a person gave them (the
//! word of a session, of an API token), and the guard finds the person.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::client::ClientRequest;
use crate::running::RunName;

/// One frame to the guard: a request with what says who makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// What says who asks.
    pub by: Caller,
    /// What is asked.
    pub request: ClientRequest,
    /// The asker's word for it, by which they find it while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<RunName>,
}

impl Call {
    /// A request without a word of the asker's for it.
    pub const fn new(by: Caller, request: ClientRequest) -> Self {
        Self { by, request, name: None }
    }
}

/// What says who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Caller {
    /// Nothing; enough for what anybody may ask.
    Nobody,
    /// The word of a session.
    Session {
        /// The word.
        word: SecretWord,
    },
    /// The word of an API token.
    Token {
        /// The word.
        word: SecretWord,
    },
    /// The owner of the environment, who started this guard for themselves and whose requests name the user. Taken
    /// on the guard's standard streams alone, never on its socket.
    Owner,
}

/// A secret word: random, known to its holder alone. The guard keeps its digest.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretWord(String);

impl SecretWord {
    /// Takes a word as it was handed over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The word itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretWord(..)")
    }
}

/// What is asked about the person who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "identity")]
pub enum IdentityAsk {
    /// Begins a session with a password and a code: of the second factor, or a recovery code.
    SignIn {
        /// The user id, as typed.
        user: String,
        /// The password.
        password: SecretWord,
        /// The code.
        code: SecretWord,
    },
    /// Begins a session of a program that showed a client certificate.
    Certificate(CertificateProof),
    /// What begins a sign-in at the provider.
    OidcBegin,
    /// Begins a session with an ID token of the provider.
    OidcFinish {
        /// The token, as it came.
        token: SecretWord,
    },
    /// What an authenticator program needs, for whoever has an invitation.
    Enrolment {
        /// The invitation.
        invitation: SecretWord,
    },
    /// Begins an account, and a session with it.
    Enrol {
        /// The invitation.
        invitation: SecretWord,
        /// The password that is taken.
        password: SecretWord,
        /// A code that the authenticator program shows now.
        code: SecretWord,
    },
    /// Takes another password.
    ChangePassword {
        /// The present one.
        old: SecretWord,
        /// The other one.
        new: SecretWord,
        /// A code.
        code: SecretWord,
    },
    /// Makes new recovery codes in place of those that are left.
    RenewRecoveryCodes {
        /// The password.
        password: SecretWord,
        /// A code.
        code: SecretWord,
    },
    /// Begins a session with a word that the operator of a demo environment printed; it serves once.
    Link {
        /// The word.
        word: SecretWord,
    },
    /// Who am I?
    Me,
    /// Takes this project for what is asked next.
    Choose {
        /// The project.
        project: String,
    },
    /// Ends this session.
    SignOut,
    /// Ends every session of this person.
    SignOutEverywhere,
    /// Makes an API token.
    IssueToken(TokenWish),
    /// Lists my API tokens.
    Tokens,
    /// Makes an API token useless.
    RevokeToken {
        /// Its id.
        id: String,
    },
}

impl IdentityAsk {
    /// Says whether somebody who is not signed in may ask it.
    pub const fn is_public(&self) -> bool {
        matches!(
            self,
            Self::Link { .. }
                | Self::SignIn { .. }
                | Self::Certificate(_)
                | Self::OidcBegin
                | Self::OidcFinish { .. }
                | Self::Enrolment { .. }
                | Self::Enrol { .. }
        )
    }
}

/// What a client showed and signed in a handshake of TLS 1.3; bytes in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateProof {
    /// Its certificate and those between it and the authority, DER.
    pub chain: Vec<String>,
    /// What it signed, with the hash of the handshake.
    pub message: String,
    /// The signature scheme, by its number in TLS.
    pub scheme: u16,
    /// The signature.
    pub signature: String,
}

/// An API token that somebody wishes for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenWish {
    /// What it is for, in its owner's words.
    pub name: String,
    /// The one project that it serves.
    pub project: String,
    /// For how many days.
    pub days: u16,
}

/// The guard's answer about the person who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum IdentityReply {
    /// A session began.
    SignedIn {
        /// The word of the session.
        word: SecretWord,
        /// Who it is.
        me: Me,
    },
    /// Who it is.
    Me(Me),
    /// No. Why is not said: an unknown person, a wrong word and one that was used look the same.
    Refused,
    /// Where people may sign in instead.
    Provider {
        /// The issuer.
        issuer: String,
        /// What we are called there.
        client_id: String,
        /// Classes of authentication that are asked for.
        acr: Vec<String>,
        /// The nonce that the ID token must have; it serves once and for a few minutes.
        nonce: SecretWord,
    },
    /// Not now: as many as may be looked at wait already.
    Later,
    /// The password cannot be taken: too short, or too easy.
    Weak,
    /// What an authenticator program needs.
    Enrolment {
        /// For whom.
        user: String,
        /// The secret as people type it.
        secret: SecretWord,
        /// The address that such programs take.
        address: SecretWord,
    },
    /// An account and a session began.
    Enrolled {
        /// The word of the session.
        word: SecretWord,
        /// Who it is.
        me: Me,
        /// Recovery codes, shown this once.
        codes: Vec<SecretWord>,
    },
    /// New recovery codes, shown this once.
    RecoveryCodes {
        /// The codes.
        codes: Vec<SecretWord>,
    },
    /// It is done.
    Done,
    /// A token was made; its word is shown this once.
    Token {
        /// The word.
        word: SecretWord,
        /// The token.
        token: TokenView,
    },
    /// The tokens of this person.
    Tokens {
        /// The newest first.
        tokens: Vec<TokenView>,
    },
}

/// The person behind a session or a token, as they stand now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// The user id.
    pub user: String,
    /// The roles that hold today, as words: `researcher`, `reviewer`, `data-officer`, `operator`, `auditor`.
    pub roles: Vec<String>,
    /// The projects that can be chosen: those whose permit names the person. A token has its own alone.
    pub projects: Vec<ProjectName>,
    /// The project for which questions are asked, where one is chosen.
    pub project: Option<String>,
    /// The last day on which the training is valid, where there was one.
    pub trained_until: Option<String>,
    /// Whether it is valid today.
    pub is_trained: bool,
    /// How the person came in: `link`, `password`, `oidc`, `certificate`, `token`.
    pub method: String,
    /// When it ends in any case, as seconds since 1970.
    pub ends: i64,
}

/// A project with its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectName {
    /// Its id.
    pub id: String,
    /// Its Japanese title.
    pub ja: String,
    /// Its English title.
    pub en: String,
}

/// An API token without its word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenView {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// What it is for.
    pub name: String,
    /// The project.
    pub project: String,
    /// When it was made, as seconds since 1970.
    pub made: i64,
    /// From when on it no longer serves.
    pub ends: i64,
    /// Whether it was revoked.
    pub is_revoked: bool,
}

#[cfg(test)]
mod tests {
    use super::{Call, Caller, IdentityAsk, SecretWord};
    use crate::ClientRequest;

    #[test]
    fn a_call_says_who_asks_beside_the_request() {
        let call = Call::new(Caller::Session { word: SecretWord::new("w") }, ClientRequest::Catalogue);
        let text = serde_json::to_string(&call).unwrap();
        assert_eq!(text, r#"{"by":{"kind":"session","word":"w"},"request":{"ask":"catalogue"}}"#);
        assert_eq!(serde_json::from_str::<Call>(&text).unwrap(), call);
        assert!(!format!("{call:?}").contains("\"w\""), "a word is not shown");
        // A request alone, as it was sent before, is no call.
        assert!(serde_json::from_str::<Call>(r#"{"ask":"catalogue"}"#).is_err());
    }

    #[test]
    fn what_is_asked_about_oneself_survives_the_wire() {
        let ask = ClientRequest::Identity(IdentityAsk::Link { word: SecretWord::new("w") });
        let text = serde_json::to_string(&ask).unwrap();
        assert_eq!(text, r#"{"ask":"identity","identity":"link","word":"w"}"#);
        assert_eq!(serde_json::from_str::<ClientRequest>(&text).unwrap(), ask);
    }
}
