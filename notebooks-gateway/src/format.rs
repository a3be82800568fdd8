//! A released table as a file that clients take: which kinds there are, and how each is written.

use engine_protocol::ReleasedTable;
use reports::table::{self, TableError};

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Xlsx,
    Json,
    Arrow,
}

impl Format {
    /// Every kind.
    pub(crate) const ALL: [Self; 4] = [Self::Csv, Self::Xlsx, Self::Json, Self::Arrow];

    /// The kind with this word, which is the ending of its files.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.extension() == word)
    }

    /// The ending of its files.
    pub(crate) const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Json => "json",
            Self::Arrow => "arrow",
        }
    }

    /// Its media type.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Json => "application/json",
            Self::Arrow => "application/vnd.apache.arrow.file",
        }
    }

    /// The table in this form.
    pub(crate) fn write(self, table: &ReleasedTable) -> Result<Vec<u8>, TableError> {
        match self {
            Self::Csv => Ok(table::csv(table).into_bytes()),
            Self::Xlsx => table::xlsx(table),
            Self::Json => Ok(table::json(table)?.into_bytes()),
            Self::Arrow => table::arrow(table),
        }
    }

    /// The name of a file with a query's table. A query's id comes from the guard; what is not plain is left out.
    pub(crate) fn file_name(self, query: &str) -> String {
        let is_plain = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '-';
        let safe: String = query.chars().filter(is_plain).collect();
        format!("misu-{safe}.{}", self.extension())
    }
}
