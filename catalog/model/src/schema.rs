//! A table's Arrow schema, the one that Parquet files, the planner and the worker share.

use arrow_schema::{DataType, Field, Schema};

use crate::class::Class;
use crate::table::{Column, ColumnKind, Table};

/// The table's Arrow schema. Surrogate numbers of persons and facilities are `UInt32`, those of records `UInt64`;
/// a `Decimal5` is a `Decimal128(18, 5)`.
pub fn arrow_schema(table: &Table) -> Schema {
    Schema::new(table.columns.iter().map(arrow_field).collect::<Vec<_>>())
}

fn arrow_field(column: &Column) -> Field {
    let kind = match column.kind {
        ColumnKind::Id if column.class == Class::Record => DataType::UInt64,
        ColumnKind::Id => DataType::UInt32,
        ColumnKind::String => DataType::Utf8,
        ColumnKind::Date | ColumnKind::Month => DataType::Date32,
        ColumnKind::Int => DataType::Int64,
        ColumnKind::Decimal5 => DataType::Decimal128(18, 5),
        ColumnKind::Bool => DataType::Boolean,
        ColumnKind::Days => DataType::Int32,
    };
    Field::new(&column.name, kind, column.class != Class::Person)
}
