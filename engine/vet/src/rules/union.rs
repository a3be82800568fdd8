//! Unions of subqueries that each carry the person behind their rows in the same column.

use std::collections::BTreeSet;

use datafusion_expr::Union;

use super::kinds;
use crate::label::Label;
use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Describing, Judge, MeasureFact, Relation};

/// The facts of a union's columns: what holds in every branch.
pub(crate) fn relation(judge: &Judge<'_>, union: &Union) -> Result<Relation, Refusal> {
    let branches = union.inputs.iter().map(|input| judge.meeting(|| judge.relation(input)));
    let branches = branches.collect::<Result<Vec<_>, _>>()?;
    let met: BTreeSet<i64> = branches.iter().flat_map(|(_, met)| met).copied().collect();
    let mut branches = branches.into_iter();
    let Some((mut facts, _)) = branches.next() else { return Err(refuse(judge)) };
    for (branch, _) in branches {
        let hands_on = facts.iter().zip(&branch).any(|(one, two)| one.is_unit() && two.is_unit());
        if branch.len() != facts.len() || !hands_on {
            return Err(refuse(judge));
        }
        let both = facts.into_iter().zip(branch).map(|(one, two)| both(one, two));
        facts = both.collect::<Option<_>>().ok_or_else(|| refuse_kinds(judge))?;
    }
    // Unless it is one column of one table, a value tells which branch it is of, and what picked the rows there.
    for fact in facts.iter_mut().filter(|fact| fact.origin.is_none()) {
        fact.describing.met.extend(&met);
    }
    Ok(facts)
}

/// What holds of both columns; nothing where they do not meet.
fn both(one: ColumnFact, two: ColumnFact) -> Option<ColumnFact> {
    let kind = kinds::wider(&one.kind, &two.kind)?;
    let label: Label = one.label.join(two.label);
    let measure = match (one.measure, two.measure) {
        (Some(one), Some(two)) if one.scale == two.scale => Some(MeasureFact {
            bounds: super::value::held(
                one.bounds.low.min(two.bounds.low),
                one.bounds.high.max(two.bounds.high),
            ),
            unit: one.unit.filter(|unit| two.unit.as_ref() == Some(unit)),
            scale: one.scale,
        }),
        _ => None,
    };
    let domain = match (one.domain, two.domain) {
        (Some(mut one), Some(two)) if one.kind == two.kind => {
            for value in two.values {
                if !one.values.iter().any(|known| known.code == value.code) {
                    one.values.push(value);
                }
            }
            Some(one)
        }
        _ => None,
    };
    Some(ColumnFact {
        person: one.person.min(two.person),
        origin: one.origin.filter(|origin| two.origin.as_ref() == Some(origin)),
        system: one.system.filter(|system| two.system.as_ref() == Some(system)),
        domain,
        measure,
        describing: Describing {
            columns: one.describing.columns.into_iter().chain(two.describing.columns).collect(),
            is_chosen: one.describing.is_chosen
                || two.describing.is_chosen
                || one.label.is_of_nothing()
                || two.label.is_of_nothing(),
            is_age: one.describing.is_age || two.describing.is_age,
            ages: one.describing.ages.into_iter().chain(two.describing.ages).collect(),
            met: one.describing.met.into_iter().chain(two.describing.met).collect(),
        },
        ..ColumnFact::made(label, kind)
    })
}

fn refuse_kinds(judge: &Judge<'_>) -> Refusal {
    Refusal::new(Rule::Union, "a column of a union has different types in its branches")
        .ja("UNION の同じ位置の列の型が枝によって違います")
        .at(judge.places.word("UNION"))
        .suggest("columns that are all codes, all days or all numbers")
}

fn refuse(judge: &Judge<'_>) -> Refusal {
    Refusal::new(Rule::Union, "every branch of a union hands on the person in the same column")
        .ja("UNION の各枝は同じ位置の列に person_id を持たなければなりません")
        .at(judge.places.word("UNION"))
        .suggest("SELECT person_id, … FROM a UNION ALL SELECT person_id, … FROM b")
}
