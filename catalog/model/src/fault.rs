//! The kinds of fault that a reader finds, one vocabulary for reader, quarantine and synthetic writer.

use std::fmt;

/// What is wrong with a delivered line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// The bytes are not of the file's encoding.
    Encoding,
    /// The number of columns is none that the layout knows.
    Columns,
    /// The record type is none that the layout knows.
    UnknownRecord,
    /// A required field is empty.
    Missing,
    /// A field is wider or narrower than the layout allows.
    Width,
    /// A field holds characters that its type does not allow.
    Characters,
    /// A field is not a number, or out of range.
    Number,
    /// A field is not a day of the calendar.
    Date,
    /// A field is not a month of the calendar.
    Month,
    /// A code is not in its closed list.
    Code,
    /// A position that the layout leaves empty holds a value.
    Unexpected,
    /// The line's date lies outside the months that the layout is for.
    Revision,
    /// The line belongs to a group whose first line is in quarantine or missing.
    Orphan,
    /// No identity scheme can be built from the record that the line begins.
    NoIdentity,
    /// The same receipt or stay was read before.
    Duplicate,
    /// The file ends before its last record, or inside a line.
    Truncated,
    /// The trailer's totals are not those of the file.
    Totals,
    /// A document is not well-formed XML.
    Markup,
    /// The heading does not name the columns that the layout knows, so nobody knows what the file's lines say.
    Heading,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 19] = [
        Self::Encoding,
        Self::Columns,
        Self::UnknownRecord,
        Self::Missing,
        Self::Width,
        Self::Characters,
        Self::Number,
        Self::Date,
        Self::Month,
        Self::Code,
        Self::Unexpected,
        Self::Revision,
        Self::Orphan,
        Self::NoIdentity,
        Self::Duplicate,
        Self::Truncated,
        Self::Totals,
        Self::Markup,
        Self::Heading,
    ];

    /// The word used in quarantine, reports and truth files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Encoding => "encoding",
            Self::Columns => "columns",
            Self::UnknownRecord => "unknown-record",
            Self::Missing => "missing",
            Self::Width => "width",
            Self::Characters => "characters",
            Self::Number => "number",
            Self::Date => "date",
            Self::Month => "month",
            Self::Code => "code",
            Self::Unexpected => "unexpected",
            Self::Revision => "revision",
            Self::Orphan => "orphan",
            Self::NoIdentity => "no-identity",
            Self::Duplicate => "duplicate",
            Self::Truncated => "truncated",
            Self::Totals => "totals",
            Self::Markup => "markup",
            Self::Heading => "heading",
        }
    }

    /// The kind with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
