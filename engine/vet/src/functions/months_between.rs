//! `months_between(from, to)`: whole calendar months from one month to another, for conditions and `bucket`.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{day, days, integers};
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::KeyDomain;

pub(super) static FUNCTION: Function = Function {
    name: "months_between",
    arguments: &[Argument::Day, Argument::Day],
    optional: 0,
    gives: Gives::Number,
    domain,
    udf: MonthsBetween::udf,
    doc: FunctionDoc {
        call: "months_between(from, to)",
        ja: "ある月から別の月までの月数（暦月の差。前なら負）",
        text: "calendar months from one month to another; negative where the second lies before",
        example: "months_between(a.service_month, b.service_month) <= 12",
        cases: &[
            ("months_between(DATE '2023-06-15', DATE '2023-07-01')", "1"),
            ("months_between(DATE '2023-06-15', DATE '2022-06-30')", "-12"),
        ],
    },
};

scalar_function!(
    MonthsBetween,
    "months_between",
    Gives::Number,
    [vec![DataType::Date32, DataType::Date32]],
    invoke
);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let months = |from: Option<i32>, to: Option<i32>| {
        Some(i64::from(day(to?)?.month().index() - day(from?)?.month().index()))
    };
    let (froms, tos) = (days(args, 0)?, days(args, 1)?);
    Ok(integers(froms.into_iter().zip(tos).map(|(from, to)| months(from, to))))
}

// Grouped through `bucket` or `months_band`, which name their bands.
fn domain(_call: &Call<'_>) -> Option<KeyDomain> {
    None
}
