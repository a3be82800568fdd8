//! What an operator sees of an environment: deliveries, runs of pipelines, snapshots, keys by name. Counts of lines and
//! states only; no figure of the data, no secret.

use serde::{Deserialize, Serialize};

/// An operator's, data officer's or auditor's wish to see how the environment stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatingAsk {
    /// The user.
    pub user: String,
}

/// The guard's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "operating")]
pub enum OperatingReply {
    /// The user has none of the roles.
    NotAllowed,
    /// How it stands.
    Stands(Box<Operating>),
}

/// How an environment stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operating {
    /// Deliveries, the newest first.
    pub deliveries: Vec<DeliveryLine>,
    /// Runs of pipelines, the newest first.
    pub runs: Vec<RunLine>,
    /// Snapshots, the newest first.
    pub snapshots: Vec<SnapshotLine>,
    /// Keys, by role and epoch.
    pub keys: Vec<KeyLine>,
    /// What was looked at, and how it is.
    pub health: Vec<HealthLine>,
}

/// A delivery and what became of its lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryLine {
    /// The holder's name for it.
    pub name: String,
    /// The database.
    pub database: String,
    /// Who handed it over.
    pub holder: String,
    /// The month it is for.
    pub month: String,
    /// When it was taken in, as RFC 3339 text.
    pub taken_in: String,
    /// `held`, `recalled` or `replaced`.
    pub standing: String,
    /// Lines read.
    pub read: u64,
    /// Lines stored.
    pub stored: u64,
    /// Lines dropped by class.
    pub dropped: u64,
    /// Lines in quarantine.
    pub quarantined: u64,
    /// Whether the lines add up.
    pub closes: bool,
}

/// A run of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLine {
    /// The pipeline.
    pub pipeline: String,
    /// When it began, as RFC 3339 text.
    pub started: String,
    /// When it ended; empty while it has not.
    pub ended: String,
    /// How it stands.
    pub state: String,
    /// Its steps: name, how it stands, why.
    pub steps: Vec<(String, String, String)>,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotLine {
    /// Its number.
    pub number: u64,
    /// Its id.
    pub id: String,
    /// From which month to which.
    pub period: (String, String),
    /// Tables in it.
    pub tables: usize,
}

/// A key by name, never the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLine {
    /// What it is for.
    pub role: String,
    /// Its epoch.
    pub epoch: u32,
    /// Its id.
    pub id: String,
    /// `current`, `former` or `destroyed`.
    pub state: String,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthLine {
    /// What: `snapshot`, `keys`, `deliveries`, `record`, `workers`.
    pub what: String,
    /// Whether it is well.
    pub is_well: bool,
    /// What was found, in Japanese.
    pub ja: String,
    /// What was found, in English.
    pub en: String,
}
