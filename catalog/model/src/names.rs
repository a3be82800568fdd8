//! A thing's name in Japanese and in English.

use serde::{Deserialize, Serialize};

/// The official Japanese name and our English one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// Japanese, as the source document has it.
    pub ja: String,
    /// English, the field's standard term.
    pub en: String,
}
