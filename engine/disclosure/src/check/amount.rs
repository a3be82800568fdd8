//! Amounts of a file as whole numbers of one unit.

use serde_json::Number;

/// Decimal places that are read at most.
const MOST: u32 = 9;

/// The decimal places that a number is written with; none for one that is no plain decimal.
pub(crate) fn places(number: &Number) -> Option<u32> {
    let text = number.to_string();
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
    let places = text.split_once('.').map_or(0, |(_, rest)| if rest == "0" { 0 } else { rest.len() });
    u32::try_from(places).ok().filter(|places| plain && *places <= MOST)
}

/// The number in units of so many decimal places.
pub(crate) fn scaled(number: &Number, places: u32) -> Option<i128> {
    let text = number.to_string();
    let (whole, rest) = text.split_once('.').unwrap_or((text.as_str(), ""));
    let rest = if rest == "0" { "" } else { rest };
    let digits = format!("{whole}{rest:0<width$}", width = places as usize);
    digits.parse().ok()
}

/// A whole number of units, written as a decimal.
pub(crate) fn written(value: i128, places: u32) -> Option<Number> {
    let unit = 10_u128.checked_pow(places)?;
    let (whole, rest) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
    let sign = if value < 0 { "-" } else { "" };
    let text = if places == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{rest:0width$}", width = places as usize)
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{places, scaled, written};

    #[test]
    fn amounts_come_back_as_they_were() {
        for (text, digits, value) in [("12", 0, 12), ("-3.25", 2, -325), ("0.5", 1, 5), ("7.0", 0, 7)] {
            let number: serde_json::Number = text.parse().unwrap();
            assert_eq!((places(&number), scaled(&number, digits)), (Some(digits), Some(value)));
        }
        assert_eq!(written(-325, 2).unwrap().to_string(), "-3.25");
        assert_eq!(scaled(&"5".parse().unwrap(), 3), Some(5000));
    }
}
