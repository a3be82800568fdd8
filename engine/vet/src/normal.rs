//! The planner's plan in the one form that the rules read, however the query was written.
//!
//! `FROM a, b WHERE a.person_id = b.person_id` is planned as every row beside every row, with the condition above.
//! Here equalities of columns go down to the join whose two sides they compare, which then is mostly what `JOIN … ON` plans,
//! and is judged as such. A term of a condition that is true by its text alone (`WHERE true`, `1 = 1`) is dropped. What
//! is still written in another order is another plan. Nothing here decides what is allowed.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion_common::tree_node::Transformed;
use datafusion_common::{Column, JoinType, Result, ScalarValue};
use datafusion_expr::utils::{conjunction, split_conjunction, split_conjunction_owned};
use datafusion_expr::{BinaryExpr, Expr, Filter, Join, LogicalPlan, Operator};

/// The plan with its conditions where they belong, in subqueries as well.
pub(crate) fn normal(plan: LogicalPlan) -> Result<LogicalPlan> {
    let normal = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Filter(filter) = &node else { return Ok(Transformed::no(node)) };
        let has_always = split_conjunction(&filter.predicate).into_iter().any(is_always);
        if !has_always && !is_open(&filter.input) {
            return Ok(Transformed::no(node));
        }
        Ok(Transformed::yes(settled(filter)?))
    })?;
    Ok(normal.data)
}

fn settled(filter: &Filter) -> Result<LogicalPlan> {
    let terms = split_conjunction_owned(filter.predicate.clone());
    let mut terms: Vec<Expr> = terms.into_iter().filter(|term| !is_always(term)).collect();
    let mut equal: Vec<(Column, Column)> = Vec::new();
    for (one, two) in terms.iter().filter_map(equality) {
        if !equal.iter().any(|(known, other)| known == one && other == two) {
            equal.push((one.clone(), two.clone()));
        }
    }
    let input = joined(filter.input.as_ref().clone(), &mut terms, &equal);
    match conjunction(terms) {
        Some(rest) => Ok(LogicalPlan::Filter(Filter::try_new(rest, Arc::new(input))?)),
        None => Ok(input),
    }
}

/// Whether a join without a condition stands below, with nothing but inner joins between.
fn is_open(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            is_bare(join) || is_open(&join.left) || is_open(&join.right)
        }
        _ => false,
    }
}

/// Whether a join pairs every row with every row: a comma, `CROSS JOIN`, `ON true`.
fn is_bare(join: &Join) -> bool {
    join.on.is_empty() && join.filter.as_ref().is_none_or(is_always)
}

/// Gives joins without a condition those terms that compare a column of either side.
fn joined(plan: LogicalPlan, terms: &mut Vec<Expr>, equal: &[(Column, Column)]) -> LogicalPlan {
    let LogicalPlan::Join(mut join) = plan else { return plan };
    if join.join_type != JoinType::Inner {
        return LogicalPlan::Join(join);
    }
    if is_bare(&join) {
        let (own, others): (Vec<Expr>, Vec<Expr>) = std::mem::take(terms)
            .into_iter()
            .partition(|term| equality(term).is_some_and(|(one, two)| is_between(&join, one, two)));
        *terms = others;
        let more = implied(&join, &own, equal);
        join.filter = conjunction(own.into_iter().chain(more));
    }
    join.left = Arc::new(joined(Arc::unwrap_or_clone(join.left), terms, equal));
    join.right = Arc::new(joined(Arc::unwrap_or_clone(join.right), terms, equal));
    LogicalPlan::Join(join)
}

/// Equalities that follow from two others: `a = c` and `b = c` make `a = b`, where `b` would else be compared with
/// nothing before `c` is joined.
fn implied(join: &Join, own: &[Expr], equal: &[(Column, Column)]) -> Vec<Expr> {
    let is_compared = |column: &Column| own.iter().any(|term| term.column_refs().contains(column));
    let ways: Vec<(&Column, &Column)> =
        equal.iter().flat_map(|(one, two)| [(one, two), (two, one)]).collect();
    let lefts = ways.iter().filter(|(left, _)| has(&join.left, left));
    let rights = ways.iter().filter(|(right, _)| has(&join.right, right) && !is_compared(right));
    let rights: Vec<&(&Column, &Column)> = rights.collect();
    let mut more: Vec<Expr> = Vec::new();
    for (left, middle) in lefts {
        for (right, _) in rights.iter().filter(|(_, other)| middle == other) {
            let term = Expr::Column((*left).clone()).eq(Expr::Column((*right).clone()));
            if !more.contains(&term) {
                more.push(term);
            }
        }
    }
    more
}

/// The columns that a plain equality compares.
fn equality(term: &Expr) -> Option<(&Column, &Column)> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = term else { return None };
    match (left.as_ref(), right.as_ref()) {
        (Expr::Column(one), Expr::Column(two)) => Some((one, two)),
        _ => None,
    }
}

fn is_between(join: &Join, one: &Column, two: &Column) -> bool {
    has(&join.left, one) && has(&join.right, two) || has(&join.left, two) && has(&join.right, one)
}

fn has(plan: &LogicalPlan, column: &Column) -> bool {
    plan.schema().maybe_index_of_column(column).is_some()
}

fn is_always(term: &Expr) -> bool {
    truth(term) == Some(true)
}

/// What a condition over written values comes to; nothing for any other.
fn truth(term: &Expr) -> Option<bool> {
    match term {
        Expr::Literal(ScalarValue::Boolean(truth), _) => *truth,
        Expr::Not(inner) => truth(inner).map(|truth| !truth),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            truth(left).zip(truth(right)).map(|(one, two)| one && two)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            truth(left).zip(truth(right)).map(|(one, two)| one || two)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Literal(one, _), Expr::Literal(two, _)) if !one.is_null() && !two.is_null() => {
                compared(*op, one.partial_cmp(two)?)
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether a comparison holds between values in this order.
const fn compared(op: Operator, order: Ordering) -> Option<bool> {
    Some(match op {
        Operator::Eq => order.is_eq(),
        Operator::NotEq => order.is_ne(),
        Operator::Lt => order.is_lt(),
        Operator::LtEq => order.is_le(),
        Operator::Gt => order.is_gt(),
        Operator::GtEq => order.is_ge(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use catalog_model::Catalogue;

    use crate::functions::tests::grant_of_all;
    use crate::vet::{Scope, vet};

    /// Two ways to write one question.
    #[test]
    fn however_a_question_is_written_it_is_one_plan() {
        let catalogue = Catalogue::builtin().unwrap();
        let grant = grant_of_all(&catalogue);
        let plan = |sql: &str| {
            let vetted = vet(sql, Scope { catalogue: &catalogue, grant: &grant });
            vetted.unwrap_or_else(|error| panic!("{error:?}\n{sql}")).hash().to_owned()
        };
        for (one, two) in [
            (
                "SELECT p.sex, count(*) AS n FROM person p, ndb_receipt r WHERE p.person_id = r.person_id AND r.setting = 'inpatient' GROUP BY p.sex",
                "SELECT p.sex, count(*) AS n FROM person p JOIN ndb_receipt r ON p.person_id = r.person_id WHERE r.setting = 'inpatient' GROUP BY p.sex",
            ),
            (
                "SELECT count(*) AS n FROM person p, ndb_receipt r, ndb_drug d WHERE r.person_id = p.person_id AND d.person_id = p.person_id",
                "SELECT count(*) AS n FROM person p JOIN ndb_receipt r ON r.person_id = p.person_id JOIN ndb_drug d ON d.person_id = p.person_id",
            ),
            (
                "SELECT count(*) AS n FROM ndb_receipt r, ndb_drug d, person p WHERE r.person_id = p.person_id AND d.person_id = p.person_id",
                "SELECT count(*) AS n FROM ndb_receipt r JOIN ndb_drug d ON r.person_id = d.person_id JOIN person p ON r.person_id = p.person_id AND d.person_id = p.person_id",
            ),
            ("SELECT count(*) AS n FROM person WHERE true", "SELECT count(*) AS n FROM person"),
            (
                "SELECT count(*) AS n FROM person WHERE 1 = 1 AND sex = '1' AND NOT ('a' = 'b' OR 2 < 1)",
                "SELECT count(*) AS n FROM person WHERE sex = '1'",
            ),
            (
                "SELECT sex, count(*) AS n FROM person GROUP BY sex HAVING true",
                "SELECT sex, count(*) AS n FROM person GROUP BY sex",
            ),
        ] {
            assert_eq!(plan(one), plan(two), "{one}");
        }
    }
}
