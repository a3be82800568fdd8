//! The top of a query: a projection of groups and aggregates over one aggregation, and nothing in between.

use datafusion_common::{Column, DFSchema};
use datafusion_expr::expr::GroupingSet;
use datafusion_expr::{Aggregate, Expr, LogicalPlan};

use super::predicate;
use crate::refusal::{Refusal, Rule};
use crate::relation::Judge;

/// The release point of a query: its aggregation, and which of its columns are shown under which names.
pub(crate) struct ReleasePoint<'p> {
    pub(crate) aggregate: &'p Aggregate,
    /// Column number of the aggregation, and the name in the result.
    pub(crate) shown: Vec<(usize, String)>,
    pub(crate) keys: Vec<Expr>,
    pub(crate) is_rollup: bool,
}

const MAX_KEYS: usize = 4;

/// Finds the release point. Exhaustive on purpose.
pub(crate) fn release_point<'p>(
    judge: &Judge<'_>,
    plan: &'p LogicalPlan,
) -> Result<ReleasePoint<'p>, Refusal> {
    match plan {
        LogicalPlan::Projection(projection) => match projection.input.as_ref() {
            LogicalPlan::Aggregate(aggregate) => {
                let schema = &aggregate.schema;
                let shown = projection.expr.iter().map(|expr| shown(judge, expr, schema));
                point(judge, aggregate, shown.collect::<Result<_, _>>()?)
            }
            LogicalPlan::Filter(filter) if matches!(filter.input.as_ref(), LogicalPlan::Aggregate(_)) => {
                Err(Refusal::new(Rule::Root, "HAVING is not available yet")
                    .at(judge.places.word("HAVING"))
                    .suggest("drop HAVING and choose groups in the released table"))
            }
            LogicalPlan::Window(_) => Err(super::node::refuse(judge, projection.input.as_ref())),
            _ => Err(rows(judge)),
        },
        LogicalPlan::Aggregate(aggregate) => {
            let names = aggregate.schema.fields().iter().map(|field| field.name().clone());
            point(judge, aggregate, names.enumerate().collect())
        }
        LogicalPlan::SubqueryAlias(alias) => release_point(judge, &alias.input),
        LogicalPlan::Filter(_) | LogicalPlan::TableScan(_) | LogicalPlan::Join(_) => Err(rows(judge)),
        LogicalPlan::Distinct(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::Extension(_) => Err(super::node::refuse(judge, plan)),
    }
}

fn rows(judge: &Judge<'_>) -> Refusal {
    Refusal::new(Rule::Root, "rows never leave; a result consists of groups and aggregates")
        .at(judge.places.word("*").or_else(|| judge.places.word("SELECT")))
        .suggest("SELECT sex, count(DISTINCT person_id) FROM person GROUP BY sex")
}

fn point<'p>(
    judge: &Judge<'_>,
    aggregate: &'p Aggregate,
    shown: Vec<(usize, String)>,
) -> Result<ReleasePoint<'p>, Refusal> {
    let (keys, is_rollup) = match aggregate.group_expr.as_slice() {
        [Expr::GroupingSet(GroupingSet::Rollup(keys))] => (keys.clone(), true),
        [Expr::GroupingSet(GroupingSet::Cube(_) | GroupingSet::GroupingSets(_))] => {
            return Err(Refusal::new(Rule::Root, "CUBE and GROUPING SETS are not available yet")
                .at(judge.places.word("CUBE").or_else(|| judge.places.word("GROUPING")))
                .suggest("GROUP BY ROLLUP (…)"));
        }
        keys if keys.iter().any(|key| matches!(key, Expr::GroupingSet(_))) => {
            return Err(Refusal::new(Rule::Root, "ROLLUP stands alone in GROUP BY")
                .at(judge.places.word("ROLLUP"))
                .suggest("GROUP BY ROLLUP (a, b)"));
        }
        keys => (keys.to_vec(), false),
    };
    if keys.len() > MAX_KEYS {
        return Err(Refusal::new(Rule::Size, format!("a table has at most {MAX_KEYS} group keys"))
            .at(judge.places.phrase(&["GROUP", "BY"])));
    }
    Ok(ReleasePoint { aggregate, shown, keys, is_rollup })
}

/// The column of the aggregation that an item of the SELECT list shows.
fn shown(judge: &Judge<'_>, expr: &Expr, schema: &DFSchema) -> Result<(usize, String), Refusal> {
    match expr {
        Expr::Alias(alias) => shown(judge, &alias.expr, schema).map(|(at, _)| (at, alias.name.clone())),
        Expr::Column(column) => {
            at(schema, column).map(|at| (at, column.name.clone())).ok_or_else(|| rows(judge))
        }
        other => {
            let (what, word) = predicate::describe(other);
            Err(Refusal::new(Rule::Root, format!("{what} on aggregates is not available yet"))
                .at(judge.places.word(word))
                .suggest("show the aggregates themselves and compute from the released table"))
        }
    }
}

fn at(schema: &DFSchema, column: &Column) -> Option<usize> {
    schema.maybe_index_of_column(column)
}
