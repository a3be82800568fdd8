//! `misu-guard provide`: anonymized rows of a project leave, in encrypted files, where its permit and two officers say so.

use std::io::{Write as _, stdout};
use std::path::PathBuf;

use audit::{Event, Kind, is_waiting};
use catalog_store::{Agreed, Asked, Asking, Officers, Passphrase};
use clap::Args;
use engine_service::Provision;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::House;
use crate::Failure;

/// Rows that are provided outside.
#[derive(Args)]
pub(crate) struct Provide {
    /// The project's own tables, as `ws.NAME`.
    #[arg(required = true)]
    tables: Vec<String>,
    /// The environment.
    #[arg(long)]
    env: PathBuf,
    /// The project.
    #[arg(long)]
    project: String,
    /// Where the rows go, a new folder.
    #[arg(long)]
    out: PathBuf,
    /// Where their keys go, a new file outside of DIR; it travels another way than the rows.
    #[arg(long)]
    keys: PathBuf,
    /// The officer's name.
    #[arg(long)]
    officer: String,
    /// The file with the officer's secret.
    #[arg(long)]
    secret: PathBuf,
}

impl Provide {
    pub(crate) fn run(self) -> Result<(), Failure> {
        // Looked at before anybody agrees, since an agreement lets one act happen.
        Provision::places((&self.out, &self.keys))?;
        let house = House::open(&self.env)?;
        // One at a time, so that no two provisions have one epoch.
        let seconds = || u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or(0);
        let _writer = house.environment.writer("provide", &house.now.format(&Rfc3339)?, seconds)?;
        let guard = crate::open(&self.env)?;
        let own = |table: &String| table.strip_prefix("ws.").unwrap_or(table).to_owned();
        let tables: Vec<String> = self.tables.iter().map(own).collect();
        let provision = Provision::plan(&guard, &self.project, &tables)?;
        for line in provision.lines() {
            writeln!(stdout(), "{line}")?;
        }
        let Some(agreed) = self.ask(&house, &provision.act())? else { return Ok(()) };
        provision.carry_out(&guard, &agreed, (&self.out, &self.keys))?;
        let (count, epoch) = (tables.len(), provision.epoch());
        writeln!(stdout(), "{count} tables of {} provided, epoch {epoch}", self.project)?;
        Ok(())
    }

    /// Asks in the officer's name; the agreement, where another officer asked before.
    fn ask(&self, house: &House, act: &str) -> Result<Option<Agreed>, Failure> {
        let officers = Officers::open(&house.environment.room("keys"))?;
        let present = officers.present(&self.officer, &Passphrase::read(&self.secret)?)?;
        let who = present.name().to_owned();
        let is_recorded =
            |asking: &Asking| is_waiting(house.log.path(), (&asking.request, &asking.act, &asking.by));
        match officers.ask(act, present, &is_recorded)? {
            Asked::Agreed(agreed) => Ok(Some(agreed)),
            Asked::Waiting(asking) => {
                let event = Event::new(Kind::KeyActRequested, who).project(self.project.as_str());
                house.log.record(event.with("act", act).with("request", asking.request))?;
                writeln!(stdout(), "recorded; another officer has to call the same to let it happen")?;
                Ok(None)
            }
        }
    }
}
