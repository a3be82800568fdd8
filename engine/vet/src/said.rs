//! What a vetted query says of its rows by its form alone: where they come from, and which conditions they meet.
//!
//! The release ledger compares questions by it. Only conditions at the top, joined by AND, are taken apart, and only
//! those that hold a column or an expression against values are read; all others are one condition by their text.

use datafusion_common::ScalarValue;
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

use crate::plan::VettedPlan;
use crate::rewrite::{KEY_PREFIX, PART_PREFIX};

/// What a query says of its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The rows before any condition, as text.
    pub source: String,
    /// The conditions that every row meets.
    pub conditions: Vec<SaidCondition>,
    /// What each group key is of.
    pub keys: Vec<String>,
    /// The conditions that the rows of each conditional part meet besides.
    pub parts: Vec<Vec<SaidCondition>>,
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
        let inputs = self.evidence.inputs();
        let projection = inputs.first()?;
        let LogicalPlan::Projection(columns) = projection else { return None };
        let mut below = columns.input.as_ref();
        let mut said = Said::default();
        while let LogicalPlan::Filter(filter) = below {
            said.conditions.extend(conditions(&filter.predicate));
            below = filter.input.as_ref();
        }
        said.source = below.display_indent().to_string();
        for column in &columns.expr {
            let Expr::Alias(column) = column else { continue };
            match (column.expr.as_ref(), column.name.as_str()) {
                (Expr::Case(case), name) if name.starts_with(PART_PREFIX) => {
                    said.parts.push(
                        case.when_then_expr.first().map_or_else(Vec::new, |(when, _)| conditions(when)),
                    );
                }
                (key, name) if name.starts_with(KEY_PREFIX) => said.keys.push(key.to_string()),
                _ => {}
            }
        }
        Some(said)
    }
}

fn conditions(expr: &Expr) -> Vec<SaidCondition> {
    split_conjunction(expr).into_iter().map(condition).collect()
}

fn condition(expr: &Expr) -> SaidCondition {
    read(expr).unwrap_or_else(|| SaidCondition { of: expr.to_string(), takes: SaidTakes::Holds })
}

/// A condition that holds something against values.
fn read(expr: &Expr) -> Option<SaidCondition> {
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
    Some(SaidCondition { of: of.to_string(), takes })
}

fn compared(binary: &BinaryExpr) -> Option<(&Expr, SaidTakes)> {
    let is_literal = |expr: &Expr| matches!(expr, Expr::Literal(_, _));
    let (of, op, value) = match (is_literal(&binary.left), is_literal(&binary.right)) {
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

/// A whole number, or a day as a number.
fn number(value: &Expr) -> Option<i64> {
    match value {
        Expr::Literal(ScalarValue::Int64(number), _) => *number,
        Expr::Literal(ScalarValue::Int32(number) | ScalarValue::Date32(number), _) => number.map(i64::from),
        _ => None,
    }
}
