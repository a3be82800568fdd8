//! A test of one column: which values might pass, and whether one does.

use sqlparser::ast::{BinaryOperator, DataType, Expr, Value as Literal, ValueWithSpan};

use crate::plan::{Column, Kind, first_day, month};
use crate::value::Value;

/// A test of a column's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// It is one of these.
    OneOf(Vec<Value>),
    /// It is something, and none of these.
    NoneOf(Vec<Value>),
    /// It is a number of this range, ends included.
    Within(i64, i64),
    /// It fits a pattern with `%` and `_`.
    Like(String),
    /// It is nothing.
    Nothing,
    /// It is something.
    Something,
}

type Read<'e> = Box<dyn Fn(&Column) -> Option<Test> + 'e>;

/// The expression that a condition tests, and how its test is read once its column is known.
pub(super) fn parts(expr: &Expr) -> Option<(&Expr, Read<'_>)> {
    Some(match expr {
        Expr::BinaryOp { left, op, right } => {
            if is_literal(right) {
                (left.as_ref(), Box::new(move |column| compared(op, value(right, column)?)))
            } else {
                let op = turned(op)?;
                (right.as_ref(), Box::new(move |column| compared(&op, value(left, column)?)))
            }
        }
        Expr::InList { expr, list, negated } => {
            let read = move |column: &Column| {
                let values = list.iter().map(|item| value(item, column)).collect::<Option<Vec<_>>>()?;
                Some(if *negated { Test::NoneOf(values) } else { Test::OneOf(values) })
            };
            (expr.as_ref(), Box::new(read))
        }
        Expr::Between { expr, negated: false, low, high } => {
            let read = move |column: &Column| match (value(low, column)?, value(high, column)?) {
                (Value::Number(low), Value::Number(high)) => Some(Test::Within(low, high)),
                _ => None,
            };
            (expr.as_ref(), Box::new(read))
        }
        Expr::Like { negated: false, any: false, expr, pattern, escape_char: None } => {
            let read = move |column: &Column| match value(pattern, column)? {
                Value::Text(pattern) => Some(Test::Like(pattern)),
                _ => None,
            };
            (expr.as_ref(), Box::new(read))
        }
        Expr::IsNull(inner) => (inner.as_ref(), Box::new(|_| Some(Test::Nothing))),
        Expr::IsNotNull(inner) => (inner.as_ref(), Box::new(|_| Some(Test::Something))),
        _ => return None,
    })
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) | Expr::TypedString(_) => true,
        Expr::Nested(inner) => is_literal(inner),
        Expr::UnaryOp { expr, .. } => is_literal(expr),
        _ => false,
    }
}

/// The comparison with its sides changed over.
fn turned(op: &BinaryOperator) -> Option<BinaryOperator> {
    Some(match op {
        BinaryOperator::Eq => BinaryOperator::Eq,
        BinaryOperator::NotEq => BinaryOperator::NotEq,
        BinaryOperator::Lt => BinaryOperator::Gt,
        BinaryOperator::LtEq => BinaryOperator::GtEq,
        BinaryOperator::Gt => BinaryOperator::Lt,
        BinaryOperator::GtEq => BinaryOperator::LtEq,
        _ => return None,
    })
}

fn compared(op: &BinaryOperator, value: Value) -> Option<Test> {
    Some(match (op, value) {
        (BinaryOperator::Eq, value) => Test::OneOf(vec![value]),
        (BinaryOperator::NotEq, value) => Test::NoneOf(vec![value]),
        (BinaryOperator::Lt, Value::Number(number)) => Test::Within(i64::MIN, number.checked_sub(1)?),
        (BinaryOperator::LtEq, Value::Number(number)) => Test::Within(i64::MIN, number),
        (BinaryOperator::Gt, Value::Number(number)) => Test::Within(number.checked_add(1)?, i64::MAX),
        (BinaryOperator::GtEq, Value::Number(number)) => Test::Within(number, i64::MAX),
        _ => return None,
    })
}

/// A literal as a value of a column; nothing where it is none of the column's type.
fn value(expr: &Expr, column: &Column) -> Option<Value> {
    let text = match expr {
        Expr::Nested(inner) => return value(inner, column),
        Expr::UnaryOp { op: sqlparser::ast::UnaryOperator::Minus, expr } => match value(expr, column)? {
            Value::Number(number) => return Some(Value::Number(number.checked_neg()?)),
            _ => return None,
        },
        Expr::TypedString(typed) if typed.data_type == DataType::Date => &typed.value,
        Expr::Value(value) => value,
        _ => return None,
    };
    let ValueWithSpan { value: literal, .. } = text;
    Some(match (column.kind, literal) {
        (Kind::Text, Literal::SingleQuotedString(text)) => Value::Text(text.clone()),
        (Kind::Bool, Literal::Boolean(flag)) => Value::Bool(*flag),
        (Kind::Date | Kind::Month, Literal::SingleQuotedString(text)) => Value::Number(day(text)?),
        (Kind::Int | Kind::Days, Literal::Number(digits, _)) => Value::Number(digits.parse().ok()?),
        (Kind::Decimal, Literal::Number(digits, _)) => Value::Number(scaled(digits)?),
        _ => return None,
    })
}

/// A day of the form `2024-06-01`, as days since 1970-01-01.
fn day(text: &str) -> Option<i64> {
    let (of, day) = text.rsplit_once('-')?;
    let (from, day) = (month(of)?, day.parse::<i32>().ok()?);
    let length = first_day(from + 1) - first_day(from);
    (1..=length).contains(&day).then(|| i64::from(first_day(from) + day - 1))
}

/// A decimal number in hundred-thousandths; nothing where it has more places.
fn scaled(digits: &str) -> Option<i64> {
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    (rest.len() <= 5).then(|| format!("{whole}{rest:0<5}").parse().ok()).flatten()
}

impl Test {
    /// The test of a condition that is a column by itself.
    pub(super) fn flag(flag: bool) -> Self {
        Self::OneOf(vec![Value::Bool(flag)])
    }

    /// Values that might pass, the likeliest first.
    pub(super) fn candidates(&self, column: &Column) -> Vec<Value> {
        match self {
            Self::OneOf(values) => values.clone(),
            Self::Within(low, high) => [*low, *high]
                .into_iter()
                .filter(|end| *end != i64::MIN && *end != i64::MAX)
                .flat_map(|end| if column.kind == Kind::Month { months_around(end) } else { vec![end] })
                .map(Value::Number)
                .collect(),
            Self::Like(pattern) => {
                let known = column.codes.iter().map(|code| Value::Text(code.clone()));
                let made = Value::Text(pattern.replace('%', "").replace('_', "0"));
                known.filter(|value| self.holds(value)).take(1).chain([made]).collect()
            }
            Self::NoneOf(_) | Self::Something => others(column),
            Self::Nothing => vec![Value::Null],
        }
    }

    /// Says whether a value passes.
    pub(super) fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Nothing, value) => *value == Value::Null,
            (_, Value::Null) => false,
            (Self::OneOf(values), value) => values.contains(value),
            (Self::NoneOf(values), value) => !values.contains(value),
            (Self::Within(low, high), Value::Number(number)) => (low..=high).contains(&number),
            (Self::Like(pattern), Value::Text(text)) => fits(pattern, text),
            (Self::Something, _) => true,
            (Self::Within(..) | Self::Like(_), _) => false,
        }
    }
}

/// First days of months at and beside a day: a column of months holds no other day.
fn months_around(day: i64) -> Vec<i64> {
    let near = day.div_euclid(30) + 1970 * 12;
    let months = (near - 24..=near + 24).filter_map(|number| i32::try_from(number).ok());
    let mut firsts: Vec<i64> = months.map(|number| i64::from(first_day(number))).collect();
    firsts.sort_by_key(|first| (first - day).abs());
    firsts.truncate(3);
    firsts
}

/// Some values that a column may have.
fn others(column: &Column) -> Vec<Value> {
    match column.kind {
        Kind::Text if !column.codes.is_empty() => column.codes.iter().cloned().map(Value::Text).collect(),
        Kind::Text => ["A000", "600000000"].map(|text| Value::Text(text.to_owned())).to_vec(),
        Kind::Bool => vec![Value::Bool(true), Value::Bool(false)],
        Kind::Int | Kind::Decimal | Kind::Days => (1..4).map(Value::Number).collect(),
        Kind::Id | Kind::Date | Kind::Month => Vec::new(),
    }
}

/// Says whether a text fits a pattern with `%` and `_`.
fn fits(pattern: &str, text: &str) -> bool {
    let mut rest = text;
    let mut parts = pattern.chars();
    while let Some(sign) = parts.next() {
        if sign == '%' {
            let after = parts.as_str();
            let mut tails = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            return tails.any(|at| rest.get(at..).is_some_and(|tail| fits(after, tail)));
        }
        let mut letters = rest.chars();
        match letters.next() {
            Some(letter) if sign == '_' || sign == letter => rest = letters.as_str(),
            _ => return false,
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::{day, fits, months_around, scaled};

    #[test]
    fn patterns_fit_as_in_sql() {
        for (pattern, text, does) in [
            ("E11%", "E119", true),
            ("E11%", "E1", false),
            ("%1_9", "E119", true),
            ("%", "", true),
            ("_", "性", true),
            ("a%b%c", "axxbyyc", true),
            ("a%b%c", "axxbyy", false),
        ] {
            assert_eq!(fits(pattern, text), does, "{pattern} {text}");
        }
    }

    #[test]
    fn literals_are_read_whole_or_not_at_all() {
        assert_eq!(day("2024-04-01"), Some(19_814));
        assert_eq!((day("2024-02-30"), day("2024-02"), day("x")), (None, None, None));
        assert_eq!((scaled("1.5"), scaled("2"), scaled("0.000001")), (Some(150_000), Some(200_000), None));
        assert_eq!(months_around(19_816)[0], 19_814);
    }
}
