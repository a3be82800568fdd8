//! Groups have a declared finite set of values, so that an absent group and a hidden one look alike.

use catalog_model::Class;
use datafusion_common::DFSchema;
use datafusion_expr::Expr;

use super::{function, identity, predicate};
use crate::domain::KeyDomain;
use crate::refusal::{Refusal, Rule};
use crate::relation::{Judge, Relation};

/// The domain of a group key.
pub(crate) fn domain(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<KeyDomain, Refusal> {
    match expr {
        Expr::Alias(alias) => domain(judge, &alias.expr, schema, relation),
        Expr::Column(column) => {
            let fact = judge.column(column, schema, relation)?;
            let place = judge.places.column(column);
            identity::check(fact, &column.name).map_err(|refusal| refusal.at(place))?;
            if let Some(domain) = fact.domain.clone().filter(|_| fact.class == Class::Quasi) {
                return Ok(domain);
            }
            let message = format!("{} has no declared finite set of values to group by", column.name);
            Err(Refusal::new(Rule::GroupKey, message).at(place).suggest(groupable(relation)))
        }
        Expr::ScalarFunction(call) => {
            let fact = function::fact(judge, call, schema, relation)?;
            fact.domain.ok_or_else(|| {
                Refusal::new(
                    Rule::GroupKey,
                    format!("{} has no finite set of values to group by", call.func.name()),
                )
                .at(judge.places.word(call.func.name()))
                .suggest("month_of(day) or fiscal_year(day)")
            })
        }
        other => {
            let (what, word) = predicate::describe(other);
            Err(Refusal::new(Rule::GroupKey, format!("{what} cannot be a group"))
                .at(judge.places.word(word))
                .suggest(groupable(relation)))
        }
    }
}

fn groupable(relation: &Relation) -> String {
    let columns = relation.iter().filter(|fact| fact.class == Class::Quasi && fact.domain.is_some());
    let mut names: Vec<&str> =
        columns.filter_map(|fact| fact.origin.as_ref().map(|(_, name)| name.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    format!("group by {}, or by age_band, months_band, month_of or fiscal_year", names.join(", "))
}
