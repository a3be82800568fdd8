//! Groups have a declared finite set of values, so that an absent group and a hidden one look alike.

use catalog_model::Class;
use datafusion_common::DFSchema;
use datafusion_common::tree_node::TreeNode as _;
use datafusion_expr::Expr;

use super::{age_floor, identity, picked, value};
use crate::domain::KeyDomain;
use crate::functions::are_bands;
use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Judge, Relation};

/// A table with more declared values of one key is not read by anybody.
const MOST_VALUES: usize = 20_000;

/// The domain of a group key: of a column as the catalogue declares it, of a value as its parts have it.
pub(crate) fn domain(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<KeyDomain, Refusal> {
    let (fact, name, place) = match expr {
        Expr::Alias(alias) => return domain(judge, &alias.expr, schema, relation),
        Expr::Column(column) => {
            let fact = judge.column(column, schema, relation)?;
            let place = judge.places.column(column);
            identity::check(fact, &column.name).map_err(|refusal| refusal.at(place))?;
            (fact.clone(), column.name.clone(), place)
        }
        Expr::ScalarFunction(call) => {
            let fact = value::fact(judge, expr, schema, relation)?;
            (fact, call.func.name().to_owned(), judge.places.word(call.func.name()))
        }
        other => {
            let (what, _, word) = super::predicate::describe(other);
            (value::fact(judge, other, schema, relation)?, what.to_owned(), judge.places.word(word))
        }
    };
    age_floor::check(judge, expr, schema, relation)?;
    match fact.domain.clone() {
        Some(domain) if is_open(&fact) && domain.values.len() <= MOST_VALUES => Ok(domain),
        _ => Err(Refusal::new(
            Rule::GroupKey,
            format!("{name} has no declared finite set of values to group by"),
        )
        .ja(format!("{name} には群にできる有限個の値が宣言されていません"))
        .at(place)
        .suggest(groupable(relation))),
    }
}

/// The code system of a key that is a column as it stands in its table.
pub(crate) fn system(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Option<String> {
    match expr {
        Expr::Alias(alias) => system(judge, &alias.expr, schema, relation),
        Expr::Column(column) => {
            let fact = judge.column(column, schema, relation).ok()?;
            fact.origin.as_ref().and(fact.system.clone())
        }
        _ => None,
    }
}

/// Whether a key tells ages: something in it is one, its values change at written ages, or they are the bands of ages.
pub(crate) fn is_age(
    judge: &Judge<'_>,
    (expr, domain): (&Expr, &KeyDomain),
    schema: &DFSchema,
    relation: &Relation,
) -> Result<bool, Refusal> {
    let is_band = |part: &Expr| match part {
        Expr::ScalarFunction(call) => call.func.name() == "age_band",
        _ => false,
    };
    let is_age = |part: &Expr| age_floor::is_age(judge, part, schema, relation).unwrap_or(true);
    let is_told = expr.exists(|part| Ok(is_band(part) || is_age(part))).unwrap_or(true);
    let found = picked::describing(judge, expr, schema, relation)?;
    Ok(is_told || !found.ages.is_empty() || are_bands(&domain.values))
}

/// A column of a table is grouped where its class allows it; a value has named its own few values.
fn is_open(fact: &ColumnFact) -> bool {
    // Whatever the value holds or tells: nothing of an identity, and no exact value.
    let is_secret = matches!(
        fact.label.strictest(),
        Class::Direct
            | Class::Link
            | Class::Text
            | Class::Person
            | Class::Record
            | Class::Facility
            | Class::Insurer
            | Class::Municipality
            | Class::Exact
    );
    if is_secret {
        return false;
    }
    fact.origin.is_none() || fact.class() == Class::Quasi || fact.kind == arrow::datatypes::DataType::Boolean
}

fn groupable(relation: &Relation) -> String {
    let columns = relation.iter().filter(|fact| fact.class() == Class::Quasi && fact.domain.is_some());
    let mut names: Vec<&str> =
        columns.filter_map(|fact| fact.origin.as_ref().map(|(_, name)| name.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    format!("group by {}, or by age_band, months_band, month_of or fiscal_year", names.join(", "))
}
