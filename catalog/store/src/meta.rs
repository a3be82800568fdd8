//! The metadata database: what the environment knows of deliveries, runs, people and cases.
//!
//! SQLite inside the environment, or PostgreSQL where `database_url` says so. Everything that names a person of the data
//! stays out of it. Each theme has a file with its own records and queries (`deliveries.rs`, `history.rs`, `cases.rs` …)
//! and its tables in `migrations/`; this one opens the database and says what can go wrong.

use std::path::Path;
use std::time::Duration;

use crate::blocking::wait;
use crate::database::{Database, migrate, query};

/// The metadata database.
#[derive(Clone, Debug)]
pub struct Meta {
    pub(crate) pool: Database,
    /// The lease that must still stand where something of the environment is to change; none outside of a writer.
    pub(crate) lease: Option<String>,
}

/// Why the metadata database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// The database gave an error.
    #[error("the metadata database cannot {action}")]
    Database {
        /// What was tried.
        action: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// Another program took the environment.
    #[error(
        "this program was silent for too long and another took the environment; nothing was changed, run it again"
    )]
    Lost,
    /// Rows of a backup would be mixed with rows that are there.
    #[error("the metadata database has rows already (table {0}); a backup goes into an empty one")]
    NotEmpty(&'static str),
    /// A backup has a table that this program does not know.
    #[error("the backup's table {0} is not one of this program's; use a newer one")]
    Foreign(String),
    /// The operating system gave no runtime.
    #[error("the operating system gave no event loop")]
    Runtime,
}

/// How a lease that was lost comes out of a transaction.
pub(crate) const LOST: &str = "the lease is another's";

// What format 1 lacks; a new database has it from the start.
const SINCE_FORMAT_1: [(&str, &str); 5] = [
    ("generation", "alter table delivery add column generation integer not null default 0"),
    ("state", "alter table delivery add column state text not null default 'held'"),
    ("state_at", "alter table delivery add column state_at text not null default ''"),
    ("state_note", "alter table delivery add column state_note text not null default ''"),
    ("raw_deleted", "alter table delivery add column raw_deleted text not null default ''"),
];

impl Meta {
    /// Opens the database in the file at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, MetaError> {
        Self::ready(Database::file(path))
    }

    /// Opens the database on the server at `url`.
    pub(crate) fn connect(url: &str) -> Result<Self, MetaError> {
        Self::ready(Database::server(url))
    }

    /// Connects to the server at `url` and waits until this process is of one thread again.
    pub(crate) fn connect_ahead(url: &str) -> Result<(), MetaError> {
        Self::connect(url)?;
        let threads = || std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
        for _ in 0..200 {
            if threads() == 1 {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn ready(opening: impl Future<Output = Result<Database, sqlx::Error>>) -> Result<Self, MetaError> {
        run("open", async {
            let pool = opening.await?;
            migrate(&pool).await?;
            Ok(Self { pool, lease: None })
        })
    }

    /// Brings a database of format 1 to the present schema; one that is there already stays as it is.
    pub(crate) fn upgrade(&self) -> Result<(), MetaError> {
        if !self.pool.is_file() {
            return Ok(());
        }
        run("bring the schema up to date", async {
            let mut transaction = self.pool.begin().await?;
            let rows =
                query("select name from pragma_table_info('delivery')").fetch_all(&mut transaction).await?;
            let names = rows.iter().map(|row| row.try_get("name")).collect::<Result<Vec<String>, _>>()?;
            for (_, step) in
                SINCE_FORMAT_1.iter().filter(|(column, _)| names.iter().all(|name| name != column))
            {
                query(step).execute(&mut transaction).await?;
            }
            transaction.commit().await
        })
    }
}

pub(crate) fn run<T>(
    action: &'static str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, MetaError> {
    wait(work).ok_or(MetaError::Runtime)?.map_err(|source| match source {
        sqlx::Error::Protocol(text) if text == LOST => MetaError::Lost,
        source => MetaError::Database { action, source },
    })
}

// SQLite has signed numbers only; counts of lines and bytes never reach the sign.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
