//! One statement with its parameters, for either database.

use sqlx::{AssertSqlSafe, Error};

use super::rows::{Row, of_postgres, of_sqlite};
use super::{Database, Transaction, dialect};

/// A value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A text, or none.
    Text(Option<String>),
    /// A whole number, or none.
    Integer(Option<i64>),
    /// Bytes, or none.
    Bytes(Option<Vec<u8>>),
}

/// A statement with its parameters.
#[derive(Debug)]
pub(crate) struct Query {
    text: String,
    values: Vec<Value>,
}

/// What a statement is run on.
#[derive(Debug)]
pub(crate) enum On<'a> {
    /// The database, by itself.
    Database(&'a Database),
    /// A transaction.
    Transaction(&'a mut Transaction),
}

/// What a statement did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done(u64);

impl Done {
    /// How many rows it wrote or removed.
    pub(crate) const fn rows_affected(self) -> u64 {
        self.0
    }
}

/// A statement of this crate. Parameters are `?`, or `?1` where one is used twice.
pub(crate) fn query(text: &'static str) -> Query {
    Query { text: text.to_owned(), values: Vec::new() }
}

/// A statement put together of names that the schema gives; never of a value.
pub(crate) fn assembled(text: String) -> Query {
    Query { text, values: Vec::new() }
}

macro_rules! bound {
    ($text:expr, $values:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($text));
        for value in $values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Integer(number) => query.bind(number),
                Value::Bytes(bytes) => query.bind(bytes),
            };
        }
        query
    }};
}

impl Query {
    /// Gives the next parameter its value.
    #[must_use]
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs the statement.
    pub(crate) async fn execute<'a>(self, on: impl Into<On<'a>>) -> Result<Done, Error> {
        let Self { text, values } = self;
        let told = || dialect::parameters(&text);
        let rows = match on.into() {
            On::Database(Database::Sqlite(pool)) => bound!(text, values).execute(pool).await?.rows_affected(),
            On::Transaction(Transaction::Sqlite(open)) => {
                bound!(text, values).execute(&mut **open).await?.rows_affected()
            }
            On::Database(Database::Postgres(pool)) => {
                bound!(told(), values).execute(pool).await?.rows_affected()
            }
            On::Transaction(Transaction::Postgres(open)) => {
                bound!(told(), values).execute(&mut **open).await?.rows_affected()
            }
        };
        Ok(Done(rows))
    }

    /// Runs the statement and reads every row.
    pub(crate) async fn fetch_all<'a>(self, on: impl Into<On<'a>>) -> Result<Vec<Row>, Error> {
        let Self { text, values } = self;
        let told = || dialect::parameters(&text);
        match on.into() {
            On::Database(Database::Sqlite(pool)) => of_sqlite(&bound!(text, values).fetch_all(pool).await?),
            On::Transaction(Transaction::Sqlite(open)) => {
                of_sqlite(&bound!(text, values).fetch_all(&mut **open).await?)
            }
            On::Database(Database::Postgres(pool)) => {
                of_postgres(&bound!(told(), values).fetch_all(pool).await?)
            }
            On::Transaction(Transaction::Postgres(open)) => {
                of_postgres(&bound!(told(), values).fetch_all(&mut **open).await?)
            }
        }
    }

    /// Runs the statement and reads its first row, if there is one.
    pub(crate) async fn fetch_optional<'a>(self, on: impl Into<On<'a>>) -> Result<Option<Row>, Error> {
        Ok(self.fetch_all(on).await?.into_iter().next())
    }
}

impl<'a> From<&'a Database> for On<'a> {
    fn from(database: &'a Database) -> Self {
        Self::Database(database)
    }
}

impl<'a> From<&'a mut Transaction> for On<'a> {
    fn from(transaction: &'a mut Transaction) -> Self {
        Self::Transaction(transaction)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(Some(text.clone()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(Some(i64::from(number)))
    }
}

impl From<bool> for Value {
    fn from(is: bool) -> Self {
        Self::Integer(Some(i64::from(is)))
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Some(bytes.to_vec()))
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}
