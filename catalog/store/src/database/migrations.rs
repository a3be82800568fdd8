//! The schema, as numbered steps that a database takes once each.
//!
//! A theme that needs a table adds a file to `migrations/` and a line here; a step that was published is never changed.
//! Files are SQL in SQLite's `strict` form; `dialect.rs` tells them in PostgreSQL's words. Columns whose names are words
//! of PostgreSQL (`user`, `order`, `end` …) are quoted everywhere. A table that a file makes is part of backups.

use sqlx::Error;

use super::{Database, Transaction, dialect, query};

/// A step: its number, which is never used again, and its statements.
const STEPS: [(i64, &str); 5] = [
    (1, include_str!("../../migrations/0001-deliveries.sql")),
    (2, include_str!("../../migrations/0002-lease.sql")),
    (3, include_str!("../../migrations/0003-runs.sql")),
    (4, include_str!("../../migrations/0004-cases.sql")),
    (8, include_str!("../../migrations/0008-accounts.sql")),
];

/// Which steps were taken.
const TAKEN: &str = "create table if not exists schema_step (number integer primary key) strict;";

/// Takes the steps that the database has not taken.
pub(crate) async fn migrate(database: &Database) -> Result<(), Error> {
    if taken(database).await.is_ok_and(|taken| STEPS.iter().all(|(number, _)| taken.contains(number))) {
        return Ok(());
    }
    let mut transaction = database.begin().await?;
    if let Transaction::Postgres(open) = &mut transaction {
        // Two programs that open a new database at once would make the same table twice.
        sqlx::raw_sql("select pg_advisory_xact_lock(6500451)").execute(&mut **open).await?;
    }
    script(&mut transaction, TAKEN).await?;
    for (number, text) in STEPS {
        let done = query("insert into schema_step (number) values (?) on conflict do nothing")
            .bind(number)
            .execute(&mut transaction)
            .await?;
        if done.rows_affected() == 1 {
            script(&mut transaction, text).await?;
        }
    }
    transaction.commit().await
}

async fn taken(database: &Database) -> Result<Vec<i64>, Error> {
    let rows = query("select number from schema_step").fetch_all(database).await?;
    rows.iter().map(|row| row.try_get("number")).collect()
}

async fn script(transaction: &mut Transaction, text: &'static str) -> Result<(), Error> {
    match transaction {
        Transaction::Sqlite(open) => sqlx::raw_sql(text).execute(&mut **open).await.map(drop),
        Transaction::Postgres(open) => {
            let told = sqlx::AssertSqlSafe(dialect::schema(text));
            sqlx::raw_sql(told).execute(&mut **open).await.map(drop)
        }
    }
}

/// The tables of the schema in the order in which they are made, so that each comes after those it refers to.
pub(crate) fn tables() -> Vec<&'static str> {
    let lines = STEPS.iter().flat_map(|(_, text)| text.lines());
    lines.filter_map(|line| line.strip_prefix("create table if not exists ")?.split(' ').next()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{STEPS, tables};

    #[test]
    fn steps_have_numbers_of_their_own_in_order() {
        assert!(STEPS.is_sorted_by(|one, next| one.0 < next.0));
    }

    #[test]
    fn every_table_is_known_once() {
        let named: BTreeSet<&str> = tables().into_iter().collect();
        assert_eq!(named.len(), tables().len());
        let made: usize = STEPS.iter().map(|(_, text)| text.matches("create table").count()).sum();
        assert_eq!(named.len(), made);
    }
}
