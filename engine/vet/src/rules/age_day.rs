//! Every age is taken on the first of a month.
//!
//! An age tells on which side of a day a birthday lies. Taken on the first and again on the second of April it tells
//! who was born on the second, which a comparison with a birth date would (attack 6), and for whoever was not born yet
//! it is missing. A person's own days are no better than written ones: a condition picks persons by them, and one
//! person has several. Ages on firsts of months tell months of birth at most, in whatever query, subquery or kept
//! table they are taken, so no two of them have to be looked at together.

use catalog_model::Month;
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::Expr;

use crate::domain::KeyKind;
use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Judge, Relation};

/// Judges the day on which the function of this name takes an age.
pub(crate) fn check(
    judge: &Judge<'_>,
    name: &str,
    on: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<(), Refusal> {
    if is_first(judge, on, schema, relation)? {
        return Ok(());
    }
    Err(Refusal::new(Rule::Identity, "an age is taken on the first of a month")
        .ja("年齢の基準日は、月の初日です")
        .suggest(format!("{name}(birth_date, {})", nearest(on))))
}

/// Whether a day is always the first of a month.
fn is_first(judge: &Judge<'_>, on: &Expr, schema: &DFSchema, relation: &Relation) -> Result<bool, Refusal> {
    Ok(match on {
        Expr::Cast(_) => written(on).is_some_and(|(_, day)| day == "01"),
        Expr::Column(column) => is_month(judge.column(column, schema, relation)?),
        Expr::OuterReferenceColumn(_, column) => is_month(&judge.outer_column(column)?),
        Expr::ScalarFunction(call) => match (call.func.name(), call.args.first()) {
            ("month_of" | "date_trunc", _) => true,
            ("add_months", Some(first)) => is_first(judge, first, schema, relation)?,
            _ => false,
        },
        _ => false,
    })
}

/// Whether a column is of months: the only days that are a finite set are firsts. One that may be a value that the query
/// wrote may be any day.
fn is_month(fact: &ColumnFact) -> bool {
    let is_date = fact.domain.as_ref().is_some_and(|domain| domain.kind == KeyKind::Date);
    is_date && !fact.describing.is_chosen
}

/// Year and month, and the day, of a day that is written.
fn written(on: &Expr) -> Option<(&str, &str)> {
    let Expr::Cast(cast) = on else { return None };
    match cast.expr.as_ref() {
        Expr::Literal(ScalarValue::Utf8(Some(day)), _) => day.rsplit_once('-'),
        _ => None,
    }
}

/// The first of a month that is nearest to a day, as it is written in a query.
fn nearest(on: &Expr) -> String {
    match on {
        Expr::Column(column) => format!("month_of({})", column.name),
        _ => match written(on).and_then(|(month, day)| first(month, day)) {
            Some(month) => format!("DATE '{month}-01'"),
            None => "month_of(…)".to_owned(),
        },
    }
}

/// The month whose first is nearest: an age at the end of a fiscal year is that on the first of April, but for a day.
fn first(month: &str, day: &str) -> Option<Month> {
    let month: Month = month.parse().ok()?;
    let is_late = day.parse::<u32>().is_ok_and(|day| 2 * day > month.days());
    Some(if is_late { month.plus(1) } else { month })
}
