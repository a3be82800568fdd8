//! The values of one staged column, as they are pushed row by row and handed to Arrow batch by batch.
//!
//! Plain vectors and a bit for each row: a row passes here once for every column, and Arrow's own builders spend as
//! much on each value as all the rest of its way.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, Decimal128Array, PrimitiveArray, UInt32Array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, UInt64Type};

use crate::formats::Value;
use crate::keying::Surrogates;

use super::words::Words;

/// Builds one column of a staged table.
#[derive(Debug)]
pub(super) enum ColumnBuilder {
    /// Numbers of words, 0 where there is no text.
    Text(Vec<u32>),
    Date(Nullable<i32>),
    Int(Nullable<i64>),
    /// Hundred-thousandths, with the type that the column is stored as.
    Decimal5(Nullable<i64>, DataType),
    Bool {
        flags: Bits,
        valid: Bits,
    },
    Days(Nullable<i32>),
    Surrogate {
        values: Nullable<u64>,
        last: Option<(Vec<u8>, u64)>,
    },
}

impl ColumnBuilder {
    /// Makes a builder with room for so many rows, for a column of this type as it is read or as it is stored.
    pub(super) fn new(kind: &DataType, rows: usize) -> Self {
        match kind {
            DataType::Date32 => Self::Date(Nullable::new(rows)),
            DataType::Int64 => Self::Int(Nullable::new(rows)),
            DataType::Int32 => Self::Days(Nullable::new(rows)),
            DataType::Boolean => Self::Bool { flags: Bits::new(rows), valid: Bits::new(rows) },
            DataType::UInt64 => Self::Surrogate { values: Nullable::new(rows), last: None },
            DataType::Decimal128(_, _) => Self::Decimal5(Nullable::new(rows), kind.clone()),
            _ => Self::Text(Vec::with_capacity(rows)),
        }
    }

    /// Appends a value; one of another type than the column's becomes null. False where a text got no number.
    pub(super) fn push(&mut self, value: Value<'_>, surrogates: &Surrogates, words: &mut Words) -> bool {
        match (self, value) {
            (Self::Text(numbers), Value::Text(text)) => {
                let number = words.number(text);
                numbers.push(number.unwrap_or(0));
                return number.is_some();
            }
            (Self::Text(numbers), _) => numbers.push(0),
            (Self::Date(values), Value::Date(days)) => values.push(Some(days)),
            (Self::Date(values), _) => values.push(None),
            (Self::Int(values), Value::Int(number)) => values.push(Some(number)),
            (Self::Int(values), _) => values.push(None),
            (Self::Decimal5(values, _), Value::Decimal5(scaled)) => values.push(Some(scaled)),
            (Self::Decimal5(values, _), _) => values.push(None),
            (Self::Bool { flags, valid }, Value::Bool(flag)) => {
                flags.push(flag);
                valid.push(true);
            }
            (Self::Bool { flags, valid }, _) => {
                flags.push(false);
                valid.push(false);
            }
            (Self::Days(values), Value::Days(days)) => values.push(Some(days)),
            (Self::Days(values), _) => values.push(None),
            (Self::Surrogate { values, last }, Value::Key(code)) => {
                // Rows of one facility follow each other, so its surrogate is made once.
                let surrogate = match last {
                    Some((known, surrogate)) if known == code => *surrogate,
                    _ => {
                        let surrogate = surrogates.facility(code);
                        *last = Some((code.to_vec(), surrogate));
                        surrogate
                    }
                };
                values.push(Some(surrogate));
            }
            (Self::Surrogate { values, .. }, _) => values.push(None),
        }
        true
    }

    /// The column that was built; the builder begins anew, for a column of the same kind.
    pub(super) fn take(&mut self) -> ArrayRef {
        let rows = self.rows();
        let fresh = match self {
            Self::Text(_) => Self::Text(Vec::with_capacity(rows)),
            Self::Date(_) => Self::Date(Nullable::new(rows)),
            Self::Int(_) => Self::Int(Nullable::new(rows)),
            Self::Decimal5(_, kind) => Self::Decimal5(Nullable::new(rows), kind.clone()),
            Self::Bool { .. } => Self::Bool { flags: Bits::new(rows), valid: Bits::new(rows) },
            Self::Days(_) => Self::Days(Nullable::new(rows)),
            Self::Surrogate { last, .. } => {
                Self::Surrogate { values: Nullable::new(rows), last: last.take() }
            }
        };
        std::mem::replace(self, fresh).finish()
    }

    /// How many rows were pushed.
    const fn rows(&self) -> usize {
        match self {
            Self::Text(numbers) => numbers.len(),
            Self::Date(values) | Self::Days(values) => values.valid.rows,
            Self::Int(values) | Self::Decimal5(values, _) => values.valid.rows,
            Self::Bool { valid, .. } => valid.rows,
            Self::Surrogate { values, .. } => values.valid.rows,
        }
    }

    /// The column that was built.
    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(numbers) => Arc::new(UInt32Array::from(numbers)),
            Self::Date(values) => values.finish::<Date32Type>(),
            Self::Int(values) => values.finish::<Int64Type>(),
            Self::Decimal5(values, kind) => {
                let nulls = values.valid.nulls();
                let scaled = values.values.into_iter().map(i128::from).collect::<Vec<_>>();
                Arc::new(Decimal128Array::new(scaled.into(), nulls).with_data_type(kind))
            }
            Self::Bool { flags, valid } => Arc::new(BooleanArray::new(flags.finish(), valid.nulls())),
            Self::Days(values) => values.finish::<Int32Type>(),
            Self::Surrogate { values, .. } => values.finish::<UInt64Type>(),
        }
    }
}

/// Values of which some are missing.
#[derive(Debug)]
pub(super) struct Nullable<T> {
    values: Vec<T>,
    valid: Bits,
}

impl<T: Default> Nullable<T> {
    fn new(rows: usize) -> Self {
        Self { values: Vec::with_capacity(rows), valid: Bits::new(rows) }
    }

    fn push(&mut self, value: Option<T>) {
        self.valid.push(value.is_some());
        self.values.push(value.unwrap_or_default());
    }

    fn finish<Kind: ArrowPrimitiveType<Native = T>>(self) -> ArrayRef
    where
        T: arrow::datatypes::ArrowNativeType,
    {
        let nulls = self.valid.nulls();
        Arc::new(PrimitiveArray::<Kind>::new(self.values.into(), nulls))
    }
}

/// A bit for each row.
#[derive(Debug)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    /// The byte that is not full yet.
    last: u8,
    rows: usize,
}

impl Bits {
    fn new(rows: usize) -> Self {
        Self { bytes: Vec::with_capacity(rows / 8 + 1), last: 0, rows: 0 }
    }

    fn push(&mut self, bit: bool) {
        let place = self.rows % 8;
        self.last |= u8::from(bit) << place;
        self.rows += 1;
        if place == 7 {
            self.bytes.push(std::mem::take(&mut self.last));
        }
    }

    fn finish(mut self) -> BooleanBuffer {
        if !self.rows.is_multiple_of(8) {
            self.bytes.push(self.last);
        }
        BooleanBuffer::new(self.bytes.into(), 0, self.rows)
    }

    /// The rows without a bit as nulls; nothing where each has one.
    fn nulls(&self) -> Option<NullBuffer> {
        let bits = Self { bytes: self.bytes.clone(), last: self.last, rows: self.rows };
        Some(NullBuffer::new(bits.finish())).filter(|nulls| nulls.null_count() > 0)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanBuilder, Date32Builder, Decimal128Builder, Int64Builder};
    use arrow::datatypes::DataType;
    use catalog_store::StagedFiles;
    use proptest::prelude::*;

    use super::{ColumnBuilder, Words};
    use crate::formats::Value;
    use crate::keying::Surrogates;

    /// The column that is made of these values.
    fn built(kind: &DataType, values: &[Value<'_>]) -> arrow::array::ArrayRef {
        let mut words = Words::new((&StagedFiles::Clear, std::path::Path::new(".")), [3, 5]);
        let mut builder = ColumnBuilder::new(kind, 4);
        for value in values {
            assert!(builder.push(*value, &Surrogates::new([1; 32]), &mut words));
        }
        builder.take()
    }

    proptest! {
        #[test]
        fn columns_are_those_of_arrows_builders(
            numbers in prop::collection::vec(prop::option::of(any::<i32>()), 0..100),
        ) {
            let wide = || numbers.iter().map(|number| number.map(i64::from));
            let values = |make: fn(i32) -> Value<'static>| -> Vec<Value<'static>> {
                numbers.iter().map(|number| number.map_or(Value::Null, make)).collect()
            };
            let mut builder = Int64Builder::new();
            wide().for_each(|number| builder.append_option(number));
            let ints = built(&DataType::Int64, &values(|number| Value::Int(i64::from(number))));
            prop_assert_eq!(ints.as_ref(), &builder.finish() as &dyn arrow::array::Array);

            let mut builder = Date32Builder::new();
            numbers.iter().for_each(|number| builder.append_option(*number));
            let dates = built(&DataType::Date32, &values(Value::Date));
            prop_assert_eq!(dates.as_ref(), &builder.finish() as &dyn arrow::array::Array);

            let kind = DataType::Decimal128(18, 5);
            let mut builder = Decimal128Builder::new().with_data_type(kind.clone());
            wide().for_each(|number| builder.append_option(number.map(i128::from)));
            let decimals = built(&kind, &values(|number| Value::Decimal5(i64::from(number))));
            prop_assert_eq!(decimals.as_ref(), &builder.finish() as &dyn arrow::array::Array);

            let mut builder = BooleanBuilder::new();
            numbers.iter().for_each(|number| builder.append_option(number.map(|number| number > 0)));
            let flags = built(&DataType::Boolean, &values(|number| Value::Bool(number > 0)));
            prop_assert_eq!(flags.as_ref(), &builder.finish() as &dyn arrow::array::Array);
        }
    }

    #[test]
    fn a_value_of_another_type_is_null() {
        let found = built(&DataType::Int64, &[Value::Text("1"), Value::Int(1), Value::Date(1)]);
        assert_eq!((found.len(), found.null_count()), (3, 2));
    }
}
