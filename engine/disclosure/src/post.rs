//! The post-program: HAVING, ORDER BY, LIMIT and arithmetic, on values that are already protected.
//!
//! What is hidden stays hidden in everything computed from it, and a condition over it is not known to be true, so its
//! row is not shown. Nothing here sees an unprotected number: rows come with their hidden values already taken out.

use std::cmp::Ordering;

use engine_protocol::{CellValue, Post, PostComparison, PostExpr, PostOperator};

use crate::format::{Number, rounded};

/// Decimal places of a quotient.
const QUOTIENT_PLACES: u32 = 6;

/// A protected row: its keys, and its aggregates.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Each with its number in the key's domain, which is the order of display.
    pub(crate) keys: Vec<(CellValue, u32)>,
    pub(crate) aggregates: Vec<Value>,
    /// The public figures for its keys, where there are any.
    pub(crate) public: Option<Vec<Value>>,
}

/// A value of the post-program.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Hidden,
    Empty,
    Number(Number),
    Truth(bool),
    Key(CellValue, Option<u32>),
}

/// Runs the program over rows in the order of their keys.
pub(crate) fn run(post: &Post, rows: Vec<Row>) -> Vec<Vec<CellValue>> {
    let is_shown =
        |row: &Row| post.having.as_ref().is_none_or(|having| evaluate(having, row) == Value::Truth(true));
    let ordered = |row: Row| {
        let by: Vec<Value> = post.order.iter().map(|order| evaluate(&order.by, &row)).collect();
        (by, row)
    };
    let mut rows: Vec<(Vec<Value>, Row)> = rows.into_iter().filter(is_shown).map(ordered).collect();
    // Stable: rows that the order cannot tell apart stay in the order of their keys.
    rows.sort_by(|(one, _), (two, _)| {
        let by = post.order.iter().zip(one).zip(two);
        let by = by.map(|((order, one), two)| compared(one, two, order.is_descending));
        by.fold(Ordering::Equal, Ordering::then)
    });
    let skip = usize::try_from(post.skip).unwrap_or(usize::MAX);
    let fetch = post.fetch.map_or(usize::MAX, |fetch| usize::try_from(fetch).unwrap_or(usize::MAX));
    let cells = |row: &Row| -> Vec<CellValue> {
        post.columns.iter().map(|column| evaluate(&column.value, row).cell()).collect()
    };
    rows.iter().skip(skip).take(fetch).map(|(_, row)| cells(row)).collect()
}

impl Value {
    fn cell(self) -> CellValue {
        match self {
            Self::Hidden => CellValue::Suppressed,
            Self::Empty => CellValue::Empty,
            Self::Number(number) => number.cell(),
            Self::Truth(truth) => CellValue::Integer(i64::from(truth)),
            Self::Key(value, _) => value,
        }
    }

    const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty | Self::Key(CellValue::Total, _))
    }
}

fn evaluate(expr: &PostExpr, row: &Row) -> Value {
    match expr {
        PostExpr::Key(at) => {
            let key = row.keys.get(*at).cloned();
            key.map_or(Value::Empty, |(value, number)| Value::Key(value, Some(number)))
        }
        PostExpr::Aggregate(at) => row.aggregates.get(*at).cloned().unwrap_or(Value::Empty),
        PostExpr::Public(at) => {
            let figure = row.public.as_ref().and_then(|figures| figures.get(*at));
            figure.cloned().unwrap_or(Value::Empty)
        }
        PostExpr::HasPublic => Value::Truth(row.public.is_some()),
        PostExpr::Number(whole, places) => Value::Number(Number { whole: *whole, places: *places }),
        PostExpr::Text(text) => {
            Value::Key(CellValue::Key { code: text.clone(), ja: text.clone(), en: text.clone() }, None)
        }
        PostExpr::Empty => Value::Empty,
        PostExpr::Arithmetic(operator, left, right) => {
            arithmetic(*operator, &evaluate(left, row), &evaluate(right, row))
        }
        PostExpr::Round(inner, places) => match evaluate(inner, row) {
            Value::Number(number) => number.rounded(*places).map_or(Value::Empty, Value::Number),
            other => other,
        },
        PostExpr::Compare(comparison, left, right) => {
            compare(*comparison, &evaluate(left, row), &evaluate(right, row))
        }
        PostExpr::And(left, right) => match (evaluate(left, row), evaluate(right, row)) {
            (Value::Truth(false), _) | (_, Value::Truth(false)) => Value::Truth(false),
            (Value::Truth(true), other) | (other, _) => other,
        },
        PostExpr::Or(left, right) => match (evaluate(left, row), evaluate(right, row)) {
            (Value::Truth(true), _) | (_, Value::Truth(true)) => Value::Truth(true),
            (Value::Truth(false), other) | (other, _) => other,
        },
        PostExpr::Not(inner) => match evaluate(inner, row) {
            Value::Truth(truth) => Value::Truth(!truth),
            other => other,
        },
        PostExpr::IsEmpty(inner) => match evaluate(inner, row) {
            Value::Hidden => Value::Hidden,
            other => Value::Truth(other.is_empty()),
        },
        PostExpr::Case(branches, otherwise) => case(branches, otherwise, row),
    }
}

/// A condition that is hidden hides the whole: which branch was taken would tell it.
fn case(branches: &[(PostExpr, PostExpr)], otherwise: &PostExpr, row: &Row) -> Value {
    for (condition, value) in branches {
        match evaluate(condition, row) {
            Value::Truth(true) => return evaluate(value, row),
            Value::Hidden => return Value::Hidden,
            _ => {}
        }
    }
    evaluate(otherwise, row)
}

fn arithmetic(operator: PostOperator, left: &Value, right: &Value) -> Value {
    match (left, right) {
        (Value::Hidden, _) | (_, Value::Hidden) => Value::Hidden,
        (Value::Number(left), Value::Number(right)) => {
            computed(operator, *left, *right).map_or(Value::Empty, Value::Number)
        }
        _ => Value::Empty,
    }
}

/// Checked: what does not fit has no value.
fn computed(operator: PostOperator, left: Number, right: Number) -> Option<Number> {
    match operator {
        PostOperator::Add | PostOperator::Subtract => {
            let places = left.places.max(right.places);
            let (one, two) = (scaled(left, places)?, scaled(right, places)?);
            let whole = match operator {
                PostOperator::Add => one.checked_add(two)?,
                _ => one.checked_sub(two)?,
            };
            Some(Number { whole, places })
        }
        PostOperator::Multiply => {
            Number { whole: left.whole.checked_mul(right.whole)?, places: left.places + right.places }
                .rounded(2 * QUOTIENT_PLACES)
        }
        PostOperator::Divide => {
            let above = left.whole.checked_mul(10_i128.checked_pow(QUOTIENT_PLACES + right.places)?)?;
            let below = right.whole.checked_mul(10_i128.checked_pow(left.places)?)?;
            Some(Number { whole: rounded(above, below)?, places: QUOTIENT_PLACES })
        }
    }
}

fn scaled(number: Number, places: u32) -> Option<i128> {
    number.whole.checked_mul(10_i128.checked_pow(places.checked_sub(number.places)?)?)
}

fn compare(comparison: PostComparison, left: &Value, right: &Value) -> Value {
    if matches!(left, Value::Hidden) || matches!(right, Value::Hidden) {
        return Value::Hidden;
    }
    let Some(order) = order(left, right) else { return Value::Empty };
    Value::Truth(match comparison {
        PostComparison::Equal => order == Ordering::Equal,
        PostComparison::NotEqual => order != Ordering::Equal,
        PostComparison::Less => order == Ordering::Less,
        PostComparison::LessOrEqual => order != Ordering::Greater,
        PostComparison::Greater => order == Ordering::Greater,
        PostComparison::GreaterOrEqual => order != Ordering::Less,
    })
}

/// The order of two values of one kind.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            let places = left.places.max(right.places);
            Some(scaled(*left, places)?.cmp(&scaled(*right, places)?))
        }
        (Value::Truth(left), Value::Truth(right)) => Some(left.cmp(right)),
        (Value::Key(_, Some(left)), Value::Key(_, Some(right))) => Some(left.cmp(right)),
        (
            Value::Key(CellValue::Key { code: left, .. }, _),
            Value::Key(CellValue::Key { code: right, .. }, _),
        ) => Some(left.cmp(right)),
        _ => None,
    }
}

/// The order of two rows; values that are hidden, missing, other or totals come last.
fn compared(one: &Value, two: &Value, is_descending: bool) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Number(_) | Value::Truth(_) | Value::Key(CellValue::Key { .. }, _) => 0,
        Value::Key(CellValue::Other, _) => 1,
        Value::Key(_, _) => 2,
        Value::Empty => 3,
        Value::Hidden => 4,
    };
    rank(one).cmp(&rank(two)).then_with(|| {
        let order = order(one, two).unwrap_or(Ordering::Equal);
        if is_descending { order.reverse() } else { order }
    })
}

#[cfg(test)]
mod tests {
    use engine_protocol::{CellValue, Post, PostColumn, PostComparison, PostExpr, PostOperator, PostOrder};

    use super::{Row, Value, run};
    use crate::format::Number;

    fn row(code: &str, values: &[Option<i128>]) -> Row {
        let key = CellValue::Key { code: code.to_owned(), ja: code.to_owned(), en: code.to_owned() };
        let value = |value: &Option<i128>| value.map_or(Value::Hidden, |n| Value::Number(Number::whole(n)));
        Row { keys: vec![(key, 0)], aggregates: values.iter().map(value).collect(), public: None }
    }

    fn boxed(at: usize) -> Box<PostExpr> {
        Box::new(PostExpr::Aggregate(at))
    }

    fn shown(post: &Post, rows: Vec<Row>) -> Vec<String> {
        let text = |row: Vec<CellValue>| row.iter().map(CellValue::text).collect::<Vec<_>>().join(" ");
        run(post, rows).into_iter().map(text).collect()
    }

    fn post(value: PostExpr) -> Post {
        let columns = [("k", PostExpr::Key(0)), ("v", value)];
        let column = |(name, value): (&str, PostExpr)| PostColumn { name: name.to_owned(), value };
        Post { columns: columns.into_iter().map(column).collect(), ..Post::default() }
    }

    fn rows() -> Vec<Row> {
        vec![
            row("a", &[Some(20), Some(3)]),
            row("b", &[None, Some(4)]),
            row("c", &[Some(50), Some(0)]),
            row("d", &[Some(-40), Some(6)]),
        ]
    }

    #[test]
    fn a_ratio_inherits_what_is_hidden_and_nothing_is_divided_by_zero() {
        let ratio = PostExpr::Arithmetic(PostOperator::Divide, boxed(0), boxed(1));
        let rounded = PostExpr::Round(Box::new(ratio.clone()), 1);
        assert_eq!(shown(&post(ratio), rows()), ["a 6.666667", "b ***", "c ", "d -6.666667"]);
        assert_eq!(shown(&post(rounded), rows()), ["a 6.7", "b ***", "c ", "d -6.7"]);
    }

    #[test]
    fn a_hidden_value_meets_no_condition_and_no_negated_one() {
        let above = PostExpr::Compare(PostComparison::Greater, boxed(0), Box::new(PostExpr::Number(0, 0)));
        let with = |having: PostExpr| Post { having: Some(having), ..post(PostExpr::Aggregate(0)) };
        assert_eq!(shown(&with(above.clone()), rows()), ["a 20", "c 50"]);
        assert_eq!(shown(&with(PostExpr::Not(Box::new(above))), rows()), ["d -40"]);
    }

    #[test]
    fn hidden_values_come_last_in_both_directions() {
        let by = |is_descending| Post {
            order: vec![PostOrder { by: PostExpr::Aggregate(0), is_descending }],
            fetch: Some(3),
            ..post(PostExpr::Aggregate(0))
        };
        assert_eq!(shown(&by(false), rows()), ["d -40", "a 20", "c 50"]);
        assert_eq!(shown(&by(true), rows()), ["c 50", "a 20", "d -40"]);
        let second = Post { skip: 3, ..by(true) };
        assert_eq!(shown(&second, rows()), ["b ***"]);
    }

    #[test]
    fn what_does_not_fit_has_no_value() {
        let huge = PostExpr::Number(i128::MAX, 0);
        let product = PostExpr::Arithmetic(PostOperator::Multiply, Box::new(huge), boxed(0));
        assert_eq!(shown(&post(product), vec![row("a", &[Some(3)])]), ["a "]);
    }

    #[test]
    fn what_is_hidden_stays_hidden_over_a_public_figure() {
        let rate = PostExpr::Arithmetic(PostOperator::Divide, boxed(0), Box::new(PostExpr::Public(0)));
        let figure = |figure: i128| Some(vec![Value::Number(Number { whole: figure, places: 1 })]);
        let public = [figure(25), figure(25), figure(0), None];
        let joined = rows().into_iter().zip(public).map(|(row, public)| Row { public, ..row });
        let joined: Vec<Row> = joined.collect();
        let all = post(PostExpr::Round(Box::new(rate), 1));
        assert_eq!(shown(&all, joined.clone()), ["a 8.0", "b ***", "c ", "d "]);
        let inner = Post { having: Some(PostExpr::HasPublic), ..all };
        assert_eq!(shown(&inner, joined), ["a 8.0", "b ***", "c "]);
    }

    #[test]
    fn a_hidden_condition_hides_every_branch() {
        let is_large =
            PostExpr::Compare(PostComparison::Greater, boxed(0), Box::new(PostExpr::Number(30, 0)));
        let case = PostExpr::Case(vec![(is_large, PostExpr::Number(1, 0))], Box::new(PostExpr::Number(0, 0)));
        assert_eq!(shown(&post(case), rows()), ["a 0", "b ***", "c 1", "d 0"]);
    }
}
