//! Values for the parameters of a prepared statement, bound token by token.
//!
//! The text is cut into tokens by the same reader that vetting uses. A placeholder is one token; the literal that
//! takes its place is printed by us, and the bound text is cut again: it must give the same tokens with exactly that
//! literal where the placeholder stood. So a value can become nothing but the literal that it is, whatever it holds.

use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::temporal_conversions::as_date;
use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

/// The most parameters of a statement.
const MOST: usize = 64;
/// The longest text value.
const LONGEST: usize = 4096;

/// Why values cannot be bound. No message holds a value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BindError {
    #[error("the statement cannot be cut into words")]
    Text,
    #[error("parameters are written as ?, or as $1, $2 and so on, not as both and with none left out")]
    Placeholders,
    #[error("the statement has {wanted} parameters and {given} values")]
    Count { wanted: usize, given: usize },
    #[error("one row of values is bound at a time, not {0}")]
    Rows(usize),
    #[error(
        "value {0} is of a type that cannot be bound; use text, whole or decimal numbers, dates or booleans"
    )]
    Type(usize),
    #[error("value {0} is missing, not finite, or too long")]
    Value(usize),
    /// The bound text did not read back as the statement with its literals.
    #[error("broken invariant: a bound statement reads back as the statement with its literals")]
    Bug,
}

/// A statement with its placeholders.
#[derive(Clone, Debug)]
pub(super) struct Template {
    sql: String,
    tokens: Vec<Token>,
    /// For each token that is a placeholder, the parameter's number from 0.
    places: Vec<Option<usize>>,
    parameters: usize,
}

impl Template {
    /// Finds the placeholders of a text. A text that cannot be cut has none: vetting says what is wrong with it.
    pub(super) fn new(sql: &str) -> Result<Self, BindError> {
        let tokens = cut(sql).unwrap_or_default();
        let read_back: String = tokens.iter().map(Token::to_string).collect();
        let mut places = Vec::with_capacity(tokens.len());
        let (mut asked, mut numbered) = (0, Vec::new());
        for token in &tokens {
            places.push(match token {
                Token::Placeholder(word) if word == "?" => {
                    asked += 1;
                    Some(asked - 1)
                }
                Token::Placeholder(word) => {
                    let number = word.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
                    let number = number.and_then(|number| number.checked_sub(1));
                    let number = number.ok_or(BindError::Placeholders)?;
                    numbered.push(number);
                    Some(number)
                }
                _ => None,
            });
        }
        let parameters = asked.max(numbered.iter().max().map_or(0, |last| last + 1));
        let is_whole = (0..parameters).all(|number| numbered.contains(&number));
        if parameters > MOST || (!numbered.is_empty() && (asked > 0 || !is_whole)) {
            return Err(BindError::Placeholders);
        }
        if parameters > 0 && read_back != sql {
            return Err(BindError::Text);
        }
        Ok(Self { sql: sql.to_owned(), tokens, places, parameters })
    }

    /// The text as it was given.
    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    /// How many parameters there are.
    pub(super) const fn parameters(&self) -> usize {
        self.parameters
    }

    /// The text with one row of values.
    pub(super) fn bind(&self, batches: &[RecordBatch]) -> Result<String, BindError> {
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        let batch = batches.iter().find(|batch| batch.num_rows() == 1);
        let (1, Some(batch)) = (rows, batch) else { return Err(BindError::Rows(rows)) };
        if batch.num_columns() != self.parameters {
            return Err(BindError::Count { wanted: self.parameters, given: batch.num_columns() });
        }
        let literals = batch.columns().iter().zip(1..).map(|(column, number)| literal(column, number));
        self.with(&literals.collect::<Result<Vec<_>, _>>()?)
    }

    fn with(&self, literals: &[String]) -> Result<String, BindError> {
        let (mut bound, mut expected) = (String::new(), Vec::with_capacity(self.tokens.len()));
        for (token, place) in self.tokens.iter().zip(&self.places) {
            match place.map(|number| literals.get(number).ok_or(BindError::Bug)).transpose()? {
                Some(literal) => {
                    bound.push_str(literal);
                    expected.extend(cut(literal).ok_or(BindError::Bug)?);
                }
                None => {
                    bound.push_str(&token.to_string());
                    expected.push(token.clone());
                }
            }
        }
        if cut(&bound).as_ref() == Some(&expected) { Ok(bound) } else { Err(BindError::Bug) }
    }
}

/// The tokens of a text as they are written: quotes inside a string stay doubled, so that the tokens read back.
fn cut(sql: &str) -> Option<Vec<Token>> {
    Tokenizer::new(&GenericDialect {}, sql).with_unescape(false).tokenize().ok()
}

/// A value as a literal of SQL.
fn literal(column: &dyn Array, number: usize) -> Result<String, BindError> {
    if column.is_null(0) {
        return Err(BindError::Value(number));
    }
    let whole = |number: i128| if number < 0 { format!("({number})") } else { number.to_string() };
    Ok(match column.data_type() {
        DataType::Utf8 => text(column.as_string::<i32>().value(0), number)?,
        DataType::LargeUtf8 => text(column.as_string::<i64>().value(0), number)?,
        DataType::Utf8View => text(column.as_string_view().value(0), number)?,
        DataType::Boolean => if column.as_boolean().value(0) { "TRUE" } else { "FALSE" }.to_owned(),
        DataType::Int8 => whole(column.as_primitive::<Int8Type>().value(0).into()),
        DataType::Int16 => whole(column.as_primitive::<Int16Type>().value(0).into()),
        DataType::Int32 => whole(column.as_primitive::<Int32Type>().value(0).into()),
        DataType::Int64 => whole(column.as_primitive::<Int64Type>().value(0).into()),
        DataType::UInt8 => whole(column.as_primitive::<UInt8Type>().value(0).into()),
        DataType::UInt16 => whole(column.as_primitive::<UInt16Type>().value(0).into()),
        DataType::UInt32 => whole(column.as_primitive::<UInt32Type>().value(0).into()),
        DataType::UInt64 => whole(column.as_primitive::<UInt64Type>().value(0).into()),
        DataType::Float64 => decimal(column.as_primitive::<Float64Type>().value(0), number)?,
        DataType::Decimal128(..) => {
            let text = column.as_primitive::<Decimal128Type>().value_as_string(0);
            if text.starts_with('-') { format!("({text})") } else { text }
        }
        DataType::Date32 => {
            let date = as_date::<Date32Type>(column.as_primitive::<Date32Type>().value(0).into());
            format!("DATE '{}'", date.ok_or(BindError::Value(number))?)
        }
        _ => return Err(BindError::Type(number)),
    })
}

fn text(value: &str, number: usize) -> Result<String, BindError> {
    if value.len() > LONGEST || value.contains('\0') {
        return Err(BindError::Value(number));
    }
    Ok(format!("'{}'", value.replace('\'', "''")))
}

fn decimal(value: f64, number: usize) -> Result<String, BindError> {
    // Within this, a number is printed in full; what is larger is no measure of ours.
    if !value.is_finite() || value.abs() > 1e15 {
        return Err(BindError::Value(number));
    }
    Ok(if value < 0.0 { format!("({value})") } else { format!("{value}") })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    };

    use super::{BindError, Template};

    fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
        RecordBatch::try_from_iter(columns.into_iter().enumerate().map(|(at, it)| (at.to_string(), it)))
            .unwrap()
    }

    fn bind(sql: &str, columns: Vec<ArrayRef>) -> Result<String, BindError> {
        Template::new(sql)?.bind(&[batch(columns)])
    }

    fn one(value: &str) -> ArrayRef {
        Arc::new(StringArray::from(vec![value]))
    }

    #[test]
    fn values_become_literals_of_their_types() {
        let columns: Vec<ArrayRef> = vec![
            one("E11"),
            Arc::new(Int64Array::from(vec![-3])),
            Arc::new(Date32Array::from(vec![19_814])),
            Arc::new(BooleanArray::from(vec![true])),
            Arc::new(Float64Array::from(vec![0.5])),
        ];
        let bound = bind("SELECT 1 WHERE a = ? AND b -? < ? AND c = ? OR d>?", columns).unwrap();
        assert_eq!(bound, "SELECT 1 WHERE a = 'E11' AND b -(-3) < DATE '2024-04-01' AND c = TRUE OR d>0.5");
    }

    #[test]
    fn numbered_parameters_may_come_twice() {
        let bound = bind("$2 $1 $2", vec![one("a"), one("b")]).unwrap();
        assert_eq!(bound, "'b' 'a' 'b'");
        for wrong in ["$1 $3", "? $1", "$0", "$x"] {
            assert_eq!(Template::new(wrong).unwrap_err(), BindError::Placeholders, "{wrong}");
        }
    }

    #[test]
    fn a_value_stays_one_literal_whatever_it_holds() {
        for value in [
            "' OR 1=1 --",
            "\\' OR 1=1",
            "''",
            "'; DROP TABLE person; --",
            "/* */",
            "$1",
            "?",
            "\n",
            "N'x'",
            "e'\\''",
            "性別",
            "\u{2019}",
            "\"",
        ] {
            let bound = bind("WHERE a = ? AND b = 'it''s ? as it is'", vec![one(value)]).unwrap();
            let literal = format!("'{}'", value.replace('\'', "''"));
            assert_eq!(bound, format!("WHERE a = {literal} AND b = 'it''s ? as it is'"));
        }
    }

    #[test]
    fn a_literal_that_would_join_its_neighbour_is_not_bound() {
        // Next to a word, the literal would be read as another kind of string.
        assert_eq!(bind("SELECT N?", vec![one("x")]).unwrap_err(), BindError::Bug);
        assert_eq!(bind("SELECT 'a'?", vec![one("x")]).unwrap_err(), BindError::Bug);
        let seven: ArrayRef = Arc::new(Int64Array::from(vec![7]));
        assert_eq!(bind("SELECT 1?", vec![seven]).unwrap_err(), BindError::Bug);
    }

    #[test]
    fn what_is_not_one_row_of_plain_values_is_told() {
        assert_eq!(bind("? ?", vec![one("a")]).unwrap_err(), BindError::Count { wanted: 2, given: 1 });
        let two: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        assert_eq!(bind("?", vec![two]).unwrap_err(), BindError::Rows(2));
        let none: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
        assert_eq!(bind("?", vec![none]).unwrap_err(), BindError::Value(1));
        let infinite: ArrayRef = Arc::new(Float64Array::from(vec![f64::INFINITY]));
        assert_eq!(bind("?", vec![infinite]).unwrap_err(), BindError::Value(1));
        let bytes: ArrayRef = Arc::new(arrow::array::BinaryArray::from(vec![&b"a"[..]]));
        assert_eq!(bind("?", vec![bytes]).unwrap_err(), BindError::Type(1));
    }
}
