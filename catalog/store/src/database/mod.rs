//! The database beneath the metadata: SQLite inside the environment, or PostgreSQL on a server.
//!
//! Both are reached by one kind of [`Query`], so that a theme (deliveries, cases, runs …) writes its SQL once. The `Any`
//! driver of sqlx is not used: it loses the types of columns. What differs between the two (types of columns, marks of
//! parameters) is told in `dialect.rs` and nowhere else.

mod dialect;
mod migrations;
mod query;
mod rows;

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr as _;
use std::sync::{Mutex, PoisonError};

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, Postgres};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Error, Sqlite};

pub(crate) use migrations::{migrate, tables};
pub(crate) use query::{Value, assembled, query};
pub(crate) use rows::Row;

/// An open database.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    /// A file of the environment.
    Sqlite(SqlitePool),
    /// A server.
    Postgres(PgPool),
}

/// Statements that hold together: all of them or none.
#[derive(Debug)]
pub(crate) enum Transaction {
    /// On the file.
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    /// On the server.
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// Servers this process is connected to, by address. One connection each, which is never closed: a program that locks
/// itself in connects before and can open no socket afterwards.
static SERVERS: Mutex<BTreeMap<String, PgPool>> = Mutex::new(BTreeMap::new());

impl Database {
    /// Opens the file at `path`, which is made where there is none.
    pub(crate) async fn file(path: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        Ok(Self::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_with(options).await?))
    }

    /// Connects to the server at `url`, or takes the connection that is there.
    pub(crate) async fn server(url: &str) -> Result<Self, Error> {
        let known = SERVERS.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
        if let Some(pool) = known {
            return Ok(Self::Postgres(pool));
        }
        let options = PgConnectOptions::from_str(url)?.application_name("misu");
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Self::Postgres(servers.entry(url.to_owned()).or_insert(pool).clone()))
    }

    /// Begins statements that write.
    pub(crate) async fn begin(&self) -> Result<Transaction, Error> {
        Ok(match self {
            // A transaction that reads first and writes then would be turned away where another writes in between.
            Self::Sqlite(pool) => Transaction::Sqlite(pool.begin_with("begin immediate").await?),
            Self::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
        })
    }

    /// Begins statements that read, all of one moment.
    pub(crate) async fn begin_reading(&self) -> Result<Transaction, Error> {
        Ok(match self {
            Self::Sqlite(pool) => Transaction::Sqlite(pool.begin().await?),
            Self::Postgres(pool) => Transaction::Postgres(
                pool.begin_with("begin isolation level repeatable read read only").await?,
            ),
        })
    }

    /// Whether it is a file of the environment.
    pub(crate) const fn is_file(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }
}

impl Transaction {
    /// Makes the statements hold.
    pub(crate) async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
    }
}
