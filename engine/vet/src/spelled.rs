//! A plan or an expression spelled out: two are spelled alike only where they are the same.
//!
//! What is recognised again is recognised by this text: a kept answer, a cohort, a condition. The engine's own text is
//! for reading: it leaves out brackets, does not escape quotes, and prints no subquery. Here every node stands in
//! brackets of its own, with the length of what it says of itself before it, so that no value reads as a piece of
//! something else. Places in the statement are left out.

use std::fmt::Write as _;

use datafusion_common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion_common::{Column, ScalarValue, TableReference};
use datafusion_expr::expr::{AggregateFunctionParams, Sort, WindowFunctionParams};
use datafusion_expr::{Distinct, Expr, LogicalPlan, Subquery, TableScan};

/// A plan, its subqueries included.
pub(crate) fn plan(plan: &LogicalPlan) -> String {
    let mut spelling = Spelling::default();
    spelling.plan(plan);
    spelling.text
}

/// An expression, its subqueries included.
pub(crate) fn expr(expr: &Expr) -> String {
    let mut spelling = Spelling::default();
    spelling.expr(expr);
    spelling.text
}

/// A plan without the values that it names, the names of its tables and digits in names: what plans have in common that ask the same of
/// other values.
pub(crate) fn family(plan: &LogicalPlan) -> String {
    let mut spelling = Spelling { is_family: true, ..Spelling::default() };
    spelling.plan(plan);
    spelling.text
}

#[derive(Default)]
struct Spelling {
    text: String,
    /// Whether values are left out.
    is_family: bool,
}

impl Spelling {
    fn plan(&mut self, plan: &LogicalPlan) {
        self.open('[', &self.node(plan));
        // Neither this nor what it calls fails.
        let _ = plan.apply_expressions(|expr| {
            self.expr(expr);
            Ok(TreeNodeRecursion::Continue)
        });
        for input in plan.inputs() {
            self.plan(input);
        }
        self.text.push(']');
    }

    fn expr(&mut self, expr: &Expr) {
        if self.is_family && is_written(expr) {
            return;
        }
        self.open('(', &self.head(expr));
        let mut parts: Vec<&Expr> = Vec::new();
        let _ = expr.apply_children(|part| {
            parts.push(part);
            Ok(TreeNodeRecursion::Continue)
        });
        for part in parts {
            self.expr(part);
        }
        if let Some(subquery) = subquery(expr) {
            self.plan(&subquery.subquery);
        }
        self.text.push(')');
    }

    /// Opens a node with what it says of itself.
    fn open(&mut self, bracket: char, head: &str) {
        // Writing to a text does not fail.
        let _ = write!(self.text, "{bracket}{}:{head}", head.len());
    }

    /// What a plan's node says beside its expressions and inputs.
    fn node(&self, plan: &LogicalPlan) -> String {
        match plan {
            LogicalPlan::Projection(_) => "projection".to_owned(),
            LogicalPlan::Filter(_) => "filter".to_owned(),
            LogicalPlan::Window(_) => "window".to_owned(),
            LogicalPlan::Union(_) => "union".to_owned(),
            LogicalPlan::Distinct(Distinct::All(_)) => "distinct".to_owned(),
            LogicalPlan::Subquery(_) => "subquery".to_owned(),
            LogicalPlan::Aggregate(aggregate) => format!("aggregate {}", aggregate.group_expr.len()),
            LogicalPlan::Join(join) => format!(
                "join {:?} {:?} {:?} {} {}",
                join.join_type,
                join.join_constraint,
                join.null_equality,
                join.null_aware,
                join.on.len()
            ),
            LogicalPlan::SubqueryAlias(_) if self.is_family => "as".to_owned(),
            LogicalPlan::SubqueryAlias(alias) => format!("as {}", self.table(&alias.alias)),
            LogicalPlan::TableScan(scan) => self.scan(scan),
            // No vetted plan has one of these; of their expressions the engine's text says the rest.
            LogicalPlan::Distinct(Distinct::On(_))
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
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
            | LogicalPlan::Extension(_) => plan.display().to_string(),
        }
    }

    /// A table with its columns; the types of everything else follow from theirs.
    fn scan(&self, scan: &TableScan) -> String {
        let mut head =
            format!("scan {} {:?} {:?}", self.table(&scan.table_name), scan.projection, scan.fetch);
        for field in scan.projected_schema.fields() {
            let _ = write!(head, " {:?} {:?} {}", field.name(), field.data_type(), field.is_nullable());
        }
        head
    }

    /// What an expression says beside its parts.
    fn head(&self, expr: &Expr) -> String {
        match expr {
            Expr::Column(column) => format!("column {}", self.column(column)),
            Expr::OuterReferenceColumn(field, column) => {
                format!("outer {} {:?}", self.column(column), field.data_type())
            }
            Expr::Literal(value, about) => format!("{} {about:?}", literal(value)),
            Expr::Alias(alias) => {
                let of = alias.relation.as_ref().filter(|_| !self.is_family).map(|table| self.table(table));
                format!("as {of:?} {:?} {:?}", self.name(&alias.name), alias.metadata)
            }
            Expr::BinaryExpr(binary) => format!("{:?}", binary.op),
            Expr::Like(like) | Expr::SimilarTo(like) => {
                let is_like = matches!(expr, Expr::Like(_));
                format!("{is_like} {} {:?} {}", like.negated, like.escape_char, like.case_insensitive)
            }
            Expr::Between(between) => format!("between {}", between.negated),
            Expr::InList(list) => format!("in list {}", list.negated),
            Expr::InSubquery(condition) => format!("in {}", condition.negated),
            Expr::Exists(condition) => format!("exists {}", condition.negated),
            Expr::SetComparison(condition) => format!("{:?} {:?}", condition.op, condition.quantifier),
            Expr::ScalarSubquery(_) => "subquery".to_owned(),
            Expr::Case(case) => {
                let (of, otherwise) = (case.expr.is_some(), case.else_expr.is_some());
                format!("case {of} {} {otherwise}", case.when_then_expr.len())
            }
            Expr::Cast(cast) => format!("cast {:?}", cast.field.data_type()),
            Expr::TryCast(cast) => format!("try cast {:?}", cast.field.data_type()),
            Expr::ScalarFunction(call) => format!("call {:?}", call.func.name()),
            Expr::AggregateFunction(call) => format!("of {:?} {}", call.func.name(), aggregate(&call.params)),
            Expr::WindowFunction(call) => format!("over {:?} {}", call.fun.name(), window(&call.params)),
            _ => plain(expr),
        }
    }

    fn column(&self, column: &Column) -> String {
        // What a query calls its tables is no part of what it asks.
        let of = column.relation.as_ref().filter(|_| !self.is_family).map(|table| self.table(table));
        format!("{of:?} {:?}", self.name(&column.name))
    }

    fn table(&self, table: &TableReference) -> String {
        let parts = [table.catalog(), table.schema(), Some(table.table())];
        format!("{:?}", parts.map(|part| part.map(|name| self.name(name))))
    }

    /// A name; in a family without digits, and nothing of one that the planner made of an expression and its values.
    fn name(&self, name: &str) -> String {
        match self.is_family {
            true if name.contains('(') => String::new(),
            true => name.chars().filter(|letter| !letter.is_ascii_digit()).collect(),
            false => name.to_owned(),
        }
    }
}

/// What stands before or after one operand, and expressions that no vetted plan has.
fn plain(expr: &Expr) -> String {
    let word = match expr {
        Expr::Not(_) => "not",
        Expr::Negative(_) => "negative",
        Expr::IsNull(_) => "is null",
        Expr::IsNotNull(_) => "is not null",
        Expr::IsTrue(_) => "is true",
        Expr::IsNotTrue(_) => "is not true",
        Expr::IsFalse(_) => "is false",
        Expr::IsNotFalse(_) => "is not false",
        Expr::IsUnknown(_) => "is unknown",
        Expr::IsNotUnknown(_) => "is not unknown",
        other => return format!("{other:?}"),
    };
    word.to_owned()
}

fn literal(value: &ScalarValue) -> String {
    let bytes = match value {
        ScalarValue::Binary(bytes)
        | ScalarValue::LargeBinary(bytes)
        | ScalarValue::BinaryView(bytes)
        | ScalarValue::FixedSizeBinary(_, bytes) => bytes.as_deref(),
        _ => None,
    };
    // The text of nothing is that of the word NULL, and that of bytes ends after a few.
    format!("{:?} {} {:?} {bytes:?}", value.data_type(), value.is_null(), value.to_string())
}

fn aggregate(params: &AggregateFunctionParams) -> String {
    let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = params;
    let (filter, order) = (filter.is_some(), order(order_by));
    format!("{} {distinct} {filter} {order} {null_treatment:?}", args.len())
}

fn window(params: &WindowFunctionParams) -> String {
    let WindowFunctionParams { args, partition_by, order_by, window_frame, filter, null_treatment, distinct } =
        params;
    let (args, partition, filter) = (args.len(), partition_by.len(), filter.is_some());
    let order = order(order_by);
    format!("{args} {partition} {order} {window_frame} {filter} {null_treatment:?} {distinct}")
}

fn order(order: &[Sort]) -> String {
    format!("{:?}", order.iter().map(|sort| (sort.asc, sort.nulls_first)).collect::<Vec<_>>())
}

/// The query inside of an expression, which is none of its parts to the engine.
fn subquery(expr: &Expr) -> Option<&Subquery> {
    match expr {
        Expr::Exists(condition) => Some(&condition.subquery),
        Expr::InSubquery(condition) => Some(&condition.subquery),
        Expr::SetComparison(condition) => Some(&condition.subquery),
        Expr::ScalarSubquery(subquery) => Some(subquery),
        _ => None,
    }
}

/// Whether it is a value that the statement names.
fn is_written(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(_, _) => true,
        Expr::Cast(cast) => is_written(&cast.expr),
        Expr::Negative(inner) => is_written(inner),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use catalog_model::Catalogue;
    use datafusion_common::ScalarValue;

    use crate::functions::tests::grant_of_all;
    use crate::plan::VettedPlan;
    use crate::vet::{Scope, vet};

    fn plan(catalogue: &Catalogue, sql: &str) -> VettedPlan {
        let grant = grant_of_all(catalogue);
        vet(sql, Scope { catalogue, grant: &grant }).unwrap_or_else(|error| panic!("{error:?}\n{sql}"))
    }

    #[test]
    fn what_the_engine_prints_alike_is_spelled_differently() {
        let catalogue = Catalogue::builtin().unwrap();
        let of = |sql: String| plan(&catalogue, &sql);
        let mut alike: Vec<(&str, String, String)> = [
            (
                "person",
                "NOT (sex = '9' AND first_month < DATE '2024-03-01')",
                "NOT sex = '9' AND first_month < DATE '2024-03-01'",
            ),
            (
                "ndb_diagnosis",
                "icd10 IN ('I10', 'RARE', 'RAREX')",
                "icd10 IN ('I10', 'RARE\"), Utf8(\"RAREX')",
            ),
            (
                "ndb_receipt",
                "total_points - (meal_amount - total_points) > 1000",
                "total_points - meal_amount - total_points > 1000",
            ),
        ]
        .map(|(table, one, other)| (table, one.to_owned(), other.to_owned()))
        .into();
        for truth in ["TRUE", "FALSE", "UNKNOWN", "NULL", "NOT TRUE", "NOT FALSE", "NOT UNKNOWN", "NOT NULL"]
        {
            let one = format!("(is_main AND is_suspected) IS {truth}");
            alike.push(("ndb_diagnosis", one, format!("is_main AND is_suspected IS {truth}")));
        }
        for (table, one, other) in alike {
            let [rows, others] = [&one, &other]
                .map(|condition| of(format!("SELECT count(*) AS n FROM {table} WHERE {condition}")));
            assert_ne!(rows.hash(), others.hash(), "{one}");
            let (rows, others) = (rows.said().unwrap(), others.said().unwrap());
            assert_ne!(rows.rows, others.rows, "{one}");
            assert_ne!(rows.conditions, others.conditions, "{one}");
            let [part, another] = [&one, &other]
                .map(|condition| of(format!("SELECT count(*) FILTER (WHERE {condition}) AS n FROM {table}")));
            assert_ne!(part.hash(), another.hash(), "{one}");
            assert_ne!(part.said().unwrap().parts, another.said().unwrap().parts, "{one}");
        }
    }

    #[test]
    fn bytes_are_spelled_to_their_end() {
        let of =
            |last: u8| super::literal(&ScalarValue::Binary(Some(vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last])));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn conditions_on_two_subqueries_are_two() {
        let catalogue = Catalogue::builtin().unwrap();
        let of = |code: &str| {
            let sql = format!(
                "SELECT count(*) AS n FROM person \
                    WHERE person_id IN (SELECT person_id FROM ndb_diagnosis WHERE icd10 = '{code}')"
            );
            plan(&catalogue, &sql).said().unwrap()
        };
        assert_ne!(of("I10").conditions, of("E110").conditions);
        assert_ne!(of("I10").rows, of("E110").rows);
        assert_eq!(of("I10").family, of("E110").family);
    }

    #[test]
    fn a_family_is_what_is_left_without_the_values() {
        let catalogue = Catalogue::builtin().unwrap();
        let of = |condition: &str| {
            let sql = format!("SELECT count(*) AS n FROM ndb_diagnosis WHERE {condition}");
            plan(&catalogue, &sql).said().unwrap().family
        };
        let two = of("icd10 IN ('E110', 'E149') AND service_month < DATE '2024-01-01'");
        assert_eq!(two, of("icd10 IN ('I10', 'E110', 'I''m') AND service_month < DATE '2023-12-01'"));
        assert_ne!(two, of("icd10 IN ('E110', 'E149')"));
        assert_eq!(of("icd10 = 'I''10'"), of("icd10 = 'RARE'"));
        let called = |name: &str| {
            let sql = format!("SELECT count(*) AS n FROM person {name} WHERE {name}.sex = '1'");
            plan(&catalogue, &sql).said().unwrap().family
        };
        assert_eq!(called("pa"), called("pb"));
    }
}
