//! Two nets below vetting: the optimised plan, and the physical one, hold nothing but steps of their allow-lists.
//!
//! Vetting judges the plan as it was written. What an optimizer makes of it is not judged again by every rule, but a
//! step that no vetted plan needs ends the query: a scan of another table, a join without an equality, a table in
//! memory, a file that is written.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, WindowFunctionDefinition};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::HashJoinExec;
use engine_protocol::WorkerFault;

/// The optimised plan reads tables that `is_known` and calls our functions, and nothing else.
pub(crate) fn logical(plan: &LogicalPlan, is_known: &dyn Fn(&str) -> bool) -> Result<(), WorkerFault> {
    let calls = Calls::new();
    let visited = plan.apply_with_subqueries(|node| {
        let mut are_ours = is_allowed(node, is_known);
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                are_ours &= calls.has(expr);
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        if are_ours {
            Ok(TreeNodeRecursion::Continue)
        } else {
            Err(DataFusionError::Plan("a step outside the allow-list".to_owned()))
        }
    });
    visited.map(|_| ()).map_err(|_| WorkerFault::Execution)
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
    use datafusion::logical_expr::{LogicalPlanBuilder, lit};
    use datafusion::physical_plan::ExecutionPlan;
    use datafusion::physical_plan::empty::EmptyExec;
    use datafusion::physical_plan::joins::CrossJoinExec;
    use datafusion::physical_plan::limit::GlobalLimitExec;

    use super::{logical, physical};

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
