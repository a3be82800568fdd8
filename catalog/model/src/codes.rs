//! Code systems: what the values of a coded column mean, and which there are.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::names::Names;

/// A code system with its codes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeSystem {
    /// The system's name, by which columns refer to it.
    pub system: String,
    /// Official name and ours.
    pub name: Names,
    /// The document that lists the codes.
    pub source: String,
    /// Whether the list is whole: a delivered value outside a closed system is a fault.
    #[serde(default)]
    pub closed: bool,
    /// The codes, in the order in which they are displayed.
    #[serde(rename = "code")]
    pub codes: Vec<Code>,
}

impl CodeSystem {
    /// The entry of `code`.
    pub fn get(&self, code: &str) -> Option<&Code> {
        self.codes.iter().find(|entry| entry.code == code)
    }
}

/// One code.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// The code as delivered.
    pub code: String,
    /// Official name.
    pub ja: String,
    /// Our English name.
    pub en: String,
    /// Further facts, such as the ICD-10 code of a disease code.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}
