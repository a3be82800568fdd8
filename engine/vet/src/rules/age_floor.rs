//! Groups tell ages in bands of at least five years, with 90 and over together, as `age_band` does.
//!
//! Looked at are the cuts of a `bucket` over ages wherever it stands, of a CASE that gives codes, and of whatever else a
//! single group key compares an age with, in the key, in what subqueries and kept tables made of it, and by the branch of
//! a union or the side of an outer join that its rows come from. An age that is compared with anything but a written
//! number or another age counts as cut at every year. What rows are picked by is no group: conditions take single years.
//! What two keys tell together is not looked at.

use std::collections::BTreeSet;

use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::{BinaryExpr, Expr, Operator};

use super::{function, picked};
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
    let (mut cuts, mut named) = (BTreeSet::new(), BTreeSet::new());
    for (of, op, by) in compared(part).into_iter().flat_map(both_ways) {
        if !is_age(judge, of, schema, relation)? {
            continue;
        }
        match (number(by), op) {
            (Some((_, above)), Operator::Lt | Operator::GtEq) => cuts.extend([above]),
            (Some((below, _)), Operator::Gt | Operator::LtEq) => cuts.extend([below.saturating_add(1)]),
            (Some((below, _)), _) => named.extend([below]),
            // Which number it is, and whether it is one, stands elsewhere in the query: it may be any.
            (None, _) if !is_bare(judge, by, schema, relation)? => cuts.extend(1..=TOP),
            (None, _) => {}
        }
    }
    match part {
        // A list has one outcome for all of its numbers, a CASE one for each.
        Expr::InList(_) => cuts.extend(edges(&named)),
        _ => cuts.extend(named.into_iter().flat_map(|age| [age, age.saturating_add(1)])),
    }
    Ok(cuts)
}

/// Whether a number is an age as it is, and can be none that the query wrote or counted.
fn is_bare(judge: &Judge<'_>, expr: &Expr, schema: &DFSchema, relation: &Relation) -> Result<bool, Refusal> {
    let is = |describing: &Describing| describing.is_age && !describing.is_chosen;
    match expr {
        Expr::Column(column) => Ok(is(&judge.column(column, schema, relation)?.describing)),
        Expr::OuterReferenceColumn(_, column) => Ok(is(&judge.outer_column(column)?.describing)),
        Expr::Alias(alias) => is_bare(judge, &alias.expr, schema, relation),
        Expr::Cast(cast) => is_bare(judge, &cast.expr, schema, relation),
        Expr::ScalarFunction(call) => Ok(call.func.name() == "age"),
        _ => Ok(false),
    }
}

/// One value, how it is compared, and the other.
type Compared<'e> = (&'e Expr, Operator, &'e Expr);

/// What a part of an expression compares.
fn compared(part: &Expr) -> Vec<Compared<'_>> {
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
            vec![(left.as_ref(), *op, right.as_ref())]
        }
        Expr::Between(between) => {
            let of = between.expr.as_ref();
            vec![(of, Operator::GtEq, between.low.as_ref()), (of, Operator::LtEq, between.high.as_ref())]
        }
        Expr::InList(list) => list.list.iter().map(|by| (list.expr.as_ref(), Operator::Eq, by)).collect(),
        Expr::Case(case) => {
            let whens = case.when_then_expr.iter().map(|(when, _)| when.as_ref());
            let of = case.expr.iter();
            of.flat_map(|of| whens.clone().map(move |when| (of.as_ref(), Operator::Eq, when))).collect()
        }
        Expr::ScalarFunction(call) => {
            let op = match call.func.name() {
                "bucket" => Operator::GtEq,
                "nullif" => Operator::Eq,
                _ => return Vec::new(),
            };
            let mut args = call.args.iter();
            let of = args.next().into_iter();
            of.flat_map(|of| args.clone().map(move |by| (of, op, by))).collect()
        }
        _ => Vec::new(),
    }
}

/// A comparison from either side.
fn both_ways((one, op, two): Compared<'_>) -> impl Iterator<Item = Compared<'_>> {
    [Some((one, op, two)), op.swap().map(|op| (two, op, one))].into_iter().flatten()
}

const fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
    )
}

/// Where runs of numbers begin, and the first numbers after them.
fn edges(ages: &BTreeSet<i64>) -> BTreeSet<i64> {
    let first = ages.iter().copied().filter(|age| !ages.contains(&age.saturating_sub(1)));
    let after = ages.iter().map(|age| age.saturating_add(1)).filter(|age| !ages.contains(age));
    first.chain(after).collect()
}

/// The whole numbers on both sides of a written number; it, twice, where it is whole.
fn number(expr: &Expr) -> Option<(i64, i64)> {
    match expr {
        Expr::Alias(alias) => number(&alias.expr),
        Expr::Cast(cast) => number(&cast.expr),
        Expr::Negative(inner) => {
            let (below, above) = number(inner)?;
            above.checked_neg().zip(below.checked_neg())
        }
        Expr::Literal(ScalarValue::Decimal128(Some(number), _, places), _) => {
            let one = 10_i128.checked_pow(u32::try_from(*places).ok()?)?;
            let below = i64::try_from(number.div_euclid(one)).ok()?;
            Some((below, below.saturating_add(i64::from(number.rem_euclid(one) > 0))))
        }
        other => function::whole_number(other).map(|number| (number, number)),
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
        let years = "age(x.birth_date, DATE '2024-04-01')";
        for key in ["? = x.y", "? IN (-1, x.y)", "CASE ? WHEN -10 THEN 'a' WHEN x.y THEN 'b' ELSE 'c' END"] {
            assert_eq!(rule(&key.replace('?', years), written), Some(Rule::GroupKey), "{key}");
        }
        for key in ["? BETWEEN 71 AND x.y", "? BETWEEN x.y AND 90", "nullif(?, x.y) IS NULL", "? < x.y"] {
            assert_eq!(rule(&key.replace('?', years), written), Some(Rule::GroupKey), "{key}");
        }
        // However a number is written, and on whichever side.
        for key in ["? = CAST(71 AS BIGINT)", "? = -(-71)", "71 BETWEEN ? AND ?"] {
            assert_eq!(rule(&key.replace('?', age), person), Some(Rule::GroupKey), "{key}");
        }
        for key in
            ["CASE 71 WHEN ? THEN 'a' ELSE 'b' END", "CASE WHEN ? < 65.5 OR ? > 69 THEN 'a' ELSE 'b' END"]
        {
            assert_eq!(rule(&key.replace('?', age), person), Some(Rule::GroupKey), "{key}");
        }
        let months = "months_between(DATE '2018-04-01', DATE '2024-03-01')";
        assert_eq!(rule(&format!("{age} = {months}"), person), Some(Rule::GroupKey));
        assert_eq!(rule(&format!("{age} >= CAST(65 AS BIGINT)"), person), None);
        assert_eq!(rule(&format!("65 > {age}"), person), None);
        assert_eq!(rule(&format!("{age} > age(p.birth_date, p.first_month)"), person), None);
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
