//! Arrow builders for one staged column, fed with values.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Int32Builder, Int64Builder, UInt32Array,
    UInt64Builder,
};
use arrow::datatypes::DataType;

use crate::formats::Value;
use crate::keying::Surrogates;

use super::words::Words;

/// Builds one column of a staged table.
#[derive(Debug)]
pub(super) enum ColumnBuilder {
    /// Numbers of words, 0 where there is no text.
    Text(Vec<u32>),
    Date(Date32Builder),
    Int(Int64Builder),
    Decimal5(Decimal128Builder),
    Bool(BooleanBuilder),
    Days(Int32Builder),
    Surrogate {
        builder: UInt64Builder,
        last: Option<(Vec<u8>, u64)>,
    },
}

impl ColumnBuilder {
    /// Makes a builder with room for so many rows, for a column of this type as it is read or as it is stored.
    pub(super) fn new(kind: &DataType, rows: usize) -> Self {
        match kind {
            DataType::Date32 => Self::Date(Date32Builder::with_capacity(rows)),
            DataType::Int64 => Self::Int(Int64Builder::with_capacity(rows)),
            DataType::Int32 => Self::Days(Int32Builder::with_capacity(rows)),
            DataType::Boolean => Self::Bool(BooleanBuilder::with_capacity(rows)),
            DataType::UInt64 => Self::Surrogate { builder: UInt64Builder::with_capacity(rows), last: None },
            DataType::Decimal128(_, _) => {
                Self::Decimal5(Decimal128Builder::with_capacity(rows).with_data_type(kind.clone()))
            }
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
            (Self::Date(builder), Value::Date(days)) => builder.append_value(days),
            (Self::Int(builder), Value::Int(number)) => builder.append_value(number),
            (Self::Decimal5(builder), Value::Decimal5(scaled)) => builder.append_value(i128::from(scaled)),
            (Self::Bool(builder), Value::Bool(flag)) => builder.append_value(flag),
            (Self::Days(builder), Value::Days(days)) => builder.append_value(days),
            (Self::Surrogate { builder, last }, Value::Key(code)) => {
                // Rows of one facility follow each other, so its surrogate is made once.
                let surrogate = match last {
                    Some((known, surrogate)) if known == code => *surrogate,
                    _ => {
                        let surrogate = surrogates.facility(code);
                        *last = Some((code.to_vec(), surrogate));
                        surrogate
                    }
                };
                builder.append_value(surrogate);
            }
            (builder, _) => builder.push_null(),
        }
        true
    }

    fn push_null(&mut self) {
        match self {
            Self::Text(numbers) => numbers.push(0),
            Self::Date(builder) => builder.append_null(),
            Self::Int(builder) => builder.append_null(),
            Self::Decimal5(builder) => builder.append_null(),
            Self::Bool(builder) => builder.append_null(),
            Self::Days(builder) => builder.append_null(),
            Self::Surrogate { builder, .. } => builder.append_null(),
        }
    }

    /// The column that was built.
    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Self::Text(numbers) => Arc::new(UInt32Array::from(numbers)),
            Self::Date(mut builder) => Arc::new(builder.finish()),
            Self::Int(mut builder) => Arc::new(builder.finish()),
            Self::Decimal5(mut builder) => Arc::new(builder.finish()),
            Self::Bool(mut builder) => Arc::new(builder.finish()),
            Self::Days(mut builder) => Arc::new(builder.finish()),
            Self::Surrogate { mut builder, .. } => Arc::new(builder.finish()),
        }
    }
}
