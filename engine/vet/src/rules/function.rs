//! Calls of our own functions, with the arguments that they take.

use arrow::datatypes::DataType;
use catalog_model::Class;
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::Expr;
use datafusion_expr::expr::ScalarFunction;

use super::{identity, predicate};
use crate::functions::{self, Argument, Function};
use crate::label::Label;
use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Judge, Relation};

/// The facts of a call's result.
pub(crate) fn fact(
    judge: &Judge<'_>,
    call: &ScalarFunction,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<ColumnFact, Refusal> {
    let name = call.func.name();
    let refuse = |message: String| Refusal::new(Rule::Function, message).at(judge.places.word(name));
    let function = functions::find(name)
        .ok_or_else(|| refuse(format!("there is no function {name}")).suggest(list()))?;
    let least = function.arguments.len() - function.optional;
    if call.args.len() < least || call.args.len() > function.arguments.len() {
        return Err(refuse(format!("{name} takes other arguments")).suggest(function.doc.call));
    }
    let mut literals = Vec::new();
    for (argument, expr) in function.arguments.iter().zip(&call.args) {
        check(judge, function, *argument, expr, schema, relation, &mut literals)
            .map_err(|refusal| refusal.at(judge.places.word(name)))?;
    }
    let is_text = (function.udf)().return_type(&[]).is_ok_and(|kind| kind == DataType::Utf8);
    let kind = if is_text { DataType::Utf8 } else { DataType::Date32 };
    let domain = (function.domain)(&literals, judge.grant.period);
    Ok(ColumnFact { domain, ..ColumnFact::made(Label::of(Class::Quasi), kind) })
}

fn check(
    judge: &Judge<'_>,
    function: &Function,
    argument: Argument,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
    literals: &mut Vec<i64>,
) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(Rule::Function, message).suggest(function.doc.example));
    let name = function.name;
    match argument {
        Argument::BirthDate => {
            let Expr::Column(column) = expr else {
                return refuse(format!("the first argument of {name} is a birth date column"));
            };
            let fact = judge.column(column, schema, relation)?;
            if fact.class() != Class::Exact || fact.kind != DataType::Date32 {
                return refuse(format!("the first argument of {name} is a birth date column"));
            }
            Ok(())
        }
        Argument::Day => {
            if let Expr::Column(column) = expr {
                let fact = judge.column(column, schema, relation)?;
                identity::check(fact, &column.name)
                    .map_err(|refusal| refusal.at(judge.places.column(column)))?;
            }
            match predicate::operand(judge, expr, schema, relation)?.kind {
                DataType::Date32 => Ok(()),
                _ => refuse(format!("an argument of {name} is a day or month")),
            }
        }
        Argument::Literal { low, high } => match whole_number(expr) {
            Some(value) if (low..=high).contains(&value) => {
                literals.push(value);
                Ok(())
            }
            _ => refuse(format!(
                "an argument of {name} is a number from {low} to {high}, written in the query"
            )),
        },
    }
}

fn whole_number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(value), _) => *value,
        Expr::Negative(inner) => whole_number(inner).map(|value| -value),
        _ => None,
    }
}

/// The calls of all functions, as a suggestion.
pub(crate) fn list() -> String {
    let calls: Vec<&str> = functions::documentation().iter().map(|doc| doc.call).collect();
    format!("the functions are {}", calls.join(", "))
}
