//! `misu-guard account` and `misu-guard token`: what operators do with accounts, and the one-time links of a demo.

use std::io::{Write as _, stdout};
use std::path::PathBuf;

use clap::Subcommand;
use engine_protocol::TokenWish;
use time::OffsetDateTime;

use super::Acting;
use crate::{Failure, open};

/// What to do with accounts.
#[derive(Subcommand)]
pub(crate) enum Accounts {
    /// Prints an invitation, with which a person takes a password and a second factor at /enrol of the portal.
    Invite {
        #[command(flatten)]
        acting: Acting,
        /// The person.
        person: String,
    },
    /// Shuts an account, its sessions and its tokens.
    Disable {
        #[command(flatten)]
        acting: Acting,
        /// The person.
        person: String,
    },
    /// Pins the keys of the provider at which people sign in: its JSON Web Key Set, fetched by a way that is trusted.
    PinProvider {
        #[command(flatten)]
        acting: Acting,
        /// The key set.
        file: PathBuf,
    },
    /// Lists accounts.
    List {
        #[command(flatten)]
        acting: Acting,
    },
    /// Prints a word that signs a person of a demo environment in, once.
    Link {
        /// The environment.
        #[arg(long)]
        env: PathBuf,
        /// The person.
        person: String,
    },
}

/// What to do with API tokens.
#[derive(Subcommand)]
pub(crate) enum Tokens {
    /// Makes a token and prints its word, this once.
    Issue {
        #[command(flatten)]
        acting: Acting,
        /// Whose it is.
        person: String,
        /// The project that it serves.
        #[arg(long)]
        project: String,
        /// What it is for.
        #[arg(long, default_value = "")]
        name: String,
        /// For how many days.
        #[arg(long, default_value_t = 30)]
        days: u16,
    },
    /// Lists tokens.
    List {
        #[command(flatten)]
        acting: Acting,
    },
    /// Makes a token useless.
    Revoke {
        #[command(flatten)]
        acting: Acting,
        /// The token's id.
        id: String,
    },
}

impl Accounts {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Invite { acting, person } => {
                let word = open(&acting.env)?.invite(&acting.user, &person)?;
                Ok(writeln!(stdout(), "{}", word.as_str())?)
            }
            Self::Disable { acting, person } => Ok(open(&acting.env)?.disable(&acting.user, &person)?),
            Self::PinProvider { acting, file } => {
                Ok(open(&acting.env)?.pin_provider(&acting.user, &std::fs::read(file)?)?)
            }
            Self::List { acting } => {
                for account in open(&acting.env)?.accounts(&acting.user)? {
                    let state = if account.is_active { "active" } else { "disabled" };
                    let codes = account.recovery_codes;
                    writeln!(stdout(), "{:20} {state:8} {codes} recovery codes", account.user)?;
                }
                Ok(())
            }
            Self::Link { env, person } => {
                let word = open(&env)?.link(&person)?;
                Ok(writeln!(stdout(), "{}", word.as_str())?)
            }
        }
    }
}

impl Tokens {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Issue { acting, person, project, name, days } => {
                let wish = TokenWish { name, project, days };
                let (word, _) = open(&acting.env)?.issue_token(&acting.user, &person, &wish)?;
                Ok(writeln!(stdout(), "{}", word.as_str())?)
            }
            Self::List { acting } => list(&acting),
            Self::Revoke { acting, id } => Ok(open(&acting.env)?.revoke_token(&acting.user, &id)?),
        }
    }
}

fn list(acting: &Acting) -> Result<(), Failure> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    for token in open(&acting.env)?.tokens(&acting.user)? {
        let state = match (token.is_revoked, now < token.ends) {
            (true, _) => "revoked",
            (false, true) => "serves",
            (false, false) => "ended",
        };
        let ends = OffsetDateTime::from_unix_timestamp(token.ends)?.date();
        writeln!(
            stdout(),
            "{} {state:8} {ends} {:20} {:20} {}",
            token.id,
            token.user,
            token.project,
            token.name
        )?;
    }
    Ok(())
}
