//! The rules by which profiles become persons, in the order in which they are tried; one rule, one file.
//!
//! A rule looks at the groups of one component (profiles that hang together by any key) and proposes pairs. What a
//! rule holds to be two persons it reports as a conflict, and nothing is joined on the strength of that key.

mod card_in_sequence;
mod given_name;
mod misread_birth;
mod name_and_card;
mod name_in_sequence;
mod one_number;
mod same_stay;
mod unnumbered;

use serde::{Deserialize, Serialize};

pub(super) use card_in_sequence::card_in_sequence;
pub(super) use given_name::given_name;
pub(super) use misread_birth::misread_birth;
pub(super) use name_and_card::name_and_card;
pub(super) use name_in_sequence::name_in_sequence;
pub(super) use one_number::one_number;
pub(super) use same_stay::same_stay;
pub(super) use unnumbered::unnumbered;

/// What joined two groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// They carry one person's number.
    OneNumber,
    /// They carry one person's number, and the birth date was misread once.
    MisreadBirth,
    /// They carry the same card and the same name: a check-up and a receipt, or two facilities.
    NameAndCard,
    /// The card stays and the name changes: marriage, divorce, adoption.
    CardInSequence,
    /// The name stays and the card changes: another insurer, the 75th birthday.
    NameInSequence,
    /// Name and card change at once; the given name and a facility stay.
    GivenName,
    /// Records without an insured number (long-term care, a hospital's survey) carry the name of one person only.
    Unnumbered,
    /// A stay of the survey and an inpatient receipt agree on facility, day of admission, birth date and sex.
    SameStay,
}

impl Rule {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneNumber => "one-number",
            Self::MisreadBirth => "misread-birth",
            Self::NameAndCard => "name-and-card",
            Self::CardInSequence => "card-in-sequence",
            Self::NameInSequence => "name-in-sequence",
            Self::GivenName => "given-name",
            Self::Unnumbered => "unnumbered",
            Self::SameStay => "same-stay",
        }
    }
}

impl ConflictKind {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Twins => "twins",
            Self::Namesakes => "namesakes",
            Self::ReusedNumber => "reused-number",
            Self::Newborn => "newborn",
            Self::Contradiction => "contradiction",
            Self::Ambiguous => "ambiguous",
            Self::Overgrown => "overgrown",
        }
    }
}

/// Why groups that share a key stay apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictKind {
    /// One card, two names in the same months: twins of one sex.
    Twins,
    /// One name, two cards in the same months.
    Namesakes,
    /// One number, another sex or month of birth, one person after the other: the number was given again.
    ReusedNumber,
    /// One number, and the other was born while it was in use: a newborn on a parent's number.
    Newborn,
    /// One number, another sex or month of birth in the same months.
    Contradiction,
    /// It cannot be said which of several it belongs to.
    Ambiguous,
    /// A group with more cards or names than a life has.
    Overgrown,
}

/// Groups that share a key and stay apart, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conflict {
    /// Why.
    pub kind: ConflictKind,
    /// The scheme of the key.
    pub scheme: usize,
    /// The key.
    pub key: u32,
}

/// What a pair of groups is held to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One person.
    Same,
    /// Two, for this reason.
    Apart(ConflictKind),
}
