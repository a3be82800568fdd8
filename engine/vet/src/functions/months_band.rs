//! `months_band(from, to, width)`: whole months from one month to another, in bands, before and after.
//!
//! From three years before to five years after; what lies further away is null and counts as "other".

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{day, days, literal, texts};
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::KeyDomain;

const BEFORE: i32 = 36;
const AFTER: i32 = 60;
const WIDTH: i64 = 3;

pub(super) static FUNCTION: Function = Function {
    name: "months_band",
    arguments: &[Argument::Day, Argument::Day, Argument::Literal { low: 1, high: 36 }],
    optional: 1,
    gives: Gives::Text,
    domain,
    udf: MonthsBand::udf,
    doc: FunctionDoc {
        call: "months_band(from, to [, width])",
        ja: "ある月から別の月までの月数を階級で（36か月前から60か月後まで）",
        text: "whole months from one month to another, in bands of 3 (or 1 to 36), 36 before to 60 after",
        example: "months_band(s.admission_date, d.service_month, 6) = '-6..-1'",
        cases: &[
            ("months_band(DATE '2023-06-15', DATE '2023-12-01', 6)", "6..11"),
            ("months_band(DATE '2023-06-15', DATE '2023-05-31', 6)", "-6..-1"),
        ],
    },
};

scalar_function!(
    MonthsBand,
    "months_band",
    Gives::Text,
    [vec![DataType::Date32, DataType::Date32], vec![DataType::Date32, DataType::Date32, DataType::Int64],],
    invoke
);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let width = width(literal(args, 2, WIDTH));
    let bands = bands(width);
    let first = -BEFORE.div_euclid(width) - i32::from(BEFORE % width != 0);
    let band = |from: Option<i32>, to: Option<i32>| {
        let months = day(to?)?.month().index() - day(from?)?.month().index();
        let is_near = (-BEFORE..AFTER).contains(&months);
        let at = usize::try_from(months.div_euclid(width) - first).ok().filter(|_| is_near)?;
        bands.get(at)
    };
    let (froms, tos) = (days(args, 0)?, days(args, 1)?);
    Ok(texts(froms.into_iter().zip(tos).map(|(from, to)| band(from, to))))
}

fn domain(call: &Call<'_>) -> Option<KeyDomain> {
    Some(KeyDomain::labels(bands(width(call.number(0, WIDTH)))))
}

fn width(asked: i64) -> i32 {
    i32::try_from(asked.clamp(1, 36)).unwrap_or(3)
}

fn bands(width: i32) -> Vec<String> {
    let first = -BEFORE.div_euclid(width) - i32::from(BEFORE % width != 0);
    let last = (AFTER - 1).div_euclid(width);
    let band = |at: i32| {
        let (low, high) = ((at * width).max(-BEFORE), (at * width + width).min(AFTER) - 1);
        if low == high { low.to_string() } else { format!("{low}..{high}") }
    };
    (first..=last).map(band).collect()
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::super::tests::call;
    use super::bands;

    #[test]
    fn months_fall_into_their_band() {
        for (from, to, width, expected) in [
            ("2023-06-15", "2023-06-01", 6, "0..5"),
            ("2023-06-15", "2023-05-31", 6, "-6..-1"),
            ("2023-06-15", "2023-12-01", 6, "6..11"),
            ("2023-06-15", "2020-06-01", 6, "-36..-31"),
            ("2023-06-15", "2020-05-01", 6, "null"),
            ("2023-06-15", "2028-05-01", 6, "54..59"),
            ("2023-06-15", "2028-06-01", 6, "null"),
            ("2023-06-15", "2023-07-01", 1, "1"),
            ("2023-06-15", "2020-06-01", 5, "-36"),
            ("", "2023-07-01", 1, "null"),
        ] {
            assert_eq!(
                call("months_band", &[from, to], &[width], &DataType::Utf8),
                expected,
                "{from} {to} {width}"
            );
        }
    }

    #[test]
    fn bands_are_distinct_and_cover_eight_years() {
        for width in 1..=36 {
            let bands = bands(width);
            let mut sorted = bands.clone();
            sorted.sort();
            sorted.dedup();
            assert_eq!(sorted.len(), bands.len(), "{width}");
        }
        assert_eq!(bands(1).len(), 96);
    }
}
