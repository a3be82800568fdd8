//! Types of values that meet: the sides of a comparison, the branches of a CASE, the columns of a union.
//!
//! The engine casts both to a type that is wide enough for each. Its widest number has 38 digits; where that is not
//! enough the cast fails for some values, and a failure would tell that there are such values (attack 12). So values
//! meet only where one type holds every value of both.

use arrow::array::types::{Decimal128Type, DecimalType as _};
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;

use super::predicate::is_text;

/// Digits of a number that is written with decimal places.
pub(crate) const DIGITS: u8 = 18;
/// Decimal places of a written number: as many as a column has.
pub(crate) const PLACES: i8 = 5;
/// Digits of the engine's widest number.
const WIDEST: u8 = 38;

/// Whether a written value of this type meets every column of numbers.
pub(crate) fn is_short(kind: &DataType) -> bool {
    match kind {
        DataType::Decimal128(digits, places) => *digits <= DIGITS && (0..=PLACES).contains(places),
        DataType::Decimal256(_, _) => false,
        _ => true,
    }
}

/// Whether values of a type are bytes, which no column has.
pub(crate) const fn is_bytes(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)
    )
}

/// A number as the query writes it, for most queries.
pub(crate) fn written(value: &ScalarValue) -> String {
    match value {
        ScalarValue::Decimal128(Some(number), digits, places) => {
            Decimal128Type::format_decimal(*number, *digits, *places)
        }
        other => other.to_string(),
    }
}

/// The type that holds every value of both; nothing where there is none.
pub(crate) fn wider(one: &DataType, two: &DataType) -> Option<DataType> {
    match (one, two) {
        (one, two) if one == two => Some(one.clone()),
        (DataType::Null, other) | (other, DataType::Null) => Some(other.clone()),
        (DataType::Int32, DataType::Int64) | (DataType::Int64, DataType::Int32) => Some(DataType::Int64),
        (one, two) if is_text(one) && is_text(two) => Some(one.clone()),
        (one, two) => {
            let ((whole, places), (other, more)) = (digits(one)?, digits(two)?);
            let places = places.max(more);
            let digits = whole.max(other).checked_add(places.unsigned_abs())?;
            (digits <= WIDEST).then_some(DataType::Decimal128(digits, places))
        }
    }
}

/// The digits before the point, and the decimal places, of a number as the engine counts them.
fn digits(kind: &DataType) -> Option<(u8, i8)> {
    match kind {
        DataType::Int32 => Some((10, 0)),
        DataType::Int64 | DataType::UInt64 => Some((20, 0)),
        DataType::Decimal128(digits, places) => {
            let before = digits.checked_sub(u8::try_from(*places).ok()?)?;
            Some((before, *places))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::{is_short, wider};

    #[test]
    fn numbers_meet_where_a_type_holds_both() {
        let decimal = DataType::Decimal128;
        let cases = [
            (DataType::Int32, DataType::Int64, Some(DataType::Int64)),
            (DataType::Int64, decimal(2, 1), Some(decimal(21, 1))),
            (DataType::UInt64, DataType::Int64, Some(decimal(20, 0))),
            (decimal(38, 5), DataType::Int64, Some(decimal(38, 5))),
            (decimal(38, 5), decimal(18, 5), Some(decimal(38, 5))),
            (DataType::Int64, decimal(37, 37), None),
            (decimal(38, 5), decimal(6, 6), None),
            (decimal(6, -3), DataType::Int64, None),
            (DataType::Utf8, DataType::Int64, None),
            (DataType::Date32, DataType::Utf8, None),
            (DataType::Boolean, DataType::Int64, None),
        ];
        for (one, two, expected) in cases {
            assert_eq!(wider(&one, &two), expected, "{one} {two}");
            assert_eq!(wider(&two, &one), expected, "{two} {one}");
        }
    }

    #[test]
    fn a_written_number_meets_every_column_of_numbers() {
        let columns = [DataType::Int32, DataType::Int64, DataType::UInt64, DataType::Decimal128(38, 5)];
        for (digits, places) in (1..=38_u8).flat_map(|digits| (0..=10_i8).map(move |places| (digits, places)))
        {
            let written = DataType::Decimal128(digits.max(places.unsigned_abs()), places);
            if is_short(&written) {
                assert!(columns.iter().all(|column| wider(column, &written).is_some()), "{written}");
            }
        }
    }
}
