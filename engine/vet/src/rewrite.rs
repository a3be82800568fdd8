//! The evidence plan: one row for each group and person (and facility, unit and ranked value), so that every cell can
//! show who stands behind it.

use std::collections::BTreeSet;
use std::sync::Arc;

use catalog_model::{Catalogue, Grant};
use datafusion_common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion_common::{Column, DFSchemaRef, DataFusionError, Result, ScalarValue, TableReference};
use datafusion_expr::expr::{Alias, Sort, WindowFunction};
use datafusion_expr::{
    Expr, ExprSchemable as _, LogicalPlan, LogicalPlanBuilder, Window, cast, col, lit, when,
};
use datafusion_functions_aggregate::expr_fn::count;

use crate::canonical;
use crate::checked_sum::checked_sum;
use crate::relation::{MeasureFact, Relation};
use crate::stored::Meant;

/// The column with the person behind the row.
pub const PERSON: &str = "person";
/// The column with the facility behind the row.
pub const FACILITY: &str = "facility";
/// Columns with the insurer or municipality behind the row are `unit_0` …, in the order of the shape.
pub const UNIT_PREFIX: &str = "unit_";
/// The column with the value that is ranked.
pub const RANKED: &str = "ranked";
/// The column with the number of rows of the group and person.
pub const ROWS: &str = "rows";
/// Group keys are `key_0`, `key_1` …
pub const KEY_PREFIX: &str = "key_";
/// Rows that meet a condition are `rows_0` …
pub const ROWS_PREFIX: &str = "rows_";
/// Sums are `sum_0` …; the number of summed values follows each as `num_0` ….
pub const SUM_PREFIX: &str = "sum_";
/// The number of summed values.
pub const NUM_PREFIX: &str = "num_";
/// The sum of their squares.
pub const SQUARE_PREFIX: &str = "square_";
/// Values of measures, before they are summed, are `measure_0` …
pub const MEASURE_PREFIX: &str = "measure_";
/// What is not null in rows that meet a condition is `part_0` …
pub const PART_PREFIX: &str = "part_";
/// Figures of public tables are `public_0` …
pub const PUBLIC_PREFIX: &str = "public_";

/// What evidence is asked of a relation.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) keys: Vec<Expr>,
    pub(crate) conditions: Vec<Expr>,
    /// Measure, bounds, part, and whether squares are summed.
    pub(crate) measures: Vec<(Expr, MeasureFact, usize, bool)>,
    pub(crate) ranked: Option<(Expr, MeasureFact, usize)>,
    pub(crate) facility: Option<Expr>,
    pub(crate) units: Vec<Expr>,
}

impl Wanted {
    /// What is wanted over what is stored, of rows with these schemas: conditions say the codes of their lists, in one
    /// form, by which they are recognised.
    pub(crate) fn over(&mut self, meant: Meant<'_>, seen: &[DFSchemaRef]) -> Result<()> {
        let keys = self.keys.iter_mut().chain(&mut self.conditions);
        let measures = self.measures.iter_mut().map(|(expr, _, _, _)| expr);
        let ranked = self.ranked.iter_mut().map(|(expr, _, _)| expr);
        for expr in keys.chain(measures).chain(ranked) {
            *expr = meant.expr(expr.clone())?;
        }
        for condition in &mut self.conditions {
            *condition = canonical::condition(condition.clone(), seen);
        }
        Ok(())
    }
}

/// Builds the evidence plan over the relation below the release point.
pub(crate) fn evidence(
    input: &LogicalPlan,
    relation: &Relation,
    wanted: &Wanted,
    meant: Meant<'_>,
) -> Result<LogicalPlan> {
    let person = relation
        .iter()
        .position(|fact| fact.is_unit())
        .map(|at| Expr::Column(Column::from(input.schema().qualified_field(at))))
        .ok_or_else(|| DataFusionError::Plan("no person stands behind the rows".to_owned()))?;
    let mut columns: Vec<Expr> = numbered(&wanted.keys, KEY_PREFIX).collect();
    let mut groups: Vec<Expr> = (0..wanted.keys.len()).map(|at| col(format!("{KEY_PREFIX}{at}"))).collect();
    columns.push(person.alias(PERSON));
    groups.push(col(PERSON));
    if let Some(facility) = &wanted.facility {
        columns.push(facility.clone().alias(FACILITY));
        groups.push(col(FACILITY));
    }
    columns.extend(numbered(&wanted.units, UNIT_PREFIX));
    groups.extend((0..wanted.units.len()).map(|at| col(format!("{UNIT_PREFIX}{at}"))));
    if let Some((ranked, fact, part)) = &wanted.ranked {
        columns.push(of_part(clamped(ranked, fact)?, *part, wanted)?.alias(RANKED));
        groups.push(col(RANKED));
    }
    let mut aggregates = vec![count(lit(1_i64)).alias(ROWS)];
    for (at, condition) in wanted.conditions.iter().enumerate() {
        columns.push(when(condition.clone(), lit(1_i64)).end()?.alias(format!("{PART_PREFIX}{at}")));
        // Rows that meet other conditions are rows of their own: what lies outside a part is protected as well.
        groups.push(col(format!("{PART_PREFIX}{at}")));
        aggregates.push(count(col(format!("{PART_PREFIX}{at}"))).alias(format!("{ROWS_PREFIX}{at}")));
    }
    for (at, (measure, fact, part, squares)) in wanted.measures.iter().enumerate() {
        let measure = of_part(clamped(measure, fact)?, *part, wanted)?;
        columns.push(measure.alias(format!("{MEASURE_PREFIX}{at}")));
        let measure = || col(format!("{MEASURE_PREFIX}{at}"));
        aggregates.push(sum(measure()).alias(format!("{SUM_PREFIX}{at}")));
        aggregates.push(count(measure()).alias(format!("{NUM_PREFIX}{at}")));
        if *squares {
            aggregates.push(sum(square(measure(), fact.scale)).alias(format!("{SQUARE_PREFIX}{at}")));
        }
    }
    let plan =
        LogicalPlanBuilder::from(input.clone()).project(columns)?.aggregate(groups, aggregates)?.build()?;
    rows(plan, meant)
}

/// A plan as it is executed: over what is stored, its conditions in one form, within the permit's period, its windows
/// fully ordered; in subqueries and in conditions inside aggregates as well.
pub(crate) fn rows(plan: LogicalPlan, meant: Meant<'_>) -> Result<LogicalPlan> {
    settled(within_period(canonical::plan(meant.plan(plan)?)?, meant.catalogue, meant.grant)?)
}

fn numbered<'e>(exprs: &'e [Expr], prefix: &'e str) -> impl Iterator<Item = Expr> + 'e {
    exprs.iter().enumerate().map(move |(at, expr)| expr.clone().unalias().alias(format!("{prefix}{at}")))
}

/// The value in rows of its part, and nothing in others.
fn of_part(value: Expr, part: usize, wanted: &Wanted) -> Result<Expr> {
    match part.checked_sub(1).and_then(|at| wanted.conditions.get(at)) {
        Some(condition) => when(condition.clone(), value).end(),
        None => Ok(value),
    }
}

fn sum(value: Expr) -> Expr {
    checked_sum().call(vec![value])
}

/// The square, in a type that holds it; the cast holds every value of the measure's type.
fn square(measure: Expr, scale: u32) -> Expr {
    let (digits, places) = match i8::try_from(scale) {
        Ok(places) if places > 0 => (38, places),
        _ => (19, 0),
    };
    let wide = cast(measure, arrow::datatypes::DataType::Decimal128(digits, places));
    wide.clone() * wide
}

/// Keeps rows of the permit's period only, at every scan of a table that has one, in subqueries as well.
fn within_period(plan: LogicalPlan, catalogue: &Catalogue, grant: &Grant) -> Result<LogicalPlan> {
    let limited = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
        let Some(within) = of_period(&scan.table_name, catalogue, grant) else {
            return Ok(Transformed::no(node));
        };
        let limited = LogicalPlanBuilder::from(node).filter(within)?.build()?;
        Ok(Transformed::yes(limited))
    })?;
    Ok(limited.data)
}

/// The condition that rows of a scanned table are within the permit's period, as it stands directly on the scan; nothing
/// where the table has no period.
pub fn of_period(scanned: &TableReference, catalogue: &Catalogue, grant: &Grant) -> Option<Expr> {
    let period = catalogue.tables.get(scanned.table())?.period.as_ref()?;
    let day = |days: i32| lit(ScalarValue::Date32(Some(days)));
    let (from, to) = (grant.period.from.first_day().days(), grant.period.to.last_day().days());
    let column = Expr::Column(Column::new(Some(scanned.clone()), period));
    Some(column.between(day(from), day(to)))
}

/// Orders the rows of every window fully, so that no tie is broken by where other persons' rows happen to lie.
///
/// Rows that are equal in every column that the statement names anywhere are the same to it in either order; what it
/// does not name is not ordered by, since its worker has no key to read it.
fn settled(plan: LogicalPlan) -> Result<LogicalPlan> {
    let named = named(&plan)?;
    let settled = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Window(window) = node else { return Ok(Transformed::no(node)) };
        let schema = Arc::clone(window.input.schema());
        let columns: Vec<Expr> = (0..schema.fields().len())
            .map(|at| Column::from(schema.qualified_field(at)))
            .filter(|column| named.contains(&told(column)))
            .map(Expr::Column)
            .collect();
        let exprs = window.window_expr.into_iter().map(|expr| with_ties(expr, &columns, &schema));
        let exprs = exprs.collect::<Result<Vec<_>>>()?;
        Ok(Transformed::yes(LogicalPlan::Window(Window::try_new(exprs, window.input)?)))
    })?;
    Ok(settled.data)
}

/// All columns that a plan's expressions say, each with the relation that it is said to be of.
fn named(plan: &LogicalPlan) -> Result<BTreeSet<(Option<String>, String)>> {
    let mut named = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            named.extend(expr.column_refs().into_iter().map(told));
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(named)
}

fn told(column: &Column) -> (Option<String>, String) {
    (column.relation.as_ref().map(ToString::to_string), column.name.clone())
}

/// Adds these columns to the order of a window whose outcome depends on how ties are broken.
fn with_ties(expr: Expr, columns: &[Expr], schema: &datafusion_common::DFSchema) -> Result<Expr> {
    let name = expr.schema_name().to_string();
    let Expr::WindowFunction(call) = expr else { return Ok(expr) };
    let mut call: Box<WindowFunction> = call;
    let name_of = call.fun.name().to_owned();
    let is_numbering = ["row_number", "lag", "lead"].contains(&name_of.as_str());
    let picks_one = ["first_value", "last_value", "nth_value"].contains(&name_of.as_str());
    let is_by_rows = call.params.window_frame.units == datafusion_expr::WindowFrameUnits::Rows;
    // Peers are what a rank is about, and what a range takes in together.
    let is_rank = ["rank", "dense_rank"].contains(&name_of.as_str());
    if is_rank || !(is_numbering || picks_one || is_by_rows) {
        return Ok(Expr::WindowFunction(call));
    }
    let is_ranged = picks_one && !is_by_rows && !call.params.order_by.is_empty();
    if is_ranged {
        // Over a range the peers of a row are in its frame together: over rows, fully ordered, the first and last of
        // them are the same ones in every run.
        call.params.window_frame = rows_frame(&call.params.window_frame);
    }
    for column in columns {
        if call.params.order_by.iter().all(|sort| sort.expr != *column) && column.get_type(schema).is_ok() {
            call.params.order_by.push(Sort::new(column.clone(), true, false));
        }
    }
    let aliased = Alias::new(Expr::WindowFunction(call), None::<&str>, name);
    Ok(Expr::Alias(aliased))
}

fn rows_frame(frame: &datafusion_expr::WindowFrame) -> datafusion_expr::WindowFrame {
    let (start, end) = (frame.start_bound.clone(), frame.end_bound.clone());
    datafusion_expr::WindowFrame::new_bounds(datafusion_expr::WindowFrameUnits::Rows, start, end)
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
    let replaced = plan.clone().transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
        let name = scan.table_name.table().to_owned();
        scan.source = source(&name).ok_or_else(|| DataFusionError::Plan(format!("no data for {name}")))?;
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    })?;
    Ok(replaced.data)
}
