//! `month_of(day)`: the month that a day lies in, as its first day; its domain is the permit's period.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{dates, day, days};
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::KeyDomain;

pub(super) static FUNCTION: Function = Function {
    name: "month_of",
    arguments: &[Argument::Day],
    optional: 0,
    gives: Gives::Day,
    domain,
    udf: MonthOf::udf,
    doc: FunctionDoc {
        call: "month_of(day)",
        ja: "日の属する月（その月の1日）",
        text: "the month that a day lies in, as its first day",
        example: "month_of(s.discharge_date) = DATE '2024-01-01'",
        cases: &[
            ("month_of(DATE '2024-02-29')", "2024-02-01"),
            ("month_of(add_months(DATE '2024-01-31', 1))", "2024-02-01"),
        ],
    },
};

scalar_function!(MonthOf, "month_of", Gives::Day, [vec![DataType::Date32]], invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let month = |days: Option<i32>| Some(day(days?)?.month().first_day().days());
    Ok(dates(days(args, 0)?.into_iter().map(month)))
}

fn domain(call: &Call<'_>) -> Option<KeyDomain> {
    Some(KeyDomain::months(call.period))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::super::tests::call;

    #[test]
    fn a_day_becomes_the_first_of_its_month() {
        assert_eq!(call("month_of", &["2024-02-29"], &[], &DataType::Date32), "2024-02-01");
        assert_eq!(call("month_of", &[""], &[], &DataType::Date32), "null");
    }
}
