//! `misu synth`: deliveries of an invented population.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use catalog_model::{Catalogue, Month};
use clap::Parser;
use synthetic::{Options, Slips, Summary};

use crate::failure::Failure;
use crate::{progress, screen};

/// Writes deliveries of an invented population.
#[derive(Parser)]
pub(crate) struct Synth {
    /// Persons at the start.
    #[arg(long)]
    persons: u32,
    /// Months of deliveries.
    #[arg(long)]
    months: u32,
    /// The seed: same seed, same bytes.
    #[arg(long)]
    seed: u64,
    /// The folder for `deliveries/` and `truth/`.
    #[arg(long)]
    out: PathBuf,
    /// The share of lines that get a fault.
    #[arg(long, default_value_t = 0.0)]
    fault_rate: f64,
    /// Makes identities on receipts wrong at the rates of a setting: published, registry, harsh, unseen.
    #[arg(long, value_name = "SETTING")]
    identity_errors: Option<String>,
    /// The first month, as 2023-04.
    #[arg(long, default_value = "2023-04")]
    first_month: Month,
}

impl Synth {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let options = Options {
            persons: self.persons,
            months: self.months,
            first_month: self.first_month,
            seed: self.seed,
            fault_rate: self.fault_rate,
        };
        let slips = self.identity_errors.as_deref().map(Slips::shipped).transpose();
        let slips = slips.map_err(synthetic::SynthError::from)?;
        let summary = write_with(&options, slips.as_ref(), &self.out)?;
        screen::say(&format!(
            "{} persons, {} deliveries, {} files, {} lines, {} MB, {} planted faults",
            summary.persons,
            summary.deliveries,
            summary.files,
            summary.records,
            summary.bytes / 1_000_000,
            summary.faults,
        ));
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the deliveries with a progress bar, identities as they are.
pub(crate) fn write(options: &Options, out: &Path) -> Result<Summary, Failure> {
    write_with(options, None, out)
}

fn write_with(options: &Options, slips: Option<&Slips>, out: &Path) -> Result<Summary, Failure> {
    let catalogue = Catalogue::builtin()
        .map_err(|errors| Failure::Catalogue(errors.first().map(ToString::to_string).unwrap_or_default()))?;
    let bar = progress::bar("synthetic deliveries");
    let mut progress = |at: synthetic::Progress| {
        bar.set_length(at.total);
        bar.set_position(at.done);
    };
    let summary = match slips {
        Some(slips) => synthetic::write_with_slips(&catalogue, options, slips, out, &mut progress)?,
        None => synthetic::write(&catalogue, options, out, &mut progress)?,
    };
    bar.finish_and_clear();
    Ok(summary)
}
