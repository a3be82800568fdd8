//! What operators do with other people's accounts, on the command line of the environment's owner.

use audit::{Event, Kind};
use catalog_store::{AccountRecord, InvitationRecord, TokenRecord};
use engine_protocol::{SecretWord, TokenView, TokenWish};
use governance::Role;

use super::{Standing, accounts, oidc, sessions, tokens, words};
use crate::guard::{Guard, GuardError};

/// How long a one-time word of a demo environment serves: as long as somebody looks at the demo.
const LINK_SECONDS: i64 = 24 * 60 * 60;

/// How long an invitation serves.
const INVITATION_SECONDS: i64 = 3 * 24 * 60 * 60;

/// An account as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountLine {
    /// The user id.
    pub user: String,
    /// Whether it lets in.
    pub is_active: bool,
    /// How many recovery codes are left.
    pub recovery_codes: u64,
}

/// Why something cannot be done with an account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Only operators do it.
    #[error("this takes an operator")]
    NotOperator,
    /// Only operators and auditors see it.
    #[error("this takes an operator or an auditor")]
    NotOverseer,
    /// What is to be pinned is no key set.
    #[error("the file is no JSON Web Key Set with a key that signs")]
    KeySet,
    /// A file cannot be written.
    #[error("cannot write {path}")]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// There is no such account.
    #[error("{0} has no account here")]
    NoAccount(String),
    /// There is nobody of this name who may act.
    #[error("there is no person {0}; enter them with `misu people set` first")]
    NoPerson(String),
    /// Only demo environments have it.
    #[error("one-time links are for demo environments; invite the person with `misu account invite`")]
    NotDemo,
    /// The project's permit does not name the person.
    #[error("the permit of project {project} does not name {user}")]
    NotTheirs {
        /// The person.
        user: String,
        /// The project.
        project: String,
    },
    /// No such token can be made.
    #[error("a token has a short name, lasts 1 to 366 days, and one person has at most 32 of them")]
    Wish,
    /// There is no such token that still serves.
    #[error("there is no token {0} that still serves")]
    NoToken(String),
    /// The guard cannot work.
    #[error(transparent)]
    Guard(#[from] GuardError),
}

impl Guard {
    /// A one-time word that signs a person of a demo environment in.
    ///
    /// # Errors
    ///
    /// The environment is no demo, or there is no such person.
    pub fn link(&self, user: &str) -> Result<SecretWord, AccountError> {
        if self.environment.config().demo_seed.is_none() {
            return Err(AccountError::NotDemo);
        }
        let user = self.person(user)?.user;
        let event = Event::new(Kind::AccountChanged, "owner").subject(&user).with("change", sessions::LINK);
        self.log.record(event).map_err(GuardError::from)?;
        self.one_time_word(&user, sessions::LINK, LINK_SECONDS)
    }

    /// An invitation: a word with which a person begins an account, or begins it anew when a device is lost.
    ///
    /// # Errors
    ///
    /// `by` is no operator, or there is no such person.
    pub fn invite(&self, by: &str, user: &str) -> Result<SecretWord, AccountError> {
        self.operator(by)?;
        let user = self.person(user)?.user;
        let event = Event::new(Kind::AccountChanged, by).subject(&user).with("change", "invited");
        self.log.record(event).map_err(GuardError::from)?;
        self.meta.uninvite(&user).map_err(GuardError::from)?;
        self.one_time_word(&user, accounts::ENROL, INVITATION_SECONDS)
    }

    /// Shuts an account: its sessions end, its tokens serve no more, and it lets nobody in until it is begun anew.
    ///
    /// # Errors
    ///
    /// `by` is no operator, or there is no such account.
    pub fn disable(&self, by: &str, user: &str) -> Result<(), AccountError> {
        self.operator(by)?;
        let event = Event::new(Kind::AccountChanged, by).subject(user).with("change", "disabled");
        self.log.record(event).map_err(GuardError::from)?;
        let was_there = self.meta.set_account_active(user, false).map_err(GuardError::from)?;
        self.meta.uninvite(user).map_err(GuardError::from)?;
        self.meta.end_sessions_of(user).map_err(GuardError::from)?;
        for token in self.meta.tokens(Some(user)).map_err(GuardError::from)? {
            self.meta.revoke_token(&token.id).map_err(GuardError::from)?;
        }
        was_there.then_some(()).ok_or_else(|| AccountError::NoAccount(user.to_owned()))
    }

    /// Pins the keys with which the provider signs ID tokens: a JSON Web Key Set, as the provider publishes it.
    ///
    /// # Errors
    ///
    /// `by` is no operator, the text is no key set, or it cannot be kept.
    pub fn pin_provider(&self, by: &str, key_set: &[u8]) -> Result<(), AccountError> {
        self.operator(by)?;
        if !oidc::is_key_set(key_set) {
            return Err(AccountError::KeySet);
        }
        let digest = blake3::hash(key_set).to_hex().to_string();
        let event = Event::new(Kind::AccountChanged, by).subject("provider").with("change", "keys-pinned");
        self.log.record(event.with("digest", digest)).map_err(GuardError::from)?;
        let path = self.environment.room("keys").join(oidc::PINNED);
        let temporary = path.with_extension("writing");
        let io = |source| AccountError::Io { path: path.clone(), source };
        std::fs::write(&temporary, key_set).map_err(io)?;
        std::fs::rename(&temporary, &path).map_err(io)
    }

    /// Every account with the number of recovery codes that are left, for an operator or auditor.
    ///
    /// # Errors
    ///
    /// `by` is neither.
    pub fn accounts(&self, by: &str) -> Result<Vec<AccountLine>, AccountError> {
        self.overseer(by, "accounts")?;
        let accounts = self.meta.accounts().map_err(GuardError::from)?;
        let line = |account: AccountRecord| {
            let recovery_codes = self.meta.recovery_codes(&account.user).map_err(GuardError::from)?;
            Ok(AccountLine { user: account.user, is_active: account.is_active, recovery_codes })
        };
        accounts.into_iter().map(line).collect()
    }

    /// Makes an API token for somebody, for one of their projects.
    ///
    /// # Errors
    ///
    /// `by` is no operator, there is no such person or project of theirs, or no such token can be made.
    pub fn issue_token(
        &self,
        by: &str,
        user: &str,
        wish: &TokenWish,
    ) -> Result<(SecretWord, TokenView), AccountError> {
        self.operator(by)?;
        let user = self.person(user)?.user;
        if !super::projects(self, &user)?.iter().any(|project| project.id == wish.project) {
            return Err(AccountError::NotTheirs { user, project: wish.project.clone() });
        }
        let (word, token) = tokens::issue(self, &user, wish)?.ok_or(AccountError::Wish)?;
        Ok((word, tokens::view(token)))
    }

    /// Every API token, the newest first.
    ///
    /// # Errors
    ///
    /// `by` is neither operator nor auditor.
    pub fn tokens(&self, by: &str) -> Result<Vec<TokenView>, AccountError> {
        self.overseer(by, "tokens")?;
        let tokens: Vec<TokenRecord> = self.meta.tokens(None).map_err(GuardError::from)?;
        Ok(tokens.into_iter().map(tokens::view).collect())
    }

    /// Makes somebody's API token useless.
    ///
    /// # Errors
    ///
    /// `by` is no operator, or there is no such token.
    pub fn revoke_token(&self, by: &str, id: &str) -> Result<(), AccountError> {
        self.operator(by)?;
        if !self.meta.revoke_token(id).map_err(GuardError::from)? {
            return Err(AccountError::NoToken(id.to_owned()));
        }
        let event = Event::new(Kind::TokenRevoked, by).subject(id);
        self.log.record(event).map_err(GuardError::from)?;
        Ok(())
    }

    /// Ends every session and token that serve a project alone, when it closes; gives the number of tokens.
    ///
    /// # Errors
    ///
    /// The metadata database gave an error.
    pub fn void_project(&self, project: &str) -> Result<u64, GuardError> {
        Ok(self.meta.revoke_tokens_of_project(project)?)
    }

    /// Lets an operator or auditor look at something, and records it.
    fn overseer(&self, by: &str, what: &str) -> Result<(), AccountError> {
        let reader = self.person(by)?;
        if !reader.roles.contains(&Role::Operator) && !reader.roles.contains(&Role::Auditor) {
            return Err(AccountError::NotOverseer);
        }
        self.log.record(Event::new(Kind::View, by).subject(what)).map_err(GuardError::from)?;
        Ok(())
    }

    pub(super) fn operator(&self, by: &str) -> Result<(), AccountError> {
        let standing = Standing::of(&self.meta, by, self.now()).map_err(GuardError::from)?;
        let is_operator = standing.is_some_and(|standing| standing.roles.contains(&Role::Operator));
        is_operator.then_some(()).ok_or(AccountError::NotOperator)
    }

    pub(super) fn person(&self, user: &str) -> Result<Standing, AccountError> {
        let standing = Standing::of(&self.meta, user, self.now()).map_err(GuardError::from)?;
        standing.ok_or_else(|| AccountError::NoPerson(user.to_owned()))
    }

    pub(super) fn one_time_word(
        &self,
        user: &str,
        purpose: &str,
        seconds: i64,
    ) -> Result<SecretWord, AccountError> {
        let word = words::word()?;
        let digest = words::digest(&word).ok_or(GuardError::Bug("a word of ours has a digest"))?;
        let ends = self.seconds().saturating_add(seconds);
        let invitation = InvitationRecord {
            digest,
            user: user.to_owned(),
            purpose: purpose.to_owned(),
            ends,
            held: String::new(),
        };
        self.meta.invite(&invitation).map_err(GuardError::from)?;
        Ok(word)
    }
}
