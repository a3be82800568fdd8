//! Aggregates of the result: rows, persons, sums, means, spreads and quantiles; each may stand under a condition.
//!
//! A condition inside an aggregate makes a cell of its own (`FILTER`, CASE, a column that may be missing): it is
//! normalised to a part, whose persons are counted by themselves (attack 31). Minimum and maximum are values of one
//! person and are refused (attack 16).

use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::{AggregateFunction, Case};
use datafusion_expr::{Expr, and};

use super::{predicate, value};
use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Judge, MeasureFact, Person, Relation};

/// What an aggregate asks for, and of which rows.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The condition under which a row counts; every row without one.
    pub(crate) condition: Option<Expr>,
    pub(crate) kind: AskedKind,
}

/// What an aggregate asks for.
#[derive(Debug)]
pub(crate) enum AskedKind {
    Rows,
    Persons,
    Sum(Measured),
    Average(Measured),
    Variance(Measured),
    Deviation(Measured),
    /// The quantile at so many thousandths.
    Quantile(Measured, u32),
}

/// A measure as the query writes it.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) expr: Expr,
    /// The table and column, or how it is made.
    pub(crate) name: String,
    pub(crate) fact: MeasureFact,
}

const FORMS: &str = "count(*), count(DISTINCT person_id), and sum, avg, stddev, variance, median, quantile of a measure, each with FILTER (WHERE …)";

/// Judges one aggregate of the result.
pub(crate) fn asked(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<Asked, Refusal> {
    match expr {
        Expr::Alias(alias) => asked(judge, &alias.expr, schema, relation),
        Expr::AggregateFunction(call) => Call { judge, schema, relation, call }.judge(),
        _ => Err(Refusal::new(Rule::Aggregate, "not an aggregate").suggest(FORMS)),
    }
}

struct Call<'j, 'a> {
    judge: &'j Judge<'a>,
    schema: &'j DFSchema,
    relation: &'j Relation,
    call: &'j AggregateFunction,
}

impl Call<'_, '_> {
    fn judge(&self) -> Result<Asked, Refusal> {
        let params = &self.call.params;
        if !params.order_by.is_empty() || params.null_treatment.is_some() {
            return Err(self.refuse(
                "ORDER BY and NULLS are not available in an aggregate",
                "集計の中に ORDER BY・NULLS は書けません",
            ));
        }
        let filter = match &params.filter {
            Some(filter) => Some(self.condition(filter)?),
            None => None,
        };
        let (argument, rank) = match params.args.as_slice() {
            [argument] => (argument, None),
            [argument, rank] if self.name() == "quantile" => (argument, Some(rank)),
            _ => return Err(self.refuse("an aggregate has one argument", "集計の引数は一つです")),
        };
        let (condition, kind) = match (self.name(), params.distinct) {
            ("count", false) => (self.counted(argument)?, AskedKind::Rows),
            ("count", true) => (self.persons(argument)?, AskedKind::Persons),
            ("sum", false) => self.sum(argument)?,
            ("avg", false) => self.measured(argument, AskedKind::Average)?,
            ("stddev", false) => self.measured(argument, AskedKind::Deviation)?,
            ("variance", false) => self.measured(argument, AskedKind::Variance)?,
            ("median", false) => self.measured(argument, |of| AskedKind::Quantile(of, 500))?,
            ("quantile", false) => {
                let rank = self.rank(rank)?;
                self.measured(argument, |of| AskedKind::Quantile(of, rank))?
            }
            ("min" | "max", _) => {
                return Err(self
                    .refuse(
                        "a minimum or maximum is one person's value",
                        "最小値・最大値は一人の値なので出せません",
                    )
                    .suggest(
                        "SELECT setting, quantile(total_points, 0.95) FROM ndb_receipt GROUP BY setting",
                    ));
            }
            _ => return Err(self.refuse("this aggregate is not available", "この集計は使えません")),
        };
        Ok(Asked { condition: both(filter, condition), kind })
    }

    fn name(&self) -> &str {
        self.call.func.name()
    }

    fn refuse(&self, message: &str, ja: &str) -> Refusal {
        let place = self.judge.places.word(self.name());
        Refusal::new(Rule::Aggregate, message).ja(ja).at(place).suggest(FORMS)
    }

    fn condition(&self, expr: &Expr) -> Result<Expr, Refusal> {
        predicate::check(self.judge, expr, self.schema, self.relation)?;
        Ok(expr.clone())
    }

    /// Rows: all, those with a value, or those that meet the one condition of a CASE.
    fn counted(&self, argument: &Expr) -> Result<Option<Expr>, Refusal> {
        match argument {
            Expr::Literal(value, _) if !value.is_null() => Ok(None),
            Expr::Column(column) => {
                let fact = self.judge.column(column, self.schema, self.relation)?;
                Ok((fact.person != Person::Always).then(|| argument.clone().is_not_null()))
            }
            Expr::Case(case) => match single(case) {
                Some((when, Expr::Literal(value, _), None | Some(Expr::Literal(ScalarValue::Null, _))))
                    if !value.is_null() =>
                {
                    self.condition(when).map(Some)
                }
                _ => {
                    Err(self
                        .refuse("a counted CASE has one condition", "count の CASE は条件を一つだけ持ちます"))
                }
            },
            _ => Err(self.refuse("count takes *, a column or one CASE", "count の引数は * か列か CASE です")),
        }
    }

    /// Distinct persons: all, or those of rows that meet the one condition of a CASE.
    fn persons(&self, argument: &Expr) -> Result<Option<Expr>, Refusal> {
        let column = match argument {
            Expr::Case(case) => match single(case) {
                Some((when, then @ Expr::Column(_), None | Some(Expr::Literal(ScalarValue::Null, _)))) => {
                    let condition = self.condition(when)?;
                    return Ok(both(Some(condition), self.persons(then)?));
                }
                _ => None,
            },
            Expr::Column(column) => Some(column),
            _ => None,
        };
        let message = "only the person behind every row is counted distinctly";
        let ja = "DISTINCT で数えられるのは行の人（person_id）だけです";
        let refuse = || {
            self.refuse(message, ja)
                .suggest("count(DISTINCT person_id), or count(DISTINCT CASE WHEN … THEN person_id END)")
        };
        let Some(column) = column else { return Err(refuse()) };
        match self.judge.column(column, self.schema, self.relation)?.person {
            Person::Always => Ok(None),
            Person::Perhaps => Ok(Some(argument.clone().is_not_null())),
            Person::Not => {
                let place = self.judge.places.column(column);
                Err(Refusal::new(Rule::Aggregate, message)
                    .ja(ja)
                    .at(place)
                    .suggest("count(DISTINCT person_id)"))
            }
        }
    }

    /// A sum of a measure, under the condition of a CASE whose other branch adds nothing; of ones it is a count.
    fn sum(&self, argument: &Expr) -> Result<(Option<Expr>, AskedKind), Refusal> {
        let zero = |expr: &Expr| matches!(expr, Expr::Literal(value, _) if value.is_null() || *value == ScalarValue::Int64(Some(0)));
        if let Expr::Case(case) = argument
            && let Some((when, then, otherwise)) = single(case)
            && otherwise.is_none_or(zero)
        {
            let condition = self.condition(when)?;
            if matches!(then, Expr::Literal(ScalarValue::Int64(Some(1)), _)) {
                return Ok((Some(condition), AskedKind::Rows));
            }
            let (inner, kind) = self.measured(then, AskedKind::Sum)?;
            return Ok((both(Some(condition), inner), kind));
        }
        self.measured(argument, AskedKind::Sum)
    }

    fn measured(
        &self,
        argument: &Expr,
        kind: impl Fn(Measured) -> AskedKind,
    ) -> Result<(Option<Expr>, AskedKind), Refusal> {
        let fact = value::fact(self.judge, argument, self.schema, self.relation)?;
        if let Expr::Case(case) = argument
            && let Some((when, then @ Expr::Column(_), None | Some(Expr::Literal(ScalarValue::Null, _)))) =
                single(case)
        {
            let condition = self.condition(when)?;
            let (inner, kind) = self.measured(then, kind)?;
            return Ok((both(Some(condition), inner), kind));
        }
        let ColumnFact { measure: Some(fact), origin, .. } = fact else {
            let (name, place) = match argument {
                Expr::Column(column) => (column.name.clone(), self.judge.places.column(column)),
                _ => ("the argument".to_owned(), self.judge.places.word(self.name())),
            };
            return Err(Refusal::new(Rule::Aggregate, format!("{name} is not a measure"))
                .ja(format!("{name} は数量の列ではありません"))
                .at(place)
                .suggest(measures(self.relation)));
        };
        let name = origin.map_or_else(|| argument.to_string(), |(table, column)| format!("{table}.{column}"));
        Ok((None, kind(Measured { expr: argument.clone(), name, fact })))
    }

    /// A rank between 0.01 and 0.99, in thousandths.
    fn rank(&self, rank: Option<&Expr>) -> Result<u32, Refusal> {
        let thousandths = match rank {
            Some(Expr::Literal(ScalarValue::Decimal128(Some(value), _, scale), _)) => {
                let unit = u32::try_from(*scale).ok().and_then(|scale| 10_i128.checked_pow(scale));
                let thousand = value.checked_mul(1_000).zip(unit);
                thousand.filter(|(value, unit)| value % unit == 0).map(|(value, unit)| value / unit)
            }
            _ => None,
        };
        let thousandths = thousandths.and_then(|thousandths| u32::try_from(thousandths).ok());
        thousandths.filter(|rank| (10..=990).contains(rank)).ok_or_else(|| {
            self.refuse(
                "a quantile's rank is written in the query, from 0.01 to 0.99",
                "分位点の順位は 0.01 から 0.99 までの値を文中に書きます",
            )
            .suggest("quantile(total_points, 0.9)")
        })
    }
}

fn both(one: Option<Expr>, two: Option<Expr>) -> Option<Expr> {
    match (one, two) {
        (Some(one), Some(two)) => Some(and(one, two)),
        (one, two) => one.or(two),
    }
}

/// The condition and branches of a CASE that has one condition.
fn single(case: &Case) -> Option<(&Expr, &Expr, Option<&Expr>)> {
    match (case.expr.as_ref(), case.when_then_expr.as_slice()) {
        (None, [(when, then)]) => {
            Some((when.as_ref(), then.as_ref(), case.else_expr.as_ref().map(AsRef::as_ref)))
        }
        _ => None,
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
