//! `avg` of one person's values, in hundred-thousandths: it never wraps around, and never fails.
//!
//! DataFusion's mean of whole numbers is a binary fraction, whose last digit depends on the order of the rows. Here the
//! sum is held in 128 bits and divided once, rounded half away from zero to five places, as many as a column has. At
//! the release a mean is made of a protected sum and a count, and this is not executed.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion_common::{DataFusionError, Result, ScalarValue};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::format_state_name;
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, ReversedUDAF, Signature};
use datafusion_functions_aggregate::sum::sum_udaf;

use crate::checked_sum::{DIGITS, Kind, first, most, wide, wide_rows};

/// Decimal places of a mean.
pub(crate) const PLACES: i8 = 5;
/// One in such places.
const ONE: i128 = 100_000;
/// Digits of a mean of whole numbers: those of 64 bits, and the places.
const WHOLE: u8 = 24;

/// The aggregate, under the name of the one whose place it takes. It takes what `sum` takes.
pub(crate) fn checked_mean() -> Arc<AggregateUDF> {
    static MEAN: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
        let signature = sum_udaf().inner().signature().clone();
        Arc::new(AggregateUDF::from(CheckedMean { signature }))
    });
    Arc::clone(&MEAN)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedMean {
    signature: Signature,
}

impl AggregateUDFImpl for CheckedMean {
    fn name(&self) -> &str {
        "avg"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match types.first() {
            Some(DataType::Int64) => DataType::Decimal128(WHOLE, PLACES),
            Some(DataType::Decimal128(digits, places)) if (0..=PLACES).contains(places) => {
                let more = (PLACES - places).unsigned_abs();
                DataType::Decimal128(digits.saturating_add(more).min(DIGITS), PLACES)
            }
            // Vetting lets no other through.
            _ => DataType::Float64,
        })
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        match args.return_field.data_type() {
            DataType::Decimal128(digits, _) if !args.is_distinct => {
                Ok(Box::new(Mean { digits: *digits, sum: 0, values: 0 }))
            }
            _ => Err(unknown()),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field = |name: &str, kind| Arc::new(Field::new(format_state_name(args.name, name), kind, true));
        Ok(vec![field("sum", wide(PLACES)), field("values", DataType::Int64)])
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }
}

/// Vetting lets no other argument through.
fn unknown() -> DataFusionError {
    DataFusionError::Internal("avg takes whole numbers and decimals".to_owned())
}

/// Calls `take` with every value there is, in hundred-thousandths.
fn each(values: &ArrayRef, mut take: impl FnMut(i128)) -> Result<()> {
    match values.data_type() {
        DataType::Int64 => Kind::Whole.rows(values, None, |_, value| take(value.saturating_mul(ONE))),
        DataType::Decimal128(_, places) => {
            let more = PLACES.checked_sub(*places).and_then(|more| u32::try_from(more).ok());
            let one = more.and_then(|more| 10_i128.checked_pow(more)).ok_or_else(unknown)?;
            wide_rows(values, |_, value| take(value.saturating_mul(one)))
        }
        _ => Err(unknown()),
    }
}

/// One mean; rows may be taken out again as a window slides.
#[derive(Debug)]
struct Mean {
    /// Digits of the result.
    digits: u8,
    sum: i128,
    values: i64,
}

impl Mean {
    fn mean(&self) -> Option<i128> {
        let values = i128::from(self.values);
        let half = if self.sum < 0 { -(values / 2) } else { values / 2 };
        let mean = self.sum.saturating_add(half).checked_div(values)?;
        Some(mean.clamp(-most(self.digits), most(self.digits)))
    }
}

impl Accumulator for Mean {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(first(values)?, |value| {
            self.sum = self.sum.saturating_add(value);
            self.values = self.values.saturating_add(1);
        })
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(first(values)?, |value| {
            self.sum = self.sum.saturating_sub(value);
            self.values = self.values.saturating_sub(1);
        })
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [sums, values] = states else { return Err(unknown()) };
        wide_rows(sums, |_, sum| self.sum = self.sum.saturating_add(sum))?;
        let values = values.as_primitive_opt::<Int64Type>().ok_or_else(unknown)?;
        self.values = values.iter().flatten().fold(self.values, i64::saturating_add);
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = self.sum.clamp(-most(DIGITS), most(DIGITS));
        Ok(vec![ScalarValue::Decimal128(Some(sum), DIGITS, PLACES), ScalarValue::Int64(Some(self.values))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Decimal128(self.mean(), self.digits, PLACES))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Decimal128Array, Int64Array};
    use datafusion_common::ScalarValue;
    use datafusion_expr::Accumulator as _;
    use proptest::prelude::{any, proptest};
    use proptest::{collection, option};

    use super::{Mean, PLACES, WHOLE};

    fn mean() -> Mean {
        Mean { digits: WHOLE, sum: 0, values: 0 }
    }

    fn whole(values: &[Option<i64>]) -> Vec<ArrayRef> {
        vec![Arc::new(Int64Array::from(values.to_vec()))]
    }

    fn shown(mean: &mut Mean) -> Option<i128> {
        match mean.evaluate().unwrap() {
            ScalarValue::Decimal128(mean, WHOLE, PLACES) => mean,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_mean_is_rounded_half_away_from_zero_to_five_places() {
        for (values, expected) in [
            (vec![Some(1), Some(2)], Some(150_000)),
            (vec![Some(-1), None, Some(-2), Some(-2)], Some(-166_667)),
            (vec![Some(2), Some(0), Some(0)], Some(66_667)),
            (vec![Some(i64::MAX), Some(i64::MAX)], Some(i128::from(i64::MAX) * 100_000)),
            (vec![None], None),
        ] {
            let mut mean = mean();
            mean.update_batch(&whole(&values)).unwrap();
            assert_eq!(shown(&mut mean), expected, "{values:?}");
        }
        let decimals = Decimal128Array::from(vec![15, 20]).with_precision_and_scale(3, 1).unwrap();
        let mut mean = mean();
        mean.update_batch(&[Arc::new(decimals)]).unwrap();
        assert_eq!(shown(&mut mean), Some(175_000));
    }

    proptest! {
        #[test]
        fn a_sliding_mean_is_the_mean_of_what_is_inside(
            values in collection::vec(option::of(any::<i64>()), 1..40),
            width in 1_usize..8,
        ) {
            let mut sliding = mean();
            for at in 0..values.len() {
                sliding.update_batch(&whole(&values[at..=at])).unwrap();
                if let Some(left) = at.checked_sub(width) {
                    sliding.retract_batch(&whole(&values[left..=left])).unwrap();
                }
                let mut inside = mean();
                inside.update_batch(&whole(&values[(at + 1).saturating_sub(width)..=at])).unwrap();
                let mut merged = mean();
                let state = sliding.state().unwrap();
                let state: Vec<ArrayRef> = state.iter().map(|part| part.to_array().unwrap()).collect();
                merged.merge_batch(&state).unwrap();
                let expected = shown(&mut inside);
                assert_eq!((shown(&mut sliding), shown(&mut merged)), (expected, expected));
            }
        }
    }
}
