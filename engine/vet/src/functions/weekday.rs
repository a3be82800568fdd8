//! `weekday(day)`: the day of the week, Monday first.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{day, days, texts};
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::KeyDomain;

const NAMES: [(&str, &str, &str); 7] = [
    ("1", "月曜日", "Monday"),
    ("2", "火曜日", "Tuesday"),
    ("3", "水曜日", "Wednesday"),
    ("4", "木曜日", "Thursday"),
    ("5", "金曜日", "Friday"),
    ("6", "土曜日", "Saturday"),
    ("7", "日曜日", "Sunday"),
];

pub(super) static FUNCTION: Function = Function {
    name: "weekday",
    arguments: &[Argument::Day],
    optional: 0,
    gives: Gives::Text,
    domain,
    udf: Weekday::udf,
    doc: FunctionDoc {
        call: "weekday(day)",
        ja: "曜日（1 月曜日から7 日曜日まで）",
        text: "the day of the week, from 1 for Monday to 7 for Sunday, as text",
        example: "weekday(s.admission_date) IN ('6', '7')",
        cases: &[
            ("weekday(DATE '2024-04-01')", "1"),
            ("weekday(DATE '2024-03-31')", "7"),
            ("weekday(DATE '1969-12-31')", "3"),
        ],
    },
};

scalar_function!(Weekday, "weekday", Gives::Text, [vec![DataType::Date32]], invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    // 1970-01-01 was a Thursday.
    let name = |days: Option<i32>| {
        let at = usize::try_from((day(days?)?.days() + 3).rem_euclid(7)).ok()?;
        NAMES.get(at).map(|(code, _, _)| *code)
    };
    Ok(texts(days(args, 0)?.into_iter().map(name)))
}

fn domain(_call: &Call<'_>) -> Option<KeyDomain> {
    Some(KeyDomain::named(NAMES))
}
