//! `misu-quality`: what staged rows are like.
//!
//! It reads what `misu-ingest` left in an environment (staged rows, claims, the places of faults, whether an identity
//! has a key of a scheme) and the snapshot, and prints counts as JSON. It reads no delivered file, looks at no key, and
//! changes nothing. Polars lives here alone, so that nothing else is compiled against it.

mod bridge;
mod coverage;
mod drift;
mod failure;
mod faults;
mod files;
mod hashes;
mod profile;
mod repeats;
mod rows;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use catalog_store::{Environment, EnvironmentError, Passphrase};
use clap::Parser;

use crate::failure::{Failure, text};

/// Counts what staged rows are like and prints it as JSON.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The environment.
    #[arg(long)]
    env: PathBuf,
    /// The snapshot whose persons are counted, where not the latest.
    #[arg(long)]
    snapshot: Option<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Standard error may be closed; there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "misu-quality: {}", text(&failure));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let passphrase = Passphrase::find(&|name| std::env::var_os(name)).map_err(EnvironmentError::from)?;
    let environment = Environment::open(&arguments.env)?.unlocked_by(passphrase);
    let profile = profile::profile(&environment, arguments.snapshot.as_deref())?;
    let text = serde_json::to_string_pretty(&profile)?;
    writeln!(std::io::stdout(), "{text}").map_err(Failure::Print)
}
