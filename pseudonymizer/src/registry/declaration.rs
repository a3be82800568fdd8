//! What a registry's files look like, and by what their records are linked: `REGISTRY.toml`.

use serde::Deserialize;

/// A declaration of files with names, dates and numbers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// What it is called.
    pub registry: String,
    /// What stands between fields.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// The encoding of the files: `utf8` or `cp932`.
    #[serde(default)]
    pub encoding: TextEncoding,
    /// Whether the first line names the columns.
    #[serde(default = "yes")]
    pub has_heading: bool,
    /// The fields that records are linked by.
    #[serde(rename = "field")]
    pub fields: Vec<Field>,
    /// Combinations of fields: records that agree on all fields of one are linked.
    #[serde(rename = "key", default)]
    pub keys: Vec<Key>,
    /// Linkage that tolerates errors, instead of the keys.
    #[serde(default)]
    pub tolerant: Option<Tolerant>,
}

const fn comma() -> char {
    ','
}

const fn yes() -> bool {
    true
}

/// The encoding of text files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextEncoding {
    /// UTF-8.
    #[default]
    Utf8,
    /// Windows-31J.
    Cp932,
}

/// A field.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name, by which keys refer to it.
    pub name: String,
    /// The heading of its column; its name where none is given.
    #[serde(default)]
    pub column: Option<String>,
    /// The place of its column, counted from 1, in files without a heading.
    #[serde(default)]
    pub at: Option<usize>,
    /// What it holds.
    #[serde(default)]
    pub kind: FieldKind,
    /// The field whose value may stand in this one by mistake.
    #[serde(default)]
    pub swaps_with: Option<String>,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// Names and other words.
    #[default]
    Text,
    /// A date of eight digits, signs between them left out.
    Date,
    /// A number.
    Number,
}

/// A combination of fields.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The fields.
    pub fields: Vec<String>,
    /// What else counts as agreement.
    #[serde(default)]
    pub tolerates: Vec<Tolerance>,
}

/// What else counts as agreement on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tolerance {
    /// Words in another order, also between the fields of text.
    Order,
    /// Day and month exchanged.
    DayMonth,
    /// Romanised names that sound alike.
    Sound,
}

/// Linkage that tolerates errors: agreements are weighed, and what weighs enough is one.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerant {
    /// The log-odds (natural logarithm) from which two records are one.
    #[serde(default = "log_odds")]
    pub log_odds: f64,
    /// Records that a single agreement may bring together to be compared; commoner ones say too little.
    #[serde(default = "most")]
    pub most: usize,
}

const fn log_odds() -> f64 {
    4.6
}

const fn most() -> usize {
    60
}

impl Registry {
    /// The place of a field.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// Names of fields that are referred to and not declared.
    pub fn undeclared(&self) -> Vec<&str> {
        let of_keys = self.keys.iter().flat_map(|key| &key.fields);
        let swapped = self.fields.iter().filter_map(|field| field.swaps_with.as_ref());
        of_keys.chain(swapped).map(String::as_str).filter(|name| self.field(name).is_none()).collect()
    }
}
