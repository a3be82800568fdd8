//! Conditions: comparisons of values with values, joined by AND, OR and NOT; and whether a person has rows elsewhere.

use arrow::datatypes::DataType;
use catalog_model::Date;
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::{Between, InList, Like};
use datafusion_expr::{BinaryExpr, Expr, Operator};

use super::{kinds, picked, semi, value};
use crate::label::Label;
use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Judge, Relation};

const MAX_LIST: usize = 100;

/// Judges a condition and says what it tells of. Exhaustive on purpose.
pub(crate) fn check(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<Label, Refusal> {
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
            Expr::Column(column) => {
                let fact = judge.column(column, schema, relation)?;
                let is_identity = super::identity::check(fact, &column.name).is_err();
                // What a query made may be missing for a value of its own: nullif(sex, '1').
                if fact.origin.is_none() {
                    picked::by(judge, inner, schema, relation)?;
                }
                Ok(if is_identity { Label::default() } else { fact.label.outcome() })
            }
            other => {
                let fact = value::fact(judge, other, schema, relation)?;
                picked::by(judge, other, schema, relation)?;
                Ok(fact.label.outcome())
            }
        },
        Expr::Column(column) => {
            let fact = judge.column(column, schema, relation)?;
            match fact.kind {
                DataType::Boolean => {
                    picked::by(judge, expr, schema, relation)?;
                    Ok(fact.label.outcome())
                }
                _ => Err(Refusal::new(Rule::Predicate, format!("{} alone is not a condition", column.name))
                    .ja(format!("{} だけでは条件になりません", column.name))
                    .at(judge.places.column(column))
                    .suggest(format!("{} = …, or {} IS NOT NULL", column.name, column.name))),
            }
        }
        Expr::Case(_) => match value::fact(judge, expr, schema, relation)? {
            fact if fact.kind == DataType::Boolean => {
                picked::by(judge, expr, schema, relation)?;
                Ok(fact.label.outcome())
            }
            _ => Err(refuse(judge, expr)),
        },
        Expr::Between(between) => self::between(judge, between, schema, relation),
        Expr::InList(list) => in_list(judge, list, schema, relation),
        Expr::Like(like) => self::like(judge, like, schema, relation),
        Expr::InSubquery(condition) => semi::in_subquery(judge, condition, schema, relation),
        Expr::Exists(condition) => semi::exists(judge, condition, schema, relation),
        Expr::Literal(_, _)
        | Expr::Alias(_)
        | Expr::ScalarVariable(_, _)
        | Expr::SimilarTo(_)
        | Expr::Negative(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::ScalarFunction(_)
        | Expr::AggregateFunction(_)
        | Expr::WindowFunction(_)
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
) -> Result<Label, Refusal> {
    match binary.op {
        Operator::And | Operator::Or => {
            let left = check(judge, &binary.left, schema, relation)?;
            Ok(left.join(check(judge, &binary.right, schema, relation)?))
        }
        Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
            let left = operand(judge, &binary.left, schema, relation)?;
            compared(judge, (&binary.left, &left), &binary.right, schema, relation)
        }
        _ => Err(Refusal::new(
            Rule::Predicate,
            format!("the operator {} is not allowed in a condition", binary.op),
        )
        .ja(format!("演算子 {} は条件に使えません", binary.op))
        .at(judge.places.word(&binary.op.to_string()))
        .suggest("compare with =, <>, <, <=, >, >=, BETWEEN, IN or LIKE 'prefix%'")),
    }
}

/// Judges the comparison of a value that was judged with another one.
pub(crate) fn compared(
    judge: &Judge<'_>,
    (one, fact): (&Expr, &ColumnFact),
    two: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<Label, Refusal> {
    let other = operand(judge, two, schema, relation)?;
    picked::compared(judge, (one, two), schema, relation)?;
    comparable(fact, &other).map_err(|refusal| refusal.at(first_place(judge, one)))
}

fn between(
    judge: &Judge<'_>,
    between: &Between,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<Label, Refusal> {
    let value = operand(judge, &between.expr, schema, relation)?;
    let mut label = Label::default();
    for bound in [&between.low, &between.high] {
        picked::compared(judge, (&between.expr, bound), schema, relation)?;
        let bound = operand(judge, bound, schema, relation)?;
        let told =
            comparable(&value, &bound).map_err(|refusal| refusal.at(first_place(judge, &between.expr)))?;
        label = label.join(told);
    }
    Ok(label)
}

fn in_list(
    judge: &Judge<'_>,
    list: &InList,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<Label, Refusal> {
    let place = first_place(judge, &list.expr);
    if list.list.len() > MAX_LIST {
        return Err(Refusal::new(Rule::Size, format!("an IN list has at most {MAX_LIST} values"))
            .ja(format!("IN の値は {MAX_LIST} 個までです"))
            .at(place)
            .suggest("use a prefix: icd10 LIKE 'E11%'"));
    }
    let value = operand(judge, &list.expr, schema, relation)?;
    picked::by(judge, &list.expr, schema, relation)?;
    let mut label = value.label.outcome();
    for item in &list.list {
        let item = operand(judge, item, schema, relation)?;
        if !item.is_literal {
            return Err(Refusal::new(Rule::Predicate, "an IN list holds literals")
                .ja("IN の値は文中に書いた値だけです")
                .at(place)
                .suggest("icd10 IN ('E110', 'E111')"));
        }
        label = label.join(comparable(&value, &item).map_err(|refusal| refusal.at(place))?);
    }
    Ok(label)
}

/// A prefix and `%`: anything else could read a code's inside character by character.
fn like(judge: &Judge<'_>, like: &Like, schema: &DFSchema, relation: &Relation) -> Result<Label, Refusal> {
    let refuse = |message: &str, ja: &str| {
        Err(Refusal::new(Rule::Predicate, message)
            .ja(ja)
            .at(judge.places.word(if like.case_insensitive { "ILIKE" } else { "LIKE" }))
            .suggest("a pattern is a prefix and %: icd10 LIKE 'E11%'"))
    };
    let value = operand(judge, &like.expr, schema, relation)?;
    if value.is_literal || !is_text(&value.kind) {
        return refuse("LIKE takes a text column", "LIKE は文字の列に使います");
    }
    let Expr::Literal(ScalarValue::Utf8(Some(pattern)), _) = like.pattern.as_ref() else {
        return refuse("the pattern is written in the query", "パターンは文中に書きます");
    };
    let prefix = pattern.strip_suffix('%').unwrap_or_default();
    let is_prefix = !prefix.is_empty() && !prefix.contains(['%', '_', '\\']);
    if !is_prefix || like.case_insensitive || like.escape_char.is_some() {
        return refuse(
            "a pattern is a prefix followed by one %",
            "パターンは前方一致（接頭辞と % 一つ）だけです",
        );
    }
    picked::by(judge, &like.expr, schema, relation)?;
    Ok(value.label.outcome())
}

/// Judges one side of a comparison.
pub(crate) fn operand(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<ColumnFact, Refusal> {
    match expr {
        Expr::Literal(value, _) if value.is_null() => {
            Err(Refusal::new(Rule::Predicate, "NULL is not compared")
                .ja("NULL とは比較できません")
                .at(judge.places.word("NULL"))
                .suggest("IS NULL"))
        }
        other => value::fact(judge, other, schema, relation),
    }
}

fn comparable(left: &ColumnFact, right: &ColumnFact) -> Result<Label, Refusal> {
    if left.is_literal && right.is_literal {
        return Err(Refusal::new(Rule::Predicate, "a comparison of two literals decides nothing")
            .ja("値どうしの比較は何も決めません")
            .suggest("drop it"));
    }
    let is_comparable = |kind: &DataType| {
        is_text(kind) || is_number(kind) || matches!(kind, DataType::Date32 | DataType::Boolean)
    };
    if is_comparable(&left.kind) && kinds::wider(&left.kind, &right.kind).is_some() {
        return Ok(left.label.join(right.label).outcome());
    }
    let has_day = [left, right].iter().any(|side| side.kind == DataType::Date32);
    let refusal = Refusal::new(Rule::Predicate, "the two sides of a comparison have different types")
        .ja("比較の両辺の型が違います");
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

pub(crate) fn is_day(text: &str) -> bool {
    day(text).is_some()
}

/// The day that a text names.
pub(crate) fn day(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let mut number = |digits: usize| {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        part.parse::<u32>().ok()
    };
    let (year, month, day) = (number(4), number(2), number(2));
    let date = year
        .zip(month)
        .zip(day)
        .and_then(|((year, month), day)| Date::from_ymd(i32::try_from(year).ok()?, month, day));
    date.filter(|_| parts.next().is_none())
}

fn refuse(judge: &Judge<'_>, expr: &Expr) -> Refusal {
    let (what, ja, word) = describe(expr);
    Refusal::new(Rule::Predicate, format!("{what} is not allowed in a condition"))
        .ja(format!("{ja}は条件に使えません"))
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

/// What an expression is called in English and Japanese, and the word by which it is found in the text.
pub(crate) fn describe(expr: &Expr) -> (&'static str, &'static str, &'static str) {
    match expr {
        Expr::Case(_) => ("CASE", "CASE 式", "CASE"),
        Expr::Cast(_) => ("a cast", "型変換", "CAST"),
        Expr::TryCast(_) => ("TRY_CAST", "TRY_CAST ", "TRY_CAST"),
        Expr::BinaryExpr(_) | Expr::Negative(_) => ("arithmetic", "算術式", "+"),
        Expr::SimilarTo(_) => ("SIMILAR TO", "SIMILAR TO ", "SIMILAR"),
        Expr::AggregateFunction(_) => ("an aggregate", "集計関数", "HAVING"),
        Expr::WindowFunction(_) => ("a window function", "ウィンドウ関数", "OVER"),
        Expr::Exists(_) => ("EXISTS", "EXISTS ", "EXISTS"),
        Expr::InSubquery(_) | Expr::SetComparison(_) => ("a subquery", "副問合せ", "IN"),
        Expr::ScalarSubquery(_) => ("a subquery as a value", "値としての副問合せ", "("),
        Expr::Placeholder(_) => ("a placeholder", "プレースホルダ", "$1"),
        Expr::Literal(_, _) => ("a literal alone", "値だけの条件", "WHERE"),
        Expr::Unnest(_) => ("UNNEST", "UNNEST ", "UNNEST"),
        Expr::ScalarFunction(_) => ("a function alone", "関数だけの条件", "WHERE"),
        _ => ("this expression", "この式", "WHERE"),
    }
}
