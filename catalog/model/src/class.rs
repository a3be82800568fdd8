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
    /// A facility, office or insurer as a dense number.
    Facility,
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

    /// The word used in the catalogue files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Link => "link",
            Self::Text => "text",
            Self::Person => "person",
            Self::Record => "record",
            Self::Facility => "facility",
            Self::Exact => "exact",
            Self::Quasi => "quasi",
            Self::Sensitive => "sensitive",
            Self::Measure => "measure",
            Self::Plain => "plain",
        }
    }
}
