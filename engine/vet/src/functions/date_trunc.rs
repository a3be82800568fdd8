//! `date_trunc('month' | 'quarter' | 'year', day)`: the first day of the calendar month, quarter or year; its domain are
//! those of the permit's period.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use catalog_model::{Date, Month};
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{dates, day, days, word};
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::{DomainValue, KeyDomain, KeyKind};

pub(super) static FUNCTION: Function = Function {
    name: "date_trunc",
    arguments: &[Argument::Word(&["month", "quarter", "year"]), Argument::Day],
    optional: 0,
    gives: Gives::Day,
    domain,
    udf: DateTrunc::udf,
    doc: FunctionDoc {
        call: "date_trunc('month' | 'quarter' | 'year', day)",
        ja: "日の属する月・四半期・年（その最初の日）",
        text: "the first day of the calendar month, quarter or year that a day lies in",
        example: "date_trunc('quarter', s.admission_date) = DATE '2024-01-01'",
        cases: &[
            ("date_trunc('month', DATE '2024-05-17')", "2024-05-01"),
            ("date_trunc('quarter', DATE '2024-05-17')", "2024-04-01"),
            ("date_trunc('year', DATE '2024-05-17')", "2024-01-01"),
        ],
    },
};

scalar_function!(DateTrunc, "date_trunc", Gives::Day, [vec![DataType::Utf8, DataType::Date32]], invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let months = months(&word(args, 0));
    let first = |days: Option<i32>| Some(begin(day(days?)?.month(), months?).days());
    Ok(dates(days(args, 1)?.into_iter().map(first)))
}

fn domain(call: &Call<'_>) -> Option<KeyDomain> {
    let months = months(call.text(0))?;
    let begins: BTreeSet<Date> = call.period.months().map(|month| begin(month, months)).collect();
    let value = |begin: Date| {
        let (year, month, _) = begin.ymd();
        let code = match months {
            1 => begin.month().to_string(),
            3 => format!("{year}-Q{}", (month - 1) / 3 + 1),
            _ => year.to_string(),
        };
        DomainValue { days: Some(begin.days()), ja: code.clone(), en: code.clone(), code }
    };
    Some(KeyDomain { kind: KeyKind::Date, values: begins.into_iter().map(value).collect() })
}

/// How many months the part has.
fn months(part: &str) -> Option<i32> {
    match part {
        "month" => Some(1),
        "quarter" => Some(3),
        "year" => Some(12),
        _ => None,
    }
}

/// The first day of the part that a month lies in.
const fn begin(month: Month, months: i32) -> Date {
    Month::from_index(month.index() - month.index().rem_euclid(months)).first_day()
}
