//! The guard's commands for people, accounts, applications and checkpoints: each judges by the `governance` room, stores the
//! move, records it, and then lets follow what follows (a permit, its end).

pub(crate) mod account;
pub(crate) mod application;
pub(crate) mod checkpoint;
pub(crate) mod people;

use std::path::{Path, PathBuf};

use audit::Log;
use catalog_store::{Environment, Meta, PersonRecord};
use engine_service::Standing;
use governance::{Actor, Role};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::Failure;

/// An environment in which somebody acts.
pub(crate) struct House {
    pub(crate) environment: Environment,
    pub(crate) meta: Meta,
    pub(crate) log: Log,
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
        let environment = Environment::open(env)?;
        let meta = environment.meta()?;
        let log = Log::open(&environment.room("audit"), OffsetDateTime::now_utc)?;
        Ok(Self { environment, meta, log, now: OffsetDateTime::now_utc() })
    }

    /// The person with the roles that hold today: nobody who is shut out, no researcher without valid training.
    pub(crate) fn actor(&self, user: &str) -> Result<Actor, Failure> {
        let standing = Standing::of(&self.meta, user, self.now)?;
        Ok(standing.ok_or_else(|| format!("there is no person {user}"))?.actor())
    }

    pub(crate) fn moment(&self) -> Result<String, Failure> {
        Ok(self.now.format(&Rfc3339)?)
    }
}

fn roles(person: &PersonRecord) -> impl Iterator<Item = Role> {
    person.roles.split_whitespace().filter_map(Role::parse)
}
