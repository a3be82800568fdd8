//! Window functions over one person's rows: first and last event, the one before, running counts.
//!
//! The person stands bare in PARTITION BY, so a window never looks at another person's rows.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::WindowFunction;
use datafusion_expr::{
    Expr, ExprSchemable as _, Window, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowFunctionDefinition,
};

use super::{inner, picked, projection, semi, value};
use crate::label::Label;
use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Describing, Judge, Relation};

/// What is allowed.
pub(crate) const FORM: &str = "row_number() OVER (PARTITION BY person_id ORDER BY service_month)";
/// How far lag, lead, nth_value and a frame may reach.
const FARTHEST: i64 = 100;

/// The facts of a window node: its input's columns, then its windows.
pub(crate) fn relation(judge: &Judge<'_>, window: &Window) -> Result<Relation, Refusal> {
    let input = judge.relation(&window.input)?;
    let schema = window.input.schema();
    let windows = window.window_expr.iter().map(|expr| window_fact(judge, expr, schema, &input));
    let windows = windows.collect::<Result<Relation, _>>()?;
    semi::in_values(judge, &window.window_expr)?;
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
            if params.null_treatment.is_some() && !["first_value", "last_value"].contains(&call.fun.name()) {
                return Err(refuse(
                    judge,
                    "NULLS is not available in this window",
                    "このウィンドウ関数に NULLS は書けません",
                ));
            }
            frame(judge, &params.window_frame)?;
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
            // What orders the rows of a person says which one is meant, and describes nobody.
            let mut describing = match params.args.first() {
                Some(argument) => picked::describing(judge, argument, schema, input)?,
                None => Describing::default(),
            };
            describing.is_chosen |= picked::is_of_many(call.fun.name());
            // But it may be an age that does.
            for by in params.partition_by.iter().chain(params.order_by.iter().map(|sort| &sort.expr)) {
                let told = picked::describing(judge, by, schema, input)?;
                describing.ages.extend(told.ages);
                describing.met.extend(told.met);
            }
            Ok(ColumnFact { label: fact.label.under(told), describing, ..fact })
        }
        _ => Err(refuse(judge, "not a window function", "ウィンドウ関数ではありません")),
    }
}

/// A frame goes from one place to a later one, counted in rows: distances of values could leave what a value can be.
fn frame(judge: &Judge<'_>, frame: &WindowFrame) -> Result<(), Refusal> {
    let order = bound(&frame.start_bound).zip(bound(&frame.end_bound));
    let is_ordered = order.is_some_and(|(start, end)| start <= end);
    if is_ordered && matches!(frame.units, WindowFrameUnits::Rows | WindowFrameUnits::Range) {
        return Ok(());
    }
    Err(refuse(
        judge,
        "a frame goes from UNBOUNDED, CURRENT ROW or up to 100 ROWS to a later place",
        "フレームは UNBOUNDED・CURRENT ROW・100 行以内の ROWS で、始まりから終わりの順に書きます",
    )
    .suggest("ROWS BETWEEN 2 PRECEDING AND CURRENT ROW"))
}

/// How many rows behind the current one a bound lies. The planner writes distances of rows as numbers, and those of
/// values as text.
fn bound(bound: &WindowFrameBound) -> Option<i64> {
    let rows = |value: &ScalarValue, beyond: i64| match value {
        ScalarValue::UInt64(None) => Some(beyond),
        ScalarValue::UInt64(Some(rows)) => i64::try_from(*rows).ok().filter(|rows| *rows <= FARTHEST),
        _ => None,
    };
    match bound {
        WindowFrameBound::Preceding(value) => rows(value, i64::MAX).map(|rows| -rows),
        WindowFrameBound::CurrentRow => Some(0),
        WindowFrameBound::Following(value) => rows(value, i64::MAX),
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
        .suggest("row_number, rank, dense_rank, lag, lead, first_value, last_value, nth_value, count, sum, avg, min, max")
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
