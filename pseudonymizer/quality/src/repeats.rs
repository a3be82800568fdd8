//! Records that were read before: claims with the same unique surrogate, over all deliveries.
//!
//! Which of them counts is decided as publishing decides it: the first in the order of deliveries, files and lines, or
//! the last, as the layout says.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, UInt32Array, UInt64Array};
use arrow::datatypes::UInt32Type;
use catalog_model::Keep;
use catalog_store::StagedFiles;
use polars::prelude::{
    DataFrame, IntoLazy as _, LazyFrame, SortMultipleOptions, UnionArgs, col, concat, len, lit,
};

use crate::bridge;
use crate::failure::Failure;
use crate::files;
use crate::rows::number;

/// What one delivery's records come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records {
    /// Records.
    pub(crate) records: u64,
    /// Those that were read before.
    pub(crate) repeated: u64,
    /// Their stored lines.
    pub(crate) repeated_lines: u64,
}

/// A delivery as repeated records are looked for in it.
#[derive(Debug)]
pub(crate) struct Searched {
    /// The folders of its parts.
    pub(crate) parts: Vec<PathBuf>,
    /// Which of the repeated records of each of its files counts.
    pub(crate) keeps: Vec<Keep>,
}

/// Counts for each delivery; deliveries are in the order in which publishing ranks them.
pub(crate) fn count(staged: &StagedFiles, deliveries: &[Searched]) -> Result<Vec<Records>, Failure> {
    let mut sums = vec![Records::default(); deliveries.len()];
    let mut frames: Vec<LazyFrame> = Vec::new();
    for (delivery, (searched, sum)) in (0_u32..).zip(deliveries.iter().zip(&mut sums)) {
        for part in &searched.parts {
            let path = part.join("claims.parquet");
            let columns = ["file", "line", "lines", "identity", "unique", "void"];
            files::each_batch(staged, &path, &columns, |batch| {
                sum.records += batch.num_rows() as u64;
                frames.push(keyed(batch, delivery, &searched.keeps)?.lazy());
                Ok(())
            })?;
        }
    }
    if frames.is_empty() {
        return Ok(sums);
    }
    let order = ["first", "second", "third"];
    let again = concat(frames, UnionArgs::default())?
        .filter(len().over([col("high"), col("low")])?.gt(lit(1_u32)))
        .sort_by_exprs(
            ["high", "low"].into_iter().chain(order).map(col).collect::<Vec<_>>(),
            SortMultipleOptions::default(),
        )
        .collect()?;
    let mut last = None;
    for row in 0..again.height() {
        let key = (number(&again, "high", row), number(&again, "low", row));
        if last.replace(key) != Some(key) {
            continue;
        }
        let delivery = usize::try_from(number(&again, "delivery", row)).unwrap_or(usize::MAX);
        if let Some(sum) = sums.get_mut(delivery) {
            sum.repeated += 1;
            sum.repeated_lines += number(&again, "lines", row);
        }
    }
    Ok(sums)
}

/// The claims of a batch that can be told apart: the surrogate as two numbers, the delivery, the number of lines, and
/// what orders those of one surrogate so that the one that counts comes first.
fn keyed(batch: &RecordBatch, delivery: u32, keeps: &[Keep]) -> Result<DataFrame, Failure> {
    let empty = || Arc::new(UInt64Array::from(Vec::<u64>::new())) as ArrayRef;
    let column = |name: &str| batch.column_by_name(name).map_or_else(empty, Arc::clone);
    let (uniques, identities, voids) = (column("unique"), column("identity"), column("void"));
    let (uniques, voids) = (uniques.as_fixed_size_binary_opt(), voids.as_boolean_opt());
    let mut rows = Vec::new();
    let mut halves: (Vec<u64>, Vec<u64>) = Default::default();
    for row in 0..batch.num_rows() {
        let unique = uniques.filter(|uniques| uniques.is_valid(row)).map(|uniques| uniques.value(row));
        let is_void = voids.is_some_and(|voids| voids.value(row));
        if let Some((high, low)) = unique.and_then(split).filter(|_| !is_void && identities.is_valid(row)) {
            rows.push(u32::try_from(row).unwrap_or(u32::MAX));
            halves.0.push(high);
            halves.1.push(low);
        }
    }
    let rows = UInt32Array::from(rows);
    let taken = |name: &str| arrow::compute::take(&column(name), &rows, None);
    let (files, lines) = (taken("file")?, taken("line")?);
    let files = files.as_primitive_opt::<UInt32Type>().map(|files| files.values().to_vec());
    let is_last = |file: &u32| keeps.get(*file as usize) == Some(&Keep::Last);
    let is_last: Vec<bool> = files.iter().flatten().map(is_last).collect();
    let placed = |values: &[u32]| -> ArrayRef {
        let turned =
            values.iter().zip(&is_last).map(|(value, last)| if *last { u32::MAX - value } else { *value });
        Arc::new(UInt32Array::from_iter_values(turned))
    };
    let lines_of = lines.as_primitive_opt::<UInt32Type>().map(|lines| lines.values().to_vec());
    let columns: [(&str, ArrayRef); 7] = [
        ("high", Arc::new(UInt64Array::from(halves.0))),
        ("low", Arc::new(UInt64Array::from(halves.1))),
        ("delivery", Arc::new(UInt32Array::from(vec![delivery; rows.len()]))),
        ("lines", taken("lines")?),
        ("first", placed(&vec![delivery; rows.len()])),
        ("second", placed(&files.unwrap_or_default())),
        ("third", placed(&lines_of.unwrap_or_default())),
    ];
    bridge::frame(&RecordBatch::try_from_iter(columns)?)
}

fn split(bytes: &[u8]) -> Option<(u64, u64)> {
    let (high, low) = bytes.split_at_checked(8)?;
    Some((u64::from_le_bytes(high.try_into().ok()?), u64::from_le_bytes(low.try_into().ok()?)))
}
