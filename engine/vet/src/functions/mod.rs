//! The scalar functions of our SQL: total, deterministic, with a bounded result. There are no others.
//!
//! A function never raises an error: a missing or impossible argument gives null. One that can be a group key declares
//! its finite domain from its literal arguments alone.

mod add_months;
mod age_band;
mod fiscal_year;
mod month_of;
mod months_band;

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Date32Array, StringArray};
use arrow::datatypes::{Date32Type, Int64Type};
use catalog_model::{Date, Period};
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use crate::domain::KeyDomain;

/// What a function's argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// A birth date: the one place where an exact value may stand.
    BirthDate,
    /// A day or month, a column or a literal.
    Day,
    /// A whole number written in the query, within these bounds.
    Literal {
        /// The lowest.
        low: i64,
        /// The highest.
        high: i64,
    },
}

/// One function of our SQL.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) arguments: &'static [Argument],
    /// How many of the last arguments may be left out.
    pub(crate) optional: usize,
    /// The result's domain, given the literal arguments and the permit's period; none where it cannot be grouped.
    pub(crate) domain: fn(&[i64], Period) -> Option<KeyDomain>,
    pub(crate) udf: fn() -> ScalarUDF,
    pub(crate) doc: FunctionDoc,
}

/// What a researcher is told about a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionDoc {
    /// How it is called.
    pub call: &'static str,
    /// What it gives.
    pub text: &'static str,
    /// A call with its result.
    pub example: &'static str,
}

pub(crate) const FUNCTIONS: [&Function; 5] = [
    &age_band::FUNCTION,
    &months_band::FUNCTION,
    &month_of::FUNCTION,
    &fiscal_year::FUNCTION,
    &add_months::FUNCTION,
];

/// The function with this name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.into_iter().find(|function| function.name == name)
}

/// Every function, for a session that executes vetted plans.
pub fn registered() -> Vec<Arc<ScalarUDF>> {
    FUNCTIONS.iter().map(|function| Arc::new((function.udf)())).collect()
}

/// What a researcher is told about the functions.
pub fn documentation() -> Vec<FunctionDoc> {
    FUNCTIONS.iter().map(|function| function.doc).collect()
}

/// The days of an argument, by row.
fn days(args: &ScalarFunctionArgs, at: usize) -> Result<Vec<Option<i32>>> {
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
fn literal(args: &ScalarFunctionArgs, at: usize, fallback: i64) -> i64 {
    match args.args.get(at) {
        Some(ColumnarValue::Scalar(ScalarValue::Int64(Some(value)))) => *value,
        // A constant may arrive as an array of one repeated value.
        Some(ColumnarValue::Array(array)) if !array.is_empty() => {
            array.as_primitive_opt::<Int64Type>().map_or(fallback, |values| values.value(0))
        }
        _ => fallback,
    }
}

fn dates(values: impl Iterator<Item = Option<i32>>) -> ColumnarValue {
    ColumnarValue::Array(Arc::new(values.collect::<Date32Array>()) as ArrayRef)
}

fn texts<T: AsRef<str>>(values: impl Iterator<Item = Option<T>>) -> ColumnarValue {
    ColumnarValue::Array(Arc::new(values.collect::<StringArray>()) as ArrayRef)
}

/// A day within the calendar that we work with; anything else is treated as missing.
fn day(days: i32) -> Option<Date> {
    let date = Date::from_days(days);
    let (year, month, day) = (days.unsigned_abs() < 200_000).then(|| date.ymd())?;
    Date::from_ymd(year, month, day)
}

/// Declares a function's type for DataFusion.
macro_rules! scalar_function {
    ($name:ident, $call:literal, $result:expr, $types:expr, $invoke:path) => {
        #[derive(Debug, PartialEq, Eq, Hash)]
        struct $name(datafusion_expr::Signature);

        impl $name {
            fn udf() -> datafusion_expr::ScalarUDF {
                let types = $types.into_iter().map(datafusion_expr::TypeSignature::Exact).collect();
                datafusion_expr::ScalarUDF::from($name(datafusion_expr::Signature::one_of(
                    types,
                    datafusion_expr::Volatility::Immutable,
                )))
            }
        }

        impl datafusion_expr::ScalarUDFImpl for $name {
            fn name(&self) -> &str {
                $call
            }

            fn signature(&self) -> &datafusion_expr::Signature {
                &self.0
            }

            fn return_type(
                &self,
                _types: &[arrow::datatypes::DataType],
            ) -> datafusion_common::Result<arrow::datatypes::DataType> {
                Ok($result)
            }

            fn invoke_with_args(
                &self,
                args: datafusion_expr::ScalarFunctionArgs,
            ) -> datafusion_common::Result<datafusion_expr::ColumnarValue> {
                $invoke(&args)
            }
        }
    };
}
use scalar_function;

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray as _, Date32Array};
    use arrow::datatypes::{DataType, Field};
    use catalog_model::Date;
    use datafusion_common::ScalarValue;
    use datafusion_common::config::ConfigOptions;
    use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

    /// `2023-04-01` as days, or null.
    pub(crate) fn days(text: &str) -> Option<i32> {
        let mut parts = text.split('-');
        let mut next = || parts.next()?.parse::<u32>().ok();
        let (year, month, day) = (next()?, next()?, next()?);
        Date::from_ymd(i32::try_from(year).ok()?, month, day).map(Date::days)
    }

    pub(crate) fn call(name: &str, dates: &[&str], literals: &[i64], result: &DataType) -> String {
        let udf = (super::find(name).unwrap().udf)();
        let mut args: Vec<ColumnarValue> = dates
            .iter()
            .map(|text| ColumnarValue::Array(Arc::new(Date32Array::from(vec![days(text)]))))
            .collect();
        args.extend(literals.iter().map(|value| ColumnarValue::Scalar(ScalarValue::Int64(Some(*value)))));
        let arg_fields = args.iter().map(|arg| Arc::new(Field::new("a", arg.data_type(), true))).collect();
        let args = ScalarFunctionArgs {
            args,
            arg_fields,
            number_rows: 1,
            return_field: Arc::new(Field::new("r", result.clone(), true)),
            config_options: Arc::new(ConfigOptions::default()),
        };
        let array = udf.invoke_with_args(args).unwrap().into_array(1).unwrap();
        if arrow::array::Array::is_null(array.as_ref(), 0) {
            return "null".to_owned();
        }
        match result {
            DataType::Date32 => {
                Date::from_days(array.as_primitive::<arrow::datatypes::Date32Type>().value(0)).to_string()
            }
            _ => array.as_string::<i32>().value(0).to_owned(),
        }
    }
}
