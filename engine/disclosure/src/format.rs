//! Numbers as they leave.

use engine_protocol::{CellValue, SumEvidence};

/// Decimal places of a mean.
const MEAN_PLACES: u32 = 2;

/// A number with decimal places: what the post-program computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) whole: i128,
    pub(crate) places: u32,
}

impl Number {
    pub(crate) const fn whole(whole: i128) -> Self {
        Self { whole, places: 0 }
    }

    /// The number as it is written in a table.
    pub(crate) fn cell(self) -> CellValue {
        match (self.places, i64::try_from(self.whole)) {
            (0, Ok(whole)) => CellValue::Integer(whole),
            _ => CellValue::Decimal(decimal(self.whole, self.places)),
        }
    }

    /// Rounded half away from zero to fewer places; a number with fewer places stays.
    pub(crate) fn rounded(self, places: u32) -> Option<Self> {
        let Some(more) = self.places.checked_sub(places) else { return Some(self) };
        let unit = 10_i128.checked_pow(more)?;
        Some(Self { whole: rounded(self.whole, unit)?, places })
    }
}

/// A sum with the measure's decimal places.
pub(crate) const fn sum(sum: &SumEvidence, scale: u32) -> Number {
    Number { whole: sum.sum, places: scale }
}

/// A mean, rounded half away from zero to two places; none of nothing.
pub(crate) fn average(sum: &SumEvidence, scale: u32) -> Option<Number> {
    let values = i128::from(sum.values);
    if values == 0 {
        return None;
    }
    // sum / 10^scale / values, in hundredths.
    let scaled = sum.sum.checked_mul(10_i128.pow(MEAN_PLACES))?;
    let divisor = values.checked_mul(10_i128.checked_pow(scale)?)?;
    Some(Number { whole: rounded(scaled, divisor)?, places: MEAN_PLACES })
}

/// The sample variance, or its square root, to two places; none of fewer than two values.
pub(crate) fn variance(sum: &SumEvidence, scale: u32, is_root: bool) -> Option<Number> {
    let values = i128::from(sum.values);
    if values < 2 {
        return None;
    }
    // (n Σx² − (Σx)²) / (n (n − 1)), exact before the one division.
    let above = values.checked_mul(sum.squares?)?.checked_sub(sum.sum.checked_mul(sum.sum)?)?.max(0);
    let below = values.checked_mul(values - 1)?.checked_mul(10_i128.checked_pow(2 * scale)?)?;
    let places = if is_root { 2 * MEAN_PLACES } else { MEAN_PLACES };
    let scaled = rounded(above.checked_mul(10_i128.pow(places))?, below)?;
    Some(Number { whole: if is_root { root(scaled) } else { scaled }, places: MEAN_PLACES })
}

/// The whole square root, rounded to the nearest.
fn root(square: i128) -> i128 {
    let root = square.unsigned_abs().isqrt();
    let up = square.unsigned_abs() - root * root > root;
    i128::try_from(root + u128::from(up)).unwrap_or_default()
}

/// A quotient, rounded half away from zero.
pub(crate) fn rounded(number: i128, divisor: i128) -> Option<i128> {
    if divisor == 0 {
        return None;
    }
    let (size, by) = (number.unsigned_abs(), divisor.unsigned_abs());
    let whole = i128::try_from(size / by + u128::from(size % by >= by.div_ceil(2))).ok()?;
    Some(whole * number.signum() * divisor.signum())
}

fn decimal(value: i128, scale: u32) -> String {
    let unit = 10_i128.pow(scale).unsigned_abs();
    let (whole, rest) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
    let sign = if value < 0 { "-" } else { "" };
    let digits = format!("{rest:0width$}", width = scale as usize);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{digits}") }
}

#[cfg(test)]
mod tests {
    use engine_protocol::SumEvidence;

    use super::{Number, average, sum, variance};

    fn evidence(sum: i128, values: u64) -> SumEvidence {
        SumEvidence { sum, values, ..SumEvidence::default() }
    }

    fn text(number: Option<Number>) -> String {
        number.map_or_else(String::new, |number| number.cell().text())
    }

    #[test]
    fn sums_and_means_are_exact_decimals() {
        assert_eq!(text(Some(sum(&evidence(-12, 1), 0))), "-12");
        assert_eq!(text(Some(sum(&evidence(1_234_567, 1), 5))), "12.34567");
        assert_eq!(text(Some(sum(&evidence(-3, 1), 5))), "-0.00003");
        assert_eq!(text(average(&evidence(10, 3), 0)), "3.33");
        assert_eq!(text(average(&evidence(20, 3), 0)), "6.67");
        assert_eq!(text(average(&evidence(-20, 3), 0)), "-6.67");
        assert_eq!(text(average(&evidence(500_000, 2), 5)), "2.50");
        assert_eq!(average(&evidence(0, 0), 0), None);
    }

    #[test]
    fn spread_is_that_of_the_sample() {
        // 2, 4, 4, 4, 5, 5, 7, 9: variance 32 / 7, deviation 2.138...
        let squares = SumEvidence { squares: Some(232), ..evidence(40, 8) };
        assert_eq!(text(variance(&squares, 0, false)), "4.57");
        assert_eq!(text(variance(&squares, 0, true)), "2.14");
        assert_eq!(variance(&evidence(4, 1), 0, false), None);
    }
}
