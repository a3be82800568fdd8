//! How secret a field is, and therefore what may be done with it.

use serde::{Deserialize, Serialize};

/// The class of a delivered field or a stored column. A field that nobody classified is [`Class::Direct`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Names, chart numbers, anything that points at a person by itself: never stored.
    #[default]
    Direct,
    /// A component of an identity: consumed by the keyed hash.
    Link,
    /// Free text that may hold identifiers: dropped.
    Text,
    /// The dense person number: joins and distinct counts only.
    Person,
    /// A receipt or a stay: joins only.
    Record,
    /// A facility or office as a dense number.
    Facility,
    /// An insurer as a dense number.
    Insurer,
    /// A municipality, or whoever insures for it, as a dense number.
    Municipality,
    /// An exact value such as a birth date: only through our own age and band functions.
    Exact,
    /// Groupable where a finite domain is declared.
    Quasi,
    /// Clinical or social content: filters on declared codes.
    Sensitive,
    /// A number to be summed, with bounds.
    Measure,
    /// None of these.
    Plain,
}

impl Class {
    /// Says whether a field of this class may become a stored column as it is.
    pub const fn is_storable(self) -> bool {
        !matches!(self, Self::Direct | Self::Link | Self::Text)
    }

    /// Says whether its numbers stand for whoever else is behind a row: a facility, an insurer, a municipality.
    pub const fn is_unit(self) -> bool {
        matches!(self, Self::Facility | Self::Insurer | Self::Municipality)
    }

    /// Says whether its numbers identify somebody, and rows may only be joined by them.
    pub const fn is_identity(self) -> bool {
        matches!(self, Self::Person | Self::Record) || self.is_unit()
    }

    /// The word used in the catalogue files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Link => "link",
            Self::Text => "text",
            Self::Person => "person",
            Self::Record => "record",
            Self::Facility => "facility",
            Self::Insurer => "insurer",
            Self::Municipality => "municipality",
            Self::Exact => "exact",
            Self::Quasi => "quasi",
            Self::Sensitive => "sensitive",
            Self::Measure => "measure",
            Self::Plain => "plain",
        }
    }
}

/// Who stands behind rows beside persons and facilities, and is counted where a rule pack asks for several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CountedUnit {
    /// Insurers.
    Insurer,
    /// Municipalities.
    Municipality,
}

impl CountedUnit {
    /// All of them, in the order in which evidence has them.
    pub const ALL: [Self; 2] = [Self::Insurer, Self::Municipality];

    /// The class of a column with its numbers.
    pub const fn class(self) -> Class {
        match self {
            Self::Insurer => Class::Insurer,
            Self::Municipality => Class::Municipality,
        }
    }
}
