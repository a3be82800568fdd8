//! The metadata database: which deliveries lie in the environment, and the account of every file.
//!
//! SQLite inside the environment. Everything that names a person stays out of it: it holds counts, digests, names of
//! deliveries and paths of delivered files.

use std::collections::BTreeMap;
use std::path::Path;

use catalog_model::FaultKind;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Row as _, Sqlite, Transaction};

use crate::blocking::wait;

/// The metadata database.
#[derive(Clone, Debug)]
pub struct Meta {
    pool: SqlitePool,
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
    /// The operating system gave no runtime.
    #[error("the operating system gave no event loop")]
    Runtime,
}

/// A delivery that was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The digest of its list of files, which identifies it.
    pub id: String,
    /// The holder's name for it.
    pub name: String,
    /// The database it belongs to.
    pub database: String,
    /// Who handed it over.
    pub holder: String,
    /// The month it is for, as `2023-04`.
    pub month: String,
    /// When it was taken in, as RFC 3339 text.
    pub taken_in: String,
    /// The number of parts it was staged in.
    pub parts: u32,
    /// The account of each file, in the delivery's order.
    pub files: Vec<FileAccount>,
}

/// What became of one delivered file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAccount {
    /// The path below the delivery folder.
    pub path: String,
    /// The family of its layout.
    pub family: String,
    /// The size in bytes.
    pub bytes: u64,
    /// What became of its lines.
    pub account: Account,
}

/// What became of lines: each is stored, deliberately dropped for a reason, or in quarantine with a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Lines read.
    pub read: u64,
    /// Lines whose content went into a table.
    pub stored: u64,
    /// Lines dropped by class, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Lines in quarantine, by kind.
    pub quarantined: BTreeMap<FaultKind, u64>,
}

impl Account {
    /// Lines dropped by class.
    pub fn dropped_lines(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Lines in quarantine.
    pub fn quarantined_lines(&self) -> u64 {
        self.quarantined.values().sum()
    }

    /// Says whether every line read is stored, dropped or in quarantine.
    pub fn closes(&self) -> bool {
        self.read == self.stored + self.dropped_lines() + self.quarantined_lines()
    }

    /// Adds another account's lines.
    pub fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.stored += other.stored;
        for (reason, lines) in &other.dropped {
            *self.dropped.entry(reason.clone()).or_default() += lines;
        }
        for (kind, lines) in &other.quarantined {
            *self.quarantined.entry(*kind).or_default() += lines;
        }
    }
}

const SCHEMA: &str = "
create table if not exists delivery (
  id text primary key, name text not null, database text not null, holder text not null,
  month text not null, taken_in text not null, parts integer not null
) strict;
create table if not exists file (
  delivery text not null references delivery (id), number integer not null, path text not null,
  family text not null, bytes integer not null, lines_read integer not null, lines_stored integer not null,
  primary key (delivery, number)
) strict;
create table if not exists dropped (
  delivery text not null, number integer not null, reason text not null, lines integer not null,
  primary key (delivery, number, reason), foreign key (delivery, number) references file (delivery, number)
) strict;
create table if not exists quarantined (
  delivery text not null, number integer not null, kind text not null, lines integer not null,
  primary key (delivery, number, kind), foreign key (delivery, number) references file (delivery, number)
) strict;
";

impl Meta {
    pub(crate) fn open(path: &Path) -> Result<Self, MetaError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let opened = wait(async {
            let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
            sqlx::raw_sql(SCHEMA).execute(&pool).await?;
            Ok(pool)
        });
        let pool = opened
            .ok_or(MetaError::Runtime)?
            .map_err(|source| MetaError::Database { action: "open", source })?;
        Ok(Self { pool })
    }

    /// Records a delivery that was taken in, all or nothing.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn add_delivery(&self, delivery: &DeliveryRecord) -> Result<(), MetaError> {
        run("record a delivery", async {
            let mut transaction = self.pool.begin().await?;
            sqlx::query("insert into delivery values (?, ?, ?, ?, ?, ?, ?)")
                .bind(&delivery.id)
                .bind(&delivery.name)
                .bind(&delivery.database)
                .bind(&delivery.holder)
                .bind(&delivery.month)
                .bind(&delivery.taken_in)
                .bind(delivery.parts)
                .execute(&mut *transaction)
                .await?;
            for (number, file) in delivery.files.iter().enumerate() {
                add_file(&mut transaction, &delivery.id, number, file).await?;
            }
            transaction.commit().await
        })
    }

    /// Says whether the delivery was taken in before.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn has_delivery(&self, id: &str) -> Result<bool, MetaError> {
        run("look for a delivery", async {
            let found = sqlx::query("select 1 from delivery where id = ?")
                .bind(id)
                .fetch_optional(&self.pool)
                .await?;
            Ok(found.is_some())
        })
    }

    /// Every delivery with its accounts, by id.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn deliveries(&self) -> Result<Vec<DeliveryRecord>, MetaError> {
        run("list deliveries", async {
            let rows = sqlx::query("select * from delivery order by id").fetch_all(&self.pool).await?;
            let mut deliveries = Vec::with_capacity(rows.len());
            for row in rows {
                let id: String = row.try_get("id")?;
                let files = self.files(&id).await?;
                deliveries.push(DeliveryRecord {
                    name: row.try_get("name")?,
                    database: row.try_get("database")?,
                    holder: row.try_get("holder")?,
                    month: row.try_get("month")?,
                    taken_in: row.try_get("taken_in")?,
                    parts: row.try_get("parts")?,
                    id,
                    files,
                });
            }
            Ok(deliveries)
        })
    }

    async fn files(&self, delivery: &str) -> Result<Vec<FileAccount>, sqlx::Error> {
        let rows = sqlx::query("select * from file where delivery = ? order by number")
            .bind(delivery)
            .fetch_all(&self.pool)
            .await?;
        let mut files = Vec::with_capacity(rows.len());
        for row in rows {
            files.push(FileAccount {
                path: row.try_get("path")?,
                family: row.try_get("family")?,
                bytes: unsigned(row.try_get("bytes")?),
                account: Account {
                    read: unsigned(row.try_get("lines_read")?),
                    stored: unsigned(row.try_get("lines_stored")?),
                    ..Account::default()
                },
            });
        }
        let reasons = sqlx::query("select number, reason, lines from dropped where delivery = ?")
            .bind(delivery)
            .fetch_all(&self.pool)
            .await?;
        for row in reasons {
            if let Some(file) = files.get_mut(index(row.try_get("number")?)) {
                file.account.dropped.insert(row.try_get("reason")?, unsigned(row.try_get("lines")?));
            }
        }
        let kinds = sqlx::query("select number, kind, lines from quarantined where delivery = ?")
            .bind(delivery)
            .fetch_all(&self.pool)
            .await?;
        for row in kinds {
            let kind = FaultKind::parse(row.try_get("kind")?);
            if let (Some(file), Some(kind)) = (files.get_mut(index(row.try_get("number")?)), kind) {
                file.account.quarantined.insert(kind, unsigned(row.try_get("lines")?));
            }
        }
        Ok(files)
    }
}

async fn add_file(
    transaction: &mut Transaction<'_, Sqlite>,
    delivery: &str,
    number: usize,
    file: &FileAccount,
) -> Result<(), sqlx::Error> {
    let number = signed(number as u64);
    sqlx::query("insert into file values (?, ?, ?, ?, ?, ?, ?)")
        .bind(delivery)
        .bind(number)
        .bind(&file.path)
        .bind(&file.family)
        .bind(signed(file.bytes))
        .bind(signed(file.account.read))
        .bind(signed(file.account.stored))
        .execute(&mut **transaction)
        .await?;
    for (reason, lines) in &file.account.dropped {
        sqlx::query("insert into dropped values (?, ?, ?, ?)")
            .bind(delivery)
            .bind(number)
            .bind(reason)
            .bind(signed(*lines))
            .execute(&mut **transaction)
            .await?;
    }
    for (kind, lines) in &file.account.quarantined {
        sqlx::query("insert into quarantined values (?, ?, ?, ?)")
            .bind(delivery)
            .bind(number)
            .bind(kind.as_str())
            .bind(signed(*lines))
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

fn run<T>(action: &'static str, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, MetaError> {
    wait(work).ok_or(MetaError::Runtime)?.map_err(|source| MetaError::Database { action, source })
}

// SQLite has signed numbers only; counts of lines and bytes never reach the sign.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn index(value: i64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use catalog_model::FaultKind;

    use super::{Account, DeliveryRecord, FileAccount, Meta};

    fn delivery(id: &str) -> DeliveryRecord {
        let account = Account {
            read: 10,
            stored: 6,
            dropped: BTreeMap::from([("trailer".to_owned(), 1)]),
            quarantined: BTreeMap::from([(FaultKind::Date, 2), (FaultKind::Orphan, 1)]),
        };
        let text = |text: &str| text.to_owned();
        DeliveryRecord {
            id: text(id),
            name: text("ndb-2023-04"),
            database: text("ndb"),
            holder: text("架空の支払機関"),
            month: text("2023-04"),
            taken_in: text("2026-11-20T00:00:00Z"),
            parts: 1,
            files: vec![FileAccount { path: text("a.UKE"), family: text("ndb-medical"), bytes: 99, account }],
        }
    }

    #[test]
    fn what_was_recorded_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::open(&folder.path().join("meta.sqlite")).unwrap();
        assert!(!meta.has_delivery("b").unwrap());
        meta.add_delivery(&delivery("b")).unwrap();
        meta.add_delivery(&delivery("a")).unwrap();
        assert!(meta.has_delivery("b").unwrap());
        assert_eq!(meta.deliveries().unwrap(), [delivery("a"), delivery("b")]);
        assert!(meta.add_delivery(&delivery("a")).is_err());
    }

    #[test]
    fn an_account_closes_when_every_line_has_a_fate() {
        let mut account = delivery("a").files.remove(0).account;
        assert!(account.closes());
        account.stored -= 1;
        assert!(!account.closes());
    }
}
