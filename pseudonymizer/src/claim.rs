//! One claim: what a group of records says about one person.
//!
//! The clinical part goes straight into table rows; what stays together is whose it is and where it stood. On the way
//! only the person changes: first the identity of the file, then its keys, then the number of the identity.

/// A receipt, a stay or a claim, about one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim<Person> {
    /// Whom it is about.
    pub person: Person,
    /// Where it stood and how it is known.
    pub head: Head,
}

/// Where a claim stood and how it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Its number within the part of the delivery that is being read.
    pub record: u32,
    /// The file's number in its delivery.
    pub file: u32,
    /// Its first line, counted from 1.
    pub line: u64,
    /// How many of its lines are stored.
    pub lines: u32,
    /// The month of its content, as months since year 0.
    pub month: Option<i32>,
    /// The surrogate of the fields that name it.
    pub key: Option<[u8; 16]>,
    /// The surrogate of the fields that must not occur twice.
    pub unique: Option<[u8; 16]>,
    /// Whether it went to quarantine as a whole; its rows are skipped.
    pub is_void: bool,
}

impl<Person> Claim<Person> {
    /// Replaces the person and keeps the rest.
    pub fn map_person<Next>(self, step: impl FnOnce(Person) -> Next) -> Claim<Next> {
        Claim { person: step(self.person), head: self.head }
    }
}
