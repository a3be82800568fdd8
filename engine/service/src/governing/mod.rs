//! The guard's commands for people, accounts, cases, halts and checkpoints. What they do is what the socket does: they ask
//! [`engine_service::govern`] and print the answer.

pub(crate) mod account;
pub(crate) mod application;
mod case;
pub(crate) mod checkpoint;
pub(crate) mod halt;
pub(crate) mod incident;
pub(crate) mod output;
pub(crate) mod people;
pub(crate) mod provide;
pub(crate) mod questions;

use std::path::{Path, PathBuf};

use audit::Log;
use catalog_store::{Environment, Meta, Passphrase};
use engine_service::{Office, Permits, actor};
use governance::Actor;
use time::OffsetDateTime;

use crate::Failure;

/// An environment in which somebody acts.
pub(crate) struct House {
    pub(crate) environment: Environment,
    pub(crate) meta: Meta,
    pub(crate) log: Log,
    pub(crate) permits: Permits,
    pub(crate) now: OffsetDateTime,
}

/// The environment and the person who acts.
#[derive(clap::Args)]
pub(crate) struct Acting {
    /// The environment.
    #[arg(long)]
    pub(crate) env: PathBuf,
    /// The person who acts.
    #[arg(long = "as", value_name = "USER")]
    pub(crate) user: String,
}

impl House {
    pub(crate) fn open(env: &Path) -> Result<Self, Failure> {
        let environment =
            Environment::open(env)?.unlocked_by(Passphrase::find(&|name| std::env::var_os(name))?);
        let meta = environment.meta()?;
        let log = Log::open(&environment.room("audit"), OffsetDateTime::now_utc)?;
        let permits = Permits::new(environment.room("policies"));
        Ok(Self { environment, meta, log, permits, now: OffsetDateTime::now_utc() })
    }

    /// The house as governance sees it.
    pub(crate) fn office(&self) -> Result<Office<'_>, Failure> {
        Ok(Office::new(&self.environment, &self.log, &self.permits, self.now)?)
    }

    /// The person with the roles that hold today.
    pub(crate) fn actor(&self, user: &str) -> Result<Actor, Failure> {
        Ok(actor(&self.meta, user, self.now)?)
    }
}
