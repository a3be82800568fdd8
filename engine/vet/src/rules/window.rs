//! Window functions over one person's rows: first and last event, the one before, running counts.
//!
//! The person stands bare in PARTITION BY, so a window never looks at another person's rows.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::WindowFunction;
use datafusion_expr::{Expr, ExprSchemable as _, Window, WindowFunctionDefinition};

use super::{inner, projection, value};
use crate::label::Label;
use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Judge, Relation};

const FORM: &str = "row_number() OVER (PARTITION BY person_id ORDER BY service_month)";
/// How far lag, lead and nth_value may reach.
const FARTHEST: i64 = 100;

/// The facts of a window node: its input's columns, then its windows.
pub(crate) fn relation(judge: &Judge<'_>, window: &Window) -> Result<Relation, Refusal> {
    let input = judge.relation(&window.input)?;
    let schema = window.input.schema();
    let windows = window.window_expr.iter().map(|expr| window_fact(judge, expr, schema, &input));
    let windows = windows.collect::<Result<Relation, _>>()?;
    Ok(input.into_iter().chain(windows).collect())
}

fn window_fact(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    input: &Relation,
) -> Result<ColumnFact, Refusal> {
    match expr {
        Expr::Alias(alias) => window_fact(judge, &alias.expr, schema, input),
        Expr::WindowFunction(call) => {
            let params = &call.params;
            if params.filter.is_some() || params.distinct {
                return Err(refuse(
                    judge,
                    "FILTER and DISTINCT are not available in a window",
                    "ウィンドウ関数に FILTER・DISTINCT は使えません",
                ));
            }
            let mut told = Label::default();
            let mut is_by_person = false;
            for key in &params.partition_by {
                let fact = projection::fact(judge, key, schema, input)?;
                is_by_person |= fact.is_unit();
                told = if fact.is_unit() { told } else { told.join(fact.label.outcome()) };
            }
            if !is_by_person {
                return Err(refuse(
                    judge,
                    "a window is over the rows of one person",
                    "ウィンドウ関数は person_id で PARTITION BY します",
                ));
            }
            for sort in &params.order_by {
                told = told.join(value::fact(judge, &sort.expr, schema, input)?.label.outcome());
            }
            let fact = call_fact(judge, call, expr, schema, input)?;
            Ok(ColumnFact { label: fact.label.under(told), ..fact })
        }
        _ => Err(refuse(judge, "not a window function", "ウィンドウ関数ではありません")),
    }
}

fn refuse(judge: &Judge<'_>, message: &str, ja: &str) -> Refusal {
    Refusal::new(Rule::Window, message).ja(ja).at(judge.places.word("OVER")).suggest(FORM)
}

fn call_fact(
    judge: &Judge<'_>,
    call: &WindowFunction,
    expr: &Expr,
    schema: &DFSchema,
    input: &Relation,
) -> Result<ColumnFact, Refusal> {
    let kind: DataType = expr
        .get_type(schema)
        .map_err(|_| refuse(judge, "a window of an unknown type", "型の分からないウィンドウ関数です"))?;
    let args = call.params.args.as_slice();
    let name = call.fun.name();
    let unknown = || {
        refuse(
            judge,
            "this window function is not available",
            "このウィンドウ関数は使えません",
        )
        .suggest("row_number, rank, dense_rank, lag, lead, first_value, last_value, nth_value, count, sum, min, max")
    };
    match (&call.fun, name, args) {
        (WindowFunctionDefinition::WindowUDF(_), "row_number" | "rank" | "dense_rank", []) => {
            Ok(ColumnFact::made(Label::default(), kind))
        }
        (WindowFunctionDefinition::WindowUDF(_), "first_value" | "last_value", [argument])
        | (WindowFunctionDefinition::WindowUDF(_), "lag" | "lead", [argument]) => {
            one_of(judge, argument, schema, input)
        }
        (WindowFunctionDefinition::WindowUDF(_), "lag" | "lead" | "nth_value", [argument, distance])
            if is_near(distance) =>
        {
            one_of(judge, argument, schema, input)
        }
        (WindowFunctionDefinition::AggregateUDF(_), _, [argument]) => {
            inner::person_value(judge, name, argument, kind, schema, input)?.ok_or_else(unknown)
        }
        _ => Err(unknown()),
    }
}

/// The value of another row of the same person.
fn one_of(
    judge: &Judge<'_>,
    argument: &Expr,
    schema: &DFSchema,
    input: &Relation,
) -> Result<ColumnFact, Refusal> {
    let fact = value::fact(judge, argument, schema, input)?;
    Ok(ColumnFact { origin: None, is_literal: false, ..fact })
}

const fn is_near(distance: &Expr) -> bool {
    matches!(distance, Expr::Literal(ScalarValue::Int64(Some(rows)), _) if *rows >= 0 && *rows <= FARTHEST)
}
