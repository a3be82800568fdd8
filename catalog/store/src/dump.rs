//! The rows of the metadata database as a value that either kind of database takes back, for backups.
//!
//! Every table that a migration makes is in it but the lease, which belongs to a living program. Rows go through this
//! crate and not through a server's own tools, so that a backup of one kind can be restored to the other.

use serde::{Deserialize, Serialize};

use crate::database::{Transaction, Value, assembled, tables};
use crate::keys::{from_hex, hex};
use crate::meta::{Meta, MetaError, run};

/// Every row of every table, in the order in which they can be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaDump {
    tables: Vec<TableRows>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TableRows {
    table: String,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Cell {
    Integer(i64),
    Text(String),
    Bytes { hex: String },
    Nothing(()),
}

/// Not of the rows that a backup keeps.
const LEFT_OUT: &str = "lease";

impl MetaDump {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.tables.iter().map(|table| table.rows.len()).sum()
    }
}

impl Meta {
    /// Every row, all of one moment.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn dump(&self) -> Result<MetaDump, MetaError> {
        run("read every row", async {
            let mut reading = self.pool.begin_reading().await?;
            let mut dumped = Vec::new();
            for table in tables().into_iter().filter(|table| *table != LEFT_OUT) {
                let rows = assembled(format!("select * from {table}")).fetch_all(&mut reading).await?;
                let columns = rows.first().map(|row| row.columns().to_vec()).unwrap_or_default();
                let mut rows: Vec<Vec<Cell>> =
                    rows.into_iter().map(|row| row.into_values().into_iter().map(cell).collect()).collect();
                // A database gives rows in any order; the same rows give the same backup.
                rows.sort_by_cached_key(|row| serde_json::to_string(row).unwrap_or_default());
                dumped.push(TableRows { table: table.to_owned(), columns, rows });
            }
            Ok(MetaDump { tables: dumped })
        })
    }

    /// Takes the rows into an empty database, all or none.
    ///
    /// # Errors
    ///
    /// The database has rows, knows less tables or columns than the backup, or gave an error.
    pub fn load(&self, dump: &MetaDump) -> Result<(), MetaError> {
        let known = tables();
        for table in &dump.tables {
            let names = table.columns.iter().all(|name| is_name(name));
            if !known.contains(&table.table.as_str()) || !names {
                return Err(MetaError::Foreign(table.table.clone()));
            }
        }
        if let Some(table) = self.first_with_rows()? {
            return Err(MetaError::NotEmpty(table));
        }
        run("take rows back", async {
            let mut transaction = self.pool.begin().await?;
            for table in &dump.tables {
                for row in &table.rows {
                    insert(&mut transaction, table, row).await?;
                }
            }
            transaction.commit().await
        })
    }

    fn first_with_rows(&self) -> Result<Option<&'static str>, MetaError> {
        run("look for rows", async {
            for table in tables() {
                let text = format!("select 1 as found from {table} limit 1");
                if assembled(text).fetch_optional(&self.pool).await?.is_some() {
                    return Ok(Some(table));
                }
            }
            Ok(None)
        })
    }
}

/// Inserts one row. What is nothing is left out, since a parameter that is nothing would need the column's type.
async fn insert(transaction: &mut Transaction, table: &TableRows, row: &[Cell]) -> Result<(), sqlx::Error> {
    let there = || table.columns.iter().zip(row).filter(|(_, cell)| **cell != Cell::Nothing(()));
    let columns: Vec<String> = there().map(|(name, _)| format!("\"{name}\"")).collect();
    let marks = vec!["?"; columns.len()].join(", ");
    let text = format!("insert into {} ({}) values ({marks})", table.table, columns.join(", "));
    let mut query = assembled(text);
    for (_, cell) in there() {
        query = query.bind(value(cell));
    }
    query.execute(transaction).await.map(drop)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Integer(Some(number)) => Cell::Integer(number),
        Value::Text(Some(text)) => Cell::Text(text),
        Value::Bytes(Some(bytes)) => Cell::Bytes { hex: hex(&bytes) },
        Value::Integer(None) | Value::Text(None) | Value::Bytes(None) => Cell::Nothing(()),
    }
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Integer(number) => Value::Integer(Some(*number)),
        Cell::Text(text) => Value::Text(Some(text.clone())),
        Cell::Bytes { hex } => Value::Bytes(from_hex(hex)),
        Cell::Nothing(()) => Value::Text(None),
    }
}

#[cfg(test)]
mod tests {
    use super::MetaDump;
    use crate::stores::{everywhere, server_url};
    use crate::{Meta, MetaError, PersonRecord};

    fn fill(meta: &Meta) {
        meta.begin_run("月次", "recipe", "t0").unwrap();
        let person = PersonRecord {
            user: "委員'\"".to_owned(),
            roles: "reviewer".to_owned(),
            ..PersonRecord::default()
        };
        meta.set_person(&person).unwrap();
    }

    #[test]
    fn rows_go_from_either_database_to_the_other() {
        everywhere(|from| {
            fill(&from);
            let dump = from.dump().unwrap();
            assert_eq!(dump.rows(), 2);
            let text = serde_json::to_string(&dump).unwrap();
            let read: MetaDump = serde_json::from_str(&text).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let file = Meta::open(&folder.path().join("other.sqlite")).unwrap();
            let server = Meta::connect(&server_url()).unwrap();
            for to in [file, server] {
                to.load(&read).unwrap();
                assert_eq!(to.dump().unwrap(), dump);
                assert_eq!(to.begin_run("次", "recipe", "t1").unwrap().id, 2);
                assert!(matches!(to.load(&read), Err(MetaError::NotEmpty(_))));
            }
        });
    }

    #[test]
    fn tables_that_are_not_ours_are_not_taken() {
        let foreign = r#"{"tables":[{"table":"run; drop table run","columns":[],"rows":[[]]}]}"#;
        let quoted = r#"{"tables":[{"table":"run","columns":["a\") values (1); --"],"rows":[]}]}"#;
        everywhere(|meta| {
            for text in [foreign, quoted] {
                let dump: MetaDump = serde_json::from_str(text).unwrap();
                assert!(matches!(meta.load(&dump), Err(MetaError::Foreign(_))));
            }
        });
    }
}
