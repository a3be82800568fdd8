//! Numbers as they leave.

use engine_protocol::{CellValue, SumEvidence};

/// Decimal places of a mean beyond those of the measure.
const MEAN_PLACES: u32 = 2;

/// A sum with the measure's decimal places.
pub(crate) fn sum(sum: &SumEvidence, scale: u32) -> CellValue {
    match (scale, i64::try_from(sum.sum)) {
        (0, Ok(whole)) => CellValue::Integer(whole),
        _ => CellValue::Decimal(decimal(sum.sum, scale)),
    }
}

/// A mean, rounded half away from zero to two places.
pub(crate) fn average(sum: &SumEvidence, scale: u32) -> CellValue {
    let values = i128::from(sum.values);
    if values == 0 {
        return CellValue::Empty;
    }
    // sum / 10^scale / values, in hundredths.
    let Some(scaled) = sum.sum.checked_mul(10_i128.pow(MEAN_PLACES)) else { return CellValue::Empty };
    let divisor = values * 10_i128.pow(scale);
    let rounded = (scaled.abs() * 2 + divisor) / (divisor * 2) * scaled.signum();
    CellValue::Decimal(decimal(rounded, MEAN_PLACES))
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
    use engine_protocol::{CellValue, SumEvidence};

    use super::{average, sum};

    fn evidence(sum: i128, values: u64) -> SumEvidence {
        SumEvidence { sum, values, top1: 0, top2: 0 }
    }

    #[test]
    fn sums_and_means_are_exact_decimals() {
        let text = |value: CellValue| value.text();
        assert_eq!(text(sum(&evidence(-12, 1), 0)), "-12");
        assert_eq!(text(sum(&evidence(1_234_567, 1), 5)), "12.34567");
        assert_eq!(text(sum(&evidence(-3, 1), 5)), "-0.00003");
        assert_eq!(text(average(&evidence(10, 3), 0)), "3.33");
        assert_eq!(text(average(&evidence(20, 3), 0)), "6.67");
        assert_eq!(text(average(&evidence(-20, 3), 0)), "-6.67");
        assert_eq!(text(average(&evidence(500_000, 2), 5)), "2.50");
        assert_eq!(average(&evidence(0, 0), 0), CellValue::Empty);
    }
}
