//! Conditions: comparisons of values with values or literals, joined by AND, OR and NOT.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::{Between, InList, Like};
use datafusion_expr::{BinaryExpr, Expr, Operator};

use super::{function, identity};
use crate::refusal::{Refusal, Rule};
use crate::relation::{Judge, Relation};

const MAX_LIST: usize = 100;

/// One side of a comparison.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    pub(crate) kind: DataType,
    pub(crate) is_literal: bool,
}

/// Judges a condition. Exhaustive on purpose.
pub(crate) fn check(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<(), Refusal> {
    match expr {
        Expr::BinaryExpr(binary) => comparison(judge, binary, schema, relation),
        Expr::Not(inner)
        | Expr::IsTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsNotUnknown(inner) => check(judge, inner, schema, relation),
        // Whether there is a value says nothing of which one, so identities may be asked for it (anti-joins).
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => match inner.as_ref() {
            Expr::Column(column) => judge.column(column, schema, relation).map(|_| ()),
            _ => Err(Refusal::new(Rule::Predicate, "IS NULL takes a column")),
        },
        Expr::Column(column) => {
            let fact = judge.column(column, schema, relation)?;
            match fact.kind {
                DataType::Boolean => Ok(()),
                _ => Err(Refusal::new(Rule::Predicate, format!("{} alone is not a condition", column.name))
                    .at(judge.places.column(column))),
            }
        }
        Expr::Between(between) => self::between(judge, between, schema, relation),
        Expr::InList(list) => in_list(judge, list, schema, relation),
        Expr::Like(like) => self::like(judge, like, schema, relation),
        Expr::Alias(_)
        | Expr::Literal(_, _)
        | Expr::ScalarVariable(_, _)
        | Expr::SimilarTo(_)
        | Expr::Negative(_)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::ScalarFunction(_)
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

fn comparison(
    judge: &Judge<'_>,
    binary: &BinaryExpr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<(), Refusal> {
    match binary.op {
        Operator::And | Operator::Or => {
            check(judge, &binary.left, schema, relation)?;
            check(judge, &binary.right, schema, relation)
        }
        Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
            let left = operand(judge, &binary.left, schema, relation)?;
            let right = operand(judge, &binary.right, schema, relation)?;
            comparable(judge, &left, &right).map_err(|refusal| refusal.at(first_place(judge, &binary.left)))
        }
        _ => Err(Refusal::new(
            Rule::Predicate,
            format!("the operator {} is not allowed in a condition", binary.op),
        )
        .at(judge.places.word(&binary.op.to_string()))
        .suggest("compare with =, <>, <, <=, >, >=, BETWEEN, IN or LIKE 'prefix%'")),
    }
}

fn between(
    judge: &Judge<'_>,
    between: &Between,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<(), Refusal> {
    let value = operand(judge, &between.expr, schema, relation)?;
    for bound in [&between.low, &between.high] {
        let bound = operand(judge, bound, schema, relation)?;
        comparable(judge, &value, &bound).map_err(|refusal| refusal.at(first_place(judge, &between.expr)))?;
    }
    Ok(())
}

fn in_list(judge: &Judge<'_>, list: &InList, schema: &DFSchema, relation: &Relation) -> Result<(), Refusal> {
    let place = first_place(judge, &list.expr);
    if list.list.len() > MAX_LIST {
        return Err(Refusal::new(Rule::Size, format!("an IN list has at most {MAX_LIST} values")).at(place));
    }
    let value = operand(judge, &list.expr, schema, relation)?;
    for item in &list.list {
        let item = operand(judge, item, schema, relation)?;
        if !item.is_literal {
            return Err(Refusal::new(Rule::Predicate, "an IN list holds literals").at(place));
        }
        comparable(judge, &value, &item).map_err(|refusal| refusal.at(place))?;
    }
    Ok(())
}

/// A prefix and `%`: anything else could read a code's inside character by character.
fn like(judge: &Judge<'_>, like: &Like, schema: &DFSchema, relation: &Relation) -> Result<(), Refusal> {
    let refuse = |message: &str| {
        Err(Refusal::new(Rule::Predicate, message)
            .at(judge.places.word(if like.case_insensitive { "ILIKE" } else { "LIKE" }))
            .suggest("a pattern is a prefix and %: icd10 LIKE 'E11%'"))
    };
    let value = operand(judge, &like.expr, schema, relation)?;
    if value.is_literal || !is_text(&value.kind) {
        return refuse("LIKE takes a text column");
    }
    let Expr::Literal(ScalarValue::Utf8(Some(pattern)), _) = like.pattern.as_ref() else {
        return refuse("the pattern is written in the query");
    };
    let prefix = pattern.strip_suffix('%').unwrap_or_default();
    let is_prefix = !prefix.is_empty() && !prefix.contains(['%', '_', '\\']);
    if !is_prefix || like.case_insensitive || like.escape_char.is_some() {
        return refuse("a pattern is a prefix followed by one %");
    }
    Ok(())
}

/// Judges one side of a comparison. Exhaustive on purpose.
pub(crate) fn operand(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<Operand, Refusal> {
    match expr {
        Expr::Column(column) => {
            let fact = judge.column(column, schema, relation)?;
            identity::check(fact, &column.name).map_err(|refusal| refusal.at(judge.places.column(column)))?;
            Ok(Operand { kind: fact.kind.clone(), is_literal: false })
        }
        Expr::ScalarFunction(call) => {
            let fact = function::fact(judge, call, schema, relation)?;
            Ok(Operand { kind: fact.kind, is_literal: false })
        }
        Expr::Literal(value, _) if !value.is_null() => {
            Ok(Operand { kind: value.data_type(), is_literal: true })
        }
        Expr::Literal(_, _) => Err(Refusal::new(Rule::Predicate, "NULL is not compared").suggest("IS NULL")),
        Expr::Negative(inner) => {
            let operand = operand(judge, inner, schema, relation)?;
            let is_number = operand.is_literal && is_number(&operand.kind);
            is_number.then_some(operand).ok_or_else(|| refuse(judge, expr))
        }
        // `DATE '2024-04-01'`; no other cast, and only of text that is a day.
        Expr::Cast(cast) => match cast.expr.as_ref() {
            Expr::Literal(ScalarValue::Utf8(Some(text)), _)
                if *cast.field.data_type() == DataType::Date32 && is_day(text) =>
            {
                Ok(Operand { kind: DataType::Date32, is_literal: true })
            }
            _ => Err(refuse(judge, expr)),
        },
        Expr::Alias(_)
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
        | Expr::Between(_)
        | Expr::Case(_)
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

fn comparable(judge: &Judge<'_>, left: &Operand, right: &Operand) -> Result<(), Refusal> {
    let _ = judge;
    if left.is_literal && right.is_literal {
        return Err(
            Refusal::new(Rule::Predicate, "a comparison of two literals decides nothing").suggest("drop it")
        );
    }
    let both = |is: fn(&DataType) -> bool| is(&left.kind) && is(&right.kind);
    if both(is_text)
        || both(is_number)
        || both(|kind| *kind == DataType::Date32)
        || both(|kind| *kind == DataType::Boolean)
    {
        return Ok(());
    }
    let has_day = [left, right].iter().any(|side| side.kind == DataType::Date32);
    let refusal = Refusal::new(Rule::Predicate, "the two sides of a comparison have different types");
    Err(if has_day {
        refusal.suggest("write a day as DATE '2024-04-01'")
    } else {
        refusal.suggest("write a code in quotes: '21'")
    })
}

pub(crate) fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8)
}

pub(crate) fn is_number(kind: &DataType) -> bool {
    matches!(kind, DataType::Int64 | DataType::Int32 | DataType::UInt64 | DataType::Decimal128(_, _))
}

fn is_day(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut number = |digits: usize| {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        part.parse::<u32>().ok()
    };
    let (year, month, day) = (number(4), number(2), number(2));
    let date = year.zip(month).zip(day).and_then(|((year, month), day)| {
        catalog_model::Date::from_ymd(i32::try_from(year).ok()?, month, day)
    });
    date.is_some() && parts.next().is_none()
}

fn refuse(judge: &Judge<'_>, expr: &Expr) -> Refusal {
    let (what, word) = describe(expr);
    Refusal::new(Rule::Predicate, format!("{what} is not allowed in a condition"))
        .at(judge.places.word(word))
        .suggest("compare columns with columns or literals, joined by AND, OR and NOT")
}

/// The place of the first column of an expression.
fn first_place(judge: &Judge<'_>, expr: &Expr) -> Option<(usize, usize)> {
    match expr {
        Expr::Column(column) => judge.places.column(column),
        Expr::ScalarFunction(call) => judge.places.word(call.func.name()),
        _ => None,
    }
}

/// What an expression is called, and the word by which it is found in the text.
pub(crate) fn describe(expr: &Expr) -> (&'static str, &'static str) {
    match expr {
        Expr::Case(_) => ("CASE", "CASE"),
        Expr::Cast(_) => ("a cast", "CAST"),
        Expr::TryCast(_) => ("TRY_CAST", "TRY_CAST"),
        Expr::BinaryExpr(_) | Expr::Negative(_) => ("arithmetic", "+"),
        Expr::SimilarTo(_) => ("SIMILAR TO", "SIMILAR"),
        Expr::AggregateFunction(_) => ("an aggregate", "HAVING"),
        Expr::WindowFunction(_) => ("a window function", "OVER"),
        Expr::Exists(_) => ("EXISTS", "EXISTS"),
        Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::ScalarSubquery(_) => ("a subquery", "IN"),
        Expr::Placeholder(_) => ("a placeholder", "$1"),
        Expr::Literal(_, _) => ("a literal alone", "WHERE"),
        Expr::Unnest(_) => ("UNNEST", "UNNEST"),
        Expr::ScalarFunction(_) => ("a function alone", "WHERE"),
        _ => ("this expression", "WHERE"),
    }
}
