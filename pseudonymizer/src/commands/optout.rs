//! `optout`: takes in identities whose persons are left out from now on; counts, never lists.

use std::path::PathBuf;

use audit::{Event, Kind, class};
use clap::Subcommand;
use pseudonymizer::pipeline;

use super::{Failure, Shared, WHO, open, print, print_json, writer};

/// What may be done with opt-outs.
#[derive(Subcommand)]
pub(crate) enum OptOut {
    /// Adds the identities of a list: comma separated, its first line naming identity roles (name,birth_date,sex …);
    /// or of one that a data holder sealed (`misu seal LIST`).
    Add {
        /// The list in UTF-8, or the folder of a sealed one.
        file: PathBuf,
        #[command(flatten)]
        shared: Shared,
    },
}

impl OptOut {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let Self::Add { file, shared } = self;
        let (environment, log) = open(&shared)?;
        let _writer = writer(&environment, &log, "optout")?;
        let done = pipeline::opt_out(&environment, &file)?;
        let event = Event::new(Kind::OptOutChanged, WHO).subject(done.exclusion.clone());
        // Who reads the record need not know how few they are.
        let event = event.with("identities", class(done.identities));
        let event = event.with("persons", class(done.persons));
        log.record(done.holder.iter().fold(event, |event, holder| event.with("holder", holder.as_str())))?;
        if shared.json {
            return print_json(&done);
        }
        print(&format!(
            "{} identities taken in, {} lines unusable; {} identities opted out, {} persons left out of the latest snapshot",
            done.identities, done.unusable, done.total, done.persons
        ))
    }
}
