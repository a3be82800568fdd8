//! How many quasi-identifying columns rows are picked by: each further one isolates (attack 7).
//!
//! Counted are the columns that are compared with written values by `=`, `IN` or a prefix, over the whole query and the
//! project's tables behind it, so that a cohort cannot be narrowed down in steps.

use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Judge};

/// Columns that a query may pick by.
const MOST: usize = 8;

/// Notes that rows are picked by a column, and refuses one too many.
pub(crate) fn bound(judge: &Judge<'_>, fact: &ColumnFact) -> Result<(), Refusal> {
    if judge.bind(fact) <= MOST {
        return Ok(());
    }
    let name = fact.origin.as_ref().map(|(_, column)| column.as_str()).unwrap_or_default();
    Err(Refusal::new(
        Rule::Picked,
        format!("rows are picked by the values of at most {MOST} columns that describe a person"),
    )
    .ja(format!("人の属性を表す列の値で行を選べるのは、{MOST} 列までです"))
    .at(judge.places.word(name))
    .suggest("group by the column instead of picking one of its values"))
}
