//! A plan or an expression spelled out: two are spelled alike only where they are the same, whatever a query calls its
//! tables and columns inside.
//!
//! What is recognised again is recognised by this text: a kept answer, a cohort, a condition. The engine's own text is
//! for reading: it leaves out brackets, does not escape quotes, and prints no subquery. Here every node stands in
//! brackets of its own, with the length of what it says of itself before it, so that no value reads as a piece of
//! something else. Places in the statement are left out.
//!
//! A column is told by its place among those below, which follow from what is spelled there; so names that the query
//! gives are left out. The engine finds a column by its name in the same schemas.

use std::fmt::Write as _;
use std::sync::Arc;

use datafusion_common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion_common::{Column, DFSchemaRef, ScalarValue, TableReference};
use datafusion_expr::expr::{AggregateFunctionParams, Sort, WindowFunctionParams};
use datafusion_expr::{Distinct, Expr, LogicalPlan, Subquery, TableScan};

/// A plan, its subqueries included.
pub(crate) fn plan(plan: &LogicalPlan) -> String {
    let mut spelling = Spelling::default();
    spelling.plan(plan);
    spelling.text
}

/// An expression over what has these schemas, side by side; its columns by their places there.
pub(crate) fn expr_over(expr: &Expr, seen: &[DFSchemaRef]) -> String {
    let mut spelling = Spelling::default();
    spelling.over(seen, [expr]);
    spelling.text
}

/// The same where expressions are put in order: what a query calls the tables around it is left out, so that order does
/// not follow from it.
pub(crate) fn order_key(expr: &Expr, seen: &[DFSchemaRef]) -> String {
    let mut spelling = Spelling { is_order: true, ..Spelling::default() };
    spelling.over(seen, [expr]);
    spelling.text
}

/// A plan without the values that it names, the names of its tables and digits in names: what plans have in common that
/// ask the same of other values.
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
    /// Whether the names of tables are left out that nothing is known of.
    is_order: bool,
    /// What the expression is over that is being spelled, behind what those are over that it is a subquery in.
    seen: Vec<Vec<DFSchemaRef>>,
}

impl Spelling {
    fn plan(&mut self, plan: &LogicalPlan) {
        if let LogicalPlan::SubqueryAlias(alias) = plan {
            // What a query calls its tables is no part of what it asks.
            self.plan(&alias.input);
            return;
        }
        self.open('[', &self.node(plan));
        let seen = seen(plan);
        if let LogicalPlan::Join(join) = plan {
            let (left, right) = seen.split_at(seen.len().min(1));
            for (one, other) in &join.on {
                self.over(left, [one]);
                self.over(right, [other]);
            }
            self.over(&seen, &join.filter);
        } else {
            self.seen.push(seen);
            // Neither this nor what it calls fails.
            let _ = plan.apply_expressions(|expr| {
                self.expr(expr);
                Ok(TreeNodeRecursion::Continue)
            });
            self.seen.pop();
        }
        for input in plan.inputs() {
            self.plan(input);
        }
        self.text.push(']');
    }

    /// Expressions over what has these schemas.
    fn over<'e>(&mut self, seen: &[DFSchemaRef], exprs: impl IntoIterator<Item = &'e Expr>) {
        self.seen.push(seen.to_vec());
        for expr in exprs {
            self.expr(expr);
        }
        self.seen.pop();
    }

    fn expr(&mut self, expr: &Expr) {
        if self.is_family && is_written(expr) {
            return;
        }
        if let Expr::Alias(alias) = expr
            && alias.metadata.is_none()
            && !self.is_family
        {
            self.expr(&alias.expr);
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
            LogicalPlan::TableScan(scan) => self.scan(scan),
            // No vetted plan has one of these, and an alias is spelled as what it names; of their expressions the engine's
            // text says the rest.
            LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Distinct(Distinct::On(_))
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
            Expr::Column(column) => self.here(column),
            Expr::OuterReferenceColumn(field, column) => {
                format!("outer {} {:?}", self.around(column), field.data_type())
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

    /// A column of what the expression is over.
    fn here(&self, column: &Column) -> String {
        match self.seen.last().and_then(|seen| place(seen, column)) {
            Some(at) if !self.is_family => format!("column {at}"),
            _ => format!("column {}", self.column(column)),
        }
    }

    /// A column of what a query around this one is over, the nearest that has it.
    fn around(&self, column: &Column) -> String {
        let mut around = self.seen.iter().rev().skip(1).enumerate();
        let found = around.find_map(|(out, seen)| Some((out, place(seen, column)?)));
        match found {
            Some((out, at)) if !self.is_family => format!("{out} {at}"),
            _ if self.is_order => format!("{:?}", column.name),
            _ => self.column(column),
        }
    }

    /// A column by its name.
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

/// What the expressions of a plan's node are over.
pub(crate) fn seen(plan: &LogicalPlan) -> Vec<DFSchemaRef> {
    plan.inputs().into_iter().map(|input| Arc::clone(input.schema())).collect()
}

/// The place of a column among those of some schemas, as the engine finds it by name.
fn place(seen: &[DFSchemaRef], column: &Column) -> Option<usize> {
    let mut before = 0;
    seen.iter().find_map(|schema| {
        let first = before;
        before += schema.fields().len();
        Some(first + schema.maybe_index_of_column(column)?)
    })
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

    use crate::functions::tests::plan;

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
        assert_eq!(of("I10").source, of("E110").source, "a facility that goes along is not asked for");
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

    /// What is recognised of a question: its rows, what they come from, its keys, conditions and parts.
    fn recognised(catalogue: &Catalogue, sql: &str) -> String {
        let said = plan(catalogue, sql).said().unwrap();
        format!("{:?}", (said.rows, said.source, said.keys, said.conditions, said.parts))
    }

    #[test]
    fn names_that_a_query_gives_are_no_part_of_it() {
        let catalogue = Catalogue::builtin().unwrap();
        let hash = |sql: &str| plan(&catalogue, sql).hash().to_owned();
        let questions = [
            [
                "SELECT sex, count(*) AS n FROM person WHERE sex = '1' GROUP BY sex",
                "SELECT p.sex, count(*) AS n FROM person p WHERE p.sex = '1' GROUP BY p.sex",
                "SELECT person.sex, count(*) AS n FROM person AS person WHERE '1' = sex GROUP BY person.sex",
            ],
            [
                "SELECT p.sex, count(*) FILTER (WHERE r.setting = 'inpatient' AND p.sex = '1') AS n FROM person p \
                    JOIN ndb_receipt r ON p.person_id = r.person_id AND r.payer = '1' \
                    WHERE r.prefecture = '13' AND p.sex = '1' GROUP BY p.sex",
                "SELECT y.sex, count(*) FILTER (WHERE y.sex = '1' AND a.setting = 'inpatient') AS n FROM person y \
                    JOIN ndb_receipt a ON a.payer = '1' AND a.person_id = y.person_id \
                    WHERE y.sex = '1' AND a.prefecture = '13' GROUP BY y.sex",
                "SELECT person.sex, count(*) FILTER (WHERE person.sex = '1' AND setting = 'inpatient') AS n \
                    FROM person JOIN ndb_receipt ON payer = '1' AND ndb_receipt.person_id = person.person_id \
                    WHERE person.sex = '1' AND ndb_receipt.prefecture = '13' GROUP BY person.sex",
            ],
            [
                "WITH one AS (SELECT d.person_id, max(CASE WHEN d.icd10 LIKE 'I10%' THEN 1 ELSE 0 END) AS high \
                    FROM ndb_diagnosis d GROUP BY d.person_id) SELECT p.sex, count(*) AS n FROM one o JOIN person p \
                    ON o.person_id = p.person_id WHERE o.high = 1 GROUP BY p.sex",
                "WITH many AS (SELECT z.person_id, max(CASE WHEN z.icd10 LIKE 'I10%' THEN 1 ELSE 0 END) AS tension \
                    FROM ndb_diagnosis z GROUP BY z.person_id) SELECT q.sex, count(*) AS n FROM many a JOIN person q \
                    ON q.person_id = a.person_id WHERE 1 = a.tension GROUP BY q.sex",
                "SELECT sex, count(*) AS n FROM (SELECT person_id, max(CASE WHEN icd10 LIKE 'I10%' THEN 1 ELSE 0 END) \
                    AS one FROM ndb_diagnosis GROUP BY person_id) o JOIN person ON o.person_id = person.person_id \
                    WHERE one = 1 GROUP BY sex",
            ],
            [
                "SELECT p.sex, count(*) AS n FROM person p WHERE p.sex = '1' AND EXISTS (SELECT 1 FROM ndb_receipt r \
                    WHERE r.person_id = p.person_id AND r.setting = 'inpatient') GROUP BY p.sex",
                "SELECT a.sex, count(*) AS n FROM person a WHERE EXISTS (SELECT 1 FROM ndb_receipt z \
                    WHERE z.setting = 'inpatient' AND a.person_id = z.person_id) AND a.sex = '1' GROUP BY a.sex",
                "SELECT sex, count(*) AS n FROM person WHERE sex = '1' AND EXISTS (SELECT 1 FROM ndb_receipt a_longer_name \
                    WHERE a_longer_name.person_id = person.person_id AND a_longer_name.setting = 'inpatient') \
                    GROUP BY sex",
            ],
        ];
        for [first, others @ ..] in questions {
            for other in others {
                assert_eq!(recognised(&catalogue, first), recognised(&catalogue, other), "{other}");
                assert_eq!(hash(first), hash(other), "{other}");
            }
        }
    }

    #[test]
    fn what_differs_by_more_than_names_is_spelled_differently() {
        let catalogue = Catalogue::builtin().unwrap();
        for [one, other] in [
            [
                "SELECT a.drug_class, count(*) AS n FROM ndb_drug a JOIN ndb_drug b ON a.person_id = b.person_id \
                    AND a.service_month < b.service_month GROUP BY a.drug_class",
                "SELECT b.drug_class, count(*) AS n FROM ndb_drug a JOIN ndb_drug b ON a.person_id = b.person_id \
                    AND a.service_month < b.service_month GROUP BY b.drug_class",
            ],
            [
                "SELECT count(*) AS n FROM ndb_receipt a JOIN ndb_receipt b ON a.person_id = b.person_id \
                    AND a.service_month < b.service_month",
                "SELECT count(*) AS n FROM ndb_receipt a JOIN ndb_receipt b ON a.person_id = b.person_id \
                    AND b.service_month < a.service_month",
            ],
            [
                "WITH c AS (SELECT person_id, max(CASE WHEN icd10 LIKE 'I10%' THEN 1 ELSE 0 END) AS a, \
                    max(CASE WHEN icd10 LIKE 'E78%' THEN 1 ELSE 0 END) AS b FROM ndb_diagnosis GROUP BY person_id) \
                    SELECT a = 1 AS x, count(*) AS n FROM c GROUP BY a = 1",
                "WITH c AS (SELECT person_id, max(CASE WHEN icd10 LIKE 'I10%' THEN 1 ELSE 0 END) AS b, \
                    max(CASE WHEN icd10 LIKE 'E78%' THEN 1 ELSE 0 END) AS a FROM ndb_diagnosis GROUP BY person_id) \
                    SELECT a = 1 AS x, count(*) AS n FROM c GROUP BY a = 1",
            ],
            [
                "SELECT p.sex, count(*) AS n FROM person p JOIN dpc_stay s ON s.person_id = p.person_id GROUP BY p.sex",
                "SELECT p.sex, count(*) AS n FROM person p LEFT JOIN dpc_stay s ON s.person_id = p.person_id GROUP BY p.sex",
            ],
        ] {
            let of = |sql: &str| plan(&catalogue, sql);
            assert_ne!(recognised(&catalogue, one), recognised(&catalogue, other), "{one}");
            assert_ne!(of(one).hash(), of(other).hash(), "{one}");
        }
    }
}
