//! An invented population, written byte for byte as official files, with the truth beside it.
//!
//! [`write()`] lets a population live through some months and lays what is known of it into a folder: `deliveries/`, as
//! data holders would hand them over (CP932, CRLF, real column counts, through the same layouts that the readers use),
//! and `truth/`, which says who is who. The same options always give the same bytes, on every machine and with any
//! number of threads. Nobody in it exists: municipalities, facilities, insurers and codes are invented, names are
//! drawn at random.
//!
//! Three steps: `model` is what the population is like (tables under `model/`), `people` and `health` let it live,
//! `billing` and `files` write what is billed for it. `faults` says what is made wrong on purpose.
//!
//! What it does not do: it draws no conclusions of medicine, and its figures are plausible, not measured.

pub mod identities;
pub mod sightings;
pub mod writer;

mod billing;
mod calendar;
mod dice;
mod events;
mod faults;
mod files;
mod health;
mod model;
mod people;
mod slips;
mod truth;
mod work;
mod world;

use std::path::{Path, PathBuf};

use catalog_model::{Catalogue, Month};

pub use calendar::Calendar;
pub use model::ModelError;
pub use slips::Slips;

/// What is to be written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The number of persons who live when the period begins; children are born to them.
    pub persons: u32,
    /// The number of months.
    pub months: u32,
    /// The first month of service.
    pub first_month: Month,
    /// What the random numbers begin with.
    pub seed: u64,
    /// The share of body lines that get a fault, from 0 to 1.
    pub fault_rate: f64,
}

impl Options {
    /// The options of a demonstration: 20,000 persons over 24 months from April 2023, without faults.
    pub fn demo() -> Self {
        Self {
            persons: 20_000,
            months: 24,
            first_month: Month::from_index(2023 * 12 + 3),
            seed: 1,
            fault_rate: 0.0,
        }
    }

    fn check(&self) -> Result<(), SynthError> {
        if self.persons == 0 || self.persons > 2_000_000 {
            return Err(SynthError::Options("persons must be from 1 to 2,000,000"));
        }
        if self.months == 0 || self.months > 240 {
            return Err(SynthError::Options("months must be from 1 to 240"));
        }
        // The era of the dates and the years that people remember end somewhere.
        if !(2012..=2080).contains(&self.first_month.year()) {
            return Err(SynthError::Options("the first month must lie in 2012 to 2080"));
        }
        if !(0.0..=1.0).contains(&self.fault_rate) {
            return Err(SynthError::Options("the fault rate must be from 0 to 1"));
        }
        Ok(())
    }
}

/// How far the work has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// How much of it is done.
    pub done: u64,
    /// How much there is.
    pub total: u64,
}

/// A step of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The population lives: counted in persons.
    Population,
    /// Deliveries are written: counted in deliveries.
    Deliveries,
    /// The truth is written: counted in files.
    Truth,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Persons, those born in the period included.
    pub persons: u64,
    /// Delivery folders.
    pub deliveries: u64,
    /// Files without the manifests.
    pub files: u64,
    /// Lines, without those of packages.
    pub records: u64,
    /// Bytes.
    pub bytes: u64,
    /// Planted faults.
    pub faults: u64,
}

/// Why nothing, or not everything, was written.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// The options do not make sense.
    #[error("{0}")]
    Options(&'static str),
    /// The folder holds an earlier population.
    #[error("{} holds deliveries or truth already", .0.display())]
    Occupied(PathBuf),
    /// A table of the model does not fit the catalogue.
    #[error("the population's model cannot be used")]
    Model(#[from] ModelError),
    /// A value does not fit its layout.
    #[error("a line cannot be written")]
    Line(#[from] writer::WriteError),
    /// A manifest cannot be made.
    #[error("a manifest cannot be written")]
    Manifest(#[source] toml::ser::Error),
    /// A package cannot be made.
    #[error("a package cannot be written")]
    Package(#[source] zip::result::ZipError),
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A thread ended without its work done.
    #[error("bug: a writing thread ended early")]
    Thread,
}

impl SynthError {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// Writes a population's deliveries and the truth below `out`.
///
/// # Errors
///
/// Options that make no sense, a folder that holds deliveries already, a catalogue whose layouts lack what is written,
/// and whatever the file system says.
pub fn write(
    catalogue: &Catalogue,
    options: &Options,
    out: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, SynthError> {
    options.check()?;
    work::write(catalogue, options, None, out, progress)
}

/// Like [`write()`], and makes identities wrong as `slips` say: on receipts of doctors and hospitals names, birth dates
/// and numbers are miswritten and former cards are shown, people change their names, numbers are given again. The truth
/// stays the truth.
///
/// # Errors
///
/// As for [`write()`].
pub fn write_with_slips(
    catalogue: &Catalogue,
    options: &Options,
    slips: &Slips,
    out: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, SynthError> {
    options.check()?;
    work::write(catalogue, options, Some(slips), out, progress)
}
