//! Rows that were read, in values that both databases have.

use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Error, Row as _, TypeInfo as _, ValueRef as _};

use super::query::Value;

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

/// What a column can be read as.
pub(crate) trait Read: Sized {
    /// The value, or nothing where it is of another type.
    fn read(value: &Value) -> Option<Self>;
}

impl Row {
    /// The value of the column of this name.
    pub(crate) fn try_get<T: Read>(&self, name: &str) -> Result<T, Error> {
        let place = self.columns.iter().position(|column| column == name);
        let value = place.and_then(|place| self.values.get(place));
        let value = value.ok_or_else(|| Error::ColumnNotFound(name.to_owned()))?;
        T::read(value).ok_or_else(|| Error::ColumnDecode {
            index: name.to_owned(),
            source: "the value is of another type".into(),
        })
    }

    /// The names of the columns.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The values of all columns.
    pub(crate) fn into_values(self) -> Vec<Value> {
        self.values
    }
}

pub(super) fn of_sqlite(rows: &[SqliteRow]) -> Result<Vec<Row>, Error> {
    let columns = names(rows.first().map(SqliteRow::columns).unwrap_or_default().iter().map(|c| c.name()));
    rows.iter()
        .map(|row| {
            let values = (0..columns.len()).map(|place| {
                let kind = row.try_get_raw(place)?.type_info().name().to_owned();
                Ok(match kind.as_str() {
                    "NULL" => Value::Text(None),
                    "INTEGER" => Value::Integer(row.try_get(place)?),
                    "TEXT" => Value::Text(row.try_get(place)?),
                    "BLOB" => Value::Bytes(row.try_get(place)?),
                    _ => return Err(unknown(&kind)),
                })
            });
            Ok(Row { columns: Arc::clone(&columns), values: values.collect::<Result<_, Error>>()? })
        })
        .collect()
}

pub(super) fn of_postgres(rows: &[PgRow]) -> Result<Vec<Row>, Error> {
    let columns = names(rows.first().map(PgRow::columns).unwrap_or_default().iter().map(|c| c.name()));
    rows.iter()
        .map(|row| {
            let values = (0..columns.len()).map(|place| {
                let raw = row.try_get_raw(place)?;
                let (is_null, kind) = (raw.is_null(), raw.type_info().name().to_owned());
                Ok(match kind.as_str() {
                    _ if is_null => Value::Text(None),
                    "INT8" => Value::Integer(row.try_get(place)?),
                    "INT4" => Value::Integer(Some(i64::from(row.try_get::<i32, _>(place)?))),
                    "TEXT" | "VARCHAR" => Value::Text(row.try_get(place)?),
                    "BYTEA" => Value::Bytes(row.try_get(place)?),
                    _ => return Err(unknown(&kind)),
                })
            });
            Ok(Row { columns: Arc::clone(&columns), values: values.collect::<Result<_, Error>>()? })
        })
        .collect()
}

fn names<'a>(columns: impl Iterator<Item = &'a str>) -> Arc<[String]> {
    columns.map(str::to_owned).collect()
}

fn unknown(kind: &str) -> Error {
    Error::Decode(format!("a column of type {kind}, which the schema does not have").into())
}

impl Read for String {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Text(Some(text)) => Some(text.clone()),
            _ => None,
        }
    }
}

impl Read for i64 {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(Some(number)) => Some(*number),
            _ => None,
        }
    }
}

impl Read for u32 {
    fn read(value: &Value) -> Option<Self> {
        i64::read(value).and_then(|number| Self::try_from(number).ok())
    }
}

impl Read for bool {
    fn read(value: &Value) -> Option<Self> {
        i64::read(value).map(|number| number != 0)
    }
}

impl Read for Vec<u8> {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Bytes(Some(bytes)) => Some(bytes.clone()),
            _ => None,
        }
    }
}

impl<T: Read> Read for Option<T> {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Text(None) | Value::Integer(None) | Value::Bytes(None) => Some(None),
            _ => T::read(value).map(Some),
        }
    }
}
