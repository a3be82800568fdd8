//! The evidence plan: one row for each group and person, so that every cell can show who stands behind it.

use std::sync::Arc;

use catalog_model::{Catalogue, Grant};
use datafusion_common::tree_node::{Transformed, TreeNode as _};
use datafusion_common::{Column, DataFusionError, Result, ScalarValue};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, col, lit, when};
use datafusion_functions_aggregate::expr_fn::{count, sum};

use crate::relation::{MeasureFact, Relation};

/// The column with the person behind the row.
pub const PERSON: &str = "person";
/// The column with the number of rows of the group and person.
pub const ROWS: &str = "rows";
/// Group keys are `key_0`, `key_1` …
pub const KEY_PREFIX: &str = "key_";
/// Sums are `sum_0` …; the number of summed values follows each as `num_0` ….
pub const SUM_PREFIX: &str = "sum_";
/// The number of summed values.
pub const NUM_PREFIX: &str = "num_";
const MEASURE_PREFIX: &str = "measure_";

/// Builds the evidence plan over the relation below the release point.
pub(crate) fn evidence(
    input: &LogicalPlan,
    relation: &Relation,
    keys: &[Expr],
    measures: &[(Expr, MeasureFact)],
    catalogue: &Catalogue,
    grant: &Grant,
) -> Result<LogicalPlan> {
    let person = relation
        .iter()
        .position(|fact| fact.is_unit)
        .map(|at| Expr::Column(Column::from(input.schema().qualified_field(at))))
        .ok_or_else(|| DataFusionError::Plan("no person stands behind the rows".to_owned()))?;
    let input = within_period(input.clone(), catalogue, grant)?;
    let mut columns: Vec<Expr> = keys
        .iter()
        .enumerate()
        .map(|(at, key)| key.clone().unalias().alias(format!("{KEY_PREFIX}{at}")))
        .collect();
    columns.push(person.alias(PERSON));
    for (at, (measure, fact)) in measures.iter().enumerate() {
        columns.push(clamped(measure, fact)?.alias(format!("{MEASURE_PREFIX}{at}")));
    }
    let groups = (0..keys.len()).map(|at| col(format!("{KEY_PREFIX}{at}"))).chain([col(PERSON)]);
    let mut aggregates = vec![count(lit(1_i64)).alias(ROWS)];
    for at in 0..measures.len() {
        aggregates.push(sum(col(format!("{MEASURE_PREFIX}{at}"))).alias(format!("{SUM_PREFIX}{at}")));
        aggregates.push(count(col(format!("{MEASURE_PREFIX}{at}"))).alias(format!("{NUM_PREFIX}{at}")));
    }
    LogicalPlanBuilder::from(input)
        .project(columns)?
        .aggregate(groups.collect::<Vec<_>>(), aggregates)?
        .build()
}

/// Keeps rows of the permit's period only, at every scan of a table that has one.
fn within_period(plan: LogicalPlan, catalogue: &Catalogue, grant: &Grant) -> Result<LogicalPlan> {
    let day = |days: i32| lit(ScalarValue::Date32(Some(days)));
    let (from, to) = (grant.period.from.first_day().days(), grant.period.to.last_day().days());
    let limited = plan.transform_up(|node| {
        let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
        let period = catalogue.tables.get(scan.table_name.table()).and_then(|table| table.period.as_ref());
        let Some(period) = period else { return Ok(Transformed::no(node)) };
        let column = Expr::Column(Column::new(Some(scan.table_name.clone()), period));
        let limited = LogicalPlanBuilder::from(node).filter(column.between(day(from), day(to)))?.build()?;
        Ok(Transformed::yes(limited))
    })?;
    Ok(limited.data)
}

/// The measure, held within its declared bounds, so that one wrong value cannot stand for a whole sum.
fn clamped(measure: &Expr, fact: &MeasureFact) -> Result<Expr> {
    let bound = |value: i64| match fact.scale {
        0 => lit(value),
        _ => cast(lit(value), arrow::datatypes::DataType::Decimal128(18, 5)),
    };
    when(measure.clone().gt(bound(fact.bounds.high)), bound(fact.bounds.high))
        .when(measure.clone().lt(bound(fact.bounds.low)), bound(fact.bounds.low))
        .otherwise(measure.clone())
}

/// Replaces the scans' sources, so that the same vetted plan reads one bucket after the other.
///
/// # Errors
///
/// The plan cannot be rebuilt, which would be a defect.
pub(crate) fn with_sources(
    plan: &LogicalPlan,
    source: &dyn Fn(&str) -> Option<Arc<dyn datafusion_expr::TableSource>>,
) -> Result<LogicalPlan> {
    let replaced = plan.clone().transform_up(|node| {
        let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
        let name = scan.table_name.table().to_owned();
        scan.source = source(&name).ok_or_else(|| DataFusionError::Plan(format!("no data for {name}")))?;
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    })?;
    Ok(replaced.data)
}
