//! How rows lie on disk: those of a part of a delivery between ingest and publish, and [`encrypted`] ones.
//!
//! Ingest writes each value as rarely as it can: what all rows of a claim share stands once in `TABLE.heads.parquet`,
//! what a line says that is read over and over once in `TABLE.phrases.parquet`, the rest row by row in `TABLE.parquet`,
//! and every text once in `words.parquet`, elsewhere by its number. Whoever reads gets whole rows. Parts that an earlier
//! version left, which have no phrases or whole rows on disk, are read as well.
//!
//! Only the layout is here: what becomes a row is the ingest's, whose claim it is publish's. Staged files are encrypted as
//! wholes by whoever writes them, and whoever reads says how they are opened.

pub mod encrypted;
mod part;
mod rows;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use catalog_model::{Class, Table};

pub use part::{Opened, StagedPart};
pub use rows::Rows;

/// The column with the number of the claim.
pub const RECORD: &str = "__record";
/// The column with the line.
pub const LINE: &str = "__line";
/// The column that says how many rows of the table a claim has, where the shared columns lie apart.
pub const COUNT: &str = "__rows";
/// The column with the number of a row's phrase, from 0, where there are phrases.
pub const PHRASE: &str = "__phrase";
/// The column of the words' file.
pub const WORD: &str = "word";

/// Why staged rows cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StagedError {
    /// The operating system refused.
    #[error("cannot open {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Parquet refused.
    #[error("cannot read the table file {path}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What Parquet said.
        source: parquet::errors::ParquetError,
    },
    /// Arrow refused.
    #[error("cannot lay out the rows of {path}")]
    Arrow {
        /// The file.
        path: PathBuf,
        /// What Arrow said.
        source: arrow::error::ArrowError,
    },
    /// A column that must be there is not.
    #[error("{path} has no column {column} of the expected type")]
    Column {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// Rows and claims do not fit each other.
    #[error("{0} has other rows than its claims say")]
    Heads(PathBuf),
    /// A row has no phrase where it should have one.
    #[error("{0} has a row without a phrase")]
    Phrases(PathBuf),
}

/// The file with a table's rows.
pub fn rows_file(folder: &Path, table: &str) -> PathBuf {
    folder.join(format!("{table}.parquet"))
}

/// The file with what the rows of a claim share.
pub fn heads_file(folder: &Path, table: &str) -> PathBuf {
    folder.join(format!("{table}.heads.parquet"))
}

/// The file with what rows say alike, once each.
pub fn phrases_file(folder: &Path, table: &str) -> PathBuf {
    folder.join(format!("{table}.phrases.parquet"))
}

/// The file with every text of a part.
pub fn words_file(folder: &Path) -> PathBuf {
    folder.join("words.parquet")
}

/// A table's staged rows as they are read: claim and line, then the columns that the file gives.
pub fn staged_schema(table: &Table) -> SchemaRef {
    let mut fields =
        vec![Field::new(RECORD, DataType::UInt32, false), Field::new(LINE, DataType::UInt32, false)];
    let whole = catalog_model::arrow_schema(table);
    for (field, column) in whole.fields().iter().zip(&table.columns) {
        match column.class {
            // Given at publish.
            Class::Person | Class::Record => {}
            // A 64-bit surrogate until facilities are numbered, insurers and municipalities with them.
            class if class.is_unit() => fields.push(Field::new(field.name(), DataType::UInt64, true)),
            _ => fields.push(field.as_ref().clone()),
        }
    }
    Arc::new(Schema::new(fields))
}

/// The same column on disk: texts are numbers of words, 0 where there is none.
pub fn stored_field(field: &Field) -> Field {
    match field.data_type() {
        DataType::Utf8 => Field::new(field.name(), DataType::UInt32, false),
        _ => field.clone(),
    }
}
