//! Aggregates: `count(*)`, `count(DISTINCT person_id)`, `sum(measure)`, `avg(measure)`.
//!
//! The argument is the bare column: arithmetic would let a query weigh one person more than another (attack 11).

use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::Expr;
use datafusion_expr::expr::AggregateFunction;

use crate::refusal::{Refusal, Rule};
use crate::relation::{Judge, MeasureFact, Relation};

/// What an aggregate asks for.
pub(crate) enum Asked {
    Rows,
    Persons,
    Sum(Expr, String, MeasureFact),
    Average(Expr, String, MeasureFact),
}

/// Judges one aggregate.
pub(crate) fn asked(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<Asked, Refusal> {
    match expr {
        Expr::Alias(alias) => asked(judge, &alias.expr, schema, relation),
        Expr::AggregateFunction(call) => judge_call(judge, call, schema, relation),
        _ => Err(Refusal::new(Rule::Aggregate, "not an aggregate").suggest(FORMS)),
    }
}

const FORMS: &str = "count(*), count(DISTINCT person_id), sum(measure), avg(measure)";

fn judge_call(
    judge: &Judge<'_>,
    call: &AggregateFunction,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<Asked, Refusal> {
    let name = call.func.name();
    let refuse = |message: &str| {
        Refusal::new(Rule::Aggregate, message.to_owned()).at(judge.places.word(name)).suggest(FORMS)
    };
    let params = &call.params;
    if params.filter.is_some() || !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Err(refuse("FILTER, ORDER BY and NULLS are not available in an aggregate yet"));
    }
    let [argument] = params.args.as_slice() else { return Err(refuse("an aggregate has one argument")) };
    match (name, params.distinct, argument) {
        ("count", false, Expr::Literal(ScalarValue::Int64(Some(1)), _)) => Ok(Asked::Rows),
        ("count", true, Expr::Column(column)) => {
            let fact = judge.column(column, schema, relation)?;
            if fact.is_unit {
                return Ok(Asked::Persons);
            }
            let message = "only the person behind every row is counted distinctly";
            Err(refuse(message)
                .at(judge.places.column(column))
                .suggest("count(DISTINCT person_id) of an inner-joined table"))
        }
        ("sum" | "avg", false, Expr::Column(column)) => {
            let fact = judge.column(column, schema, relation)?;
            let (Some(measure), Some((table, name_of))) = (&fact.measure, &fact.origin) else {
                let message = format!("{} is not a measure", column.name);
                return Err(Refusal::new(Rule::Aggregate, message)
                    .at(judge.places.column(column))
                    .suggest(measures(relation)));
            };
            let of = format!("{table}.{name_of}");
            Ok(if name == "sum" {
                Asked::Sum(argument.clone(), of, measure.clone())
            } else {
                Asked::Average(argument.clone(), of, measure.clone())
            })
        }
        ("count", false, _) => Err(refuse("count takes * or DISTINCT person_id")),
        _ => Err(refuse("the argument of an aggregate is a bare column")),
    }
}

fn measures(relation: &Relation) -> String {
    let columns = relation.iter().filter(|fact| fact.measure.is_some());
    let mut names: Vec<&str> =
        columns.filter_map(|fact| fact.origin.as_ref().map(|(_, name)| name.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        "the joined tables have no measure".to_owned()
    } else {
        format!("the measures are {}", names.join(", "))
    }
}
