//! The keys of one file, one for each column, as whoever reads or writes it is handed them.

use std::fmt;

/// A file's keys, borrowed from whoever keeps them.
#[derive(Clone)]
pub struct ColumnKeys<'a> {
    /// What every encrypted piece of the file is bound to; it is not stored in the file.
    pub bound_to: &'a [u8],
    /// The footer's key.
    pub footer: &'a [u8],
    /// The columns' keys, by their path in the schema.
    pub columns: Vec<(&'a str, &'a [u8])>,
}

impl fmt::Debug for ColumnKeys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ColumnKeys(..)")
    }
}
