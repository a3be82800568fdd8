//! `month_number(day)`: the month of the year, for seasons.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{day, days, texts};
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::KeyDomain;

pub(super) static FUNCTION: Function = Function {
    name: "month_number",
    arguments: &[Argument::Day],
    optional: 0,
    gives: Gives::Text,
    domain,
    udf: MonthNumber::udf,
    doc: FunctionDoc {
        call: "month_number(day)",
        ja: "月（01から12、季節性をみる）",
        text: "the month of the year from 01 to 12, as text",
        example: "month_number(s.admission_date) = '12'",
        cases: &[("month_number(DATE '2024-02-29')", "02"), ("month_number(DATE '2024-12-01')", "12")],
    },
};

scalar_function!(MonthNumber, "month_number", Gives::Text, [vec![DataType::Date32]], invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let number = |days: Option<i32>| Some(format!("{:02}", day(days?)?.month().month()));
    Ok(texts(days(args, 0)?.into_iter().map(number)))
}

fn domain(_call: &Call<'_>) -> Option<KeyDomain> {
    Some(KeyDomain::labels((1..=12).map(|month| format!("{month:02}"))))
}
