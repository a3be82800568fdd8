//! Identity schemes: which normalised fields, in which order, make one keyed hash.

use serde::Deserialize;

use crate::names::Names;

/// One identity scheme, such as ID1 or the individual insured number.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheme {
    /// The scheme's name: `id1`.
    pub scheme: String,
    /// The version that goes into the hash; a change of fields or normalisation needs a new one.
    pub version: u8,
    /// Official name and ours.
    pub name: Names,
    /// Where the scheme is described.
    pub source: String,
    /// Whether the roles are taken in the form that loses information: a second key beside another scheme's first.
    #[serde(default)]
    pub variant: bool,
    /// Whether names are taken without the family name: what stands behind their space, in the form that loses
    /// information. Such a key is weak, and links only together with other evidence.
    #[serde(default)]
    pub given: bool,
    /// Whether the scheme holds for some identities only.
    pub only: Option<Only>,
    /// The roles in hash order. `a|b` takes `b` where `a` is empty; a trailing `?` allows an empty value.
    pub roles: Vec<String>,
}

/// For which identities a scheme holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Only {
    /// The role that is looked at, in its first form.
    pub role: String,
    /// What its value begins with.
    pub begins: String,
}

/// A profile of normalisation; what was keyed under one does not meet the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
pub enum Profile {
    /// The first one, of environments whose catalogue names none.
    #[default]
    #[serde(rename = "norm/v0")]
    V0,
    /// Table-driven, with a second form for second keys.
    #[serde(rename = "norm/v1")]
    V1,
}

impl Profile {
    /// The profile's name, which stands in snapshot manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V0 => "norm/v0",
            Self::V1 => "norm/v1",
        }
    }
}

/// A part that a delivered field plays in an identity.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityRole {
    /// The role's name, by which layouts and schemes refer to it.
    pub role: String,
    /// What it is.
    pub name: Names,
    /// How its value is brought to one form before hashing.
    pub normalise: Normaliser,
}

/// How a role's value is brought to one form before hashing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normaliser {
    /// A name in kanji: compatibility forms folded, spaces and punctuation removed.
    Kanji,
    /// A name in kana: folded to full-width katakana, spaces removed.
    Kana,
    /// A symbol or number of an insurance card: folded to ASCII, separators removed.
    Number,
    /// A number with leading zeros removed as well.
    Unpadded,
    /// An insurer number, filled with zeros to eight digits.
    Insurer,
    /// A day, written as an ISO date.
    Date,
    /// A sex code, 1 or 2.
    Sex,
    /// A code, taken as it stands without spaces.
    Code,
}
