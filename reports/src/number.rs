//! Numbers as people read them.

/// Puts a comma between groups of three digits before the point: `-1234567.89` becomes `-1,234,567.89`.
pub fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let (whole, rest) = digits.find('.').map_or((digits, ""), |point| digits.split_at(point));
    let mut text = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

/// A count with commas.
pub fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// A part of a whole in per cent, to one place; nothing of nothing is a dash.
///
/// What is not nothing is never shown as 0.0 %, and what is not all never as 100.0 %.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let (part, whole) = (u128::from(part), u128::from(whole));
    let tenths = (part * 2_000 + whole) / (whole * 2);
    match tenths {
        0 if part > 0 => "< 0.1 %".to_owned(),
        1_000 if part < whole => "> 99.9 %".to_owned(),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::{grouped, share};

    #[test]
    fn digits_are_grouped_before_the_point() {
        let cases = ["0", "999", "1000", "-1234567", "1234567.891", "-12.5", ""];
        let found = cases.map(grouped);
        assert_eq!(found, ["0", "999", "1,000", "-1,234,567", "1,234,567.891", "-12.5", ""]);
    }

    #[test]
    fn a_share_never_rounds_something_to_nothing_or_all() {
        let cases = [(0, 0), (0, 9), (9, 9), (1, 3), (1, 1_000_000), (999_999, 1_000_000)];
        let found = cases.map(|(part, whole)| share(part, whole));
        assert_eq!(found, ["–", "0.0 %", "100.0 %", "33.3 %", "< 0.1 %", "> 99.9 %"]);
    }
}
