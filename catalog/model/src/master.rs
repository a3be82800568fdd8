//! How a record of an official master file becomes a code with a name and dates.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Which fields of a record give a code system's entry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Master {
    /// The code system that the record belongs to.
    pub system: String,
    /// The name under which its codes are kept, where another master fills the same system: each has editions of its
    /// own, and ends no code of the other.
    file: Option<String>,
    /// The field with the code.
    pub code: String,
    /// The fields with the name: the first that is not empty counts.
    pub name: Vec<String>,
    /// The field with the day on which the code was first listed.
    pub listed: Option<String>,
    /// The field with the day from which the entry, as it stands, holds.
    pub changed: Option<String>,
    /// The field with the last day on which the entry holds.
    pub to: Option<String>,
    /// Further facts, each by the fields that may give it: the first that is not empty counts.
    #[serde(default)]
    pub attributes: BTreeMap<String, Vec<String>>,
}

impl Master {
    /// The name under which its codes are kept.
    pub fn file(&self) -> &str {
        self.file.as_deref().unwrap_or(&self.system)
    }

    /// Every field that is referred to.
    pub fn fields(&self) -> impl Iterator<Item = &String> {
        let attributes = self.attributes.values().flatten();
        std::iter::once(&self.code)
            .chain(&self.name)
            .chain(&self.listed)
            .chain(&self.changed)
            .chain(&self.to)
            .chain(attributes)
    }
}
