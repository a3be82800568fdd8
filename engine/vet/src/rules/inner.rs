//! Aggregation by person, inside a subquery: one row for each person (and month, stay …) instead of many.
//!
//! The person stands bare among the group keys, so each group is of one person, and nothing is released here: minimum
//! and maximum, counts of anything, sums and means are values of that person, which only the outermost aggregate releases.

use arrow::datatypes::DataType;
use catalog_model::{Bounds, Class};
use datafusion_common::DFSchema;
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::{Aggregate, Expr, ExprSchemable as _};

use super::{picked, predicate, projection, semi, value};
use crate::checked_mean::PLACES;
use crate::label::Label;
use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Judge, MeasureFact, Relation};

/// Rows of one person that a count or sum is held to.
const MOST_ROWS: i64 = 100_000;
const FORMS: &str = "count, sum and avg of a measure, min, max";

/// The facts of an aggregation by person.
pub(crate) fn relation(judge: &Judge<'_>, aggregate: &Aggregate) -> Result<Relation, Refusal> {
    let input = judge.relation(&aggregate.input)?;
    let schema = aggregate.input.schema();
    let keys = aggregate.group_expr.iter().map(|key| key_fact(judge, key, schema, &input));
    let mut facts = keys.collect::<Result<Relation, _>>()?;
    if !facts.iter().any(ColumnFact::is_unit) {
        return Err(Refusal::new(Rule::Inner, "inside a subquery rows are aggregated by person")
            .ja("副問合せの中では person_id ごとに集計します")
            .at(judge.places.phrase(&["GROUP", "BY"]).or_else(|| judge.places.word("FROM")))
            .suggest("GROUP BY person_id inside, and the groups of the result outside"));
    }
    for expr in &aggregate.aggr_expr {
        facts.push(aggregate_fact(judge, expr, schema, &input)?);
    }
    semi::in_values(judge, aggregate.group_expr.iter().chain(&aggregate.aggr_expr))?;
    Ok(facts)
}

fn key_fact(
    judge: &Judge<'_>,
    key: &Expr,
    schema: &DFSchema,
    input: &Relation,
) -> Result<ColumnFact, Refusal> {
    if matches!(key, Expr::GroupingSet(_)) {
        return Err(Refusal::new(Rule::Inner, "grouping sets belong into the outermost GROUP BY")
            .ja("ROLLUP・CUBE・GROUPING SETS は一番外側の GROUP BY に書きます")
            .at(judge.places.phrase(&["GROUP", "BY"]))
            .suggest("GROUP BY person_id"));
    }
    projection::fact(judge, key, schema, input)
}

/// The facts of an aggregate over rows of one group, which is not released by itself.
pub(crate) fn aggregate_fact(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    input: &Relation,
) -> Result<ColumnFact, Refusal> {
    match expr {
        Expr::Alias(alias) => aggregate_fact(judge, &alias.expr, schema, input),
        Expr::AggregateFunction(call) => {
            let params = &call.params;
            if !params.order_by.is_empty() || params.null_treatment.is_some() {
                return Err(refuse(judge, call, "ORDER BY and NULLS are not available in an aggregate"));
            }
            let told = match &params.filter {
                Some(filter) => predicate::check(judge, filter, schema, input)?,
                None => Label::default(),
            };
            let kind = expr.get_type(schema).map_err(|_| refuse(judge, call, "unknown type"))?;
            let fact = call_fact(judge, call, kind, schema, input)?;
            let describing = picked::describing(judge, expr, schema, input)?;
            Ok(ColumnFact { label: fact.label.under(told), describing, ..fact })
        }
        _ => Err(Refusal::new(Rule::Inner, "not an aggregate").ja("集計ではありません").suggest(FORMS)),
    }
}

fn refuse(judge: &Judge<'_>, call: &AggregateFunction, message: &str) -> Refusal {
    Refusal::new(Rule::Inner, message)
        .ja("副問合せの中で使える集計は count・sum・avg・min・max です")
        .at(judge.places.word(call.func.name()))
        .suggest(FORMS)
}

fn call_fact(
    judge: &Judge<'_>,
    call: &AggregateFunction,
    kind: DataType,
    schema: &DFSchema,
    input: &Relation,
) -> Result<ColumnFact, Refusal> {
    let [argument] = call.params.args.as_slice() else {
        return Err(refuse(judge, call, "an aggregate has one argument"));
    };
    if call.params.distinct && matches!(call.func.name(), "sum" | "avg") {
        return Err(refuse(judge, call, "DISTINCT is for counts"));
    }
    person_value(judge, call.func.name(), argument, kind, schema, input)?
        .ok_or_else(|| refuse(judge, call, "this aggregate is not available inside a subquery"))
}

/// The facts of what an aggregate or window gives of one person's rows; nothing for one that is not allowed.
pub(crate) fn person_value(
    judge: &Judge<'_>,
    name: &str,
    argument: &Expr,
    kind: DataType,
    schema: &DFSchema,
    input: &Relation,
) -> Result<Option<ColumnFact>, Refusal> {
    let measured = |label: Label, measure: MeasureFact| ColumnFact {
        measure: Some(measure),
        ..ColumnFact::made(label.join(Label::of(Class::Measure)), kind.clone())
    };
    Ok(match name {
        // How many there are says nothing of which ones, so identities may be counted.
        "count" => {
            let label = projection::fact(judge, argument, schema, input)?.label.counted();
            let bounds = Bounds { low: 0, high: MOST_ROWS };
            Some(measured(label, MeasureFact { bounds, scale: 0, unit: None }))
        }
        "sum" => {
            let (label, measure) = summed(judge, name, argument, schema, input)?;
            let bounds = value::held(
                measure.bounds.low.min(0).saturating_mul(1_000),
                measure.bounds.high.max(0).saturating_mul(1_000),
            );
            Some(measured(label, MeasureFact { bounds, ..measure }))
        }
        // A mean lies between the values, and has the places of `checked_mean`.
        "avg" => {
            let (label, measure) = summed(judge, name, argument, schema, input)?;
            Some(measured(label, MeasureFact { scale: PLACES.unsigned_abs().into(), ..measure }))
        }
        "min" | "max" => {
            let fact = value::fact(judge, argument, schema, input)?;
            Some(ColumnFact { origin: None, is_literal: false, kind, ..fact })
        }
        _ => None,
    })
}

/// The label and bounds of what is summed.
fn summed(
    judge: &Judge<'_>,
    name: &str,
    argument: &Expr,
    schema: &DFSchema,
    input: &Relation,
) -> Result<(Label, MeasureFact), Refusal> {
    let fact = value::fact(judge, argument, schema, input)?;
    let measure = fact.measure.ok_or_else(|| {
        Refusal::new(Rule::Inner, "only a measure is summed")
            .ja("合計できるのは数量の列だけです")
            .at(judge.places.word(name))
            .suggest("sum(total_points)")
    })?;
    Ok((fact.label, measure))
}
