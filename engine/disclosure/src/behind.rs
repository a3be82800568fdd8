//! What stands behind the values of a table, for the people who review it: counts, the largest share, what hides it.
//!
//! It is as secret as the evidence: it stays inside, sealed beside the release, and is shown to reviewers only.

use catalog_model::CountedUnit;
use engine_protocol::{EvidenceLine, SumEvidence};

use crate::hiding::Hidden;
use crate::release::label;
use crate::shape::Shape;
use crate::table::{Cells, Part, units};

/// Lines that a person can look at; a larger table is cut.
const MOST: usize = 2_000;

/// What stands behind each value of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// A line for each value.
    pub lines: Vec<EvidenceLine>,
    /// Whether there are more values than lines.
    pub is_cut: bool,
}

impl Behind {
    pub(crate) fn of(cells: &Cells, hidden: &Hidden, shape: &Shape) -> Self {
        let mut lines = cells.iter().flat_map(|(key, cell)| {
            cell.parts.iter().enumerate().map(move |(part, found)| line(key, (part, found), hidden, shape))
        });
        let shown = lines.by_ref().take(MOST).collect();
        Self { lines: shown, is_cut: lines.next().is_some() }
    }
}

fn line(key: &[u32], (part, found): (usize, &Part), hidden: &Hidden, shape: &Shape) -> EvidenceLine {
    let count = |unit: CountedUnit| {
        let mut counts = units(found, shape).into_iter();
        counts.find(|(own, _)| *own == unit).map(|(_, count)| count)
    };
    let is_hidden = hidden.is_hidden(part, key);
    let why = hidden.why.get(&(key.to_vec(), part)).map(|reason| reason.as_str().to_owned());
    EvidenceLine {
        at: (0..key.len()).map(|at| label(at, key, shape).text()).collect(),
        part: u32::try_from(part).unwrap_or(u32::MAX),
        rows: found.rows,
        persons: found.persons.len(),
        facilities: found.facilities.map(u64::from),
        insurers: count(CountedUnit::Insurer),
        municipalities: count(CountedUnit::Municipality),
        largest: found.sums.iter().filter_map(largest).max(),
        is_hidden,
        why: why.or_else(|| is_hidden.then(|| "margins".to_owned())),
    }
}

/// The largest contribution in thousandths of the sum.
fn largest(sum: &SumEvidence) -> Option<u32> {
    let share = sum.top1.checked_mul(1_000)?.checked_div(sum.sum)?;
    u32::try_from(share).ok()
}
