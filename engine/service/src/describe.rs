//! The catalogue as anybody may see it: names, classes, codes; no figure.

use catalog_model::{Class, Column, ColumnKind, Domain, Table, Treatment};
use engine_protocol::{CatalogueColumn, CatalogueTable, CatalogueView};

use crate::guard::{Guard, GuardError};

/// The tables and columns with the latest snapshot's period.
pub(crate) fn catalogue(guard: &Guard) -> Result<CatalogueView, GuardError> {
    let head = guard.head()?;
    let period =
        head.as_ref().map(|head| (head.body.period.from.to_string(), head.body.period.to.to_string()));
    Ok(CatalogueView {
        snapshot: head.map(|head| head.id.to_string()),
        period,
        is_demo: guard.environment.config().demo_seed.is_some(),
        tables: guard.catalogue.tables.values().map(|of| table(guard, of)).collect(),
    })
}

/// One table with its columns.
pub(crate) fn table(guard: &Guard, table: &Table) -> CatalogueTable {
    CatalogueTable {
        name: table.table.clone(),
        database: table.database.clone(),
        ja: table.name.ja.clone(),
        en: table.name.en.clone(),
        row: (table.row.ja.clone(), table.row.en.clone()),
        source: table.source.clone(),
        columns: table.columns.iter().map(|column| column_view(guard, table, column)).collect(),
    }
}

fn column_view(guard: &Guard, table: &Table, column: &Column) -> CatalogueColumn {
    // A looked-up column has the codes of its domain, not those of the code system that it was looked up in.
    let named = match &column.domain {
        Some(Domain::Codes(system)) => Some(system),
        _ => column.codes.as_ref().filter(|_| !matches!(column.treat, Treatment::Lookup(_))),
    };
    let system = named.and_then(|system| guard.catalogue.codes.get(system));
    let codes = system.map(|system| system.codes.as_slice()).unwrap_or_default();
    CatalogueColumn {
        name: column.name.clone(),
        ja: column.ja.clone(),
        en: column.en.clone(),
        class: column.class.as_str().to_owned(),
        kind: kind(column).to_owned(),
        unit: column.unit.clone(),
        usage: usage(table, column).to_owned(),
        note: column.note.clone(),
        codes: codes.iter().map(|code| (code.code.clone(), code.ja.clone(), code.en.clone())).collect(),
    }
}

const fn kind(column: &Column) -> &'static str {
    match column.kind {
        ColumnKind::Id => "number (pseudonym)",
        ColumnKind::String => "text",
        ColumnKind::Date => "date",
        ColumnKind::Month => "date (first of the month)",
        ColumnKind::Int => "whole number",
        ColumnKind::Decimal5 => "decimal number",
        ColumnKind::Bool => "true or false",
        ColumnKind::Days => "days of the month (bits)",
    }
}

fn usage(table: &Table, column: &Column) -> &'static str {
    if !table.is_private() {
        return if table.is_open() { "public" } else { "not queried" };
    }
    match column.class {
        Class::Person => "join, count(DISTINCT …)",
        Class::Record | Class::Facility | Class::Insurer | Class::Municipality => "join",
        Class::Exact => "age_band(…)",
        Class::Quasi if column.domain.is_some() => "filter, group",
        Class::Quasi | Class::Sensitive | Class::Plain => "filter",
        Class::Measure => "filter, sum, avg",
        Class::Direct | Class::Link | Class::Text => "not stored",
    }
}
