//! Figures of public tables, by the numbers of the values of group keys.

use arrow::record_batch::RecordBatch;
use engine_protocol::{PublicRow, WorkerFault};
use engine_vet::{KEY_PREFIX, PUBLIC_PREFIX, PlanShape};

use crate::memo::Memo;
use crate::rows::{KeyNumbers, optional};

/// Adds the rows of a batch; those of values that no group has are left out.
pub(crate) fn push(
    batch: &RecordBatch,
    shape: &PlanShape,
    rows: &mut Vec<PublicRow>,
) -> Result<(), WorkerFault> {
    let asked = shape.public.as_ref().ok_or(WorkerFault::Vetting)?;
    let column = |name: String| batch.column_by_name(&name).ok_or(WorkerFault::Execution);
    let (mut keys, mut others) = (Vec::new(), Vec::new());
    for (at, key) in asked.keys.iter().enumerate() {
        let domain = &shape.keys.get(*key).ok_or(WorkerFault::Execution)?.domain;
        let (mut memo, mut numbers) = (Memo::default(), Vec::new());
        KeyNumbers::new(domain).push(column(format!("{KEY_PREFIX}{at}"))?, &mut memo, &mut numbers)?;
        keys.push(numbers);
        others.push(domain.values.len());
    }
    let mut figures = Vec::new();
    for (at, scale) in asked.scales.iter().enumerate() {
        figures.push(optional(column(format!("{PUBLIC_PREFIX}{at}"))?, *scale)?);
    }
    for row in 0..batch.num_rows() {
        let key: Vec<u32> = keys.iter().filter_map(|numbers| numbers.get(row).copied()).collect();
        let is_declared = key.iter().zip(&others).all(|(number, other)| (*number as usize) < *other);
        if !is_declared {
            continue;
        }
        let figure = |figures: &Vec<Option<i128>>| {
            let figure = figures.get(row).copied().flatten().map(i64::try_from);
            figure.transpose().map_err(|_| WorkerFault::TooLarge)
        };
        rows.push(PublicRow { key, figures: figures.iter().map(figure).collect::<Result<_, _>>()? });
    }
    Ok(())
}
