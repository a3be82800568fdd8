//! The rows that a rule writes, in the columns that the table's TOML asks for.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Int64Builder, RecordBatch, StringBuilder, UInt32Builder,
    UInt64Builder,
};
use arrow::datatypes::{DataType, SchemaRef};
use catalog_model::{Class, Derivation, Table};

use super::Context;
use crate::tables::files::FileError;

/// One value of a row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    Null,
    /// A number that was given: of a record or a facility.
    Id(u64),
    Int(i64),
    Text(&'a str),
    /// A day, or a month by its first one.
    Day(i32),
    Flag(bool),
}

impl Cell<'_> {
    pub(super) fn facility(facility: Option<u32>) -> Self {
        facility.map_or(Self::Null, |facility| Self::Id(facility.into()))
    }

    pub(super) fn day(day: Option<i32>) -> Self {
        day.map_or(Self::Null, Self::Day)
    }

    pub(super) fn int(number: Option<i64>) -> Self {
        number.map_or(Self::Null, Self::Int)
    }

    pub(super) fn count(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl<'a> Cell<'a> {
    pub(super) fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

/// The rows of a derived table in the making.
pub(super) struct Rows {
    path: PathBuf,
    schema: SchemaRef,
    columns: Vec<(Place, Builder)>,
    next: u64,
    bucket: u64,
    buckets: u64,
}

/// Where a column's value comes from.
enum Place {
    Person,
    /// This one of the rule's outputs.
    Output(usize),
}

enum Builder {
    Small(UInt32Builder),
    Large(UInt64Builder),
    Int(Int64Builder),
    Text(StringBuilder),
    Day(Date32Builder),
    Flag(BooleanBuilder),
}

impl Rows {
    pub(super) fn new(context: &Context<'_>, table: &Table, rule: &Derivation) -> Result<Self, FileError> {
        let schema = Arc::new(catalog_model::arrow_schema(table));
        let path = PathBuf::from(&table.table);
        let mut columns = Vec::with_capacity(table.columns.len());
        for (column, field) in table.columns.iter().zip(schema.fields()) {
            let place = if column.class == Class::Person {
                Some(Place::Person)
            } else {
                let found = rule.outputs().iter().position(|(name, _)| *name == column.name);
                found.map(Place::Output)
            };
            let builder = Builder::new(field.data_type());
            let missing = || FileError::Column { path: path.clone(), column: column.name.clone() };
            columns.push(place.zip(builder).ok_or_else(missing)?);
        }
        let (bucket, buckets) = (context.bucket.into(), context.buckets.into());
        Ok(Self { path, schema, columns, next: 0, bucket, buckets })
    }

    /// A number that no other row of the table has, in this bucket or another.
    pub(super) const fn number(&mut self) -> u64 {
        self.next += 1;
        (self.next - 1) * self.buckets + self.bucket
    }

    /// Adds a row; the cells stand in the order of the rule's outputs.
    pub(super) fn push(&mut self, person: u32, cells: &[Cell<'_>]) {
        for (place, builder) in &mut self.columns {
            builder.push(match place {
                Place::Person => Cell::Id(person.into()),
                Place::Output(at) => cells.get(*at).copied().unwrap_or(Cell::Null),
            });
        }
    }

    pub(super) fn finish(self) -> Result<RecordBatch, FileError> {
        let columns = self.columns.into_iter().map(|(_, builder)| builder.finish()).collect();
        let path = self.path;
        RecordBatch::try_new(self.schema, columns).map_err(|source| FileError::Arrow { path, source })
    }
}

impl Builder {
    fn new(kind: &DataType) -> Option<Self> {
        Some(match kind {
            DataType::UInt32 => Self::Small(UInt32Builder::new()),
            DataType::UInt64 => Self::Large(UInt64Builder::new()),
            DataType::Int64 => Self::Int(Int64Builder::new()),
            DataType::Utf8 => Self::Text(StringBuilder::new()),
            DataType::Date32 => Self::Day(Date32Builder::new()),
            DataType::Boolean => Self::Flag(BooleanBuilder::new()),
            _ => return None,
        })
    }

    fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Small(builder), Cell::Id(number)) => builder.append_option(u32::try_from(number).ok()),
            (Self::Large(builder), Cell::Id(number)) => builder.append_value(number),
            (Self::Int(builder), Cell::Int(number)) => builder.append_value(number),
            (Self::Text(builder), Cell::Text(text)) => builder.append_value(text),
            (Self::Day(builder), Cell::Day(day)) => builder.append_value(day),
            (Self::Flag(builder), Cell::Flag(flag)) => builder.append_value(flag),
            (Self::Small(builder), _) => builder.append_null(),
            (Self::Large(builder), _) => builder.append_null(),
            (Self::Int(builder), _) => builder.append_null(),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Day(builder), _) => builder.append_null(),
            (Self::Flag(builder), _) => builder.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Small(mut builder) => Arc::new(builder.finish()),
            Self::Large(mut builder) => Arc::new(builder.finish()),
            Self::Int(mut builder) => Arc::new(builder.finish()),
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Day(mut builder) => Arc::new(builder.finish()),
            Self::Flag(mut builder) => Arc::new(builder.finish()),
        }
    }
}
