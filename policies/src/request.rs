//! What is asked of the policies.

use std::fmt;

use catalog_model::{Class, SnapshotId};
use time::OffsetDateTime;

/// Who asks, for which project and purpose, on which snapshot, when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The user, authenticated.
    pub user: String,
    /// The project.
    pub project: String,
    /// The code of the purpose.
    pub purpose: String,
    /// The time now.
    pub now: OffsetDateTime,
    /// The snapshot that the question is put to.
    pub snapshot: SnapshotId,
}

/// What a user does for a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Has a question vetted, without running it.
    Vet,
    /// Has a query run.
    RunQuery,
    /// Takes a release out.
    Release,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 3] = [Self::Vet, Self::RunQuery, Self::Release];

    /// The action's name in the policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vet => "vet",
            Self::RunQuery => "runQuery",
            Self::Release => "release",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vet => "have a question vetted",
            Self::RunQuery => "run a query",
            Self::Release => "take a release out",
        })
    }
}

/// What a query does with a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Use {
    /// Joins rows on it.
    Join,
    /// Counts its distinct values.
    Count,
    /// Takes an age or a band of it.
    Band,
    /// Filters by it.
    Filter,
    /// Groups by it.
    Group,
    /// Sums or averages it.
    Measure,
}

impl Use {
    /// Every use.
    pub const ALL: [Self; 6] =
        [Self::Join, Self::Count, Self::Band, Self::Filter, Self::Group, Self::Measure];

    /// The word in the policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Count => "count",
            Self::Band => "band",
            Self::Filter => "filter",
            Self::Group => "group",
            Self::Measure => "measure",
        }
    }

    /// The use that a column of this class is there for: a column is granted where at least this is allowed.
    pub const fn least(class: Class) -> Self {
        match class {
            Class::Person | Class::Record => Self::Join,
            Class::Exact => Self::Band,
            Class::Measure => Self::Measure,
            Class::Direct
            | Class::Link
            | Class::Text
            | Class::Facility
            | Class::Insurer
            | Class::Municipality
            | Class::Quasi
            | Class::Sensitive
            | Class::Plain => Self::Filter,
        }
    }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Join => "join on",
            Self::Count => "count",
            Self::Band => "take a band of",
            Self::Filter => "filter by",
            Self::Group => "group by",
            Self::Measure => "sum",
        })
    }
}
