//! How many quasi-identifying columns rows are picked by: each further one isolates (attack 7).
//!
//! Counted are the columns behind whatever is compared with written values, over the whole query and the project's
//! tables behind it, so that a cohort cannot be narrowed down in steps. By which operator does not matter: `>=` with `<=`,
//! `BETWEEN` and `NOT <>` pick one value as `=` does, and so do a function of the column, and a column that a CASE of
//! written values is compared with.

use std::collections::BTreeSet;

use datafusion_common::DFSchema;
use datafusion_common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion_expr::Expr;

use super::age_floor;
use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Describing, Judge, Relation};

/// Columns that a query may pick by.
const MOST: usize = 8;

/// What describes persons in an expression.
pub(crate) fn describing(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<Describing, Refusal> {
    let mut found = Describing::default();
    let mut add = |fact: &ColumnFact| {
        found.columns.extend(fact.describing.columns.iter().cloned());
        found.is_chosen |= fact.describing.is_chosen;
        found.ages.extend(&fact.describing.ages);
        found.met.extend(&fact.describing.met);
    };
    let (mut is_chosen, mut ages) = (false, BTreeSet::new());
    let mut looked = Ok(());
    let visited = expr.apply(|part| {
        match part {
            Expr::Column(column) => match judge.column(column, schema, relation) {
                Ok(fact) => add(fact),
                Err(refusal) => looked = Err(refusal),
            },
            Expr::OuterReferenceColumn(_, column) => match judge.outer_column(column) {
                Ok(fact) => add(&fact),
                Err(refusal) => looked = Err(refusal),
            },
            Expr::Case(_) => is_chosen = true,
            Expr::ScalarFunction(call) => is_chosen |= call.func.name() == "coalesce",
            // How many rows there are of a person is for the query to say.
            Expr::AggregateFunction(call) => is_chosen |= is_of_many(call.func.name()),
            _ => {}
        }
        match age_floor::told_apart(judge, part, schema, relation) {
            Ok(more) => ages.extend(more),
            Err(refusal) => looked = Err(refusal),
        }
        Ok(if looked.is_ok() { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    looked?;
    visited.map_err(|_| Refusal::new(Rule::Size, "the query is too deep to be planned"))?;
    found.is_chosen |= is_chosen;
    found.ages.extend(ages);
    found.is_age = age_floor::is_age(judge, expr, schema, relation)?;
    Ok(found)
}

/// Whether an aggregate grows with the rows that it is over.
pub(crate) fn is_of_many(aggregate: &str) -> bool {
    matches!(aggregate, "count" | "sum")
}

/// Notes that rows are picked by comparing two values: by the columns of either where the other is, or may be, written.
pub(crate) fn compared(
    judge: &Judge<'_>,
    (one, two): (&Expr, &Expr),
    schema: &DFSchema,
    relation: &Relation,
) -> Result<(), Refusal> {
    let one = describing(judge, one, schema, relation)?;
    let two = describing(judge, two, schema, relation)?;
    for (side, other) in [(&one, &two), (&two, &one)] {
        if other.columns.is_empty() || other.is_chosen {
            bound(judge, side)?;
        }
    }
    Ok(())
}

/// Notes that rows are picked by the values of an expression.
pub(crate) fn by(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<(), Refusal> {
    bound(judge, &describing(judge, expr, schema, relation)?)
}

/// Notes that rows are picked by columns, and refuses one too many.
fn bound(judge: &Judge<'_>, describing: &Describing) -> Result<(), Refusal> {
    if describing.columns.is_empty() || judge.bind(&describing.columns) <= MOST {
        return Ok(());
    }
    let name = describing.columns.iter().next_back().and_then(|name| name.rsplit('.').next());
    Err(Refusal::new(
        Rule::Picked,
        format!("rows are picked by the values of at most {MOST} columns that describe a person"),
    )
    .ja(format!("人の属性を表す列の値で行を選べるのは、{MOST} 列までです"))
    .at(name.and_then(|name| judge.places.word(name)))
    .suggest("group by the column instead of picking one of its values"))
}
