//! Ages of one query are taken on one day of the month.
//!
//! An age tells on which side of a day a birthday lies. Taken on the first and again on the second of April it tells
//! who was born on the second, which a comparison with a birth date would (attack 6), and for whoever was not born yet
//! it is missing. Days that are whole months apart tell months of birth at most. So the days that a query writes for
//! its ages are the same day of the month, and a day that is not written beside its age is a person's own.

use datafusion_common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::Expr;

use crate::refusal::{Refusal, Rule};
use crate::relation::{Judge, Relation};

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
    match written(on) {
        Some(day) if judge.takes_ages_on(day) => Ok(()),
        Some(_) => refuse(
            "the ages of a query are taken on the same day of the month",
            "一つの問合せの年齢は、月の同じ日を基準にします",
        ),
        None if is_own(judge, on, schema, relation)? => Ok(()),
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
        Expr::ScalarFunction(call) if call.func.name() == "add_months" => call.args.first().and_then(written),
        _ => None,
    }
}

/// Whether a day is made of columns alone, none of which holds a day that a query has written.
fn is_own(judge: &Judge<'_>, on: &Expr, schema: &DFSchema, relation: &Relation) -> Result<bool, Refusal> {
    let mut is_own = true;
    let mut looked = Ok(());
    let visited = on.apply(|part| {
        match part {
            Expr::Column(column) => match judge.column(column, schema, relation) {
                Ok(fact) => is_own &= !fact.label.is_of_nothing() && !fact.describing.is_chosen,
                Err(refusal) => looked = Err(refusal),
            },
            Expr::Cast(_) | Expr::Case(_) => is_own = false,
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    });
    visited.map_err(|_| Refusal::new(Rule::Size, "the query is too deep to be planned"))?;
    looked.map(|()| is_own)
}
