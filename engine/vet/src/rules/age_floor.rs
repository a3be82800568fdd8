//! Groups tell ages in bands of at least five years, with 90 and over together, as `age_band` does.
//!
//! Looked at are the cuts of a `bucket` over ages wherever it stands, of a CASE that gives codes, and of whatever else a
//! single group key compares an age with, in the key, in what subqueries and kept tables made of it, and by the branch of
//! a union or the side of an outer join that its rows come from. What rows are picked by is no group: conditions take
//! single years. What two keys tell together is not looked at.

use std::collections::BTreeSet;

use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::Case;
use datafusion_expr::{BinaryExpr, Expr, Operator};

use super::picked;
use crate::refusal::{Refusal, Rule};
use crate::relation::{Describing, Judge, Relation};

/// The fewest years of a band.
const NARROWEST: i64 = 5;
/// The first year of the last band.
const TOP: i64 = 90;

/// Judges the ages that a value tells apart.
pub(crate) fn check(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<(), Refusal> {
    let cuts = all(&picked::describing(judge, expr, schema, relation)?);
    let word = if matches!(expr, Expr::Case(_)) { "CASE" } else { "age" };
    far_apart(&cuts)
        .map_err(|refusal| refusal.at(judge.places.word(word)).at(judge.places.phrase(&["GROUP", "BY"])))
}

/// Notes the ages at which a condition changes that rows are picked by.
pub(crate) fn meet(
    judge: &Judge<'_>,
    condition: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<(), Refusal> {
    judge.meet(&all(&picked::describing(judge, condition, schema, relation)?));
    Ok(())
}

/// Every age that a value tells apart, by what it is or by whether it is there.
fn all(describing: &Describing) -> BTreeSet<i64> {
    describing.ages.union(&describing.met).copied().collect()
}

/// Judges the cuts of a `bucket` over ages.
pub(crate) fn cuts(cuts: &BTreeSet<i64>) -> Result<(), Refusal> {
    match cuts.last() {
        // Its last bands would look as if nobody were in them.
        Some(last) if *last > TOP => Err(refuse(&kept(cuts))),
        _ => far_apart(cuts),
    }
}

/// Whether a number is an age, or made of one.
pub(crate) fn is_age(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<bool, Refusal> {
    let is = |part: &Expr| is_age(judge, part, schema, relation);
    match expr {
        Expr::Column(column) => Ok(judge.column(column, schema, relation)?.describing.is_age),
        Expr::OuterReferenceColumn(_, column) => Ok(judge.outer_column(column)?.describing.is_age),
        Expr::Alias(alias) => is(alias.expr.as_ref()),
        Expr::Cast(cast) => is(cast.expr.as_ref()),
        Expr::Case(case) => {
            for branch in case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr) {
                if is(branch.as_ref())? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Expr::ScalarFunction(call) => match (call.func.name(), call.args.first()) {
            ("age", _) => Ok(true),
            ("coalesce" | "nullif", Some(first)) => is(first),
            _ => Ok(false),
        },
        Expr::AggregateFunction(call) => match call.params.args.first() {
            Some(first) if call.func.name() != "count" => is(first),
            _ => Ok(false),
        },
        _ => Ok(false),
    }
}

fn far_apart(cuts: &BTreeSet<i64>) -> Result<(), Refusal> {
    let kept = kept(cuts);
    if kept.len() == cuts.range(1..=TOP).count() { Ok(()) } else { Err(refuse(&kept)) }
}

/// The cuts that are far enough from those before them. One below the first year, or above the top, tells nobody apart.
fn kept(cuts: &BTreeSet<i64>) -> Vec<i64> {
    let mut kept: Vec<i64> = Vec::new();
    for cut in cuts.range(1..=TOP).copied() {
        if cut - kept.last().copied().unwrap_or(0) >= NARROWEST {
            kept.push(cut);
        }
    }
    kept
}

fn refuse(kept: &[i64]) -> Refusal {
    let cuts = match kept {
        [] => "65, 75".to_owned(),
        _ => kept.iter().map(i64::to_string).collect::<Vec<_>>().join(", "),
    };
    Refusal::new(
        Rule::GroupKey,
        format!("ages are grouped in bands of at least {NARROWEST} years, {TOP} and over in one"),
    )
    .ja(format!("年齢の群は{NARROWEST}歳以上の幅で、{TOP}歳以上は一つにまとめます"))
    .suggest(format!("bucket(age(birth_date, DATE '2024-04-01'), {cuts})"))
}

/// The ages from which on a part of an expression, by itself, tells something else.
pub(crate) fn told_apart(
    judge: &Judge<'_>,
    part: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<BTreeSet<i64>, Refusal> {
    match held_against(part) {
        Some((of, cuts)) if !cuts.is_empty() && is_age(judge, of, schema, relation)? => return Ok(cuts),
        _ => {}
    }
    for (of, by) in compared_with(part) {
        let is_both = number(by).is_none()
            && is_age(judge, of, schema, relation)?
            && is_written(judge, by, schema, relation)?;
        if is_both {
            // Which number it is, and whether it is one, stands elsewhere in the query: it may be any.
            return Ok((1..=TOP).collect());
        }
    }
    Ok(BTreeSet::new())
}

/// Whether a number is one that the query wrote, in a subquery or as an outcome of a CASE.
fn is_written(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<bool, Refusal> {
    let is_literal = match expr {
        Expr::Column(column) => judge.column(column, schema, relation)?.label.is_of_nothing(),
        Expr::OuterReferenceColumn(_, column) => judge.outer_column(column)?.label.is_of_nothing(),
        _ => false,
    };
    Ok(is_literal || picked::describing(judge, expr, schema, relation)?.is_chosen)
}

/// What a part of an expression compares, each with the other.
fn compared_with(part: &Expr) -> Vec<(&Expr, &Expr)> {
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
            vec![(left.as_ref(), right.as_ref()), (right.as_ref(), left.as_ref())]
        }
        Expr::Between(between) => {
            let of = between.expr.as_ref();
            vec![(of, between.low.as_ref()), (of, between.high.as_ref())]
        }
        Expr::InList(list) => list.list.iter().map(|by| (list.expr.as_ref(), by)).collect(),
        Expr::Case(case) => {
            let whens = case.when_then_expr.iter().map(|(when, _)| when.as_ref());
            let subject = case.expr.as_deref();
            subject.map(|of| whens.flat_map(|when| [(of, when), (when, of)]).collect()).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// What is held against written numbers, and the numbers from which on the outcome is another.
fn held_against(part: &Expr) -> Option<(&Expr, BTreeSet<i64>)> {
    match part {
        Expr::BinaryExpr(binary) => compared(binary),
        Expr::Between(between) => {
            let after = number(&between.high).map(|last| last.saturating_add(1));
            Some((between.expr.as_ref(), number(&between.low).into_iter().chain(after).collect()))
        }
        Expr::InList(list) => {
            Some((list.expr.as_ref(), edges(&list.list.iter().filter_map(number).collect())))
        }
        Expr::Case(case) => equal(case),
        Expr::ScalarFunction(call) if call.func.name() == "bucket" => {
            let cuts = call.args.iter().skip(1).filter_map(number);
            Some((call.args.first()?, cuts.collect()))
        }
        Expr::ScalarFunction(call) if call.func.name() == "nullif" => {
            Some((call.args.first()?, edges(&call.args.iter().skip(1).filter_map(number).collect())))
        }
        _ => None,
    }
}

const fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
    )
}

fn compared(binary: &BinaryExpr) -> Option<(&Expr, BTreeSet<i64>)> {
    let (of, op, age) = match (number(&binary.left), number(&binary.right)) {
        (None, Some(age)) => (binary.left.as_ref(), binary.op, age),
        (Some(age), None) => (binary.right.as_ref(), binary.op.swap()?, age),
        _ => return None,
    };
    let cuts = match op {
        Operator::Eq | Operator::NotEq => edges(&BTreeSet::from([age])),
        Operator::Lt | Operator::GtEq => BTreeSet::from([age]),
        Operator::Gt | Operator::LtEq => BTreeSet::from([age.saturating_add(1)]),
        _ => return None,
    };
    Some((of, cuts))
}

/// The numbers of a CASE that names what it compares once.
fn equal(case: &Case) -> Option<(&Expr, BTreeSet<i64>)> {
    let of = case.expr.as_ref()?;
    let whens = case.when_then_expr.iter().filter_map(|(when, _)| number(when));
    Some((of.as_ref(), whens.flat_map(|age| [age, age.saturating_add(1)]).collect()))
}

/// Where runs of numbers begin, and the first numbers after them.
fn edges(ages: &BTreeSet<i64>) -> BTreeSet<i64> {
    let first = ages.iter().copied().filter(|age| !ages.contains(&age.saturating_sub(1)));
    let after = ages.iter().map(|age| age.saturating_add(1)).filter(|age| !ages.contains(age));
    first.chain(after).collect()
}

/// A written number; of one with decimal places what stands before them.
fn number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(number), _) => *number,
        Expr::Literal(ScalarValue::Decimal128(Some(number), _, places), _) => {
            let one = 10_i128.checked_pow(u32::try_from(*places).ok()?)?;
            i64::try_from(number.div_euclid(one)).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use catalog_model::Catalogue;

    use super::{cuts, edges, kept};
    use crate::functions::tests::grant_of_all;
    use crate::refusal::{NotVetted, Rule};
    use crate::vet::{Scope, vet};

    #[test]
    fn cuts_of_ages_lie_five_years_apart_and_none_above_ninety() {
        let of = |ages: &[i64]| ages.iter().copied().collect::<BTreeSet<i64>>();
        for ages in [&[5][..], &[90], &[65, 75, 85], &[0, 5, 10], &[-1, 40], &[85, 90]] {
            assert!(cuts(&of(ages)).is_ok(), "{ages:?}");
        }
        for ages in [&[4][..], &[40, 41], &[65, 69], &[86, 90], &[91], &[65, 95], &[i64::MAX]] {
            assert!(cuts(&of(ages)).is_err(), "{ages:?}");
        }
        assert_eq!(kept(&of(&[40, 41, 46, 95])), [40, 46]);
        assert_eq!(edges(&of(&[65, 66, 67, 71])), of(&[65, 68, 71, 72]));
    }

    #[test]
    fn a_key_tells_no_single_years_however_it_is_made() {
        let catalogue = Catalogue::builtin().unwrap();
        let grant = grant_of_all(&catalogue);
        let rule = |key: &str, rows: &str| {
            let sql = format!("SELECT {key} AS k, count(*) AS n FROM {rows} GROUP BY {key}");
            match vet(&sql, Scope { catalogue: &catalogue, grant: &grant }) {
                Ok(_) => None,
                Err(NotVetted::Refused(refusal)) => Some(refusal.rule()),
                Err(not_vetted) => panic!("{not_vetted}"),
            }
        };
        let age = "age(p.birth_date, DATE '2024-04-01')";
        let by =
            |group: &str, last: &str| format!("(SELECT p.person_id, {last} AS a FROM person p {group}) x");
        let smallest = by("GROUP BY p.person_id", &format!("min({age})"));
        let either = by("", &format!("CASE WHEN p.sex = '1' THEN {age} END"));
        let united = format!(
            "(SELECT p.person_id, {age} AS a FROM person p UNION ALL SELECT r.person_id, r.service_days AS a FROM ndb_receipt r) x"
        );
        for rows in [smallest, either, united, "ndb_dpc_patient x".to_owned()] {
            let years = if rows.starts_with("ndb") { "x.age" } else { "x.a" };
            assert_eq!(rule(&format!("bucket({years}, 40, 41)"), &rows), Some(Rule::GroupKey), "{rows}");
            assert_eq!(rule(&format!("bucket({years}, 40, 45)"), &rows), None, "{rows}");
        }
        let words = |first: i64, second: i64| {
            format!("CASE WHEN {age} < {first} THEN 'a' WHEN {age} < {second} THEN 'b' ELSE 'c' END")
        };
        let person = "person p";
        assert_eq!(rule(&words(40, 41), person), Some(Rule::GroupKey));
        assert_eq!(rule(&words(40, 45), person), None);
        assert_eq!(rule("x.a", &by("", &words(40, 41))), Some(Rule::GroupKey));
        assert_eq!(rule(&format!("CASE {age} WHEN 40 THEN 'a' ELSE 'b' END"), person), Some(Rule::GroupKey));
        assert_eq!(rule(&format!("{age} = 71"), person), Some(Rule::GroupKey));
        assert_eq!(rule(&format!("{age} BETWEEN 70 AND 72"), person), Some(Rule::GroupKey));
        assert_eq!(rule(&format!("{age} IN (70, 71, 72, 73, 74)"), person), None);
        assert_eq!(rule(&format!("{age} >= 65"), person), None);
        assert_eq!(rule(&format!("nullif({age}, 71) IS NULL"), person), Some(Rule::GroupKey));
        assert_eq!(rule(&format!("bucket({age} * 2, 80, 85)"), person), Some(Rule::Value));
        assert_eq!(rule(&format!("bucket({age} - 100, -30, -29)"), person), Some(Rule::Value));
        assert_eq!(rule(&format!("bucket({age} + {age}, 80, 85)"), person), Some(Rule::Value));
        // Nor by what a subquery made, by the branch or side that rows come from, or by a number that stands elsewhere.
        let made = |what: &str| by("", what);
        assert_eq!(rule("x.a", &made(&format!("{age} = 71"))), Some(Rule::GroupKey));
        assert_eq!(rule("x.a", &made(&format!("{age} >= 65"))), None);
        assert_eq!(
            rule("x.a", &made(&format!("CASE WHEN {age} = 71 THEN 1 ELSE 0 END"))),
            Some(Rule::GroupKey)
        );
        let ill = by("GROUP BY p.person_id", &format!("count(*) FILTER (WHERE {age} = 71)"));
        assert_eq!(rule("x.a > 0", &ill), Some(Rule::GroupKey));
        let written = "(SELECT p.person_id, p.birth_date, 71 AS y FROM person p) x";
        assert_eq!(rule("age(x.birth_date, DATE '2024-04-01') = x.y", written), Some(Rule::GroupKey));
        let branches = |one: &str, two: &str, when: &str, otherwise: &str| {
            format!(
                "(SELECT p.person_id, {one} AS a FROM person p WHERE {age} {when} UNION ALL \
                 SELECT p.person_id, {two} AS a FROM person p WHERE {age} {otherwise}) x"
            )
        };
        assert_eq!(rule("x.a", &branches("'a'", "'b'", "= 71", "<> 71")), Some(Rule::GroupKey));
        assert_eq!(rule("x.a", &branches("'a'", "'b'", ">= 65", "< 65")), None);
        assert_eq!(rule("x.a", &branches("p.sex", "p.sex", "= 71", "<> 71")), None);
        let (one, two) = (format!("bucket({age}, 40, 45)"), format!("bucket({age}, 41, 46)"));
        assert_eq!(rule("x.a", &branches(&one, &two, ">= 0", ">= 0")), Some(Rule::GroupKey));
        let sides = |when: &str| {
            format!(
                "person q LEFT JOIN (SELECT p.person_id FROM person p WHERE {age} {when}) x ON x.person_id = q.person_id"
            )
        };
        assert_eq!(rule("x.person_id IS NOT NULL", &sides("= 71")), Some(Rule::GroupKey));
        assert_eq!(rule("x.person_id IS NOT NULL", &sides(">= 65")), None);
        // What rows are picked by, and what is counted, is no group.
        let counted = format!(
            "SELECT count(DISTINCT CASE WHEN {age} = 71 THEN p.person_id END) AS n FROM person p WHERE {age} >= 70"
        );
        assert!(vet(&counted, Scope { catalogue: &catalogue, grant: &grant }).is_ok());
    }
}
