//! How many identities carry a key of each scheme. A key itself is never handed to Polars, only whether it is there.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use catalog_store::StagedFiles;
use polars::prelude::{DataType, IntoLazy as _, col, len};
use reports::quality::profile::{HashCoverage, SchemeCoverage};

use crate::bridge;
use crate::failure::Failure;
use crate::files;
use crate::rows::number;

/// Counts over the files with a delivery's identities.
pub(crate) fn coverage(
    staged: &StagedFiles,
    paths: &[PathBuf],
    schemes: &[String],
) -> Result<HashCoverage, Failure> {
    let mut sum = HashCoverage {
        schemes: schemes
            .iter()
            .map(|scheme| SchemeCoverage { scheme: scheme.clone(), ..SchemeCoverage::default() })
            .collect(),
        ..HashCoverage::default()
    };
    let names: Vec<&str> = std::iter::once("claims").chain(schemes.iter().map(String::as_str)).collect();
    for path in paths {
        files::each_batch(staged, path, &names, |batch| add(&mut sum, batch))?;
    }
    Ok(sum)
}

fn add(sum: &mut HashCoverage, batch: &RecordBatch) -> Result<(), Failure> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        let shown: ArrayRef = if field.name() == "claims" {
            Arc::clone(column)
        } else {
            Arc::new(arrow::compute::is_not_null(column)?)
        };
        Ok((field.name().as_str(), shown))
    });
    let columns: Vec<(&str, ArrayRef)> = columns.collect::<Result<_, Failure>>()?;
    let frame = bridge::frame(&RecordBatch::try_from_iter(columns)?)?;
    let claims = || col("claims").cast(DataType::UInt64);
    let mut figures = vec![len().alias("#identities"), claims().sum().alias("#records")];
    for scheme in &sum.schemes {
        let has = || col(scheme.scheme.as_str()).cast(DataType::UInt64);
        figures.push(has().sum().alias(format!("{}#identities", scheme.scheme)));
        figures.push((has() * claims()).sum().alias(format!("{}#records", scheme.scheme)));
    }
    let figures = frame.lazy().select(figures).collect()?;
    sum.identities += number(&figures, "#identities", 0);
    sum.records += number(&figures, "#records", 0);
    for scheme in &mut sum.schemes {
        scheme.identities += number(&figures, &format!("{}#identities", scheme.scheme), 0);
        scheme.records += number(&figures, &format!("{}#records", scheme.scheme), 0);
    }
    Ok(())
}
