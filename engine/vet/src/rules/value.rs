//! Values: columns, literals, our functions, CASE, and arithmetic that keeps to declared bounds.
//!
//! Everything here is total: no value of any row can make it fail, so an error cannot tell a value (attack 12).
//! Division is left to the post-program. A number may be added to and multiplied by small literals, alike in every row;
//! the branches of a CASE are measures as they are, so that no query can weigh one person more than another and read
//! them off the digits of a sum (attack 11).

use arrow::datatypes::DataType;
use catalog_model::{Bounds, Class};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::Case;
use datafusion_expr::{BinaryExpr, Cast, Expr, ExprSchemable as _, Operator};

use super::{age_floor, function, identity, kinds, predicate};
use crate::domain::KeyDomain;
use crate::label::Label;
use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Judge, MeasureFact, Relation};

/// The largest literal by which a measure may be multiplied.
const MOST_FACTOR: i64 = 1_000;
/// No bound grows beyond this, so that sums of many rows stay within 64 bits.
const MOST: i64 = 1_000_000_000_000;

/// The facts of a value. Exhaustive on purpose.
pub(crate) fn fact(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<ColumnFact, Refusal> {
    match expr {
        Expr::Column(column) => {
            let fact = judge.column(column, schema, relation)?;
            identity::check(fact, &column.name).map_err(|refusal| refusal.at(judge.places.column(column)))?;
            Ok(fact.clone())
        }
        Expr::OuterReferenceColumn(_, column) => {
            let fact = judge.outer_column(column)?;
            identity::check(&fact, &column.name)
                .map_err(|refusal| refusal.at(judge.places.column(column)))?;
            Ok(fact)
        }
        Expr::Alias(alias) => fact(judge, &alias.expr, schema, relation),
        Expr::Literal(value, _) => literal(judge, value),
        Expr::Negative(inner) => match inner.as_ref() {
            Expr::Literal(value, _) => literal(judge, &negative(value).ok_or_else(|| refuse(judge, expr))?),
            _ => Err(refuse(judge, expr)),
        },
        Expr::Cast(cast) => self::cast(judge, cast, expr, schema, relation),
        Expr::Case(case) => {
            let fact = self::case(judge, case, schema, relation)?;
            if predicate::is_text(&fact.kind) {
                age_floor::check(judge, expr, schema, relation)?;
            }
            Ok(fact)
        }
        Expr::ScalarFunction(call) => function::fact(judge, call, schema, relation),
        Expr::BinaryExpr(binary) if is_arithmetic(binary.op) => {
            arithmetic(judge, binary, expr, schema, relation)
        }
        Expr::BinaryExpr(_)
        | Expr::Like(_)
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
        | Expr::InList(_) => {
            let label = predicate::check(judge, expr, schema, relation)?;
            Ok(ColumnFact { domain: Some(KeyDomain::flag()), ..ColumnFact::made(label, DataType::Boolean) })
        }
        Expr::ScalarVariable(_, _)
        | Expr::SimilarTo(_)
        | Expr::TryCast(_)
        | Expr::AggregateFunction(_)
        | Expr::WindowFunction(_)
        | Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::SetComparison(_)
        | Expr::ScalarSubquery(_)
        | Expr::GroupingSet(_)
        | Expr::Placeholder(_)
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
    Refusal::new(Rule::Value, format!("{what} cannot be a value"))
        .ja(format!("{ja}は値として使えません"))
        .at(judge.places.word(word))
        .suggest("columns, literals, CASE, the functions of the catalogue, and measures with + and -")
}

/// A written value. A number of more digits is refused: compared with a column, both would be cast to a type that cannot
/// hold every value of the column.
fn literal(judge: &Judge<'_>, value: &ScalarValue) -> Result<ColumnFact, Refusal> {
    if kinds::is_bytes(&value.data_type()) {
        return Err(Refusal::new(Rule::Value, "bytes cannot be a value")
            .ja("バイト列は値として使えません")
            .at(judge.places.word("X"))
            .suggest("text, numbers and days: 'E11', 65, DATE '2024-04-01'"));
    }
    if !kinds::is_short(&value.data_type()) {
        let (digits, places) = (kinds::DIGITS, kinds::PLACES);
        let what = format!("a number is written with at most {digits} digits, {places} of them decimal");
        return Err(Refusal::new(Rule::Value, what)
            .ja(format!("数は {digits} 桁まで、小数点以下 {places} 桁までで書きます"))
            .at(judge.places.word(&kinds::written(value)).or_else(|| judge.places.word("SELECT")))
            .suggest("round it: 0.5"));
    }
    let domain = match value {
        ScalarValue::Utf8(Some(text)) => Some(KeyDomain::labels([text.clone()])),
        ScalarValue::Int64(Some(number)) => Some(KeyDomain::labels([number.to_string()])),
        ScalarValue::Boolean(Some(_)) => Some(KeyDomain::flag()),
        _ => None,
    };
    Ok(ColumnFact { domain, is_literal: true, ..ColumnFact::made(Label::default(), value.data_type()) })
}

/// The number with the other sign; nothing where there is none, or it is no number.
fn negative(value: &ScalarValue) -> Option<ScalarValue> {
    match value {
        ScalarValue::Int64(Some(number)) => {
            number.checked_neg().map(|number| ScalarValue::Int64(Some(number)))
        }
        ScalarValue::Decimal128(Some(number), digits, places) => {
            number.checked_neg().map(|number| ScalarValue::Decimal128(Some(number), *digits, *places))
        }
        _ => None,
    }
}

/// Casts that no value can make fail.
fn cast(
    judge: &Judge<'_>,
    cast: &Cast,
    whole: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<ColumnFact, Refusal> {
    let target = cast.field.data_type();
    if let Expr::Literal(ScalarValue::Utf8(Some(text)), _) = cast.expr.as_ref() {
        return match target {
            DataType::Date32 if predicate::is_day(text) => {
                Ok(ColumnFact { is_literal: true, ..ColumnFact::made(Label::default(), DataType::Date32) })
            }
            _ => Err(refuse(judge, whole)),
        };
    }
    let fact = fact(judge, &cast.expr, schema, relation)?;
    match (&fact.kind, target) {
        (one, two) if one == two => Ok(fact),
        (DataType::Boolean, DataType::Int64 | DataType::Int32) => {
            let bounds = Bounds { low: 0, high: 1 };
            let measure = MeasureFact { bounds, scale: 0, unit: None };
            let made = ColumnFact::made(fact.label, target.clone());
            Ok(ColumnFact { measure: Some(measure).filter(|_| *target == DataType::Int64), ..made })
        }
        (DataType::Int32, DataType::Int64) => Ok(ColumnFact { kind: DataType::Int64, ..fact }),
        _ => Err(refuse(judge, whole)),
    }
}

/// A CASE: what it holds comes from its branches, what it tells from its conditions.
fn case(
    judge: &Judge<'_>,
    case: &Case,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<ColumnFact, Refusal> {
    let told = told(judge, case, schema, relation)?;
    let branches = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
    let branches = branches
        .filter(|branch| !matches!(branch.as_ref(), Expr::Literal(value, _) if value.is_null()))
        .map(|branch| fact(judge, branch, schema, relation).map(|fact| (branch.as_ref(), fact)))
        .collect::<Result<Vec<_>, _>>()?;
    let kind = branches.iter().try_fold(DataType::Null, |kind, (_, fact)| kinds::wider(&kind, &fact.kind));
    let kind = kind.ok_or_else(|| {
        Refusal::new(Rule::Value, "the branches of a CASE have different types")
            .ja("CASE の枝の型が違います")
            .at(judge.places.word("CASE"))
            .suggest("branches that are all codes, all days or all numbers")
    })?;
    let label = branches.iter().fold(Label::default(), |label, (_, fact)| label.join(fact.label));
    Ok(ColumnFact {
        domain: domain_of(&branches),
        measure: measure_of(&branches, &kind),
        ..ColumnFact::made(label.under(told), kind)
    })
}

/// What the conditions of a CASE tell of. What it names once is judged once, however many values it is compared with.
fn told(judge: &Judge<'_>, case: &Case, schema: &DFSchema, relation: &Relation) -> Result<Label, Refusal> {
    let subject = match &case.expr {
        Some(subject) => Some((&**subject, predicate::operand(judge, subject, schema, relation)?)),
        None => None,
    };
    let whens = case.when_then_expr.iter().map(|(when, _)| match &subject {
        Some((expr, fact)) => predicate::compared(judge, (*expr, fact), when, schema, relation),
        None => predicate::check(judge, when, schema, relation),
    });
    whens.sum::<Result<Label, Refusal>>()
}

/// The values that the branches can take, where each is finite.
fn domain_of(branches: &[(&Expr, ColumnFact)]) -> Option<KeyDomain> {
    let (_, first) = branches.first()?;
    let mut domain = first.domain.clone()?;
    for (_, fact) in branches.iter().skip(1) {
        let more = fact.domain.as_ref().filter(|more| more.kind == domain.kind)?;
        let new =
            more.values.iter().filter(|value| !domain.values.iter().any(|known| known.code == value.code));
        let new: Vec<_> = new.cloned().collect();
        domain.values.extend(new);
    }
    Some(domain)
}

/// The bounds over all branches: measures as they are, and zero, or a mark of zero and one.
fn measure_of(branches: &[(&Expr, ColumnFact)], kind: &DataType) -> Option<MeasureFact> {
    let whole = |expr: &Expr| match expr {
        Expr::Literal(ScalarValue::Int64(Some(number)), _) => Some(*number),
        _ => None,
    };
    let numbers: Vec<Option<i64>> = branches.iter().map(|(expr, _)| whole(expr)).collect();
    let measures: Vec<&MeasureFact> = branches.iter().filter_map(|(_, fact)| fact.measure.as_ref()).collect();
    let Some(first) = measures.first() else {
        let is_mark = !numbers.is_empty() && numbers.iter().all(|number| matches!(number, Some(0 | 1)));
        let mark = MeasureFact { bounds: Bounds { low: 0, high: 1 }, scale: 0, unit: None };
        return Some(mark).filter(|_| is_mark && *kind == DataType::Int64);
    };
    let is_plain = branches.iter().zip(&numbers).all(|((expr, fact), number)| {
        *number == Some(0) || matches!(expr, Expr::Column(_)) && fact.measure.is_some()
    });
    let is_one_scale = measures.iter().all(|measure| measure.scale == first.scale);
    let low = measures.iter().map(|measure| measure.bounds.low).min()?.min(0);
    let high = measures.iter().map(|measure| measure.bounds.high).max()?.max(0);
    let unit = first.unit.clone().filter(|_| measures.iter().all(|measure| measure.unit == first.unit));
    (is_plain && is_one_scale).then_some(MeasureFact {
        bounds: Bounds { low, high },
        scale: first.scale,
        unit,
    })
}

const fn is_arithmetic(op: Operator) -> bool {
    matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo)
}

/// Sums and differences of measures, and their products with small literals.
fn arithmetic(
    judge: &Judge<'_>,
    binary: &BinaryExpr,
    whole: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<ColumnFact, Refusal> {
    let refuse = || {
        let op = binary.op.to_string();
        Refusal::new(Rule::Value, format!("{op} is not available between these values"))
            .ja(format!("この値どうしに演算 {op} は使えません"))
            .at(judge.places.word(&op))
            .suggest(
                "measures with + and -, or times a whole number up to 1000; ratios of aggregates at the top",
            )
    };
    let left = fact(judge, &binary.left, schema, relation)?;
    let right = fact(judge, &binary.right, schema, relation)?;
    let is_age = age_floor::is_age(judge, &binary.left, schema, relation)?
        || age_floor::is_age(judge, &binary.right, schema, relation)?;
    // Bands of what is made of an age may be finer than they look, and cuts of it mean other years.
    if is_age {
        return Err(Refusal::new(Rule::Value, "ages are compared and grouped as they are")
            .ja("年齢は計算に使わず、そのまま比べるか区分します")
            .at(judge.places.word(&binary.op.to_string()))
            .suggest("age(birth_date, DATE '2024-04-01') with another day; bucket(age(…), 65, 75)"));
    }
    let factor = |expr: &Expr| match expr {
        Expr::Literal(ScalarValue::Int64(Some(number)), _) if number.abs() <= MOST_FACTOR => Some(*number),
        _ => None,
    };
    let fixed =
        |number: i64| MeasureFact { bounds: Bounds { low: number, high: number }, scale: 0, unit: None };
    let measure = match (binary.op, &left.measure, &right.measure) {
        (Operator::Plus, Some(one), Some(two)) => combined(one, two, false),
        (Operator::Minus, Some(one), Some(two)) => combined(one, two, true),
        (Operator::Plus, Some(one), None) => {
            factor(&binary.right).and_then(|n| combined(one, &fixed(n), false))
        }
        (Operator::Minus, Some(one), None) => {
            factor(&binary.right).and_then(|n| combined(one, &fixed(n), true))
        }
        (Operator::Multiply, Some(one), None) => factor(&binary.right).and_then(|by| times(one, by)),
        (Operator::Multiply, None, Some(two)) => factor(&binary.left).and_then(|by| times(two, by)),
        _ => None,
    };
    let measure = measure.ok_or_else(refuse)?;
    let kind = whole.get_type(schema).map_err(|_| refuse())?;
    let label = left.label.join(right.label).join(Label::of(Class::Measure));
    Ok(ColumnFact { measure: Some(measure), ..ColumnFact::made(label, kind) })
}

fn combined(one: &MeasureFact, two: &MeasureFact, is_difference: bool) -> Option<MeasureFact> {
    if one.scale != two.scale {
        return None;
    }
    let (low, high) = if is_difference {
        (one.bounds.low.saturating_sub(two.bounds.high), one.bounds.high.saturating_sub(two.bounds.low))
    } else {
        (one.bounds.low.saturating_add(two.bounds.low), one.bounds.high.saturating_add(two.bounds.high))
    };
    Some(MeasureFact { bounds: held(low, high), ..one.clone() })
}

/// The product; none where it could leave what sums can carry: what the engine multiplies wraps around, and digits that
/// wrapped could be chosen so as to tell one person from another.
fn times(measure: &MeasureFact, by: i64) -> Option<MeasureFact> {
    let (one, two) = (measure.bounds.low.saturating_mul(by), measure.bounds.high.saturating_mul(by));
    let bounds = Bounds { low: one.min(two), high: one.max(two) };
    let is_carried = bounds == held(bounds.low, bounds.high);
    is_carried.then_some(MeasureFact { bounds, scale: measure.scale, unit: None })
}

/// Bounds, held within what sums can carry.
pub(crate) fn held(low: i64, high: i64) -> Bounds {
    Bounds { low: low.clamp(-MOST, MOST), high: high.clamp(-MOST, MOST) }
}

#[cfg(test)]
mod tests {
    use catalog_model::Catalogue;

    use crate::functions::tests::grant_of_all;
    use crate::vet::{Scope, vet};

    #[test]
    fn what_is_nested_is_judged_once_at_each_depth() {
        let catalogue = Catalogue::builtin().unwrap();
        let grant = grant_of_all(&catalogue);
        let mut calls = "sex".to_owned();
        let mut cases = "sex".to_owned();
        let mut ages = "1".to_owned();
        for _ in 0..11 {
            calls = format!("nullif(coalesce({calls}, '1'), '3')");
            cases = format!(
                "CASE {cases} WHEN '1' THEN '2' WHEN '2' THEN '3' WHEN '3' THEN '4' WHEN '4' THEN '5' \
                 WHEN '5' THEN '6' ELSE '1' END"
            );
            ages = format!("CASE WHEN age(birth_date, DATE '2024-04-01') = {ages} THEN 1 ELSE 2 END");
        }
        let by = |key: &str| format!("SELECT {key} AS k, count(*) AS n FROM person GROUP BY k");
        let texts = [by(&calls), by(&cases), format!("SELECT count(*) AS n FROM person WHERE {ages} = 1")];
        // Where each depth took twice as long as the one within, none of them would come to an end.
        for sql in texts {
            assert!(vet(&sql, Scope { catalogue: &catalogue, grant: &grant }).is_ok(), "{sql}");
        }
    }
}
