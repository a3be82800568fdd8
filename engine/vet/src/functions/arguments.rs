//! A call's arguments as values by row, and its results as a column.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, Date32Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int32Type, Int64Type};
use catalog_model::Date;
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

/// The days of an argument, by row.
pub(super) fn days(args: &ScalarFunctionArgs, at: usize) -> Result<Vec<Option<i32>>> {
    let Some(value) = args.args.get(at) else { return Ok(vec![None; args.number_rows]) };
    Ok(match value {
        ColumnarValue::Scalar(ScalarValue::Date32(day)) => vec![*day; args.number_rows],
        ColumnarValue::Scalar(_) => vec![None; args.number_rows],
        ColumnarValue::Array(array) => match array.as_primitive_opt::<Date32Type>() {
            Some(days) => days.iter().collect(),
            None => return exec_err!("argument {at} is not a day"),
        },
    })
}

/// A literal argument; `fallback` where it is left out.
pub(super) fn literal(args: &ScalarFunctionArgs, at: usize, fallback: i64) -> i64 {
    match args.args.get(at) {
        Some(ColumnarValue::Scalar(ScalarValue::Int64(Some(value)))) => *value,
        // A constant may arrive as an array of one repeated value.
        Some(ColumnarValue::Array(array)) if !array.is_empty() => {
            array.as_primitive_opt::<Int64Type>().map_or(fallback, |values| values.value(0))
        }
        _ => fallback,
    }
}

/// A word of the query; empty where it is left out.
pub(super) fn word(args: &ScalarFunctionArgs, at: usize) -> String {
    match args.args.get(at) {
        Some(ColumnarValue::Scalar(value)) => value.try_as_str().flatten().unwrap_or_default().to_owned(),
        Some(ColumnarValue::Array(array)) if !array.is_empty() => {
            array.as_string_opt::<i32>().map(|values| values.value(0).to_owned()).unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// What `take` gives for each text of an argument; a missing text gives null.
pub(super) fn from_texts<T: AsRef<str>>(
    args: &ScalarFunctionArgs,
    at: usize,
    take: impl Fn(&str) -> Option<T>,
) -> Result<ColumnarValue> {
    let Some(value) = args.args.get(at) else { return exec_err!("argument {at} is missing") };
    match value {
        ColumnarValue::Scalar(value) => {
            let taken = value.try_as_str().flatten().and_then(take);
            Ok(ColumnarValue::Scalar(ScalarValue::Utf8(taken.map(|taken| taken.as_ref().to_owned()))))
        }
        ColumnarValue::Array(array) => match array.data_type() {
            DataType::Utf8 => Ok(texts(array.as_string::<i32>().iter().map(|text| take(text?)))),
            DataType::Utf8View => Ok(texts(array.as_string_view().iter().map(|text| take(text?)))),
            _ => exec_err!("argument {at} is not a code"),
        },
    }
}

/// The numbers of an argument with five decimal places, by row.
pub(super) fn numbers(args: &ScalarFunctionArgs, at: usize) -> Result<Vec<Option<i128>>> {
    let Some(value) = args.args.get(at) else { return Ok(vec![None; args.number_rows]) };
    let array = value.to_array(args.number_rows)?;
    let whole = |value: i64| i128::from(value) * PLACES;
    Ok(match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().iter().map(|value| value.map(whole)).collect(),
        DataType::Int32 => {
            array.as_primitive::<Int32Type>().iter().map(|value| Some(whole(i64::from(value?)))).collect()
        }
        DataType::Decimal128(_, 5) => array.as_primitive::<Decimal128Type>().iter().collect(),
        _ => return exec_err!("argument {at} is not a number"),
    })
}

/// The two arguments as columns of the same length.
pub(super) fn pair(args: &ScalarFunctionArgs) -> Result<(ArrayRef, ArrayRef)> {
    let [value, literal] = args.args.as_slice() else { return exec_err!("not two arguments") };
    Ok((value.to_array(args.number_rows)?, literal.to_array(args.number_rows)?))
}

/// One in numbers with five decimal places.
pub(super) const PLACES: i128 = 100_000;

/// Days as a column.
pub(super) fn dates(values: impl Iterator<Item = Option<i32>>) -> ColumnarValue {
    ColumnarValue::Array(Arc::new(values.collect::<Date32Array>()) as ArrayRef)
}

/// Whole numbers as a column.
pub(super) fn integers(values: impl Iterator<Item = Option<i64>>) -> ColumnarValue {
    ColumnarValue::Array(Arc::new(values.collect::<Int64Array>()) as ArrayRef)
}

/// Texts as a column.
pub(super) fn texts<T: AsRef<str>>(values: impl Iterator<Item = Option<T>>) -> ColumnarValue {
    ColumnarValue::Array(Arc::new(values.collect::<StringArray>()) as ArrayRef)
}

/// A day within the calendar that we work with; anything else is treated as missing.
pub(super) fn day(days: i32) -> Option<Date> {
    let date = Date::from_days(days);
    let (year, month, day) = (days.unsigned_abs() < 200_000).then(|| date.ymd())?;
    Date::from_ymd(year, month, day)
}
