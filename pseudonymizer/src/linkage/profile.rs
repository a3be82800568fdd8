//! What linking looks at: profiles, each a set of keys with when, where and how often it was seen.
//!
//! A profile is what is left of a person in one spelling: the same keys, sex and birth date in any number of receipts
//! are one profile. Keys are numbers here; nothing in this module can be turned back into a name.

use std::collections::BTreeSet;

use catalog_model::Scheme;

/// Where a profile has no key of a scheme.
pub const NO_KEY: u32 = u32::MAX;

/// What a key of a scheme says of the person who carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The number of one person: the individual insured number, a hospital's data id.
    Number,
    /// The number of a card narrowed by birth date and sex: twins may share it.
    Card,
    /// A name narrowed by birth date and sex: namesakes may share it.
    Name,
    /// A given name narrowed by birth date and sex: many share it, and it says little alone.
    Given,
}

/// A scheme as linking knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemeKind {
    /// The scheme's name, for the reports.
    pub scheme: String,
    /// What its keys say.
    pub kind: Kind,
    /// Whether a person has one such key at a time, so that two in the same months are two persons.
    pub is_exclusive: bool,
}

impl SchemeKind {
    /// What a scheme's keys say follows from the roles that they are made of.
    pub fn of(scheme: &Scheme) -> Self {
        let has = |role: &str| {
            scheme.roles.iter().any(|place| place.trim_end_matches('?').split('|').any(|r| r == role))
        };
        let kind = match () {
            () if scheme.given => Kind::Given,
            () if has("name") || has("kana_name") || has("dpc_common_id") => Kind::Name,
            () if has("birth_date") => Kind::Card,
            () => Kind::Number,
        };
        let is_insured = has("insured_number") || has("care_insured_no");
        Self { scheme: scheme.scheme.clone(), kind, is_exclusive: is_insured }
    }
}

/// A set of keys with when, where and how often it was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The key of each scheme, or [`NO_KEY`]. Keys of different schemes are numbered apart.
    pub keys: Vec<u32>,
    /// The sex code.
    pub sex: Option<u8>,
    /// The birth date, as days since 1970-01-01.
    pub birth: Option<i32>,
    /// The months in which it was seen, as months since year 0.
    pub months: BTreeSet<i32>,
    /// Prefectures of the facilities that wrote it, one bit each; none where unknown.
    pub places: u64,
    /// The facilities that wrote it, as surrogates.
    pub facilities: BTreeSet<u64>,
    /// Its stays in hospital: facility, day of admission, birth date and sex, as one number.
    pub stays: BTreeSet<u64>,
    /// The number of claims.
    pub claims: u32,
}

impl Profile {
    /// The key of a scheme.
    pub fn key(&self, scheme: usize) -> Option<u32> {
        self.keys.get(scheme).copied().filter(|key| *key != NO_KEY)
    }

    /// Whether what is known of sex and birth does not contradict.
    pub fn may_be(&self, nature: Nature) -> bool {
        self.sex.is_none_or(|sex| sex == nature.sex)
            && self.birth.is_none_or(|birth| birth_month(birth) == nature.birth_month)
    }

    /// Sex and month of birth, which do not change in a life; nothing where one of them is unknown.
    pub fn nature(&self) -> Option<Nature> {
        Some(Nature { sex: self.sex?, birth_month: birth_month(self.birth?) })
    }
}

/// What does not change in a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nature {
    /// The sex code.
    pub sex: u8,
    /// The month of birth, as months since year 0.
    pub birth_month: i32,
}

/// The month, since year 0, of a day.
pub(super) fn birth_month(days: i32) -> i32 {
    catalog_model::Date::from_days(days).month().index()
}
