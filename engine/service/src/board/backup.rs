//! `misu-guard backup` and `misu-guard restore`.

use std::io::{Write as _, stdout};
use std::path::PathBuf;

use audit::Log;
use catalog_store::{Passphrase, hex};
use engine_service::{RestoreOptions, Restored, restore};
use serde_json::json;
use time::OffsetDateTime;

use crate::Failure;

/// Keeps keys, ledger, record, metadata, catalogue and policies in one signed file.
#[derive(clap::Args)]
pub(crate) struct Backup {
    /// The environment.
    #[arg(long)]
    env: PathBuf,
    /// The file, which must not exist.
    #[arg(long)]
    out: PathBuf,
    /// Includes what holds rows: snapshots, staged rows, the link table, workspaces.
    #[arg(long)]
    data: bool,
    /// Prints figures as JSON.
    #[arg(long)]
    json: bool,
}

/// Makes an environment of a backup.
#[derive(clap::Args)]
pub(crate) struct Restore {
    /// The backup.
    file: PathBuf,
    /// The new environment, an empty or absent directory.
    #[arg(long)]
    env: PathBuf,
    /// Its metadata database on a PostgreSQL server, empty; a file where it is left out.
    #[arg(long)]
    database_url: Option<String>,
    /// A copy of the `store` folder, where the backup has no data.
    #[arg(long)]
    store: Option<PathBuf>,
    /// The public key that must have signed the backup, in hexadecimal digits.
    #[arg(long)]
    signer: Option<String>,
    /// Prints figures as JSON.
    #[arg(long)]
    json: bool,
}

impl Backup {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let environment = super::environment(&self.env)?;
        let log = Log::open(&environment.room("audit"), OffsetDateTime::now_utc)?;
        let now = OffsetDateTime::now_utc();
        let taken = engine_service::backup(&environment, &log, now, (&self.out, self.data))?;
        let signer = hex(&environment.signer()?);
        if self.json {
            let figures = json!({ "files": taken.files, "bytes": taken.bytes, "rows": taken.rows,
                "data": self.data, "signer": signer });
            return Ok(writeln!(stdout(), "{figures}")?);
        }
        let mut out = stdout();
        writeln!(
            out,
            "{}: {} files, {} bytes, {} rows of metadata",
            self.out.display(),
            taken.files,
            taken.bytes,
            taken.rows
        )?;
        writeln!(out, "signed by {signer}")?;
        if taken.passphrase_is_apart {
            writeln!(out, "the passphrase of the keys is not in it: keep keys/passphrase somewhere else")?;
        }
        if !self.data {
            writeln!(out, "snapshots are named, not included: keep a copy of store/ (or use --data)")?;
        }
        Ok(())
    }
}

impl Restore {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let options = RestoreOptions {
            database_url: self.database_url,
            store: self.store,
            signer: self.signer,
            passphrase: Passphrase::find(&|name| std::env::var_os(name))?,
        };
        let restored = restore(&self.file, &self.env, OffsetDateTime::now_utc, options)?;
        tell(&restored, self.json)
    }
}

fn tell(restored: &Restored, is_json: bool) -> Result<(), Failure> {
    let mut out = stdout();
    if is_json {
        let figures = json!({ "taken": restored.taken, "files": restored.files, "rows": restored.rows,
            "entries": restored.entries, "signer": restored.signer, "missing": restored.missing,
            "ledger_holds": restored.ledger_holds });
        return Ok(writeln!(out, "{figures}")?);
    }
    writeln!(out, "restored the backup of {}, signed by {}", restored.taken, restored.signer)?;
    writeln!(out, "{} files, {} rows of metadata", restored.files, restored.rows)?;
    writeln!(out, "the record verifies: {} entries", restored.entries)?;
    let ledger = match restored.ledger_holds {
        Some(true) => "the release ledger is as long as the record says",
        Some(false) => "the release ledger is not the record's: nothing will be released",
        None => "the release ledger was not opened: the keys need their passphrase (keys/passphrase)",
    };
    writeln!(out, "{ledger}")?;
    if restored.missing > 0 {
        writeln!(out, "{} files of snapshots are missing: put a copy of store/ in place", restored.missing)?;
    }
    Ok(())
}
