//! What a caller's permit covers, as Flight SQL's metadata: one catalog, its tables and columns.
//!
//! Granted tables lie in the schema without a name, since our SQL writes them without one; `misu` holds the tables that
//! say what may be asked.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow_flight::sql::metadata::{GetTablesBuilder, SqlInfoData, SqlInfoDataBuilder};
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetDbSchemas, CommandGetTableTypes, CommandGetTables, SqlInfo,
};
use engine_protocol::ReleasedTable;

use super::service::Door;
use super::status;
use crate::caller::{Answer, Ask, Caller};
use tonic::Status;

/// The one catalog.
const CATALOG: &str = "misu";
/// The schema of what may be asked.
const ABOUT: &str = "misu";
/// The one kind of table.
const TABLE: &str = "TABLE";

/// What the server is and can do.
pub(super) static SERVER: LazyLock<Result<SqlInfoData, ArrowError>> = LazyLock::new(|| {
    let mut builder = SqlInfoDataBuilder::new();
    builder.append(SqlInfo::FlightSqlServerName, "misu");
    builder.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    builder.append(SqlInfo::FlightSqlServerArrowVersion, "1.3");
    builder.append(SqlInfo::FlightSqlServerReadOnly, true);
    builder.append(SqlInfo::FlightSqlServerSql, true);
    builder.append(SqlInfo::FlightSqlServerSubstrait, false);
    builder.append(SqlInfo::FlightSqlServerTransaction, 0_i32);
    builder.append(SqlInfo::FlightSqlServerCancel, true);
    builder.append(SqlInfo::FlightSqlServerBulkIngestion, false);
    builder.build().map_err(|error| ArrowError::ExternalError(error.into()))
});

/// The catalogs.
pub(super) fn catalogs(query: CommandGetCatalogs) -> Result<RecordBatch, Status> {
    let mut builder = query.into_builder();
    builder.append(CATALOG);
    builder.build().map_err(|_| status::ours())
}

/// The schemas.
pub(super) fn schemas(query: CommandGetDbSchemas) -> Result<RecordBatch, Status> {
    let mut builder = query.into_builder();
    builder.append(CATALOG, "");
    builder.append(CATALOG, ABOUT);
    builder.build().map_err(|_| status::ours())
}

/// The kinds of tables.
pub(super) fn table_types(query: CommandGetTableTypes) -> Result<RecordBatch, Status> {
    let mut builder = query.into_builder();
    builder.append(TABLE);
    builder.build().map_err(|_| status::ours())
}

/// The tables that the permit covers, with their granted columns where asked for.
pub(super) async fn tables(
    door: &Door,
    caller: &Caller,
    query: CommandGetTables,
) -> Result<RecordBatch, Status> {
    let columns = asked(door, caller, "SELECT \"table\", name, type FROM misu.columns").await?;
    let mut granted: BTreeMap<String, Vec<Field>> = BTreeMap::new();
    for row in &columns.rows {
        if let [table, name, kind] = row.as_slice() {
            let field = Field::new(name.text(), arrow_type(&kind.text()), true);
            granted.entry(table.text()).or_default().push(field);
        }
    }
    let mut builder: GetTablesBuilder = query.into_builder();
    let mut append = |schema: &str, table: &str, fields: Vec<Field>| {
        builder.append(CATALOG, schema, table, TABLE, &Schema::new(fields)).map_err(|_| status::ours())
    };
    for (table, fields) in granted {
        append("", &table, fields)?;
    }
    for table in ["columns", "functions", "tables"] {
        let about = asked(door, caller, &format!("SELECT * FROM misu.{table} WHERE name = ''")).await?;
        let field = |column: &engine_protocol::TableColumn| Field::new(&column.name, DataType::Utf8, false);
        append(ABOUT, table, about.columns.iter().map(field).collect())?;
    }
    builder.build().map_err(|_| status::ours())
}

/// A type of ours in Arrow's words, as a protected plan sees it.
fn arrow_type(kind: &str) -> DataType {
    match kind {
        "id" => DataType::UInt32,
        "date" | "month" => DataType::Date32,
        "int" => DataType::Int64,
        "decimal" => DataType::Decimal128(18, 5),
        "bool" => DataType::Boolean,
        "days" => DataType::UInt32,
        _ => DataType::Utf8,
    }
}

async fn asked(door: &Door, caller: &Caller, sql: &str) -> Result<Arc<ReleasedTable>, Status> {
    match door.gateway.ask_for(caller, Ask::Query(sql.to_owned())).await {
        Ok(Answer::Released(table)) => Ok(table),
        Ok(Answer::Verdict(verdict)) => Err(status::of_verdict(&verdict, sql)),
        Ok(Answer::Withheld) => Err(status::withheld()),
        Ok(Answer::Held(output)) => Err(status::held(&output)),
        Ok(Answer::Stopped) => Err(Status::cancelled("the question was stopped")),
        Ok(Answer::Estimate(..) | Answer::Fault) => Err(status::ours()),
        Err(error) => Err(status::no_answer(&error)),
    }
}
