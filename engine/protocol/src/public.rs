//! What anybody may ask without signing in, and how a table comes to be open to anybody.

use serde::{Deserialize, Serialize};

use crate::client::ReleasedTable;
use crate::figures::Figure;

/// Something that anybody may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "public")]
pub enum PublicAsk {
    /// The tables that were made open.
    OpenTables,
    /// The figures of a table of the catalogue.
    Figures {
        /// The table.
        table: String,
    },
    /// The record, as far as everybody may know it.
    Record,
}

/// The guard's answer to anybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "public")]
pub enum PublicReply {
    /// The open tables, the newest first.
    OpenTables {
        /// The tables.
        tables: Vec<OpenTable>,
    },
    /// The figures, in the order of the columns.
    Figures {
        /// The figures.
        figures: Vec<Figure>,
    },
    /// The record.
    Record(PublicRecord),
}

/// A released table that anybody may read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTable {
    /// Its Japanese title.
    pub title_ja: String,
    /// Its English title.
    pub title_en: String,
    /// The day on which it was made open.
    pub day: String,
    /// The table.
    pub table: ReleasedTable,
}

/// A data officer's wish to make a released table open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The data officer.
    pub user: String,
    /// The Japanese title.
    pub title_ja: String,
    /// The English title.
    pub title_en: String,
    /// The table, byte for byte as it was released.
    pub table: ReleasedTable,
}

/// What became of the wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpeningReply {
    /// The table is open.
    Opened,
    /// The user is no data officer.
    NotAllowed,
    /// The record has no release of exactly this table.
    NotReleased,
    /// A title is missing or too long.
    Untitled,
}

/// What anybody may know of the record: figures as of the last signed checkpoint, never as of now, so that nobody
/// reads from a figure how one question ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicRecord {
    /// The signed checkpoint, if there is one.
    pub checkpoint: Option<String>,
    /// The key that verifies it.
    pub key: Option<String>,
    /// Entries under the checkpoint.
    pub entries: u64,
    /// How many there are of each kind, by kind.
    pub kinds: Vec<(String, u64)>,
    /// Questions answered, by month, the oldest first.
    pub months: Vec<(String, u64)>,
}
