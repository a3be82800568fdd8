//! `days_between(from, to)`: days from one day to another, for conditions and `bucket`.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{day, days, integers};
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::KeyDomain;

pub(super) static FUNCTION: Function = Function {
    name: "days_between",
    arguments: &[Argument::Day, Argument::Day],
    optional: 0,
    gives: Gives::Number,
    domain,
    udf: DaysBetween::udf,
    doc: FunctionDoc {
        call: "days_between(from, to)",
        ja: "ある日から別の日までの日数（前なら負）",
        text: "days from one day to another; negative where the second lies before",
        example: "days_between(a.discharge_date, b.admission_date) <= 30",
        cases: &[
            ("days_between(DATE '2024-02-28', DATE '2024-03-01')", "2"),
            ("days_between(DATE '2024-03-01', DATE '2024-02-28')", "-2"),
        ],
    },
};

scalar_function!(
    DaysBetween,
    "days_between",
    Gives::Number,
    [vec![DataType::Date32, DataType::Date32]],
    invoke
);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let between = |from: Option<i32>, to: Option<i32>| {
        Some(i64::from(day(to?)?.days()) - i64::from(day(from?)?.days()))
    };
    let (froms, tos) = (days(args, 0)?, days(args, 1)?);
    Ok(integers(froms.into_iter().zip(tos).map(|(from, to)| between(from, to))))
}

// Grouped through `bucket`, which names its bands.
fn domain(_call: &Call<'_>) -> Option<KeyDomain> {
    None
}
