//! Calls of our own functions, with the arguments that they take.
//!
//! What a call holds and tells is what all its arguments hold and tell. A birth date alone comes out as less than it
//! was: an age describes a person, and is no exact value.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use catalog_model::{Bounds, Class, Tier};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::Expr;
use datafusion_expr::expr::ScalarFunction;

use super::{age_day, age_floor, identity, picked, predicate};
use crate::domain::KeyDomain;
use crate::functions::{self, Argument, Call, Function, Literal};
use crate::label::Label;
use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Judge, MeasureFact, Relation};

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
    let (least, most) = function.arity();
    if call.args.len() < least || call.args.len() > most {
        return Err(refuse(format!("{name} takes other arguments")).suggest(function.doc.call));
    }
    let mut seen = Seen::default();
    for (at, expr) in call.args.iter().enumerate() {
        let argument =
            function.argument(at).ok_or_else(|| refuse(format!("{name} takes other arguments")))?;
        let fact = check(judge, function, argument, expr, schema, relation, &mut seen)
            .map_err(|refusal| refusal.at(judge.places.word(name)))?;
        seen.first.get_or_insert(fact);
    }
    if let (true, Some(first)) = (name == "nullif", call.args.first()) {
        // It is a comparison with a written value, whatever is made of it.
        picked::by(judge, first, schema, relation)?;
    }
    if let ("bucket", Some(first)) = (name, call.args.first())
        && age_floor::is_age(judge, first, schema, relation)?
    {
        age_floor::cuts(&seen.cuts()).map_err(|refusal| refusal.at(judge.places.word(name)))?;
    }
    // The first argument is judged once: nested calls would double it with each call around it.
    let first = seen.first.as_ref();
    let first_domain = call.args.first().zip(first).and_then(|(expr, fact)| domain_of(expr, fact));
    let of = Call {
        literals: &seen.literals,
        first: first_domain,
        period: judge.grant.period,
        catalogue: judge.catalogue,
    };
    let kind = function.gives.kind(first.map_or(&DataType::Utf8, |fact| &fact.kind));
    let measure = measure(call, first).filter(|_| predicate::is_number(&kind));
    let domain = (function.domain)(&of);
    Ok(ColumnFact { domain, measure, ..ColumnFact::made(seen.label, kind) })
}

/// The bounds within which a call's number is summed: of a length of time, and of a measure that is handed through.
fn measure(call: &ScalarFunction, first: Option<&ColumnFact>) -> Option<MeasureFact> {
    let bounded = |low, high| Some(MeasureFact { bounds: Bounds { low, high }, scale: 0, unit: None });
    match call.func.name() {
        "age" => bounded(0, 120),
        "months_between" => bounded(-1_200, 1_200),
        "days_between" => bounded(-36_500, 36_500),
        "coalesce" | "nullif" => {
            let first = first?.measure.clone()?;
            let is_small = call.args.iter().skip(1).all(|arg| whole_number(arg) == Some(0));
            let bounds = Bounds { low: first.bounds.low.min(0), high: first.bounds.high.max(0) };
            is_small.then_some(MeasureFact { bounds, ..first })
        }
        _ => None,
    }
}

/// What was seen of a call's arguments so far.
#[derive(Default)]
struct Seen {
    literals: Vec<Literal>,
    first: Option<ColumnFact>,
    label: Label,
}

/// The declared domain of an argument, where it has one.
fn domain_of<'f>(expr: &Expr, fact: &'f ColumnFact) -> Option<&'f KeyDomain> {
    let is_declared = match expr {
        Expr::Column(_) => fact.origin.is_none() || fact.class() == Class::Quasi,
        Expr::ScalarFunction(_) => true,
        _ => false,
    };
    fact.domain.as_ref().filter(|_| is_declared)
}

fn check(
    judge: &Judge<'_>,
    function: &Function,
    argument: Argument,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
    seen: &mut Seen,
) -> Result<ColumnFact, Refusal> {
    let refuse = |message: String| Err(Refusal::new(Rule::Function, message).suggest(function.doc.example));
    let written = |kind: DataType| ColumnFact::made(Label::default(), kind);
    let name = function.name;
    match argument {
        Argument::BirthDate if is_birth_date(judge, expr, schema, relation)? => {
            seen.label = seen.label.join(Label::of(Class::Quasi));
            Ok(written(DataType::Date32))
        }
        Argument::BirthDate => refuse(format!("the first argument of {name} is a birth date column")),
        Argument::Day | Argument::Code | Argument::Number | Argument::Any => {
            let operand = value(judge, expr, schema, relation)?;
            if function.arguments.first() == Some(&Argument::BirthDate) {
                age_day::check(judge, name, expr, schema, relation)?;
            }
            seen.label = seen.label.join(operand.label);
            match misfit(argument, &operand.kind) {
                Some(what) => refuse(format!("an argument of {name} is {what}")),
                None => Ok(operand),
            }
        }
        Argument::Literal { low, high } => {
            match whole_number(expr).filter(|value| (low..=high).contains(value)) {
                Some(value) => Ok(written(seen.number(value))),
                None => refuse(format!(
                    "an argument of {name} is a number from {low} to {high}, written in the query"
                )),
            }
        }
        Argument::Cuts(most) => match whole_number(expr).filter(|cut| seen.is_above(*cut)) {
            Some(cut) => Ok(written(seen.number(cut))),
            None => refuse(format!(
                "the cuts of {name} are up to {most} ascending whole numbers, written in the query"
            )),
        },
        Argument::Word(words) => match text(expr).filter(|word| words.contains(word)) {
            Some(word) => Ok(written(seen.text(word))),
            None => refuse(format!("an argument of {name} is one of '{}'", words.join("', '"))),
        },
        Argument::Value => {
            let operand = predicate::operand(judge, expr, schema, relation)?;
            if !operand.is_literal || seen.first.as_ref().map(|first| &first.kind) != Some(&operand.kind) {
                return refuse(format!(
                    "the last argument of {name} is a value of the same type, written in the query"
                ));
            }
            seen.literals.push(text(expr).map_or(Literal::Other, |text| Literal::Text(text.to_owned())));
            Ok(operand)
        }
    }
}

/// What an argument should be, where it is not.
fn misfit(argument: Argument, kind: &DataType) -> Option<&'static str> {
    let (is_fit, what) = match argument {
        Argument::Day => (*kind == DataType::Date32, "a day or month"),
        Argument::Code => (predicate::is_text(kind), "a code"),
        Argument::Number => (predicate::is_number(kind), "a number"),
        _ => (true, ""),
    };
    (!is_fit).then_some(what)
}

fn is_birth_date(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<bool, Refusal> {
    let Expr::Column(column) = expr else { return Ok(false) };
    let fact = judge.column(column, schema, relation)?;
    // In the anonymized tier a birth date is its month, which its class says.
    let is_birth = match judge.grant.tier {
        Tier::Pseudonymized => fact.class() == Class::Exact,
        Tier::Anonymized => fact.class() == Class::Quasi,
    };
    Ok(is_birth && fact.kind == DataType::Date32)
}

/// The facts of a value that is no identity.
fn value(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<ColumnFact, Refusal> {
    if let Expr::Column(column) = expr {
        let fact = judge.column(column, schema, relation)?;
        identity::check(fact, &column.name).map_err(|refusal| refusal.at(judge.places.column(column)))?;
    }
    predicate::operand(judge, expr, schema, relation)
}

impl Seen {
    fn number(&mut self, number: i64) -> DataType {
        self.literals.push(Literal::Number(number));
        DataType::Int64
    }

    fn text(&mut self, text: &str) -> DataType {
        self.literals.push(Literal::Text(text.to_owned()));
        DataType::Utf8
    }

    /// The whole numbers that are written.
    fn cuts(&self) -> BTreeSet<i64> {
        let cut = |literal: &Literal| match literal {
            Literal::Number(cut) => Some(*cut),
            Literal::Text(_) | Literal::Other => None,
        };
        self.literals.iter().filter_map(cut).collect()
    }

    /// Whether a cut lies above those before it.
    fn is_above(&self, cut: i64) -> bool {
        // A number with five decimal places has to hold it.
        let is_small = cut.unsigned_abs() < 1_000_000_000_000;
        is_small
            && self.literals.last().is_none_or(|last| matches!(last, Literal::Number(last) if *last < cut))
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => Some(text),
        _ => None,
    }
}

/// A whole number that the query wrote.
pub(crate) fn whole_number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(value), _) => *value,
        Expr::Negative(inner) => whole_number(inner).and_then(i64::checked_neg),
        _ => None,
    }
}

/// The functions' names, as a suggestion.
pub(crate) fn list() -> String {
    let names: Vec<&str> = functions::documentation().iter().map(|(name, _)| *name).collect();
    format!("the functions are {}; SELECT * FROM misu.functions explains them", names.join(", "))
}
