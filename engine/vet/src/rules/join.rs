//! Tables of persons are joined by person, inner or left; whatever else a join compares comes on top of that.
//!
//! The equality must be a plain one of two person columns at the top of the condition: behind OR, a cast or a function
//! it would join strangers (ZetaSQL's negative cases). A facility as the only bridge would give every patient of a
//! hospital to each of them (attack 23).

use catalog_model::Class;
use datafusion_common::{JoinType, NullEquality};
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{BinaryExpr, Expr, Join, Operator};

use super::predicate;
use crate::refusal::{Refusal, Rule};
use crate::relation::{Judge, Relation};

/// The facts of a join's columns.
pub(crate) fn relation(judge: &Judge<'_>, join: &Join) -> Result<Relation, Refusal> {
    let is_left = match join.join_type {
        JoinType::Inner => false,
        JoinType::Left => true,
        JoinType::Right
        | JoinType::Full
        | JoinType::LeftSemi
        | JoinType::RightSemi
        | JoinType::LeftAnti
        | JoinType::RightAnti
        | JoinType::LeftMark
        | JoinType::RightMark => {
            return Err(Refusal::new(Rule::Join, format!("{} JOIN is not available yet", join.join_type))
                .at(judge.places.word("JOIN"))
                .suggest("JOIN or LEFT JOIN … ON a.person_id = b.person_id"));
        }
    };
    let mut left = judge.relation(&join.left)?;
    let right = judge.relation(&join.right)?;
    let width = left.len();
    left.extend(right);
    let both = left;
    let mut has_person = false;
    let mut rest = Vec::new();
    for (one, two) in &join.on {
        match equality(judge, join, &both, width, one, two)? {
            Some(is_person) => has_person |= is_person,
            None => rest.push(one.clone().eq(two.clone())),
        }
    }
    for conjunct in join.filter.iter().flat_map(split_conjunction) {
        let pair = match conjunct {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
                equality(judge, join, &both, width, left, right)?
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
            .at(judge.places.word("JOIN").or_else(|| judge.places.word("FROM")))
            .suggest("JOIN … ON a.person_id = b.person_id, with other conditions joined by AND"));
    }
    for expr in &rest {
        predicate::check(judge, expr, &join.schema, &both)?;
    }
    let mut both = both;
    if is_left {
        // The right side's person is null where nothing matched, so it no longer stands behind every row.
        both.iter_mut().skip(width).for_each(|fact| fact.is_unit = false);
    }
    Ok(both)
}

/// Whether an equality compares two identities of the two sides: `Some(true)` for the persons behind the rows,
/// `Some(false)` for other identities, nothing for values.
fn equality(
    judge: &Judge<'_>,
    join: &Join,
    both: &Relation,
    width: usize,
    one: &Expr,
    two: &Expr,
) -> Result<Option<bool>, Refusal> {
    let (Expr::Column(one), Expr::Column(two)) = (one, two) else { return Ok(None) };
    let (Some(at_one), Some(at_two)) =
        (join.schema.maybe_index_of_column(one), join.schema.maybe_index_of_column(two))
    else {
        return Ok(None);
    };
    let crosses = (at_one < width) != (at_two < width);
    let first = judge.column(one, &join.schema, both)?;
    let second = judge.column(two, &join.schema, both)?;
    let is_identity = |class: Class| matches!(class, Class::Person | Class::Record | Class::Facility);
    if !is_identity(first.class) && !is_identity(second.class) {
        return Ok(None);
    }
    if !crosses || first.class != second.class || first.kind != second.kind {
        return Err(Refusal::new(
            Rule::Join,
            "an identity is joined with the same identity of the other table",
        )
        .at(judge.places.column(one))
        .suggest("a.person_id = b.person_id"));
    }
    Ok(Some(first.class == Class::Person && first.is_unit && second.is_unit))
}
