//! `catalog` and `upgrade`: what an environment knows of formats, and of which version it is.

use std::path::PathBuf;

use audit::{Event, Kind, Log};
use catalog_store::{Environment, upgrade as upgrade_environment};
use clap::Subcommand;
use time::OffsetDateTime;

use super::{Failure, Shared, WHO, open, passphrase, print, print_json, writer};

/// What may be done with the catalogue.
#[derive(Subcommand)]
pub(crate) enum Catalog {
    /// Adds the files of a folder with codes/, layouts/, schemes/ and tables/; the whole catalogue is checked first.
    Add {
        /// The folder.
        folder: PathBuf,
        /// Lets a file take the place of one that says something else: a layout is mended.
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        shared: Shared,
    },
}

impl Catalog {
    /// Runs the command.
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self::Add { folder, replace, shared } = self;
        let (environment, log) = open(&shared)?;
        let _writer = writer(&environment, &log, "catalog add")?;
        let added = match environment.add_catalogue(&folder, replace) {
            Err(catalog_store::EnvironmentError::Catalogue(errors)) => {
                return Err(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ").into());
            }
            added => added?,
        };
        let (_, digest) = environment.catalogue()?;
        if !(added.new.is_empty() && added.replaced.is_empty()) {
            let event = Event::new(Kind::CatalogueChanged, WHO)
                .subject(digest.clone())
                .with("new", added.new.len() as u64)
                .with("replaced", added.replaced.len() as u64);
            log.record(event)?;
        }
        if shared.json {
            return print_json(&serde_json::json!({
                "catalogue": digest, "new": added.new, "replaced": added.replaced, "known": added.known,
            }));
        }
        added.new.iter().try_for_each(|file| print(&format!("new       {file}")))?;
        added.replaced.iter().try_for_each(|file| print(&format!("replaced  {file}")))?;
        added.known.iter().try_for_each(|file| print(&format!("known     {file}")))
    }
}

/// Brings the environment to the present version.
pub(super) fn upgrade(shared: &Shared) -> Result<(), Failure> {
    let upgraded = upgrade_environment(&shared.env, passphrase()?)?;
    if upgraded.from < upgraded.to {
        let environment = Environment::open(&shared.env)?;
        let log = Log::open(&environment.room("audit"), OffsetDateTime::now_utc)?;
        let event = Event::new(Kind::EnvironmentUpgraded, WHO);
        log.record(event.with("from", u64::from(upgraded.from)).with("to", u64::from(upgraded.to)))?;
    }
    if shared.json {
        return print_json(&serde_json::json!({ "from": upgraded.from, "to": upgraded.to }));
    }
    match upgraded.from == upgraded.to {
        true => print(&format!("format {}: nothing to do", upgraded.to)),
        false => print(&format!("format {} is now format {}", upgraded.from, upgraded.to)),
    }
}
