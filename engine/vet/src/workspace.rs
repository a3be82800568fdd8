//! What a project keeps: how its columns are written down with what vetting found, and read back as the same facts.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use catalog_model::{Grant, StoredKind, StoredMeasure, ValueKind, ValueSet, WorkspaceColumn, WorkspaceTable};
use datafusion_expr::LogicalPlan;

use crate::domain::{DomainValue, KeyDomain, KeyKind};
use crate::label::{Classes, Label};
use crate::relation::{ColumnFact, MeasureFact, Person};

/// The schema of a project's tables and views in SQL.
pub(crate) const SCHEMA: &str = "ws";
/// The schema of lists of codes.
pub(crate) const LISTS: &str = "lists";
/// The one column of a list.
pub(crate) const CODE: &str = "code";
/// The person's column of every table that is kept.
pub(crate) const PERSON: &str = "person_id";

/// The name under which a table's files are given to a worker: another one each time the table is made.
pub fn stored_name(name: &str, table: &WorkspaceTable) -> String {
    format!("{name}#{}", table.id)
}

/// The table's Arrow schema.
pub fn schema(table: &WorkspaceTable) -> SchemaRef {
    fields(&table.columns)
}

/// The Arrow schema of columns that are kept.
pub fn fields(columns: &[WorkspaceColumn]) -> SchemaRef {
    let field =
        |column: &WorkspaceColumn| Field::new(&column.name, data_type(column.kind), !column.is_person);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// The digest of a grant: a table is read under the one that it was made under, and no other.
pub fn grant_digest(grant: &Grant) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 grant of a workspace table");
    hasher.update(format!("{grant:?}").as_bytes());
    hasher.finalize().to_hex().to_string()
}

/// The name of the list that a subquery consists of: `SELECT code FROM lists.NAME` and nothing else.
pub(crate) fn list_of(plan: &LogicalPlan) -> Option<&str> {
    match plan {
        LogicalPlan::Projection(projection) => match projection.expr.as_slice() {
            [datafusion_expr::Expr::Column(column)] if column.name == CODE => list_of(&projection.input),
            _ => None,
        },
        LogicalPlan::SubqueryAlias(alias) => list_of(&alias.input),
        LogicalPlan::TableScan(scan) => {
            (scan.table_name.schema() == Some(LISTS)).then(|| scan.table_name.table())
        }
        _ => None,
    }
}

/// The facts of a kept column, as they were when it was made.
pub(crate) fn fact(table: &str, column: &WorkspaceColumn) -> ColumnFact {
    let label = Label {
        value: Classes::of(column.held.iter().copied()),
        control: Classes::of(column.told.iter().copied()),
    };
    let measure = |measure: &StoredMeasure| MeasureFact {
        bounds: measure.bounds,
        scale: measure.scale,
        unit: measure.unit.clone(),
    };
    let mut fact = ColumnFact {
        person: if column.is_person { Person::Always } else { Person::Not },
        domain: column.values.as_ref().map(domain),
        measure: column.measure.as_ref().map(measure),
        origin: column.is_column.then(|| (format!("{SCHEMA}.{table}"), column.name.clone())),
        system: column.codes.clone(),
        ..ColumnFact::made(label, data_type(column.kind))
    }
    .described(&format!("{SCHEMA}.{table}"), &column.name);
    fact.describing.is_chosen = column.is_chosen;
    fact.describing.is_age = column.is_age;
    fact.describing.ages.clone_from(&column.ages);
    fact.describing.met.clone_from(&column.met);
    fact
}

/// A column as it is kept; none where its type is not one that is.
pub(crate) fn column(name: &str, kind: &DataType, fact: &ColumnFact) -> Option<WorkspaceColumn> {
    let measure = |measure: &MeasureFact| StoredMeasure {
        bounds: measure.bounds,
        scale: measure.scale,
        unit: measure.unit.clone(),
    };
    Some(WorkspaceColumn {
        name: name.to_owned(),
        kind: stored_kind(kind)?,
        is_person: fact.is_unit(),
        held: fact.label.value.classes().collect::<BTreeSet<_>>(),
        told: fact.label.control.classes().collect::<BTreeSet<_>>(),
        is_column: fact.origin.is_some(),
        is_chosen: fact.describing.is_chosen,
        is_age: fact.describing.is_age,
        ages: fact.describing.ages.clone(),
        met: fact.describing.met.clone(),
        codes: fact.system.clone(),
        values: fact.domain.as_ref().map(values),
        measure: fact.measure.as_ref().map(measure),
    })
}

const fn data_type(kind: StoredKind) -> DataType {
    match kind {
        StoredKind::Number32 => DataType::UInt32,
        StoredKind::Number64 => DataType::UInt64,
        StoredKind::Text => DataType::Utf8,
        StoredKind::Day => DataType::Date32,
        StoredKind::Whole => DataType::Int64,
        StoredKind::Small => DataType::Int32,
        StoredKind::Flag => DataType::Boolean,
        StoredKind::Decimal(digits, places) => DataType::Decimal128(digits, places),
    }
}

const fn stored_kind(kind: &DataType) -> Option<StoredKind> {
    Some(match kind {
        DataType::UInt32 => StoredKind::Number32,
        DataType::UInt64 => StoredKind::Number64,
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => StoredKind::Text,
        DataType::Date32 => StoredKind::Day,
        DataType::Int64 => StoredKind::Whole,
        DataType::Int32 => StoredKind::Small,
        DataType::Boolean => StoredKind::Flag,
        DataType::Decimal128(digits, places) => StoredKind::Decimal(*digits, *places),
        _ => return None,
    })
}

fn domain(values: &ValueSet) -> KeyDomain {
    let kind = match values.kind {
        ValueKind::Text => KeyKind::Text,
        ValueKind::Date => KeyKind::Date,
        ValueKind::Flag => KeyKind::Flag,
    };
    let value = |(code, days, ja, en): &(String, Option<i32>, String, String)| DomainValue {
        code: code.clone(),
        days: *days,
        ja: ja.clone(),
        en: en.clone(),
    };
    KeyDomain { kind, values: values.values.iter().map(value).collect() }
}

fn values(domain: &KeyDomain) -> ValueSet {
    let kind = match domain.kind {
        KeyKind::Text => ValueKind::Text,
        KeyKind::Date => ValueKind::Date,
        KeyKind::Flag => ValueKind::Flag,
    };
    let value = |value: &DomainValue| (value.code.clone(), value.days, value.ja.clone(), value.en.clone());
    ValueSet { kind, values: domain.values.iter().map(value).collect() }
}
