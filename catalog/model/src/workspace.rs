//! What a project keeps inside: row-level tables of its own, views, and lists of codes.
//!
//! A table's columns carry what vetting found of them, so that a later query is judged as if it had read the tables
//! behind. Plain values: where the rows lie and who may read them is decided elsewhere. They go to workers in a form that
//! knows no names of fields, so none may be left out where it is empty.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::class::Class;
use crate::table::Bounds;

/// The tables, views and lists that a project's queries may name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Tables by name: `ws.NAME`.
    pub tables: BTreeMap<String, WorkspaceTable>,
    /// Views in the order in which they were made; a view may read earlier ones.
    pub views: Vec<WorkspaceView>,
    /// Lists by name: `lists.NAME`.
    pub lists: BTreeMap<String, CodeList>,
}

/// A row-level table of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceTable {
    /// Its id: another one each time a table of this name is made.
    pub id: String,
    /// The digest of the grant that it was made under.
    pub grant: String,
    /// Its columns.
    pub columns: Vec<WorkspaceColumn>,
    /// The catalogue's tables behind it.
    pub lineage: BTreeSet<String>,
    /// The quasi-identifying columns whose values its rows were picked by.
    pub bound: BTreeSet<String>,
    /// The ages at which conditions change that its rows were picked by; none are known of tables that earlier builds kept.
    #[serde(default)]
    pub ages: BTreeSet<i64>,
}

/// One column of a project's table, with what vetting found of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceColumn {
    /// Its name.
    pub name: String,
    /// Its stored type.
    pub kind: StoredKind,
    /// Whether it is the person behind the row.
    pub is_person: bool,
    /// The classes of the columns that it is made of.
    pub held: BTreeSet<Class>,
    /// The classes of the columns that decided what it is made of.
    pub told: BTreeSet<Class>,
    /// Whether it is a column of a table as it stands there, and no value that the query named itself.
    pub is_column: bool,
    /// Whether it may be a value that the query wrote; not known of columns that earlier builds kept.
    #[serde(default = "perhaps")]
    pub is_chosen: bool,
    /// Whether it is an age, or made of one; not known of columns that earlier builds kept.
    #[serde(default)]
    pub is_age: bool,
    /// The ages from which on it may be another value; none are known of columns that earlier builds kept.
    #[serde(default)]
    pub ages: BTreeSet<i64>,
    /// The ages at which conditions change that decide whether it is there.
    #[serde(default)]
    pub met: BTreeSet<i64>,
    /// The code system of its values, if there is one.
    pub codes: Option<String>,
    /// The finite set of its values, if there is one.
    pub values: Option<ValueSet>,
    /// Its bounds, if it is a measure.
    pub measure: Option<StoredMeasure>,
}

const fn perhaps() -> bool {
    true
}

/// The stored type of a project's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredKind {
    /// A surrogate number of 32 bits.
    Number32,
    /// A surrogate number of 64 bits.
    Number64,
    /// Text.
    Text,
    /// A day.
    Day,
    /// A whole number.
    Whole,
    /// A small whole number.
    Small,
    /// Yes or no.
    Flag,
    /// A decimal number with so many digits, so many of them after the point.
    Decimal(u8, i8),
}

/// A finite set of values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueSet {
    /// How the engine delivers a value.
    pub kind: ValueKind,
    /// Code, day since 1970-01-01, Japanese and English name.
    pub values: Vec<(String, Option<i32>, String, String)>,
}

/// How the engine delivers a value of a finite set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueKind {
    /// As text.
    Text,
    /// As a day.
    Date,
    /// As true or false.
    Flag,
}

/// What is known of a stored measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredMeasure {
    /// The range that it is clamped to.
    pub bounds: Bounds,
    /// Decimal places.
    pub scale: u32,
    /// Its unit.
    pub unit: Option<String>,
}

/// A query with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceView {
    /// Its name: `ws.NAME`.
    pub name: String,
    /// The SELECT.
    pub sql: String,
}

/// A list of codes of one code system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeList {
    /// The code system.
    pub system: String,
    /// The codes, each once, in order.
    pub codes: Vec<String>,
}

impl CodeList {
    /// The digest of its codes: what two versions have in common that say the same.
    pub fn digest(&self) -> String {
        blake3::hash(self.codes.join("\n").as_bytes()).to_hex().to_string()
    }
}
