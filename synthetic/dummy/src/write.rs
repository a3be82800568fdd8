//! Tables as Arrow and as Parquet, with the schema that the snapshot's tables have.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
    UInt32Array, UInt64Array,
};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;

use crate::plan::{Column, Kind, Plan};
use crate::value::{RECEIPTS, Value};

/// A table that was made.
#[derive(Clone, Debug)]
pub struct DummyTable {
    /// Its name in SQL.
    pub name: String,
    /// Its rows.
    pub rows: RecordBatch,
}

/// Why a table cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A column cannot be made.
    #[error("a column cannot be made")]
    Arrow(#[from] ArrowError),
    /// The file cannot be made.
    #[error("the file cannot be made")]
    Parquet(#[from] ParquetError),
}

/// How many rows a Parquet file has.
///
/// # Errors
///
/// The bytes are no Parquet file.
pub fn rows(file: &[u8]) -> Result<u64, WriteError> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&Bytes::copy_from_slice(file))?;
    Ok(u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0))
}

impl Plan {
    /// Makes every table.
    ///
    /// # Errors
    ///
    /// A column cannot be made.
    pub fn make(&self) -> Result<Vec<DummyTable>, WriteError> {
        let tables = self.tables.iter().map(|(name, columns)| {
            let rows: Vec<(u32, u32)> =
                (1..=self.persons).flat_map(|person| self.rows_of(name, person)).collect();
            let arrays = columns.iter().map(|column| self.array(name, column, &rows));
            let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
            let fields = columns.iter().zip(&arrays).map(|(column, array)| {
                Field::new(&column.name, array.data_type().clone(), column.class != "person")
            });
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            let rows = RecordBatch::try_new(schema, arrays)?;
            Ok(DummyTable { name: name.clone(), rows })
        });
        tables.collect()
    }

    /// The rows of a person in a table: one in a table of persons, else one for each of some receipts. Persons for
    /// whom something is arranged have all receipts.
    fn rows_of(&self, table: &str, person: u32) -> Vec<(u32, u32)> {
        let is_of_persons = table == "person";
        let count = match is_of_persons {
            true => 1,
            false if self.is_wished(person) => RECEIPTS,
            false => (person % RECEIPTS) + 1,
        };
        (0..count).map(|receipt| (person, receipt)).collect()
    }

    fn array(&self, table: &str, column: &Column, rows: &[(u32, u32)]) -> Result<ArrayRef, ArrowError> {
        let values = rows.iter().map(|(person, receipt)| self.value(table, column, *person, *receipt));
        let number = |value: Value| if let Value::Number(number) = value { Some(number) } else { None };
        let small = |value: Value| number(value).and_then(|number| i32::try_from(number).ok());
        let id = |value: Value| number(value).and_then(|number| u32::try_from(number).ok());
        Ok(match column.kind {
            Kind::Id if column.class == "record" => {
                let ids = values.map(|value| number(value).and_then(|number| u64::try_from(number).ok()));
                Arc::new(ids.collect::<UInt64Array>())
            }
            Kind::Id => Arc::new(values.map(id).collect::<UInt32Array>()),
            Kind::Date | Kind::Month => Arc::new(values.map(small).collect::<Date32Array>()),
            Kind::Int => Arc::new(values.map(number).collect::<Int64Array>()),
            Kind::Days => Arc::new(values.map(small).collect::<Int32Array>()),
            Kind::Decimal => {
                let scaled = values.map(|value| number(value).map(i128::from)).collect::<Decimal128Array>();
                Arc::new(scaled.with_precision_and_scale(18, 5)?)
            }
            Kind::Bool => {
                let flag = |value: Value| if let Value::Bool(flag) = value { Some(flag) } else { None };
                Arc::new(values.map(flag).collect::<BooleanArray>())
            }
            Kind::Text => {
                let text = |value: Value| if let Value::Text(text) = value { Some(text) } else { None };
                Arc::new(values.map(text).collect::<StringArray>())
            }
        })
    }
}

/// A table as the bytes of a Parquet file.
///
/// # Errors
///
/// The file cannot be made.
pub fn parquet(table: &DummyTable) -> Result<Vec<u8>, WriteError> {
    let mut writer = ArrowWriter::try_new(Vec::new(), table.rows.schema(), None)?;
    writer.write(&table.rows)?;
    Ok(writer.into_inner()?)
}
