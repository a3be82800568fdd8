//! What a subquery may hand on: columns as they are, literals, and our own functions of columns.

use datafusion_common::DFSchema;
use datafusion_expr::Expr;

use super::{function, predicate};
use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Judge, Relation};

/// The facts of one projected expression. Exhaustive on purpose, as every match over expressions here.
pub(crate) fn fact(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<ColumnFact, Refusal> {
    match expr {
        Expr::Column(column) => judge.column(column, schema, relation).cloned(),
        Expr::Alias(alias) => fact(judge, &alias.expr, schema, relation),
        Expr::ScalarFunction(call) => function::fact(judge, call, schema, relation),
        Expr::Literal(_, _)
        | Expr::ScalarVariable(_, _)
        | Expr::BinaryExpr(_)
        | Expr::Like(_)
        | Expr::SimilarTo(_)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Negative(_)
        | Expr::Between(_)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::AggregateFunction(_)
        | Expr::WindowFunction(_)
        | Expr::InList(_)
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
        | Expr::LambdaVariable(_) => Err(refuse(judge, expr)),
        #[expect(deprecated, reason = "listed so that the match stays exhaustive")]
        Expr::Wildcard { .. } => Err(refuse(judge, expr)),
    }
}

fn refuse(judge: &Judge<'_>, expr: &Expr) -> Refusal {
    let (what, word) = predicate::describe(expr);
    Refusal::new(Rule::Node, format!("{what} cannot be handed on by a subquery"))
        .at(judge.places.word(word))
        .suggest("hand on columns, and put the condition where the result is aggregated")
}
