//! `add_months(day, months)`: a day some months later or earlier, for time windows; the day of the month is kept where
//! the month has it, else the month's last day.

use arrow::datatypes::DataType;
use catalog_model::Date;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{dates, day, days, literal};
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::KeyDomain;

const REACH: i64 = 600;

pub(super) static FUNCTION: Function = Function {
    name: "add_months",
    arguments: &[Argument::Day, Argument::Literal { low: -REACH, high: REACH }],
    optional: 0,
    gives: Gives::Day,
    domain,
    udf: AddMonths::udf,
    doc: FunctionDoc {
        call: "add_months(day, months)",
        ja: "何か月か後（負の数なら前）の日",
        text: "the day some months later, or earlier with a negative number",
        example: "c.service_month <= add_months(d.service_month, 24)",
        cases: &[
            ("add_months(DATE '2024-01-31', 1)", "2024-02-29"),
            ("add_months(DATE '2023-06-15', -18)", "2021-12-15"),
        ],
    },
};

scalar_function!(AddMonths, "add_months", Gives::Day, [vec![DataType::Date32, DataType::Int64]], invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let months = i32::try_from(literal(args, 1, 0).clamp(-REACH, REACH)).unwrap_or(0);
    let later = |days: Option<i32>| {
        let date = day(days?)?;
        let month = date.month().plus(months);
        let (_, _, of_month) = date.ymd();
        Date::from_ymd(month.year(), month.month(), of_month.min(month.days())).map(Date::days)
    };
    Ok(dates(days(args, 0)?.into_iter().map(later)))
}

// A day has no finite domain.
fn domain(_call: &Call<'_>) -> Option<KeyDomain> {
    None
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::super::tests::call;

    #[test]
    fn the_last_day_stays_the_last_day() {
        for (day, months, expected) in [
            ("2024-01-31", 1, "2024-02-29"),
            ("2023-06-15", -18, "2021-12-15"),
            ("", 3, "null"),
            ("2290-01-01", 600, "null"),
        ] {
            assert_eq!(call("add_months", &[day], &[months], &DataType::Date32), expected, "{day} {months}");
        }
    }
}
