//! Expressions over aggregates → the post-program.
//!
//! Keys and aggregates may be compared, added, divided and rounded: whatever is written here is computed from values
//! that are already protected, so nothing has to be refused for secrecy, only for not being supported.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::{Case, ScalarFunction};
use datafusion_expr::{BinaryExpr, Expr, Operator};
use engine_protocol::{PostComparison, PostExpr, PostOperator};

use super::predicate;
use crate::refusal::{Refusal, Rule};
use crate::relation::Judge;

/// A column of a projection over aggregates; nothing for a column that is not ours to show (the planner's own).
pub(crate) fn column(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    below: &[Option<PostExpr>],
) -> Result<Option<PostExpr>, Refusal> {
    match expr {
        Expr::Column(column) => {
            Ok(schema.maybe_index_of_column(column).and_then(|at| below.get(at).cloned()).flatten())
        }
        Expr::Alias(alias) => column(judge, &alias.expr, schema, below),
        other => expression(judge, other, schema, below).map(Some),
    }
}

/// Translates an expression over aggregates. Exhaustive on purpose.
pub(crate) fn expression(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    below: &[Option<PostExpr>],
) -> Result<PostExpr, Refusal> {
    let inner = |expr: &Expr| expression(judge, expr, schema, below).map(Box::new);
    match expr {
        Expr::Column(_) => column(judge, expr, schema, below)?.ok_or_else(|| refuse(judge, expr)),
        Expr::Alias(alias) => expression(judge, &alias.expr, schema, below),
        Expr::Literal(value, _) => literal(value).ok_or_else(|| refuse(judge, expr)),
        Expr::Negative(negated) => {
            let zero = Box::new(PostExpr::Number(0, 0));
            Ok(PostExpr::Arithmetic(PostOperator::Subtract, zero, inner(negated)?))
        }
        Expr::BinaryExpr(binary) => self::binary(judge, binary, expr, schema, below),
        Expr::Not(negated) => Ok(PostExpr::Not(inner(negated)?)),
        Expr::IsTrue(truth) => Ok(*inner(truth)?),
        Expr::IsNull(value) => Ok(PostExpr::IsEmpty(inner(value)?)),
        Expr::IsNotNull(value) => Ok(PostExpr::Not(Box::new(PostExpr::IsEmpty(inner(value)?)))),
        Expr::Between(between) => {
            let value = inner(&between.expr)?;
            let low = PostExpr::Compare(PostComparison::GreaterOrEqual, value.clone(), inner(&between.low)?);
            let high = PostExpr::Compare(PostComparison::LessOrEqual, value, inner(&between.high)?);
            Ok(negated(PostExpr::And(Box::new(low), Box::new(high)), between.negated))
        }
        Expr::InList(list) => {
            let value = inner(&list.expr)?;
            let mut any: Option<PostExpr> = None;
            for item in &list.list {
                let one = PostExpr::Compare(PostComparison::Equal, value.clone(), inner(item)?);
                any = Some(match any {
                    Some(known) => PostExpr::Or(Box::new(known), Box::new(one)),
                    None => one,
                });
            }
            any.map(|any| negated(any, list.negated)).ok_or_else(|| refuse(judge, expr))
        }
        // Numbers here are exact decimals already; a cast to another number type changes nothing.
        Expr::Cast(cast) if is_fractional(cast.field.data_type()) => Ok(*inner(&cast.expr)?),
        Expr::Case(case) => self::case(judge, case, schema, below),
        Expr::ScalarFunction(call) => function(judge, call, expr, schema, below),
        Expr::ScalarVariable(_, _)
        | Expr::Like(_)
        | Expr::SimilarTo(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::AggregateFunction(_)
        | Expr::WindowFunction(_)
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
    let (what, ja, word) = predicate::describe(expr);
    Refusal::new(Rule::Post, format!("{what} cannot be computed from aggregates"))
        .ja(format!("集計値からの計算に{ja}は使えません"))
        .at(judge.places.word(word))
        .suggest("+, -, *, /, round, nullif, CASE and comparisons of aggregates and keys")
}

fn is_fractional(kind: &DataType) -> bool {
    matches!(kind, DataType::Float64 | DataType::Float32 | DataType::Decimal128(_, _))
}

fn negated(expr: PostExpr, is_negated: bool) -> PostExpr {
    if is_negated { PostExpr::Not(Box::new(expr)) } else { expr }
}

fn literal(value: &ScalarValue) -> Option<PostExpr> {
    match value {
        ScalarValue::Int64(Some(number)) => Some(PostExpr::Number(i128::from(*number), 0)),
        ScalarValue::Decimal128(Some(number), _, scale) => {
            Some(PostExpr::Number(*number, u32::try_from(*scale).ok().filter(|scale| *scale <= 12)?))
        }
        ScalarValue::Utf8(Some(text)) => Some(PostExpr::Text(text.clone())),
        value if value.is_null() => Some(PostExpr::Empty),
        _ => None,
    }
}

fn binary(
    judge: &Judge<'_>,
    binary: &BinaryExpr,
    whole: &Expr,
    schema: &DFSchema,
    below: &[Option<PostExpr>],
) -> Result<PostExpr, Refusal> {
    let left = Box::new(expression(judge, &binary.left, schema, below)?);
    let right = Box::new(expression(judge, &binary.right, schema, below)?);
    let compare = |comparison| PostExpr::Compare(comparison, left.clone(), right.clone());
    let compute = |operator| PostExpr::Arithmetic(operator, left.clone(), right.clone());
    Ok(match binary.op {
        Operator::And => PostExpr::And(left, right),
        Operator::Or => PostExpr::Or(left, right),
        Operator::Eq => compare(PostComparison::Equal),
        Operator::NotEq => compare(PostComparison::NotEqual),
        Operator::Lt => compare(PostComparison::Less),
        Operator::LtEq => compare(PostComparison::LessOrEqual),
        Operator::Gt => compare(PostComparison::Greater),
        Operator::GtEq => compare(PostComparison::GreaterOrEqual),
        Operator::Plus => compute(PostOperator::Add),
        Operator::Minus => compute(PostOperator::Subtract),
        Operator::Multiply => compute(PostOperator::Multiply),
        Operator::Divide => compute(PostOperator::Divide),
        _ => return Err(refuse(judge, whole).at(judge.places.word(&binary.op.to_string()))),
    })
}

fn case(
    judge: &Judge<'_>,
    case: &Case,
    schema: &DFSchema,
    below: &[Option<PostExpr>],
) -> Result<PostExpr, Refusal> {
    let expression = |expr: &Expr| expression(judge, expr, schema, below);
    let mut branches = Vec::with_capacity(case.when_then_expr.len());
    for (when, then) in &case.when_then_expr {
        let condition = match &case.expr {
            Some(subject) => {
                let (subject, when) = (Box::new(expression(subject)?), Box::new(expression(when)?));
                PostExpr::Compare(PostComparison::Equal, subject, when)
            }
            None => expression(when)?,
        };
        branches.push((condition, expression(then)?));
    }
    let otherwise = case.else_expr.as_ref().map_or(Ok(PostExpr::Empty), |otherwise| expression(otherwise))?;
    Ok(PostExpr::Case(branches, Box::new(otherwise)))
}

/// `round(x, n)` and `nullif(x, y)`: the functions of the post-program.
fn function(
    judge: &Judge<'_>,
    call: &ScalarFunction,
    whole: &Expr,
    schema: &DFSchema,
    below: &[Option<PostExpr>],
) -> Result<PostExpr, Refusal> {
    let expression = |expr: &Expr| expression(judge, expr, schema, below);
    let refuse = || refuse(judge, whole).at(judge.places.word(call.func.name()));
    match (call.func.name(), call.args.as_slice()) {
        ("round", [value]) => Ok(PostExpr::Round(Box::new(expression(value)?), 0)),
        ("round", [value, Expr::Literal(ScalarValue::Int64(Some(places)), _)]) => {
            let places = u32::try_from(*places).ok().filter(|places| *places <= 6).ok_or_else(refuse)?;
            Ok(PostExpr::Round(Box::new(expression(value)?), places))
        }
        ("nullif", [value, other]) => {
            let (value, other) = (expression(value)?, expression(other)?);
            let equal = PostExpr::Compare(PostComparison::Equal, Box::new(value.clone()), Box::new(other));
            Ok(PostExpr::Case(vec![(equal, PostExpr::Empty)], Box::new(value)))
        }
        _ => Err(refuse()),
    }
}
