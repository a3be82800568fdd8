//! What a vetted query says of its rows by its form alone: where they come from, and which conditions they meet.
//!
//! The release ledger compares questions by it. Only conditions at the top, joined by AND, are taken apart, and only
//! those that hold a column or an expression against values are read; all others are one condition, spelled out.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchemaRef, ScalarValue};
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

use crate::plan::VettedPlan;
use crate::rewrite::{KEY_PREFIX, PART_PREFIX};
use crate::rules::predicate;
use crate::{spelled, vet};

/// What a query says of its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// All of its rows, spelled out.
    pub rows: String,
    /// What its rows have in common with those of questions that name other values.
    pub family: String,
    /// The rows before any condition, spelled out.
    pub source: String,
    /// The conditions that every row meets.
    pub conditions: Vec<SaidCondition>,
    /// What each group key is of.
    pub keys: Vec<String>,
    /// The conditional parts.
    pub parts: Vec<SaidPart>,
}

/// A conditional part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaidPart {
    /// Its whole condition, spelled out.
    pub whole: String,
    /// The conditions that its rows meet besides those of all rows.
    pub conditions: Vec<SaidCondition>,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidCondition {
    /// What is held against values; the whole condition where that is not seen.
    pub of: String,
    /// What it takes.
    pub takes: SaidTakes,
}

/// What a condition takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaidTakes {
    /// One of these values; whole numbers and days as numbers.
    Values(Vec<String>),
    /// Whole numbers, or days, from and to these.
    Between(Option<i64>, Option<i64>),
    /// The condition holds.
    Holds,
}

impl VettedPlan {
    /// What the query says of its rows; none where the plan is not of the form that the rewrite gives.
    pub fn said(&self) -> Option<Said> {
        // Plans are as deep as their text.
        vet::deep(|| Ok(self.say())).ok().flatten()
    }

    fn say(&self) -> Option<Said> {
        let inputs = self.asked.inputs();
        let projection = inputs.first()?;
        let LogicalPlan::Projection(columns) = projection else { return None };
        let mut below = columns.input.as_ref();
        let seen = spelled::seen(projection);
        let (rows, family) = (spelled::plan(below), spelled::family(below));
        let mut said = Said { rows, family, ..Said::default() };
        while let LogicalPlan::Filter(filter) = below {
            said.conditions.extend(conditions(&filter.predicate, &seen));
            below = filter.input.as_ref();
        }
        said.source = spelled::plan(below);
        for column in &columns.expr {
            let Expr::Alias(column) = column else { continue };
            match (column.expr.as_ref(), column.name.as_str()) {
                (Expr::Case(case), name) if name.starts_with(PART_PREFIX) => {
                    let (when, _) = case.when_then_expr.first()?;
                    let whole = spelled::expr_over(when, &seen);
                    said.parts.push(SaidPart { whole, conditions: conditions(when, &seen) });
                }
                (key, name) if name.starts_with(KEY_PREFIX) => {
                    said.keys.push(spelled::expr_over(key, &seen));
                }
                _ => {}
            }
        }
        Some(said)
    }
}

/// The terms of a condition over what has these schemas. A filter has the schema of its rows, so one stands for all that
/// lie above the same rows.
fn conditions(expr: &Expr, seen: &[DFSchemaRef]) -> Vec<SaidCondition> {
    split_conjunction(expr).into_iter().map(|term| condition(term, seen)).collect()
}

fn condition(expr: &Expr, seen: &[DFSchemaRef]) -> SaidCondition {
    let holds = || SaidCondition { of: spelled::expr_over(expr, seen), takes: SaidTakes::Holds };
    read(expr, seen).unwrap_or_else(holds)
}

/// A condition that holds something against values.
fn read(expr: &Expr, seen: &[DFSchemaRef]) -> Option<SaidCondition> {
    let (of, takes) = match expr {
        Expr::BinaryExpr(binary) => compared(binary)?,
        Expr::InList(list) if !list.negated => {
            let values = list.list.iter().map(text).collect::<Option<Vec<String>>>()?;
            (list.expr.as_ref(), SaidTakes::Values(values))
        }
        Expr::Between(between) if !between.negated => {
            let ends = (number(&between.low)?, number(&between.high)?);
            (between.expr.as_ref(), SaidTakes::Between(Some(ends.0), Some(ends.1)))
        }
        _ => return None,
    };
    Some(SaidCondition { of: spelled::expr_over(of, seen), takes })
}

fn compared(binary: &BinaryExpr) -> Option<(&Expr, SaidTakes)> {
    let is_value = |expr: &Expr| text(expr).is_some();
    let (of, op, value) = match (is_value(&binary.left), is_value(&binary.right)) {
        (false, true) => (binary.left.as_ref(), binary.op, binary.right.as_ref()),
        (true, false) => (binary.right.as_ref(), binary.op.swap()?, binary.left.as_ref()),
        _ => return None,
    };
    let takes = match op {
        Operator::Eq => SaidTakes::Values(vec![text(value)?]),
        Operator::GtEq => SaidTakes::Between(Some(number(value)?), None),
        Operator::Gt => SaidTakes::Between(Some(number(value)?.checked_add(1)?), None),
        Operator::LtEq => SaidTakes::Between(None, Some(number(value)?)),
        Operator::Lt => SaidTakes::Between(None, Some(number(value)?.checked_sub(1)?)),
        _ => return None,
    };
    Some((of, takes))
}

fn text(value: &Expr) -> Option<String> {
    match value {
        Expr::Literal(
            ScalarValue::Utf8(Some(text))
            | ScalarValue::Utf8View(Some(text))
            | ScalarValue::LargeUtf8(Some(text)),
            _,
        ) => Some(text.clone()),
        _ => number(value).map(|number| number.to_string()),
    }
}

/// A day as it is written, as a number.
fn day(written: &Expr) -> Option<i64> {
    let Expr::Literal(ScalarValue::Utf8(Some(day)), _) = written else { return None };
    predicate::day(day).map(|day| i64::from(day.days()))
}

/// A whole number, or a day as a number.
fn number(value: &Expr) -> Option<i64> {
    match value {
        Expr::Literal(ScalarValue::Int64(number), _) => *number,
        Expr::Literal(ScalarValue::Int32(number) | ScalarValue::Date32(number), _) => number.map(i64::from),
        Expr::Cast(cast) if *cast.field.data_type() == DataType::Date32 => day(&cast.expr),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use catalog_model::Catalogue;

    use super::SaidTakes::{self, Between, Values};
    use crate::functions::tests::grant_of_all;
    use crate::vet::{Scope, vet};

    /// What the conditions of a count take.
    fn takes(catalogue: &Catalogue, condition: &str) -> Vec<SaidTakes> {
        let grant = grant_of_all(catalogue);
        let sql = format!("SELECT count(*) AS n FROM person WHERE {condition}");
        let said = vet(&sql, Scope { catalogue, grant: &grant }).unwrap().said().unwrap();
        said.conditions.into_iter().map(|condition| condition.takes).collect()
    }

    #[test]
    fn written_days_are_numbers() {
        let catalogue = Catalogue::builtin().unwrap();
        let takes = |condition: &str| takes(&catalogue, condition);
        let (may, june) = (19_478, 19_509);
        assert_eq!(takes("first_month >= DATE '2023-05-01'"), [Between(Some(may), None)]);
        assert_eq!(takes("DATE '2023-06-01' > first_month"), [Between(None, Some(june - 1))]);
        assert_eq!(takes("first_month = DATE '2023-05-01'"), [Values(vec![may.to_string()])]);
        let both = [Between(Some(may), Some(june))];
        assert_eq!(takes("first_month BETWEEN DATE '2023-05-01' AND DATE '2023-06-01'"), both);
        assert_eq!(takes("first_month >= DATE '2023-05-01' AND first_month <= DATE '2023-06-01'"), both);
    }
}
