//! Arrow's record batches as Polars' data frames, without a copy where the layouts agree.
//!
//! The two share no types, only the C data interface, whose structures both declare field by field (`repr(C)`).
#![expect(
    unsafe_code,
    reason = "the one bridge from Arrow to Polars: two structures of the C data interface change hands"
)]

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, StructArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, to_ffi};
use polars::prelude::{Column, DataFrame, PolarsResult, Series};
use polars_arrow::ffi::{ArrowArray, ArrowSchema, import_array_from_c, import_field_from_c};

use crate::failure::Failure;

/// The batch as a data frame. A column of a type that no figure looks into becomes its nulls: true or null.
pub(crate) fn frame(batch: &RecordBatch) -> Result<DataFrame, Failure> {
    let height = batch.num_rows();
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = batch
        .schema()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            let column = simple(column);
            (Field::new(field.name(), column.data_type().clone(), true), column)
        })
        .unzip();
    if columns.is_empty() {
        return Ok(DataFrame::new(height, Vec::new())?);
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let (array, schema) = to_ffi(&StructArray::from(batch).into_data())?;
    Ok(import(array, &schema)?)
}

fn simple(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8
        | DataType::Date32
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Boolean => Arc::clone(column),
        _ => Arc::new(BooleanArray::new(BooleanBuffer::new_set(column.len()), column.nulls().cloned())),
    }
}

fn import(array: FFI_ArrowArray, schema: &FFI_ArrowSchema) -> PolarsResult<DataFrame> {
    // SAFETY: both types are `repr(C)` declarations of the C data interface's ArrowSchema with the same fields in the
    // same order; the reference lives as long as `schema`, which Arrow made and which Arrow releases.
    let schema = unsafe { &*std::ptr::from_ref(schema).cast::<ArrowSchema>() };
    // SAFETY: the schema was made by Arrow's `to_ffi`, which writes valid ones.
    let field = unsafe { import_field_from_c(schema)? };
    // SAFETY: both types are `repr(C)` declarations of the interface's ArrowArray (the compiler checks that the sizes
    // agree); the value moves, so that it is released once, by Polars.
    let array = unsafe { std::mem::transmute::<FFI_ArrowArray, ArrowArray>(array) };
    // SAFETY: the array was made by Arrow's `to_ffi` together with the schema that `field` was read from.
    let array = unsafe { import_array_from_c(array, field.dtype)? };
    let Some(whole) = array.as_any().downcast_ref::<polars_arrow::array::StructArray>() else {
        return Ok(DataFrame::empty());
    };
    let columns = whole
        .fields()
        .iter()
        .zip(whole.values())
        .map(|(field, values)| Ok(Column::from(Series::from_arrow(field.name.clone(), values.clone())?)));
    DataFrame::new(whole.len(), columns.collect::<PolarsResult<_>>()?)
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        Date32Array, Decimal128Array, FixedSizeBinaryArray, Int64Array, StringArray, UInt32Array,
    };
    use polars::prelude::AnyValue;

    use super::*;

    fn batch() -> RecordBatch {
        let bytes: Vec<Option<[u8; 2]>> = vec![None, Some([1, 2]), Some([3, 4]), None];
        let columns: [(&str, ArrayRef); 7] = [
            ("text", Arc::new(StringArray::from(vec![Some("もやもや病"), None, Some(""), Some("x")]))),
            ("day", Arc::new(Date32Array::from(vec![Some(0), Some(-1), None, Some(19_000)]))),
            ("number", Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(3), Some(i64::MAX)]))),
            ("small", Arc::new(UInt32Array::from(vec![1, 2, 3, u32::MAX]))),
            ("flag", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, Some(true)]))),
            ("decimal", Arc::new(Decimal128Array::from(vec![Some(1), None, None, Some(2)]))),
            (
                "key",
                Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(bytes.into_iter(), 2).unwrap()),
            ),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
    }

    #[test]
    fn values_and_nulls_cross_also_from_a_slice() {
        for (from, rows) in [(0, 4), (1, 3), (2, 2), (3, 0)] {
            let batch = batch().slice(from, rows);
            let frame = frame(&batch).unwrap();
            assert_eq!((frame.height(), frame.width()), (rows, 7));
            for (name, column) in batch.schema().fields().iter().zip(batch.columns()) {
                let found = frame.column(name.name()).unwrap();
                assert_eq!(found.null_count(), column.null_count(), "{name} from {from}");
            }
        }
        let frame = frame(&batch().slice(1, 3)).unwrap();
        assert_eq!(frame.column("text").unwrap().get(2).unwrap(), AnyValue::String("x"));
        assert_eq!(frame.column("number").unwrap().get(2).unwrap(), AnyValue::Int64(i64::MAX));
        assert_eq!(frame.column("small").unwrap().get(2).unwrap(), AnyValue::UInt32(u32::MAX));
        assert_eq!(frame.column("day").unwrap().get(2).unwrap(), AnyValue::Date(19_000));
        assert_eq!(frame.column("key").unwrap().get(0).unwrap(), AnyValue::Boolean(true));
    }
}
