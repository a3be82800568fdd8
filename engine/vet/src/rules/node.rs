//! Plan nodes outside the allow-list, with what to do instead.

use datafusion_expr::{Distinct, LogicalPlan};

use crate::refusal::{Refusal, Rule};
use crate::relation::Judge;

/// The refusal of a node that may not stand below the release point.
pub(crate) fn refuse(judge: &Judge<'_>, plan: &LogicalPlan) -> Refusal {
    let places = &judge.places;
    let (message, ja, place, suggestion) = match plan {
        LogicalPlan::Aggregate(_) => (
            "aggregation inside a subquery is by person",
            "副問合せの中の集計は person_id ごとに行います",
            places.phrase(&["GROUP", "BY"]),
            "aggregate once, in the outermost SELECT",
        ),
        LogicalPlan::Distinct(Distinct::All(_) | Distinct::On(_)) => (
            "DISTINCT would list rows",
            "DISTINCT は行を並べることになります",
            places.word("DISTINCT"),
            "SELECT sex, count(DISTINCT person_id) FROM person GROUP BY sex",
        ),
        LogicalPlan::Window(_) => (
            "windows belong into a subquery, over the rows of one person",
            "ウィンドウ関数は副問合せの中で、一人の行に対して使います",
            places.word("OVER"),
            "row_number() OVER (PARTITION BY person_id ORDER BY service_month) in a subquery",
        ),
        LogicalPlan::Sort(_) => (
            "rows are not sorted below the release",
            "集計より下で行を並べ替えることはできません",
            places.phrase(&["ORDER", "BY"]),
            "drop ORDER BY",
        ),
        LogicalPlan::Limit(_) => (
            "rows are not cut below the release",
            "集計より下で行を切り取ることはできません",
            places.word("LIMIT"),
            "drop LIMIT",
        ),
        LogicalPlan::Union(_) => (
            "a union stands in a subquery, and each branch hands on the person",
            "UNION は副問合せの中で、各枝が person_id を持つ形で使います",
            places.word("UNION"),
            "ask two queries, or use OR in the condition",
        ),
        LogicalPlan::Subquery(_) => (
            "a subquery looks up persons in a condition, and nothing else",
            "副問合せは条件の中で人を探すためだけに使えます",
            places.word("IN"),
            "join the table by person_id",
        ),
        LogicalPlan::EmptyRelation(_) => (
            "a query reads at least one table",
            "問合せは少なくとも一つの表を読みます",
            places.word("SELECT"),
            "SELECT … FROM person …",
        ),
        LogicalPlan::Values(_) => (
            "literal rows cannot be joined to persons",
            "文中に書いた行を人の表と結合することはできません",
            places.word("VALUES"),
            "write the values into an IN list",
        ),
        LogicalPlan::RecursiveQuery(_) => (
            "recursive queries are not allowed",
            "再帰的な問合せはできません",
            places.word("RECURSIVE"),
            "drop RECURSIVE",
        ),
        LogicalPlan::Unnest(_) => (
            "UNNEST is not allowed",
            "UNNEST は使えません",
            places.word("UNNEST"),
            "join the table by person_id",
        ),
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_) => (
            "plans and statistics are not shown",
            "実行計画や統計は見せません",
            None,
            "see the catalogue pages for tables and columns",
        ),
        LogicalPlan::Statement(_) | LogicalPlan::Dml(_) | LogicalPlan::Ddl(_) | LogicalPlan::Copy(_) => {
            ("a query only reads", "問合せは読むだけです", None, "write one SELECT statement")
        }
        LogicalPlan::Repartition(_) | LogicalPlan::Extension(_) => (
            "the planner made a step that is not allowed",
            "許されていない処理が含まれています",
            None,
            "write the query with joins, conditions and groups",
        ),
        // Judged where they are met; listed so that the match stays exhaustive.
        LogicalPlan::TableScan(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Projection(_)
        | LogicalPlan::Join(_) => (
            "this step is not allowed here",
            "この処理はここでは使えません",
            None,
            "move it below the aggregate",
        ),
    };
    Refusal::new(Rule::Node, message).ja(ja).at(place).suggest(suggestion)
}
