//! One form for conditions that say the same: the order of what AND and OR join and of what a list names, on which side
//! a value or a column stands, and BETWEEN for its two ends; on rows and of joins.
//!
//! A question, and its rows, are recognised by their plan spelled out (`spelled`). Conditions are judged as they are
//! written; what is executed and compared is this form. Order follows from what is spelled, so not from names that the
//! query gives. Nothing looks into a function, a CASE or a NOT: what is not brought to one form is another question, which
//! the ledger holds against the first.

use arrow::datatypes::DataType;
use datafusion_common::tree_node::Transformed;
use datafusion_common::{DFSchemaRef, Result};
use datafusion_expr::expr::InList;
use datafusion_expr::utils::{conjunction, disjunction, split_binary_owned};
use datafusion_expr::{Between, BinaryExpr, Expr, LogicalPlan, Operator, lit};

use crate::spelled;

/// The plan with the conditions on its rows and of its joins in one form, in subqueries as well.
pub(crate) fn plan(plan: LogicalPlan) -> Result<LogicalPlan> {
    let ordered = plan.transform_up_with_subqueries(|node| {
        let seen = spelled::seen(&node);
        match node {
            LogicalPlan::Filter(mut filter) => {
                filter.predicate = condition(filter.predicate, &seen);
                Ok(Transformed::yes(LogicalPlan::Filter(filter)))
            }
            LogicalPlan::Join(mut join) => {
                join.filter = join.filter.map(|filter| condition(filter, &seen));
                Ok(Transformed::yes(LogicalPlan::Join(join)))
            }
            other => Ok(Transformed::no(other)),
        }
    })?;
    Ok(ordered.data)
}

/// A condition over what has these schemas, in one form.
pub(crate) fn condition(expr: Expr, seen: &[DFSchemaRef]) -> Expr {
    let terms = split_binary_owned(expr, Operator::And).into_iter().map(|term| any_of(term, seen)).collect();
    // Splitting gives one term at least.
    conjunction(in_order(ranges(in_order(terms, seen)), seen)).unwrap_or_else(|| lit(true))
}

/// What OR joins.
fn any_of(term: Expr, seen: &[DFSchemaRef]) -> Expr {
    let mut parts = split_binary_owned(term, Operator::Or);
    if parts.len() > 1 {
        let parts = parts.into_iter().map(|part| condition(part, seen)).collect();
        return disjunction(in_order(parts, seen)).unwrap_or_else(|| lit(false));
    }
    parts.pop().map_or_else(|| lit(false), |part| compared(part, seen))
}

fn in_order(mut exprs: Vec<Expr>, seen: &[DFSchemaRef]) -> Vec<Expr> {
    exprs.sort_by_cached_key(|expr| (spelled::order_key(expr, seen), expr.to_string()));
    exprs.dedup();
    exprs
}

/// A single condition: a value stands on the right, of two columns the first one left, and a list is in order.
fn compared(expr: Expr, seen: &[DFSchemaRef]) -> Expr {
    let is_after = |one: &Expr, other: &Expr| spelled::order_key(one, seen) > spelled::order_key(other, seen);
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let swapped = match (kind(&left).is_some(), kind(&right).is_some()) {
                (true, false) => op.swap(),
                (false, false) if is_after(&left, &right) => op.swap().filter(|_| is_comparison(op)),
                _ => None,
            };
            Expr::BinaryExpr(match swapped {
                Some(op) => BinaryExpr::new(right, op, left),
                None => BinaryExpr::new(left, op, right),
            })
        }
        Expr::InList(InList { expr, list, negated }) if list.iter().all(|value| kind(value).is_some()) => {
            Expr::InList(InList::new(expr, in_order(list, seen), negated))
        }
        other => other,
    }
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

/// The type of a value that the statement names; none of anything else.
fn kind(expr: &Expr) -> Option<DataType> {
    match expr {
        Expr::Literal(value, _) => Some(value.data_type()),
        // A day is written as text and read as a day.
        Expr::Cast(cast) if matches!(cast.expr.as_ref(), Expr::Literal(_, _)) => {
            Some(cast.field.data_type().clone())
        }
        _ => None,
    }
}

/// From and to as one range, where something has exactly one of each.
fn ranges(terms: Vec<Expr>) -> Vec<Expr> {
    let only = |of: &Expr, op: Operator| {
        let mut ends = terms.iter().filter_map(|term| end(term, op)).filter(|(other, _)| *other == of);
        let first = ends.next().map(|(_, value)| value);
        first.filter(|_| ends.next().is_none())
    };
    let range = |term: &Expr| {
        let (of, _) = end(term, Operator::GtEq).or_else(|| end(term, Operator::LtEq))?;
        let (low, high) = (only(of, Operator::GtEq)?, only(of, Operator::LtEq)?);
        let boxed = |expr: &Expr| Box::new(expr.clone());
        (kind(low) == kind(high))
            .then(|| Expr::Between(Between::new(boxed(of), false, boxed(low), boxed(high))))
    };
    let all: Vec<Option<Expr>> = terms.iter().map(range).collect();
    // Both ends have become the same range, of which one is left when they are put in order.
    terms.into_iter().zip(all).map(|(term, range)| range.unwrap_or(term)).collect()
}

/// What a condition holds against a value, and the value.
fn end(term: &Expr, op: Operator) -> Option<(&Expr, &Expr)> {
    let Expr::BinaryExpr(binary) = term else { return None };
    let is_end = binary.op == op && kind(&binary.right).is_some() && kind(&binary.left).is_none();
    is_end.then(|| (binary.left.as_ref(), binary.right.as_ref()))
}

#[cfg(test)]
mod tests {
    use catalog_model::{Catalogue, Grant};

    use crate::vet::{Scope, vet};

    /// The digest of a count of diagnoses that meet a condition, outside and inside of the aggregate.
    fn hashes(catalogue: &Catalogue, condition: &str) -> [String; 2] {
        let tables = catalogue.tables.values().map(|table| {
            (table.table.clone(), table.columns.iter().map(|column| column.name.clone()).collect())
        });
        let grant = Grant { tables: tables.collect(), ..crate::functions::tests::grant() };
        let hash = |sql: &str| vet(sql, Scope { catalogue, grant: &grant }).unwrap().hash().to_owned();
        [
            hash(&format!("SELECT count(*) AS n FROM ndb_diagnosis WHERE {condition}")),
            hash(&format!("SELECT count(*) FILTER (WHERE {condition}) AS n FROM ndb_diagnosis")),
        ]
    }

    #[test]
    fn conditions_that_say_the_same_are_one_question_and_others_are_not() {
        let catalogue = Catalogue::builtin().unwrap();
        let of = |condition: &str| hashes(&catalogue, condition);
        let same = [
            [
                "service_month >= DATE '2023-05-01' AND DATE '2023-05-01' <= service_month \
                    AND service_month <= DATE '2023-08-01'",
                "service_month BETWEEN DATE '2023-05-01' AND DATE '2023-08-01'",
            ],
            ["icd10 LIKE 'E11%' AND is_main", "is_main\n  AND icd10 LIKE 'E11%'"],
            ["icd10 IN ('E110', 'E119')", "icd10 IN ('E119', 'E110', 'E119')"],
            ["icd10 NOT IN ('E110', 'E119')", "icd10 NOT IN ('E119', 'E110')"],
            ["icd10 = 'E110' OR is_main", "is_main OR 'E110' = icd10"],
            [
                "is_main AND (icd10 = 'E110' OR icd10 = 'E119')",
                "(icd10 = 'E119' OR icd10 = 'E110') AND is_main",
            ],
            [
                "service_month BETWEEN DATE '2023-05-01' AND DATE '2023-08-01'",
                "DATE '2023-08-01' >= service_month AND service_month >= DATE '2023-05-01'",
            ],
        ];
        for [one, other] in same {
            assert_eq!(of(one), of(other), "{one} | {other}");
        }
        let different = [
            ["icd10 LIKE 'E11%' AND is_main", "icd10 LIKE 'E11%' OR is_main"],
            ["icd10 IN ('E110', 'E119')", "icd10 IN ('E110', 'E118')"],
            ["icd10 IN ('E110', 'E119')", "icd10 NOT IN ('E110', 'E119')"],
            [
                "service_month BETWEEN DATE '2023-05-01' AND DATE '2023-08-01'",
                "service_month > DATE '2023-05-01' AND service_month <= DATE '2023-08-01'",
            ],
            ["service_month >= DATE '2023-05-01'", "service_month <= DATE '2023-05-01'"],
            [
                "is_main AND (icd10 = 'E110' OR icd10 = 'E119')",
                "is_main AND icd10 = 'E110' OR icd10 = 'E119'",
            ],
        ];
        for [one, other] in different {
            assert_ne!(of(one)[0], of(other)[0], "{one} | {other}");
            assert_ne!(of(one)[1], of(other)[1], "{one} | {other}");
        }
    }
}
