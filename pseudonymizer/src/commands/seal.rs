//! `seal` and `holder`: what a data holder does, without an environment.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use pseudonymizer::pipeline::{self, Holder};

use super::{Failure, passphrase, print, say_spent};
use crate::progress::{Progress, Unit};

/// What a data holder does with its own folder.
#[derive(Subcommand)]
pub(crate) enum HolderCommand {
    /// Makes a holder's folder with its keys; its card.json goes to the environment's custodian.
    Init {
        /// The folder, empty or absent.
        folder: PathBuf,
        /// The holder's name, as its deliveries have it.
        #[arg(long)]
        name: String,
    },
    /// Accepts the bundle that the custodian made for the card.
    Accept {
        /// The bundle.
        bundle: PathBuf,
        /// The holder's folder.
        #[arg(long)]
        holder: PathBuf,
    },
}

impl HolderCommand {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Init { folder, name } => {
                let holder = Holder::create(&folder, &name, passphrase()?)?;
                print(&format!("{}: signs with {}", holder.card().name, holder.card().signer))
            }
            Self::Accept { bundle, holder } => {
                Holder::open(&holder, passphrase()?)?.accept(&bundle)?;
                print("accepted; seal deliveries with `misu seal`")
            }
        }
    }
}

pub(super) fn seal(delivery: &Path, holder: &Path, out: &Path, is_overlap: bool) -> Result<(), Failure> {
    let holder = Holder::open(holder, passphrase()?)?;
    // A delivery is a folder.
    if delivery.is_file() {
        let (identities, unusable) = pipeline::seal_list(&holder, delivery, out, is_overlap)?;
        return print(&format!("{identities} identities sealed, {unusable} lines unusable"));
    }
    let progress = Progress::new("seal", Unit::Bytes);
    let at = |at: pipeline::Progress| progress.at(at.done, at.total);
    let sealed = pipeline::seal(&holder, delivery, out, is_overlap, &at)?;
    progress.end();
    say_spent("seal", sealed.spent);
    let account = sealed.account();
    print(&format!(
        "{}: {} lines = {} sealed + {} dropped by class + {} in quarantine",
        sealed.name,
        account.read,
        account.stored,
        account.dropped_lines(),
        account.quarantined_lines(),
    ))
}
