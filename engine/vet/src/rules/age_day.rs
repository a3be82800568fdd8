//! Ages of one query are taken on one day of the month.
//!
//! An age tells on which side of a day a birthday lies. Taken on the first and again on the second of April it tells
//! who was born on the second, which a comparison with a birth date would (attack 6), and for whoever was not born yet
//! it is missing. Days that are whole months apart tell months of birth at most. So the days that a query writes for
//! its ages are the same day of the month, and a day that is not written beside its age is a person's own.
//!
//! A condition picks persons by their own days, which then are as good as written. So a person's own month is a first
//! like any other, and beside ages on an own day of any other kind there are none on another day.

use std::fmt::Write as _;

use datafusion_common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::Expr;

use crate::domain::KeyKind;
use crate::refusal::{Refusal, Rule};
use crate::relation::{Judge, Relation};
use crate::spelled;

/// What all ages of a query are taken on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AgeDay {
    /// This day of months.
    OfMonth(u32),
    /// A day of each person's, by what it is made of.
    Own(String),
}

/// Judges the day on which an age is taken.
pub(crate) fn check(
    judge: &Judge<'_>,
    on: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<(), Refusal> {
    let refuse = |message: &str, ja: &str| {
        Err(Refusal::new(Rule::Identity, message)
            .ja(ja)
            .suggest("age_band(birth_date, DATE '2024-04-01'), every age on the first of a month"))
    };
    let day = match written(on) {
        Some(day) => Some(AgeDay::OfMonth(day)),
        None => own(judge, on, schema, relation)?,
    };
    match day.map(|day| judge.takes_ages_on(&day)) {
        Some(true) => Ok(()),
        Some(false) => refuse(
            "the ages of a query are taken on the same day of the month",
            "一つの問合せの年齢は、月の同じ日を基準にします",
        ),
        None => refuse(
            "the day of an age is a column of the person, or is written beside it",
            "年齢の基準日は、その人の列か、その場に書いた日です",
        ),
    }
}

/// The day of the month of a written day, or of one that lies months from it.
fn written(on: &Expr) -> Option<u32> {
    match on {
        Expr::Cast(cast) => match cast.expr.as_ref() {
            Expr::Literal(ScalarValue::Utf8(Some(day)), _) => day.rsplit('-').next()?.parse().ok(),
            _ => None,
        },
        // A later day becomes the last one of a month that does not have it.
        Expr::ScalarFunction(call) if call.func.name() == "add_months" => {
            call.args.first().and_then(written).filter(|day| *day <= SHORTEST_MONTH)
        }
        _ => None,
    }
}

const SHORTEST_MONTH: u32 = 28;

/// A day that is made of columns alone, none of which holds a day that a query has written.
fn own(
    judge: &Judge<'_>,
    on: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<Option<AgeDay>, Refusal> {
    let mut parts: Vec<&Expr> = Vec::new();
    let visited = on.apply(|part| {
        parts.push(part);
        Ok(TreeNodeRecursion::Continue)
    });
    visited.map_err(|_| Refusal::new(Rule::Size, "the query is too deep to be planned"))?;
    let mut of = spelled::expr(on);
    for part in parts {
        let fact = match part {
            Expr::Column(column) => judge.column(column, schema, relation)?.clone(),
            Expr::OuterReferenceColumn(_, column) => judge.outer_column(column)?,
            Expr::Cast(_) | Expr::Case(_) => return Ok(None),
            _ => continue,
        };
        if fact.label.is_of_nothing() || fact.describing.is_chosen {
            return Ok(None);
        }
        // Columns of two tables may go by one name. Writing to a text does not fail.
        let _ = write!(of, " {:?} {:?}", fact.origin, fact.describing.columns);
    }
    Ok(Some(if is_month(judge, on, schema, relation)? { AgeDay::OfMonth(1) } else { AgeDay::Own(of) }))
}

/// Whether an own day is always the first of a month.
fn is_month(judge: &Judge<'_>, on: &Expr, schema: &DFSchema, relation: &Relation) -> Result<bool, Refusal> {
    Ok(match on {
        Expr::Column(column) => {
            let domain = judge.column(column, schema, relation)?.domain.as_ref();
            // The only days that are a finite set are firsts of months.
            domain.is_some_and(|domain| domain.kind == KeyKind::Date)
        }
        Expr::ScalarFunction(call) => match (call.func.name(), call.args.first()) {
            ("month_of" | "date_trunc", _) => true,
            ("add_months", Some(first)) => is_month(judge, first, schema, relation)?,
            _ => false,
        },
        _ => false,
    })
}
