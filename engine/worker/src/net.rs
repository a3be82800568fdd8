//! Two nets below vetting: the optimised plan, and the physical one, hold nothing but steps of their allow-lists.
//!
//! Vetting judges the plan as it was written. What an optimizer makes of it is not judged again by every rule, but a
//! step that no vetted plan needs ends the query: a scan of another table, a join without an equality, a table in
//! memory, a file that is written. So does an expression that a value could make fail, such as a cast to a narrower
//! type that the analyzer put in: it ends every such query before a row is read, whatever the rows are.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Cast, Distinct, Expr, ExprSchemable as _, LogicalPlan, Operator, WindowFunctionDefinition,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::HashJoinExec;
use engine_protocol::WorkerFault;

/// The optimised plan reads tables that `is_known`, calls our functions, casts to wider types, and nothing else.
pub(crate) fn logical(plan: &LogicalPlan, is_known: &dyn Fn(&str) -> bool) -> Result<(), WorkerFault> {
    let calls = Calls::new();
    let visited = plan.apply_with_subqueries(|node| {
        let below = below(node)?;
        let mut is_total = is_allowed(node, is_known);
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                is_total &= calls.has(expr) && is_total_in(expr, &below);
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        if is_total {
            Ok(TreeNodeRecursion::Continue)
        } else {
            Err(DataFusionError::Plan("a step outside the allow-list".to_owned()))
        }
    });
    visited.map(|_| ()).map_err(|_| WorkerFault::Execution)
}

/// The columns that a node's expressions name.
fn below(node: &LogicalPlan) -> Result<DFSchema> {
    match node {
        LogicalPlan::TableScan(scan) => {
            DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())
        }
        other => Ok(merge_schema(&other.inputs())),
    }
}

/// Whether no value can make an expression fail, its parts left aside. Exhaustive on purpose.
fn is_total_in(expr: &Expr, schema: &DFSchema) -> bool {
    match expr {
        Expr::Alias(_)
        | Expr::Column(_)
        | Expr::Literal(_, _)
        | Expr::Like(_)
        | Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Between(_)
        | Expr::InList(_)
        | Expr::Case(_) => true,
        // Which of them may be called is asked beside this.
        Expr::ScalarFunction(_) | Expr::AggregateFunction(_) | Expr::WindowFunction(_) => true,
        Expr::BinaryExpr(binary) => is_total_operator(binary.op),
        Expr::Negative(inner) => matches!(inner.as_ref(), Expr::Literal(_, _)),
        Expr::Cast(cast) => is_total_cast(cast, schema),
        Expr::TryCast(_)
        | Expr::ScalarVariable(_, _)
        | Expr::SimilarTo(_)
        | Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::SetComparison(_)
        | Expr::ScalarSubquery(_)
        | Expr::GroupingSet(_)
        | Expr::Placeholder(_)
        | Expr::OuterReferenceColumn(_, _)
        | Expr::Unnest(_)
        | Expr::HigherOrderFunction(_)
        | Expr::Lambda(_)
        | Expr::LambdaVariable(_) => false,
        #[expect(deprecated, reason = "listed so that the match stays exhaustive")]
        Expr::Wildcard { .. } => false,
    }
}

/// Sums, differences and products wrap around in 64 bits, and in 128 stay far from their end by the rules on values.
/// Division and remainder fail on zero.
const fn is_total_operator(op: Operator) -> bool {
    matches!(
        op,
        Operator::And
            | Operator::Or
            | Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
            | Operator::Plus
            | Operator::Minus
            | Operator::Multiply
    )
}

/// A cast of a written value that succeeds now, or of a column to a type that holds every value of its own.
fn is_total_cast(cast: &Cast, schema: &DFSchema) -> bool {
    let to = cast.field.data_type();
    match cast.expr.as_ref() {
        Expr::Literal(value, _) => value.cast_to(to).is_ok(),
        other => other.get_type(schema).is_ok_and(|from| is_wider(&from, to)),
    }
}

fn is_wider(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (from, to) if from == to => true,
        (DataType::Null, _)
        | (DataType::Boolean, DataType::Int32 | DataType::Int64)
        | (DataType::Int32, DataType::Int64)
        | (DataType::Utf8, DataType::LargeUtf8 | DataType::Utf8View) => true,
        (DataType::Decimal128(digits, places), DataType::Decimal128(more_digits, more_places)) => {
            let before = |digits: u8, places: i8| i16::from(digits) - i16::from(places);
            more_places >= places && before(*more_digits, *more_places) >= before(*digits, *places)
        }
        (from, DataType::Decimal128(digits, places)) => whole_digits(from)
            .is_some_and(|whole| i16::from(*digits) - i16::from(*places) >= whole && *places >= 0),
        _ => false,
    }
}

/// The digits of the largest whole number of a type.
const fn whole_digits(kind: &DataType) -> Option<i16> {
    match kind {
        DataType::Int32 | DataType::UInt32 => Some(10),
        DataType::Int64 => Some(19),
        DataType::UInt64 => Some(20),
        _ => None,
    }
}

/// Exhaustive on purpose.
fn is_allowed(node: &LogicalPlan, is_known: &dyn Fn(&str) -> bool) -> bool {
    match node {
        LogicalPlan::TableScan(scan) => is_known(scan.table_name.table()),
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::Distinct(Distinct::All(_)) => true,
        LogicalPlan::Sort(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::Distinct(Distinct::On(_))
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_) => false,
    }
}

/// The functions that a vetted plan may call, by name.
struct Calls {
    scalars: HashSet<String>,
    aggregates: HashSet<String>,
    windows: HashSet<String>,
}

impl Calls {
    fn new() -> Self {
        let scalars = engine_vet::registered();
        let aggregates = engine_vet::aggregates();
        let windows = engine_vet::windows();
        Self {
            scalars: scalars.iter().map(|function| function.name().to_owned()).collect(),
            aggregates: aggregates.iter().map(|function| function.name().to_owned()).collect(),
            windows: windows.iter().map(|function| function.name().to_owned()).collect(),
        }
    }

    /// Whether an expression calls none but these.
    fn has(&self, expr: &Expr) -> bool {
        match expr {
            Expr::ScalarFunction(call) => self.scalars.contains(call.func.name()),
            Expr::AggregateFunction(call) => self.aggregates.contains(call.func.name()),
            Expr::WindowFunction(call) => match &call.fun {
                WindowFunctionDefinition::AggregateUDF(call) => self.aggregates.contains(call.name()),
                WindowFunctionDefinition::WindowUDF(call) => self.windows.contains(call.name()),
            },
            _ => true,
        }
    }
}

/// The steps of a physical plan that vetted plans become. No join but by equality, no source but files, no sink.
const STEPS: [&str; 15] = [
    "AggregateExec",
    "BoundedWindowAggExec",
    "CoalesceBatchesExec",
    "CoalescePartitionsExec",
    "CooperativeExec",
    "DataSourceExec",
    "EmptyExec",
    "FilterExec",
    "HashJoinExec",
    "InterleaveExec",
    "ProjectionExec",
    "SortExec",
    "SortPreservingMergeExec",
    "UnionExec",
    "WindowAggExec",
];

/// The physical plan is made of the steps above.
pub(crate) fn physical(plan: &Arc<dyn ExecutionPlan>) -> Result<(), WorkerFault> {
    let is_step = STEPS.contains(&plan.name());
    let has_equality = plan.downcast_ref::<HashJoinExec>().is_none_or(|join| !join.on().is_empty());
    let reads_files = plan
        .downcast_ref::<DataSourceExec>()
        .is_none_or(|source| source.data_source().downcast_ref::<FileScanConfig>().is_some());
    if !(is_step && has_equality && reads_files) {
        return Err(WorkerFault::Execution);
    }
    plan.children().into_iter().try_for_each(physical)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::common::DFSchema;
    use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast, col, lit, try_cast};
    use datafusion::physical_plan::ExecutionPlan;
    use datafusion::physical_plan::empty::EmptyExec;
    use datafusion::physical_plan::joins::CrossJoinExec;
    use datafusion::physical_plan::limit::GlobalLimitExec;

    use super::{is_total_in, is_wider, logical, physical};

    #[test]
    fn only_wider_types_are_cast_to() {
        let decimal = DataType::Decimal128;
        let wider = [
            (DataType::Int32, DataType::Int64),
            (DataType::Int64, decimal(19, 0)),
            (DataType::Int64, decimal(25, 5)),
            (DataType::UInt64, decimal(20, 0)),
            (decimal(18, 5), decimal(38, 5)),
            (DataType::Boolean, DataType::Int64),
            (DataType::Utf8, DataType::Utf8View),
        ];
        for (from, to) in &wider {
            assert!(is_wider(from, to), "{from} {to}");
            assert!(!is_wider(to, from), "{to} {from}");
        }
        for (from, to) in [
            (DataType::Int64, decimal(38, 37)),
            (DataType::Int64, decimal(18, 0)),
            (decimal(38, 5), decimal(38, 6)),
            (DataType::Utf8, DataType::Date32),
            (DataType::Utf8, DataType::Int64),
            (DataType::Date32, DataType::Utf8),
        ] {
            assert!(!is_wider(&from, &to), "{from} {to}");
        }
    }

    #[test]
    fn expressions_that_a_value_could_end_are_not_run() {
        let fields = vec![Field::new("n", DataType::Int64, true), Field::new("t", DataType::Utf8, true)];
        let schema = DFSchema::try_from(Schema::new(fields)).unwrap();
        let is_total = |expr: Expr| is_total_in(&expr, &schema);
        assert!(is_total(cast(col("n"), DataType::Decimal128(25, 5))));
        assert!(is_total(cast(lit("2024-04-01"), DataType::Date32)));
        assert!(is_total(col("n") + lit(1_i64)));
        assert!(!is_total(cast(col("n"), DataType::Decimal128(38, 37))));
        assert!(!is_total(cast(col("t"), DataType::Date32)));
        assert!(!is_total(cast(lit("x"), DataType::Date32)));
        assert!(!is_total(cast(col("absent"), DataType::Int64)));
        assert!(!is_total(try_cast(col("t"), DataType::Int64)));
        assert!(!is_total(col("n") / lit(2_i64)));
        assert!(!is_total(col("n") % lit(2_i64)));
        assert!(!is_total(-col("n")));
    }

    #[test]
    fn steps_that_no_vetted_plan_needs_are_not_taken() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        let empty = || Arc::new(EmptyExec::new(Arc::clone(&schema))) as Arc<dyn ExecutionPlan>;
        assert!(physical(&empty()).is_ok());
        let crossed: Arc<dyn ExecutionPlan> = Arc::new(CrossJoinExec::new(empty(), empty()));
        assert!(physical(&crossed).is_err());
        let cut: Arc<dyn ExecutionPlan> = Arc::new(GlobalLimitExec::new(empty(), 0, Some(1)));
        assert!(physical(&cut).is_err());
    }

    #[test]
    fn a_plan_of_written_rows_and_one_that_is_cut_are_not_run() {
        let values = LogicalPlanBuilder::values(vec![vec![lit(1_i64)]]).unwrap().build().unwrap();
        assert!(logical(&values, &|_| true).is_err());
        let empty = LogicalPlanBuilder::empty(false).build().unwrap();
        assert!(logical(&empty, &|_| true).is_ok());
        let cut = LogicalPlanBuilder::from(empty).limit(0, Some(1)).unwrap().build().unwrap();
        assert!(logical(&cut, &|_| true).is_err());
    }
}
