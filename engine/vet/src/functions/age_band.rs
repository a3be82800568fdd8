//! `age_band(birth_date, on [, width])`: the age at a day, in bands with an open top.
//!
//! Five-year bands by default, since publication rules ask for them (NDB guideline, 3rd edition); wider ones are
//! multiples of five. The top is 90 and over.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{day, days, literal, texts};
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::{DomainValue, KeyDomain};

const TOP: i32 = 90;
const WIDTH: i64 = 5;

pub(super) static FUNCTION: Function = Function {
    name: "age_band",
    arguments: &[Argument::BirthDate, Argument::Day, Argument::Literal { low: 5, high: 30 }],
    optional: 1,
    gives: Gives::Text,
    domain,
    udf: AgeBand::udf,
    doc: FunctionDoc {
        call: "age_band(birth_date, on [, width])",
        ja: "ある日の年齢を5歳階級（または5の倍数）で。90歳以上は一つにまとめる",
        text: "the age at a day in bands of 5 years (or a multiple of 5), 90 and over together",
        example: "age_band(p.birth_date, DATE '2024-04-01', 10) = '70-79'",
        cases: &[
            ("age_band(DATE '1948-07-26', DATE '2023-07-25')", "70-74"),
            ("age_band(DATE '1948-07-26', DATE '2023-07-26', 10)", "70-79"),
            ("age_band(DATE '1930-01-01', DATE '2023-07-26')", "90+"),
        ],
    },
};

scalar_function!(
    AgeBand,
    "age_band",
    Gives::Text,
    [vec![DataType::Date32, DataType::Date32], vec![DataType::Date32, DataType::Date32, DataType::Int64],],
    invoke
);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let width = width(literal(args, 2, WIDTH));
    let bands = bands(width);
    let band = |birth: Option<i32>, on: Option<i32>| {
        let age = day(birth?)?.years_until(day(on?)?);
        let at = usize::try_from(age.min(TOP)).ok()?;
        let at = if age >= TOP { bands.len() - 1 } else { at / usize::try_from(width).ok()? };
        bands.get(at)
    };
    let (births, ons) = (days(args, 0)?, days(args, 1)?);
    Ok(texts(births.into_iter().zip(ons).map(|(birth, on)| band(birth, on))))
}

fn domain(call: &Call<'_>) -> Option<KeyDomain> {
    Some(KeyDomain::labels(bands(width(call.number(0, WIDTH)))))
}

/// The next multiple of five, so that no width cuts finer than the rules allow.
fn width(asked: i64) -> i32 {
    let asked = i32::try_from(asked.clamp(5, 30)).unwrap_or(5);
    (asked + 4) / 5 * 5
}

fn bands(width: i32) -> Vec<String> {
    let starts = (0..TOP).step_by(usize::try_from(width).unwrap_or(5));
    let band = |start: i32| format!("{start}-{}", (start + width).min(TOP) - 1);
    starts.map(band).chain([format!("{TOP}+")]).collect()
}

/// Whether these are the bands of some width.
pub(crate) fn are_bands(values: &[DomainValue]) -> bool {
    let codes: Vec<&str> = values.iter().map(|value| value.code.as_str()).collect();
    (1..=6).any(|fives| bands(5 * fives) == codes)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::super::tests::call;
    use super::bands;

    #[test]
    fn an_age_falls_into_its_band() {
        for (birth, on, width, expected) in [
            ("1948-07-26", "2023-07-25", None, "70-74"),
            ("1948-07-26", "2023-07-26", None, "75-79"),
            ("1900-01-01", "2023-07-26", None, "90+"),
            ("1933-07-26", "2023-07-25", None, "85-89"),
            ("2023-07-26", "2023-07-26", None, "0-4"),
            ("2023-07-27", "2023-07-26", None, "null"),
            ("", "2023-07-26", None, "null"),
            ("1948-07-26", "2023-07-26", Some(10), "70-79"),
            ("1948-07-26", "2023-07-26", Some(7), "70-79"),
            ("1938-07-26", "2023-07-26", Some(20), "80-89"),
        ] {
            let literals: Vec<i64> = width.into_iter().collect();
            assert_eq!(
                call("age_band", &[birth, on], &literals, &DataType::Utf8),
                expected,
                "{birth} {on} {width:?}"
            );
        }
    }

    #[test]
    fn bands_cover_every_age_once() {
        assert_eq!(bands(20), ["0-19", "20-39", "40-59", "60-79", "80-89", "90+"]);
        assert_eq!(bands(5).len(), 19);
    }
}
