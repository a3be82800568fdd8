//! What a data holder hands over: a folder of files and `delivery.toml`, which lists them with their digests.

use serde::{Deserialize, Serialize};

use crate::calendar::Month;

/// The file in a delivery folder that lists the others.
pub const DELIVERY_FILE: &str = "delivery.toml";

/// A delivery's list of files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryManifest {
    /// What the delivery is.
    pub delivery: DeliveryHead,
    /// The files, in the order in which they are read.
    #[serde(rename = "file")]
    pub files: Vec<DeliveredFile>,
}

/// What a delivery is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryHead {
    /// The holder's name for it: `ndb-2023-04`.
    pub name: String,
    /// The database it belongs to: `ndb`, `dpc`, `care`, `public`.
    pub database: String,
    /// Who hands it over.
    pub holder: String,
    /// The month it is for.
    pub month: Month,
}

/// One delivered file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveredFile {
    /// The path below the delivery folder, with `/` between its parts.
    pub path: String,
    /// The family of its layout: `ndb-medical`.
    pub family: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The SHA-256 digest of its bytes, hexadecimal.
    pub sha256: String,
}
