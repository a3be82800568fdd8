//! `sum`, added up in 128 bits: it never wraps around, and never fails.
//!
//! DataFusion adds whole numbers in 64 bits and lets them wrap, so that a large enough sum would become an arbitrary
//! number, inside declared bounds as likely as outside. Here a sum beyond what its type holds becomes the largest or
//! smallest value of the type, which the bounds of the result then cut off. An error would be no way out: it would tell
//! of the values (attack 12).

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray as _, BooleanArray, Decimal128Array, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion_common::{DataFusionError, Result, ScalarValue};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::format_state_name;
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};
use datafusion_functions_aggregate::sum::sum_udaf;

/// The aggregate, under the name of the one whose place it takes.
pub(crate) fn checked_sum() -> Arc<AggregateUDF> {
    static SUM: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
        let signature = sum_udaf().inner().signature().clone();
        Arc::new(AggregateUDF::from(CheckedSum { signature }))
    });
    Arc::clone(&SUM)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedSum {
    signature: Signature,
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        sum_udaf().inner().return_type(types)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Total { kind: Kind::of(&args)?, sum: 0, values: 0 }))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let scale = if let DataType::Decimal128(_, scale) = args.return_type() { *scale } else { 0 };
        let name = format_state_name(args.name, "sum");
        Ok(vec![Arc::new(Field::new(name, wide(scale), true))])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        Kind::of(&args).is_ok()
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Totals { kind: Kind::of(&args)?, sums: Vec::new() }))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }
}

/// What is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Whole,
    /// Digits and places of the result.
    Decimal(u8, i8),
}

/// The digits of a 128-bit decimal.
pub(crate) const DIGITS: u8 = 38;

/// The largest number of so many digits.
pub(crate) fn most(digits: u8) -> i128 {
    10_i128.checked_pow(u32::from(digits)).map_or(i128::MAX, |most| most - 1)
}

/// The type in which sums are handed on before they are whole.
pub(crate) const fn wide(scale: i8) -> DataType {
    DataType::Decimal128(DIGITS, scale)
}

impl Kind {
    fn of(args: &AccumulatorArgs<'_>) -> Result<Self> {
        match args.return_field.data_type() {
            DataType::Int64 if !args.is_distinct => Ok(Self::Whole),
            DataType::Decimal128(digits, scale) if !args.is_distinct => Ok(Self::Decimal(*digits, *scale)),
            _ => Err(unknown()),
        }
    }

    /// Calls `each` with the place and value of every row that has one and passes the filter.
    pub(crate) fn rows(
        self,
        values: &ArrayRef,
        filter: Option<&BooleanArray>,
        mut each: impl FnMut(usize, i128),
    ) -> Result<()> {
        let is_in = |row: &usize| filter.is_none_or(|filter| filter.is_valid(*row) && filter.value(*row));
        match self {
            Self::Whole => {
                let values = values.as_primitive_opt::<Int64Type>().ok_or_else(unknown)?;
                let rows = values.iter().enumerate().filter(|(row, _)| is_in(row));
                rows.for_each(|(row, value)| {
                    value.into_iter().for_each(|value| each(row, i128::from(value)))
                });
            }
            Self::Decimal(_, _) => wide_rows(values, |row, value| {
                if is_in(&row) {
                    each(row, value);
                }
            })?,
        }
        Ok(())
    }

    /// The sum, or the nearest value that the result's type has.
    fn held(self, sum: i128) -> i128 {
        let most = match self {
            Self::Whole => return sum.clamp(i128::from(i64::MIN), i128::from(i64::MAX)),
            Self::Decimal(digits, _) => most(digits),
        };
        sum.clamp(-most, most)
    }

    /// The results.
    fn column(self, sums: Vec<Option<i128>>) -> Result<ArrayRef> {
        let sums = sums.into_iter().map(|sum| sum.map(|sum| self.held(sum)));
        Ok(match self {
            // Held within 64 bits just now.
            Self::Whole => {
                Arc::new(sums.map(|sum| sum.and_then(|sum| i64::try_from(sum).ok())).collect::<Int64Array>())
            }
            Self::Decimal(digits, scale) => {
                let sums: Decimal128Array = sums.collect();
                Arc::new(sums.with_precision_and_scale(digits, scale)?)
            }
        })
    }

    /// Sums before they are whole.
    fn state(self, sums: Vec<Option<i128>>) -> Result<ArrayRef> {
        let scale = if let Self::Decimal(_, scale) = self { scale } else { 0 };
        let held = Self::Decimal(DIGITS, scale);
        held.column(sums)
    }
}

/// Calls `each` with the place and value of every row of a decimal column that has one.
pub(crate) fn wide_rows(values: &ArrayRef, mut each: impl FnMut(usize, i128)) -> Result<()> {
    let values = values.as_primitive_opt::<Decimal128Type>().ok_or_else(unknown)?;
    let rows = values.iter().enumerate();
    rows.for_each(|(row, value)| value.into_iter().for_each(|value| each(row, value)));
    Ok(())
}

/// The one argument.
pub(crate) fn first(values: &[ArrayRef]) -> Result<&ArrayRef> {
    values.first().ok_or_else(unknown)
}

/// Vetting lets no other argument through.
fn unknown() -> DataFusionError {
    DataFusionError::Internal("sum takes whole numbers and decimals".to_owned())
}

/// One sum; rows may be taken out again as a window slides.
#[derive(Debug)]
struct Total {
    kind: Kind,
    sum: i128,
    values: u64,
}

impl Total {
    fn whole(&self) -> Vec<Option<i128>> {
        vec![(self.values > 0).then_some(self.sum)]
    }
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = (&mut self.sum, &mut self.values);
        self.kind.rows(first(values)?, None, |_, value| {
            *sum = sum.saturating_add(value);
            *count += 1;
        })
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = (&mut self.sum, &mut self.values);
        self.kind.rows(first(values)?, None, |_, value| {
            *sum = sum.saturating_sub(value);
            *count = count.saturating_sub(1);
        })
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (sum, count) = (&mut self.sum, &mut self.values);
        wide_rows(first(states)?, |_, value| {
            *sum = sum.saturating_add(value);
            *count += 1;
        })
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::try_from_array(&self.kind.state(self.whole())?, 0)?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.kind.column(self.whole())?, 0)
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// The sums of many groups; nothing for a group without a value.
struct Totals {
    kind: Kind,
    sums: Vec<Option<i128>>,
}

impl Totals {
    /// A place for every group, and what adds a row's value to the sum of its group.
    fn adding<'t>(&'t mut self, groups: &'t [usize], count: usize) -> impl FnMut(usize, i128) + use<'t> {
        self.sums.resize(count.max(self.sums.len()), None);
        let sums = &mut self.sums;
        move |row, value| {
            if let Some(sum) = groups.get(row).and_then(|group| sums.get_mut(*group)) {
                *sum = Some(sum.unwrap_or_default().saturating_add(value));
            }
        }
    }
}

impl GroupsAccumulator for Totals {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        let kind = self.kind;
        kind.rows(first(values)?, filter, self.adding(groups, count))
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        wide_rows(first(states)?, self.adding(groups, count))
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = first(values)?;
        let mut sums = vec![None; values.len()];
        self.kind.rows(values, filter, |row, value| {
            if let Some(sum) = sums.get_mut(row) {
                *sum = Some(value);
            }
        })?;
        Ok(vec![self.kind.state(sums)?])
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.kind.state(emit.take_needed(&mut self.sums))?])
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        self.kind.column(emit.take_needed(&mut self.sums))
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<Option<i128>>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray as _, BooleanArray, Decimal128Array, Int64Array};
    use arrow::datatypes::{Decimal128Type, Int64Type};
    use datafusion_common::ScalarValue;
    use datafusion_expr::{Accumulator as _, EmitTo, GroupsAccumulator as _};
    use proptest::prelude::{Strategy, any, prop_oneof, proptest};
    use proptest::{collection, option};

    use super::{Kind, Total, Totals};

    /// Whole numbers, often at the ends of what 64 bits hold.
    fn whole() -> impl Strategy<Value = i64> {
        prop_oneof![any::<i64>(), -5_i64..5, proptest::sample::select(vec![i64::MAX, i64::MIN, i64::MAX - 1])]
    }

    type Row = (usize, Option<i64>, Option<bool>);

    fn columns(rows: &[Row]) -> (Vec<ArrayRef>, Vec<usize>, BooleanArray) {
        let values: Int64Array = rows.iter().map(|(_, value, _)| *value).collect();
        let groups = rows.iter().map(|(group, _, _)| *group).collect();
        (vec![Arc::new(values)], groups, rows.iter().map(|(_, _, is_in)| *is_in).collect())
    }

    /// The slow reference: every row by itself, in the order of the rows, with no limit to what a number holds.
    fn reference(rows: &[Row]) -> BTreeMap<usize, i128> {
        let mut sums = BTreeMap::new();
        for (group, value, is_in) in rows {
            if let (Some(value), Some(true)) = (value, is_in) {
                *sums.entry(*group).or_default() += i128::from(*value);
            }
        }
        sums
    }

    fn held(sum: i128) -> i64 {
        i64::try_from(sum).unwrap_or(if sum > 0 { i64::MAX } else { i64::MIN })
    }

    proptest! {
        #[test]
        fn sums_of_groups_are_those_of_numbers_without_limit(
            rows in collection::vec((0_usize..4, option::of(whole()), option::of(any::<bool>())), 0..60),
            cuts in collection::vec(0_usize..60, 0..4),
            is_partial in any::<bool>(),
        ) {
            let mut totals = Totals { kind: Kind::Whole, sums: Vec::new() };
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(rows.len())).collect();
            cuts.extend([0, rows.len()]);
            cuts.sort_unstable();
            for cut in cuts.windows(2) {
                let (values, groups, filter) = columns(&rows[cut[0]..cut[1]]);
                if is_partial {
                    let state = totals.convert_to_state(&values, Some(&filter)).unwrap();
                    totals.merge_batch(&state, &groups, 4).unwrap();
                } else {
                    totals.update_batch(&values, &groups, Some(&filter), 4).unwrap();
                }
            }
            let expected = reference(&rows);
            let found: Vec<Option<i64>> = [EmitTo::First(totals.sums.len().min(1)), EmitTo::All]
                .into_iter()
                .flat_map(|emit| {
                    let column = totals.evaluate(emit).unwrap();
                    column.as_primitive::<Int64Type>().iter().collect::<Vec<_>>()
                })
                .collect();
            for (group, sum) in found.iter().enumerate() {
                assert_eq!(*sum, expected.get(&group).map(|sum| held(*sum)));
            }
        }

        #[test]
        fn a_sliding_sum_is_the_sum_of_what_is_inside(
            values in collection::vec(option::of(whole()), 1..40),
            width in 1_usize..8,
        ) {
            let mut total = Total { kind: Kind::Whole, sum: 0, values: 0 };
            let column = |value: Option<i64>| vec![Arc::new(Int64Array::from(vec![value])) as ArrayRef];
            for at in 0..values.len() {
                total.update_batch(&column(values[at])).unwrap();
                if let Some(left) = at.checked_sub(width) {
                    total.retract_batch(&column(values[left])).unwrap();
                }
                let inside = &values[(at + 1).saturating_sub(width)..=at];
                let sum: i128 = inside.iter().flatten().map(|value| i128::from(*value)).sum();
                let expected = inside.iter().any(Option::is_some).then(|| held(sum));
                assert_eq!(total.evaluate().unwrap(), ScalarValue::Int64(expected));
                let mut again = Total { kind: Kind::Whole, sum: 0, values: 0 };
                let state = total.state().unwrap()[0].to_array().unwrap();
                again.merge_batch(&[state]).unwrap();
                assert_eq!(again.evaluate().unwrap(), ScalarValue::Int64(expected));
            }
        }

        #[test]
        fn decimals_end_at_the_digits_of_their_sum(values in collection::vec(-999_i128..=999, 0..20)) {
            let column = Decimal128Array::from(values.clone()).with_precision_and_scale(3, 1).unwrap();
            let mut totals = Totals { kind: Kind::Decimal(4, 1), sums: Vec::new() };
            let groups = vec![0; values.len()];
            totals.update_batch(&[Arc::new(column)], &groups, None, 1).unwrap();
            let found = totals.evaluate(EmitTo::All).unwrap();
            let sum = values.iter().sum::<i128>().clamp(-9_999, 9_999);
            let expected = (!values.is_empty()).then_some(sum);
            assert_eq!(found.as_primitive::<Decimal128Type>().iter().next().unwrap(), expected);
        }
    }
}
