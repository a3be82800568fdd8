//! Tables made from other tables when a snapshot is published: admissions, drug episodes, care need, deaths, runs, days.
//!
//! The published rows of a bucket are sorted by person, so a rule sees the rows of one person at a time, of all the
//! tables that it reads, and writes that person's rows: one pass, no join, no state between persons. One rule, one file;
//! what a rule reads and gives is said in `catalog-model`, its parameters and columns in the table's TOML.

mod admission;
mod care_need;
mod death;
mod drug_episode;
mod rows;
mod run;
mod service_date;
mod sources;
mod stay_receipt;
mod stays;

use arrow::array::RecordBatch;
use catalog_model::{Catalogue, Derivation, Period, Table};

use super::files::FileError;
use rows::Rows;
pub use sources::{Sources, Wanted};

/// What a rule must know besides the rows.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The catalogue, for codes and for tables that have no rows.
    pub catalogue: &'a Catalogue,
    /// The months of the snapshot.
    pub period: Period,
    /// The bucket, which is part of numbers that are given here.
    pub bucket: u32,
    /// How many buckets there are.
    pub buckets: u32,
}

/// Makes the rows of a derived table in one bucket, sorted by person.
///
/// # Errors
///
/// A source lacks a column, or the table has one that the rule does not give.
pub fn derive(
    context: &Context<'_>,
    table: &Table,
    rule: &Derivation,
    sources: &Sources,
) -> Result<RecordBatch, FileError> {
    let mut rows = Rows::new(context, table, rule)?;
    let reading = sources.of(context.catalogue);
    match rule {
        Derivation::Admission { transfer_days } => {
            admission::derive(context, &reading, *transfer_days, &mut rows)?;
        }
        Derivation::DrugEpisode { .. } => drug_episode::derive(context, &reading, rule, &mut rows)?,
        Derivation::CareNeed {} => care_need::derive(context, &reading, &mut rows)?,
        Derivation::StayReceipt { tolerance_days } => {
            stay_receipt::derive(&reading, *tolerance_days, &mut rows)?;
        }
        Derivation::Death { care_codes, dpc_codes, contradicted_after_months } => {
            let rule = death::Rule { care_codes, dpc_codes, after: *contradicted_after_months };
            death::derive(&reading, &rule, &mut rows)?;
        }
        Derivation::Run { yen_classes } => run::derive(&reading, yen_classes, &mut rows)?,
        Derivation::ServiceDate { lines, service_classes } => {
            service_date::derive(&reading, lines, service_classes, &mut rows)?;
        }
    }
    rows.finish()
}
