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
    pub(crate) pool: SqlitePool,
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
    /// How often it was read again: 0 for the first reading.
    pub generation: u32,
    /// Whether its rows count.
    pub standing: Standing,
    /// When the raw delivery was deleted, as RFC 3339 text, where it was.
    pub raw_deleted: Option<String>,
    /// The account of each file, in the delivery's order.
    pub files: Vec<FileAccount>,
}

impl DeliveryRecord {
    /// The name of its folders below `staging/` and of its list of faults.
    pub fn staged(&self) -> String {
        staged(&self.id, self.generation)
    }
}

/// The name of the folders of one reading of a delivery.
pub fn staged(id: &str, generation: u32) -> String {
    if generation == 0 { id.to_owned() } else { format!("{id}.r{generation}") }
}

/// Whether a delivery's rows count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They do.
    Held,
    /// The holder took it back.
    Recalled {
        /// When, as RFC 3339 text.
        at: String,
        /// Why, in the custodian's words.
        why: String,
    },
    /// A corrected delivery of the same name took its place.
    Replaced {
        /// When, as RFC 3339 text.
        at: String,
        /// The id of the corrected delivery.
        by: String,
    },
}

impl Standing {
    /// Says whether the delivery's rows count.
    pub fn is_held(&self) -> bool {
        *self == Self::Held
    }

    fn columns(&self) -> (&'static str, &str, &str) {
        match self {
            Self::Held => ("held", "", ""),
            Self::Recalled { at, why } => ("recalled", at, why),
            Self::Replaced { at, by } => ("replaced", at, by),
        }
    }

    fn read(state: &str, at: String, note: String) -> Self {
        match state {
            "recalled" => Self::Recalled { at, why: note },
            "replaced" => Self::Replaced { at, by: note },
            _ => Self::Held,
        }
    }
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
  month text not null, taken_in text not null, parts integer not null,
  generation integer not null default 0, state text not null default 'held',
  state_at text not null default '', state_note text not null default '', raw_deleted text not null default ''
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
create table if not exists lease (
  id integer primary key check (id = 1), token text not null, what text not null, host text not null,
  boot text not null, pid integer not null, started integer not null, since text not null, beat integer not null
) strict;
create table if not exists run (
  id integer primary key, pipeline text not null, recipe text not null, started text not null,
  ended text not null default '', state text not null, resumes integer, snapshot text not null default ''
) strict;
create table if not exists step (
  run integer not null references run (id), number integer not null, name text not null, kind text not null,
  state text not null, input text not null, output text not null, why text not null,
  started text not null, ended text not null, primary key (run, number)
) strict;
create index if not exists step_input on step (input);
";

// What format 1 lacks; a new database has it from the start.
const SINCE_FORMAT_1: [(&str, &str); 5] = [
    ("generation", "alter table delivery add column generation integer not null default 0"),
    ("state", "alter table delivery add column state text not null default 'held'"),
    ("state_at", "alter table delivery add column state_at text not null default ''"),
    ("state_note", "alter table delivery add column state_note text not null default ''"),
    ("raw_deleted", "alter table delivery add column raw_deleted text not null default ''"),
];

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
            sqlx::raw_sql(crate::cases::SCHEMA).execute(&pool).await?;
            sqlx::raw_sql(crate::accounts::SCHEMA).execute(&pool).await?;
            Ok(pool)
        });
        let pool = opened
            .ok_or(MetaError::Runtime)?
            .map_err(|source| MetaError::Database { action: "open", source })?;
        Ok(Self { pool })
    }

    /// Brings a database of format 1 to the present schema; one that is there already stays as it is.
    pub(crate) fn upgrade(&self) -> Result<(), MetaError> {
        run("bring the schema up to date", async {
            let mut transaction = self.pool.begin().await?;
            let rows = sqlx::query("select name from pragma_table_info('delivery')")
                .fetch_all(&mut *transaction)
                .await?;
            let names = rows.iter().map(|row| row.try_get("name")).collect::<Result<Vec<String>, _>>()?;
            for (_, step) in
                SINCE_FORMAT_1.iter().filter(|(column, _)| names.iter().all(|name| name != column))
            {
                sqlx::query(*step).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        })
    }

    /// Records a delivery that was taken in, and that it took the place of the one with the id `replaces`: all or
    /// nothing.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn add_delivery(&self, delivery: &DeliveryRecord, replaces: Option<&str>) -> Result<(), MetaError> {
        run("record a delivery", async {
            let mut transaction = self.pool.begin().await?;
            insert(&mut transaction, delivery).await?;
            if let Some(former) = replaces {
                let standing = Standing::Replaced { at: delivery.taken_in.clone(), by: delivery.id.clone() };
                stand(&mut transaction, former, &standing).await?;
            }
            transaction.commit().await
        })
    }

    /// Puts another reading of a delivery in the place of the one before, all or nothing.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn replace_reading(&self, delivery: &DeliveryRecord) -> Result<(), MetaError> {
        run("record another reading of a delivery", async {
            let mut transaction = self.pool.begin().await?;
            let statements = [
                "delete from quarantined where delivery = ?",
                "delete from dropped where delivery = ?",
                "delete from file where delivery = ?",
                "delete from delivery where id = ?",
            ];
            for statement in statements {
                sqlx::query(statement).bind(&delivery.id).execute(&mut *transaction).await?;
            }
            insert(&mut transaction, delivery).await?;
            transaction.commit().await
        })
    }

    /// Says of a delivery whether its rows count.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn set_standing(&self, id: &str, standing: &Standing) -> Result<(), MetaError> {
        run("record a delivery's standing", async {
            let mut transaction = self.pool.begin().await?;
            stand(&mut transaction, id, standing).await?;
            transaction.commit().await
        })
    }

    /// Records that the raw delivery was deleted.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn set_raw_deleted(&self, id: &str, at: &str) -> Result<(), MetaError> {
        run("record a deletion", async {
            sqlx::query("update delivery set raw_deleted = ? where id = ?")
                .bind(at)
                .bind(id)
                .execute(&self.pool)
                .await
        })
        .map(drop)
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

    /// Every delivery whose rows count, with its accounts, by id.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn deliveries(&self) -> Result<Vec<DeliveryRecord>, MetaError> {
        let mut deliveries = self.every_delivery()?;
        deliveries.retain(|delivery| delivery.standing.is_held());
        Ok(deliveries)
    }

    /// Every delivery that was ever taken in, those recalled and replaced as well, by id.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn every_delivery(&self) -> Result<Vec<DeliveryRecord>, MetaError> {
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
                    generation: row.try_get("generation")?,
                    standing: Standing::read(
                        row.try_get("state")?,
                        row.try_get("state_at")?,
                        row.try_get("state_note")?,
                    ),
                    raw_deleted: Some(row.try_get("raw_deleted")?).filter(|at: &String| !at.is_empty()),
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

async fn insert(
    transaction: &mut Transaction<'_, Sqlite>,
    delivery: &DeliveryRecord,
) -> Result<(), sqlx::Error> {
    let (state, at, note) = delivery.standing.columns();
    sqlx::query(
        "insert into delivery (id, name, database, holder, month, taken_in, parts, generation, state, state_at,
         state_note, raw_deleted) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&delivery.id)
    .bind(&delivery.name)
    .bind(&delivery.database)
    .bind(&delivery.holder)
    .bind(&delivery.month)
    .bind(&delivery.taken_in)
    .bind(delivery.parts)
    .bind(delivery.generation)
    .bind(state)
    .bind(at)
    .bind(note)
    .bind(delivery.raw_deleted.as_deref().unwrap_or_default())
    .execute(&mut **transaction)
    .await?;
    for (number, file) in delivery.files.iter().enumerate() {
        add_file(transaction, &delivery.id, number, file).await?;
    }
    Ok(())
}

async fn stand(
    transaction: &mut Transaction<'_, Sqlite>,
    id: &str,
    standing: &Standing,
) -> Result<(), sqlx::Error> {
    let (state, at, note) = standing.columns();
    sqlx::query("update delivery set state = ?, state_at = ?, state_note = ? where id = ?")
        .bind(state)
        .bind(at)
        .bind(note)
        .bind(id)
        .execute(&mut **transaction)
        .await?;
    Ok(())
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

pub(crate) fn run<T>(
    action: &'static str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, MetaError> {
    wait(work).ok_or(MetaError::Runtime)?.map_err(|source| MetaError::Database { action, source })
}

// SQLite has signed numbers only; counts of lines and bytes never reach the sign.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn index(value: i64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use catalog_model::FaultKind;

    use super::{Account, DeliveryRecord, FileAccount, Meta, Standing};

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
            generation: 0,
            standing: Standing::Held,
            raw_deleted: None,
            files: vec![FileAccount { path: text("a.UKE"), family: text("ndb-medical"), bytes: 99, account }],
        }
    }

    #[test]
    fn what_was_recorded_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::open(&folder.path().join("meta.sqlite")).unwrap();
        assert!(!meta.has_delivery("b").unwrap());
        meta.add_delivery(&delivery("b"), None).unwrap();
        meta.add_delivery(&delivery("a"), None).unwrap();
        assert!(meta.has_delivery("b").unwrap());
        assert_eq!(meta.deliveries().unwrap(), [delivery("a"), delivery("b")]);
        assert!(meta.add_delivery(&delivery("a"), None).is_err());
    }

    #[test]
    fn a_corrected_delivery_takes_the_place_of_the_former_and_history_keeps_both() {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::open(&folder.path().join("meta.sqlite")).unwrap();
        meta.add_delivery(&delivery("a"), None).unwrap();
        meta.add_delivery(&delivery("b"), Some("a")).unwrap();
        let again = DeliveryRecord { generation: 1, parts: 2, ..delivery("b") };
        meta.replace_reading(&again).unwrap();
        assert_eq!(meta.deliveries().unwrap(), [again]);
        let every = meta.every_delivery().unwrap();
        let replaced = Standing::Replaced { at: "2026-11-20T00:00:00Z".to_owned(), by: "b".to_owned() };
        assert_eq!((every.len(), &every[0].standing), (2, &replaced));
    }

    #[test]
    fn an_account_closes_when_every_line_has_a_fate() {
        let mut account = delivery("a").files.remove(0).account;
        assert!(account.closes());
        account.stored -= 1;
        assert!(!account.closes());
    }
}
