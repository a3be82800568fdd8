//! Days and months as delivered: western or in the Japanese calendar, told apart by length.

use catalog_model::{Date, Month};

// The year before the first year of each era, by the receipt's one-digit era code 1–5
// (明治, 大正, 昭和, 平成, 令和; 記録条件仕様 年号区分コード).
const ERA_OFFSETS: [i32; 5] = [1867, 1911, 1925, 1988, 2018];

/// Reads `YYYYMMDD` (8 digits) or `GYYMMDD` (7 digits); nothing where it is not a day of the calendar.
pub fn date(text: &[u8]) -> Option<Date> {
    let digits = number(text)?;
    match text.len() {
        8 => Date::from_ymd(signed(digits / 10_000)?, digits / 100 % 100, digits % 100),
        7 => Date::from_ymd(
            western(digits / 1_000_000, digits / 10_000 % 100)?,
            digits / 100 % 100,
            digits % 100,
        ),
        _ => None,
    }
}

/// Reads `YYYYMM` (6 digits) or `GYYMM` (5 digits); nothing where it is not a month of the calendar.
pub fn month(text: &[u8]) -> Option<Month> {
    let digits = number(text)?;
    match text.len() {
        6 => Month::new(signed(digits / 100)?, digits % 100),
        5 => Month::new(western(digits / 10_000, digits / 100 % 100)?, digits % 100),
        _ => None,
    }
}

/// Reads a month, or the month of a day.
pub(crate) fn month_of(text: &[u8]) -> Option<Month> {
    month(text).or_else(|| date(text).map(Date::month))
}

fn number(text: &[u8]) -> Option<u32> {
    if text.len() > 8 {
        return None;
    }
    text.iter().try_fold(0_u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
}

fn western(era: u32, year: u32) -> Option<i32> {
    let offset = ERA_OFFSETS.get(usize::try_from(era).ok()?.checked_sub(1)?)?;
    (year > 0).then_some(offset + signed(year)?)
}

fn signed(value: u32) -> Option<i32> {
    i32::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::{date, month};

    #[test]
    fn western_and_japanese_dates_are_told_apart_by_length() {
        let shown = |text: &str| date(text.as_bytes()).map(|date| date.to_string());
        for (text, expected) in [
            ("20230401", Some("2023-04-01")),
            ("5050401", Some("2023-04-01")),
            ("3010101", Some("1926-01-01")),
            ("1450729", Some("1912-07-29")),
            ("4310430", Some("2019-04-30")),
            ("20230229", None),
            ("20240229", Some("2024-02-29")),
            ("5000101", None),
            ("6010101", None),
            ("202304", None),
            ("2023040a", None),
            ("", None),
        ] {
            assert_eq!(shown(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn months_too() {
        let shown = |text: &str| month(text.as_bytes()).map(|month| month.to_string());
        for (text, expected) in
            [("202304", Some("2023-04")), ("50504", Some("2023-04")), ("202313", None), ("20230401", None)]
        {
            assert_eq!(shown(text).as_deref(), expected, "{text}");
        }
    }
}
