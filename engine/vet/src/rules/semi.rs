//! Subqueries in conditions: whether the same person has such rows elsewhere, and nothing else.
//!
//! `person_id IN (SELECT person_id …)` and `EXISTS (… WHERE x.person_id = p.person_id …)`, both also negated. The person
//! is the only bridge; a value that is looked up in rows of all persons would tell of others (attack 32).

use datafusion_common::tree_node::TreeNode as _;
use datafusion_common::{Column, DFSchema};
use datafusion_expr::expr::{Exists, InSubquery};
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{BinaryExpr, Expr, Filter, LogicalPlan, Operator};

use super::{age_floor, list, predicate};
use crate::label::Label;
use crate::refusal::{Refusal, Rule};
use crate::relation::{Judge, Person, Relation};
use crate::workspace;

const FORMS: &str =
    "p.person_id IN (SELECT person_id FROM …), or EXISTS (SELECT 1 FROM t x WHERE x.person_id = p.person_id)";

/// `person_id IN (SELECT person_id …)`.
pub(crate) fn in_subquery(
    judge: &Judge<'_>,
    condition: &InSubquery,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<Label, Refusal> {
    let refuse = || {
        Refusal::new(Rule::Join, "a subquery in a condition looks up persons by person_id")
            .ja("条件の副問合せは person_id による人の突合だけです")
            .at(judge.places.word("IN"))
            .suggest(FORMS)
    };
    if let Some(name) = workspace::list_of(&condition.subquery.subquery) {
        return list::check(judge, condition, name, schema, relation);
    }
    let Expr::Column(column) = condition.expr.as_ref() else { return Err(refuse()) };
    let fact = judge.column(column, schema, relation)?;
    if fact.person == Person::Not {
        return Err(refuse().at(judge.places.column(column)));
    }
    let found = judge.apart(&condition.subquery.subquery)?;
    match found.as_slice() {
        [only] if only.is_unit() => Ok(Label::default()),
        _ => Err(refuse()),
    }
}

/// Refuses what looks up persons in a value: the engine looks them up where rows are picked, and nowhere else.
pub(crate) fn in_values<'e>(
    judge: &Judge<'_>,
    values: impl IntoIterator<Item = &'e Expr>,
) -> Result<(), Refusal> {
    let looks_up = |part: &Expr| match part {
        Expr::InSubquery(condition) => workspace::list_of(&condition.subquery.subquery).is_none(),
        Expr::Exists(_) => true,
        _ => false,
    };
    let mut values = values.into_iter();
    if !values.any(|value| value.exists(|part| Ok(looks_up(part))).unwrap_or(true)) {
        return Ok(());
    }
    Err(Refusal::new(Rule::Join, "persons are looked up in WHERE, and not in a value")
        .ja("人の突合（IN・EXISTS の副問合せ）は WHERE に書きます。値の中には書けません")
        .at(judge.places.word("EXISTS").or_else(|| judge.places.word("IN")))
        .suggest("LEFT JOIN (SELECT DISTINCT person_id FROM …) x ON x.person_id = p.person_id, and x.person_id IS NOT NULL"))
}

/// `EXISTS (SELECT … WHERE x.person_id = p.person_id AND …)`.
pub(crate) fn exists(
    judge: &Judge<'_>,
    condition: &Exists,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<Label, Refusal> {
    let refuse = || {
        Refusal::new(Rule::Join, "EXISTS looks up rows of the same person, by x.person_id = p.person_id")
            .ja("EXISTS は x.person_id = p.person_id で同じ人の行を探します")
            .at(judge.places.word("EXISTS"))
            .suggest(FORMS)
    };
    let filter = correlated(&condition.subquery.subquery).ok_or_else(refuse)?;
    let inside = judge.apart(&filter.input)?;
    let (mut is_same, mut rest) = (false, Vec::new());
    for conjunct in split_conjunction(&filter.predicate) {
        match same_person(judge, conjunct, filter, &inside, schema, relation)? {
            true => is_same = true,
            false => rest.push(conjunct),
        }
    }
    if !is_same {
        return Err(refuse());
    }
    judge.within(schema, relation, || {
        let schema = filter.input.schema();
        let labels = rest.iter().map(|expr| -> Result<Label, Refusal> {
            let label = predicate::check(judge, expr, schema, &inside)?;
            age_floor::meet(judge, expr, schema, &inside)?;
            Ok(label)
        });
        labels.sum::<Result<Label, Refusal>>()
    })
}

/// The condition of a subquery, below what it selects: only whether there is a row counts.
pub(crate) fn correlated(plan: &LogicalPlan) -> Option<&Filter> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let is_plain = |expr: &Expr| matches!(expr, Expr::Literal(_, _) | Expr::Column(_));
            projection.expr.iter().all(is_plain).then(|| correlated(&projection.input)).flatten()
        }
        LogicalPlan::SubqueryAlias(alias) => correlated(&alias.input),
        LogicalPlan::Filter(filter) => Some(filter),
        _ => None,
    }
}

/// Whether a term equates the person inside with the person outside.
fn same_person(
    judge: &Judge<'_>,
    term: &Expr,
    filter: &Filter,
    inside: &Relation,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<bool, Refusal> {
    let Some((inner, outer)) = equated(term) else { return Ok(false) };
    let inner = judge.column(inner, filter.input.schema(), inside)?;
    let outer = judge.column(outer, schema, relation)?;
    Ok(inner.is_unit() && outer.person != Person::Not)
}

/// The columns inside and outside that a term equates.
pub(crate) fn equated(term: &Expr) -> Option<(&Column, &Column)> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = term else { return None };
    match (left.as_ref(), right.as_ref()) {
        (Expr::Column(inner), Expr::OuterReferenceColumn(_, outer))
        | (Expr::OuterReferenceColumn(_, outer), Expr::Column(inner)) => Some((inner, outer)),
        _ => None,
    }
}
