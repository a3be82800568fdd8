//! Tables of persons are joined by person, inner or left; whatever else a join compares comes on top of that.
//!
//! The equality must be a plain one of two person columns at the top of the condition: behind OR, a cast or a function
//! it would join strangers (ZetaSQL's negative cases). A facility as the only bridge would give every patient of a
//! hospital to each of them (attack 23).

use std::collections::BTreeSet;

use catalog_model::Class;
use datafusion_common::{DFSchema, JoinType, NullEquality};
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{BinaryExpr, Expr, Join, Operator};

use super::{age_floor, predicate};
use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Judge, Person, Relation};

/// The facts of a join's columns.
pub(crate) fn relation(judge: &Judge<'_>, join: &Join) -> Result<Relation, Refusal> {
    match join.join_type {
        JoinType::Inner
        | JoinType::Left
        | JoinType::Right
        | JoinType::LeftSemi
        | JoinType::RightSemi
        | JoinType::LeftAnti
        | JoinType::RightAnti => {}
        JoinType::Full | JoinType::LeftMark | JoinType::RightMark => {
            return Err(Refusal::new(Rule::Join, format!("{} JOIN is not available", join.join_type))
                .ja(format!("{} JOIN は使えません", join.join_type))
                .at(judge.places.word("FULL").or_else(|| judge.places.word("JOIN")))
                .suggest("SELECT person_id … UNION ALL SELECT person_id …, or LEFT JOIN on person_id"));
        }
    }
    let (mut left, in_left) = judge.meeting(|| judge.relation(&join.left))?;
    let (right, in_right) = judge.meeting(|| judge.relation(&join.right))?;
    let width = left.len();
    // A semi-join's own schema has one side only.
    let schema = join.left.schema().join(join.right.schema());
    let schema =
        &schema.map_err(|_| Refusal::new(Rule::Join, "both tables have a column of the same name"))?;
    left.extend(right);
    let both = left;
    let mut has_person = false;
    let mut rest = Vec::new();
    for (one, two) in &join.on {
        match equality(judge, join.join_type, schema, &both, width, one, two)? {
            Some(is_person) => has_person |= is_person,
            None => rest.push(one.clone().eq(two.clone())),
        }
    }
    for conjunct in join.filter.iter().flat_map(split_conjunction) {
        let pair = match conjunct {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
                equality(judge, join.join_type, schema, &both, width, left, right)?
            }
            _ => None,
        };
        match pair {
            Some(is_person) => has_person |= is_person,
            None => rest.push(conjunct.clone()),
        }
    }
    if !has_person || join.null_equality != NullEquality::NullEqualsNothing {
        return Err(Refusal::new(Rule::Join, "tables of persons are joined by person")
            .ja("人の表どうしは person_id の等号で結合します")
            .at(judge.places.word("JOIN").or_else(|| judge.places.word("FROM")))
            .suggest("JOIN … ON a.person_id = b.person_id, with other conditions joined by AND"));
    }
    let ((), on) = judge.meeting(|| {
        rest.iter().try_for_each(|expr| {
            predicate::check(judge, expr, schema, &both)?;
            age_floor::meet(judge, expr, schema, &both)
        })
    })?;
    let far = match join.join_type {
        JoinType::Right => in_left,
        _ => in_right,
    };
    Ok(after(join.join_type, both, width, &far.into_iter().chain(on).collect()))
}

/// The columns that a join hands on. On the far side of an outer join the person is null where nothing matched, and no
/// longer stands behind every row; and whether a value is there tells what was met.
fn after(join: JoinType, mut both: Relation, width: usize, met: &BTreeSet<i64>) -> Relation {
    let loosen = |fact: &mut ColumnFact| {
        fact.person = fact.person.min(Person::Perhaps);
        fact.describing.met.extend(met);
    };
    match join {
        JoinType::Left => both.iter_mut().skip(width).for_each(loosen),
        JoinType::Right => both.iter_mut().take(width).for_each(loosen),
        JoinType::LeftSemi | JoinType::LeftAnti => both.truncate(width),
        JoinType::RightSemi | JoinType::RightAnti => {
            both.drain(..width);
        }
        JoinType::Inner | JoinType::Full | JoinType::LeftMark | JoinType::RightMark => {}
    }
    both
}

/// Whether an equality compares two identities of the two sides: `Some(true)` for the persons behind the rows,
/// `Some(false)` for other identities, nothing for values.
fn equality(
    judge: &Judge<'_>,
    join: JoinType,
    schema: &DFSchema,
    both: &Relation,
    width: usize,
    one: &Expr,
    two: &Expr,
) -> Result<Option<bool>, Refusal> {
    let (Expr::Column(one), Expr::Column(two)) = (one, two) else { return Ok(None) };
    let (Some(at_one), Some(at_two)) = (schema.maybe_index_of_column(one), schema.maybe_index_of_column(two))
    else {
        return Ok(None);
    };
    let crosses = (at_one < width) != (at_two < width);
    let first = judge.column(one, schema, both)?;
    let second = judge.column(two, schema, both)?;
    if !first.class().is_identity() && !second.class().is_identity() {
        return Ok(None);
    }
    if !crosses || first.class() != second.class() || first.kind != second.kind {
        return Err(Refusal::new(
            Rule::Join,
            "an identity is joined with the same identity of the other table",
        )
        .ja("識別番号は相手の表の同じ識別番号と結合します")
        .at(judge.places.column(one))
        .suggest("a.person_id = b.person_id"));
    }
    // A person that is perhaps there may look for its rows on the other side, but cannot be looked for.
    let (near, far) = if at_one < width { (first, second) } else { (second, first) };
    let is_bridge = match join {
        JoinType::Right => far.person != Person::Not && near.is_unit(),
        _ => near.person != Person::Not && far.is_unit(),
    };
    Ok(Some(first.class() == Class::Person && is_bridge))
}
