//! What a key is for. One key never serves two roles.

use serde::{Deserialize, Serialize};

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyRole {
    /// Turns identities into intake keys, at ingest or at the data holder.
    Intake,
    /// Turns intake keys into linkage keys, when persons are linked.
    Linkage,
    /// Turns facility codes and record numbers into surrogates.
    Surrogate,
    /// Digests canonical rows, so that a snapshot id tells nothing of its content.
    Content,
    /// Signs snapshot manifests.
    Manifest,
    /// Wraps the keys of a dataset's files.
    Dataset,
    /// Guards the release ledger.
    Ledger,
    /// Signs checkpoints of the record.
    Audit,
    /// The master from which every project's own key comes.
    Project,
    /// Opens sealed deliveries: the private half of the environment's HPKE key.
    Delivery,
    /// Hashes keys under a group's intake key once more, where they lie beside those under the environment's own.
    Bridge,
}

impl KeyRole {
    /// Every role.
    pub const ALL: [Self; 11] = [
        Self::Intake,
        Self::Linkage,
        Self::Surrogate,
        Self::Content,
        Self::Manifest,
        Self::Dataset,
        Self::Ledger,
        Self::Audit,
        Self::Project,
        Self::Delivery,
        Self::Bridge,
    ];

    /// The role's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Linkage => "linkage",
            Self::Surrogate => "surrogate",
            Self::Content => "content",
            Self::Manifest => "manifest",
            Self::Dataset => "dataset",
            Self::Ledger => "ledger",
            Self::Audit => "audit",
            Self::Project => "project",
            Self::Delivery => "delivery",
            Self::Bridge => "bridge",
        }
    }

    /// The role with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}
