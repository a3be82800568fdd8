//! `fiscal_year(day)`: 年度, from April to March; its domain are the years of the permit's period.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use catalog_model::Month;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{day, days, texts};
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::KeyDomain;

pub(super) static FUNCTION: Function = Function {
    name: "fiscal_year",
    arguments: &[Argument::Day],
    optional: 0,
    gives: Gives::Text,
    domain,
    udf: FiscalYear::udf,
    doc: FunctionDoc {
        call: "fiscal_year(day)",
        ja: "年度（4月から翌年3月まで）",
        text: "the fiscal year (April to March) of a day or month, as text",
        example: "fiscal_year(r.service_month) = '2023'",
        cases: &[("fiscal_year(DATE '2024-03-31')", "2023"), ("fiscal_year(DATE '2024-04-01')", "2024")],
    },
};

scalar_function!(FiscalYear, "fiscal_year", Gives::Text, [vec![DataType::Date32]], invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let year = |days: Option<i32>| Some(day(days?)?.month().fiscal_year().to_string());
    Ok(texts(days(args, 0)?.into_iter().map(year)))
}

fn domain(call: &Call<'_>) -> Option<KeyDomain> {
    let years: BTreeSet<i32> = call.period.months().map(Month::fiscal_year).collect();
    Some(KeyDomain::labels(years.into_iter().map(|year| year.to_string())))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::super::tests::call;

    #[test]
    fn the_year_turns_in_april() {
        assert_eq!(call("fiscal_year", &["2024-03-31"], &[], &DataType::Utf8), "2023");
        assert_eq!(call("fiscal_year", &["2024-04-01"], &[], &DataType::Utf8), "2024");
    }
}
