//! Plan nodes outside the allow-list, with what to do instead.

use datafusion_expr::{Distinct, LogicalPlan};

use crate::refusal::{Refusal, Rule};
use crate::relation::Judge;

/// The refusal of a node that may not stand below the release point.
pub(crate) fn refuse(judge: &Judge<'_>, plan: &LogicalPlan) -> Refusal {
    let places = &judge.places;
    let (message, place, suggestion) = match plan {
        LogicalPlan::Aggregate(_) => (
            "aggregation inside a subquery is not available yet",
            places.phrase(&["GROUP", "BY"]),
            "aggregate once, in the outermost SELECT",
        ),
        LogicalPlan::Distinct(Distinct::All(_) | Distinct::On(_)) => (
            "DISTINCT would list rows",
            places.word("DISTINCT"),
            "group by the columns and count persons: GROUP BY …, count(DISTINCT person_id)",
        ),
        LogicalPlan::Window(_) => {
            ("window functions are not available yet", places.word("OVER"), "count events per group instead")
        }
        LogicalPlan::Sort(_) => {
            ("rows are not sorted below the release", places.phrase(&["ORDER", "BY"]), "drop ORDER BY")
        }
        LogicalPlan::Limit(_) => ("rows are not cut below the release", places.word("LIMIT"), "drop LIMIT"),
        LogicalPlan::Union(_) => (
            "UNION is not available yet",
            places.word("UNION"),
            "ask two queries, or use OR in the condition",
        ),
        LogicalPlan::Subquery(_) => (
            "subqueries in expressions are not available yet",
            places.word("IN"),
            "join the table by person_id",
        ),
        LogicalPlan::EmptyRelation(_) => {
            ("a query reads at least one table", places.word("SELECT"), "SELECT … FROM person …")
        }
        LogicalPlan::Values(_) => (
            "literal rows cannot be joined to persons",
            places.word("VALUES"),
            "write the values into an IN list",
        ),
        LogicalPlan::RecursiveQuery(_) => {
            ("recursive queries are not allowed", places.word("RECURSIVE"), "drop RECURSIVE")
        }
        LogicalPlan::Unnest(_) => {
            ("UNNEST is not allowed", places.word("UNNEST"), "join the table by person_id")
        }
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_) => {
            ("plans and statistics are not shown", None, "see the catalogue pages for tables and columns")
        }
        LogicalPlan::Statement(_) | LogicalPlan::Dml(_) | LogicalPlan::Ddl(_) | LogicalPlan::Copy(_) => {
            ("a query only reads", None, "write one SELECT statement")
        }
        LogicalPlan::Repartition(_) | LogicalPlan::Extension(_) => (
            "the planner made a step that is not allowed",
            None,
            "write the query with joins, conditions and groups",
        ),
        // Judged where they are met; listed so that the match stays exhaustive.
        LogicalPlan::TableScan(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Projection(_)
        | LogicalPlan::Join(_) => ("this step is not allowed here", None, "move it below the aggregate"),
    };
    Refusal::new(Rule::Node, message).at(place).suggest(suggestion)
}
