//! `fiscal_year(day)`: 年度, from April to March; its domain are the years of the permit's period.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use catalog_model::{Month, Period};
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::{Argument, Function, FunctionDoc, day, days, scalar_function, texts};
use crate::domain::KeyDomain;

pub(super) static FUNCTION: Function = Function {
    name: "fiscal_year",
    arguments: &[Argument::Day],
    optional: 0,
    domain,
    udf: FiscalYear::udf,
    doc: FunctionDoc {
        call: "fiscal_year(day)",
        text: "the fiscal year (April to March) of a day or month, as text",
        example: "fiscal_year(r.service_month) = '2023'",
    },
};

scalar_function!(FiscalYear, "fiscal_year", DataType::Utf8, [vec![DataType::Date32]], invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let year = |days: Option<i32>| Some(day(days?)?.month().fiscal_year().to_string());
    Ok(texts(days(args, 0)?.into_iter().map(year)))
}

fn domain(_literals: &[i64], period: Period) -> Option<KeyDomain> {
    let years: BTreeSet<i32> = period.months().map(Month::fiscal_year).collect();
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
