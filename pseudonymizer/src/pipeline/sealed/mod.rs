//! Sealed deliveries: names end at the data holder, who has no environment.
//!
//! The holder reads its delivery with the same code as an ingest, under the intake key that the environment gave its group,
//! packs rows, claims and keys, encrypts them to the environment's public key (HPKE, RFC 9180) and signs the whole.
//! The environment checks signature, holder, keys and the form of every file before anything of it counts.
//! A sealed delivery has the id of the clear one, and gives the same rows of the same persons; their numbers come in
//! another order, since its group has an intake key of its own.
//! A list of who opted out is sealed the same way.

mod accept;
mod envelope;
mod form;
mod holder;
mod list;
mod seal;

pub(crate) use accept::identify_sealed;
pub use accept::{SealedError, ingest_sealed, is_sealed};
pub use envelope::EnvelopeError;
pub(crate) use holder::registered;
pub use holder::{Bundle, Holder, HolderCard, HolderError, Registered, register};
pub(crate) use list::open_list;
pub use list::seal_list;
pub use seal::{SealError, seal};

use catalog_model::DeliveryManifest;
use catalog_store::KeyId;
use serde::{Deserialize, Serialize};

use super::ingest::KeyedUnder;

/// The file that makes a folder a sealed delivery.
const HEADER: &str = "sealed.json";
/// The holder's signature over the header.
const SIGNATURE: &str = "sealed.sig";
const VERSION: u32 = 1;

/// What stands in clear on a sealed delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    /// What was sealed.
    #[serde(default, skip_serializing_if = "What::is_delivery")]
    what: What,
    /// Who sealed it.
    holder: String,
    /// The group of holders that share an intake key.
    group: String,
    /// The environment's key that it is encrypted to.
    sealed_to: KeyId,
    /// The keys and rules that made its content.
    keyed: KeyedUnder,
    /// The content key, sealed to the environment.
    key: String,
    /// The packed files in order, the list of them first.
    files: Vec<PackedFile>,
}

/// What was sealed. One is never opened as the other: its content key is sealed for its own purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    #[default]
    Delivery,
    OptOut,
}

impl What {
    // serde hands a reference.
    fn is_delivery(&self) -> bool {
        *self == Self::Delivery
    }

    const fn purpose(self) -> &'static str {
        match self {
            Self::Delivery => "misu/sealed/v1",
            Self::OptOut => "misu/sealed-opt-out/v1",
        }
    }
}

/// One encrypted file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PackedFile {
    bytes: u64,
    blake3: String,
}

/// The first packed file: what the others are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    manifest: DeliveryManifest,
    parts: u32,
    names: Vec<String>,
}

/// What the encryption of a packed file is bound to: its place in this delivery.
fn bound_to(id: &str, number: usize) -> Vec<u8> {
    format!("misu/sealed/v1/{id}/{number}").into_bytes()
}

/// The name of a packed file.
fn packed_name(number: usize) -> String {
    format!("{number:05}.bin")
}
