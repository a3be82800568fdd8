//! `age(birth_date, on)`: completed years at a day, for conditions; 90 and over are 90, as in [`super::age_band`].

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{day, days, integers};
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::KeyDomain;

const TOP: i32 = 90;

pub(super) static FUNCTION: Function = Function {
    name: "age",
    arguments: &[Argument::BirthDate, Argument::Day],
    optional: 0,
    gives: Gives::Number,
    domain,
    udf: Age::udf,
    doc: FunctionDoc {
        call: "age(birth_date, on)",
        ja: "ある日の満年齢（条件に使う）。90歳以上は90",
        text: "the age in completed years at a day, for conditions; 90 and over are 90",
        example: "age(p.birth_date, DATE '2024-04-01') >= 65",
        cases: &[
            ("age(DATE '1948-07-26', DATE '2023-07-25')", "74"),
            ("age(DATE '1948-07-26', DATE '2023-07-26')", "75"),
            ("age(DATE '1910-01-01', DATE '2023-07-26')", "90"),
            ("age(DATE '2024-01-01', DATE '2023-07-26')", "null"),
        ],
    },
};

scalar_function!(Age, "age", Gives::Number, [vec![DataType::Date32, DataType::Date32]], invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let age = |birth: Option<i32>, on: Option<i32>| {
        let years = day(birth?)?.years_until(day(on?)?);
        (years >= 0).then(|| i64::from(years.min(TOP)))
    };
    let (births, ons) = (days(args, 0)?, days(args, 1)?);
    Ok(integers(births.into_iter().zip(ons).map(|(birth, on)| age(birth, on))))
}

// Single years are for conditions; results show bands.
fn domain(_call: &Call<'_>) -> Option<KeyDomain> {
    None
}
