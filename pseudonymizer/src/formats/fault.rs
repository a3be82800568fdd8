//! A fault says where and what, never which value.

use std::sync::Arc;

use catalog_model::FaultKind;

/// Something wrong with one delivered line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file's number in its delivery.
    pub file: u32,
    /// The line, counted from 1.
    pub line: u64,
    /// The record type, as far as it is known.
    pub record: Arc<str>,
    /// The field's key, where one field is at fault.
    pub field: Arc<str>,
    /// What is wrong.
    pub kind: FaultKind,
}
