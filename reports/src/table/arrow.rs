//! An Arrow IPC file: numbers as numbers, what is hidden as null and as a flag.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, Field, Schema};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use engine_protocol::{CellValue, ReleasedTable};

use super::TableError;
use super::flat::{self, FlatColumn, Part};

/// The table as the bytes of an Arrow IPC file.
///
/// Codes and names are text; counts and whole sums are `Int64`, other figures `Decimal128`. A figure is null where it
/// is hidden, and where there is none; `<name>_suppressed` tells the two apart. Query, snapshot, threshold and rule
/// pack stand in the schema's metadata, a unit in its field's.
///
/// # Errors
///
/// The file cannot be made.
pub fn arrow(table: &ReleasedTable) -> Result<Vec<u8>, TableError> {
    let batch = batch(table)?;
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}

/// The table as one batch, with the columns that [`arrow`] has.
///
/// # Errors
///
/// A figure is no number.
pub fn batch(table: &ReleasedTable) -> Result<RecordBatch, TableError> {
    let columns = flat::columns(table);
    let mut taken: BTreeSet<String> = columns.iter().map(|column| column.name.clone()).collect();
    let mut arrays: Vec<(Field, ArrayRef)> = Vec::new();
    for column in &columns {
        if column.part == Part::Figure {
            let flag = flat::free(&mut taken, &format!("{}_suppressed", column.name));
            arrays.push(figures(table, column)?);
            arrays.push(flags(table, column, &flag));
        } else {
            arrays.push(words(table, column));
        }
    }
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = arrays.into_iter().unzip();
    let schema = Arc::new(Schema::new_with_metadata(fields, origin(table)));
    Ok(RecordBatch::try_new(schema, arrays)?)
}

fn words(table: &ReleasedTable, column: &FlatColumn<'_>) -> (Field, ArrayRef) {
    let texts: StringArray = table.rows.iter().map(|row| Some(column.text(row))).collect();
    with_field(&column.name, Arc::new(texts))
}

fn flags(table: &ReleasedTable, column: &FlatColumn<'_>, name: &str) -> (Field, ArrayRef) {
    let flags = table.rows.iter().map(|row| Some(*column.value(row) == CellValue::Suppressed));
    with_field(name, Arc::new(flags.collect::<BooleanArray>()))
}

fn figures(table: &ReleasedTable, column: &FlatColumn<'_>) -> Result<(Field, ArrayRef), ArrowError> {
    let values: Vec<&CellValue> = table.rows.iter().map(|row| column.value(row)).collect();
    let (field, array) = with_field(&column.name, numbers(&values)?);
    let unit = column.column.unit.iter().map(|unit| ("unit".to_owned(), unit.clone()));
    Ok((field.with_metadata(unit.collect()), array))
}

fn numbers(values: &[&CellValue]) -> Result<ArrayRef, ArrowError> {
    let decimals = values.iter().filter_map(|value| match value {
        CellValue::Decimal(text) => Some(places(text)),
        _ => None,
    });
    let Some(scale) = decimals.max() else {
        let whole = values.iter().map(|value| match value {
            CellValue::Integer(number) => Some(*number),
            _ => None,
        });
        return Ok(Arc::new(whole.collect::<Int64Array>()));
    };
    let scaled = values.iter().map(|value| match value {
        CellValue::Integer(_) | CellValue::Decimal(_) => scaled(&value.text(), scale).map(Some),
        _ => Ok(None),
    });
    let array = scaled.collect::<Result<Decimal128Array, ArrowError>>()?;
    let scale = i8::try_from(scale).map_err(|_| unreadable())?;
    Ok(Arc::new(array.with_precision_and_scale(DECIMAL128_MAX_PRECISION, scale)?))
}

/// Digits behind the point.
fn places(number: &str) -> usize {
    number.split_once('.').map_or(0, |(_, rest)| rest.len())
}

/// A decimal number without its point, filled up to `scale` digits behind it.
fn scaled(number: &str, scale: usize) -> Result<i128, ArrowError> {
    let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
    let digits: i128 = format!("{whole}{rest:0<scale$}").parse().map_err(|_| unreadable())?;
    if digits.unsigned_abs() < 10_u128.pow(u32::from(DECIMAL128_MAX_PRECISION)) {
        Ok(digits)
    } else {
        Err(unreadable())
    }
}

fn unreadable() -> ArrowError {
    ArrowError::ParseError("a figure that is not a decimal number of at most 38 digits".to_owned())
}

fn with_field(name: &str, array: ArrayRef) -> (Field, ArrayRef) {
    (Field::new(name, array.data_type().clone(), true), array)
}

fn origin(table: &ReleasedTable) -> HashMap<String, String> {
    let entries = [
        ("query", table.query.clone()),
        ("snapshot", table.snapshot.clone()),
        ("threshold", table.threshold.to_string()),
        ("rules", table.rules.clone()),
    ];
    entries.into_iter().map(|(name, value)| (format!("misu.{name}"), value)).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use arrow::array::{Array as _, AsArray as _, RecordBatch};
    use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
    use arrow::ipc::reader::FileReader;
    use engine_protocol::CellValue;

    use super::{TableError, arrow};
    use crate::table::tests::sample;

    fn read(bytes: Vec<u8>) -> RecordBatch {
        let mut batches = FileReader::try_new(Cursor::new(bytes), None).unwrap();
        batches.next().unwrap().unwrap()
    }

    #[test]
    fn numbers_are_numbers_and_hidden_ones_are_null_with_a_flag() {
        let batch = read(arrow(&sample()).unwrap());
        let persons = batch.column_by_name("persons").unwrap().as_primitive::<Int64Type>();
        assert_eq!(persons.iter().collect::<Vec<_>>(), [Some(12_345), None, Some(0)]);
        let mean = batch.column_by_name("mean").unwrap().as_primitive::<Decimal128Type>();
        assert_eq!(mean.data_type(), &DataType::Decimal128(38, 2));
        assert_eq!(mean.iter().collect::<Vec<_>>(), [Some(-80_005), None, None]);
        let hidden = batch.column_by_name("mean_suppressed").unwrap().as_boolean();
        assert_eq!(hidden.iter().collect::<Vec<_>>(), [Some(false), Some(true), Some(false)]);
        let names = batch.column_by_name("prefecture_ja").unwrap().as_string::<i32>();
        assert_eq!(names.value(0), "東京都");
    }

    #[test]
    fn the_file_says_where_it_comes_from() {
        let batch = read(arrow(&sample()).unwrap());
        let schema = batch.schema();
        assert_eq!(schema.metadata().get("misu.query").map(String::as_str), Some("q12"));
        let unit = schema.field_with_name("mean").unwrap().metadata().get("unit").cloned();
        assert_eq!(unit.as_deref(), Some("点"));
    }

    #[test]
    fn a_column_of_whole_and_decimal_numbers_has_one_scale() {
        let mut table = sample();
        table.rows[0][4] = CellValue::Decimal("-0.5".to_owned());
        table.rows[2][4] = CellValue::Decimal("7.125".to_owned());
        table.rows[1][4] = CellValue::Integer(3);
        let batch = read(arrow(&table).unwrap());
        let mean = batch.column_by_name("mean").unwrap().as_primitive::<Decimal128Type>();
        assert_eq!(mean.iter().collect::<Vec<_>>(), [Some(-500), Some(3_000), Some(7_125)]);
    }

    #[test]
    fn a_figure_that_is_no_number_is_an_error() {
        for wrong in ["1.2.3", "x", "123456789012345678901234567890123456789"] {
            let mut table = sample();
            table.rows[0][4] = CellValue::Decimal(wrong.to_owned());
            assert!(matches!(arrow(&table), Err(TableError::Arrow(_))), "{wrong}");
        }
    }
}
