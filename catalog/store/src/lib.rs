//! An environment on disk: where things lie, its keys, its snapshots and its metadata.
//!
//! An [`Environment`] is a directory; every program that works in it opens it here. Snapshots are committed by
//! creating one object that must not exist yet, so a snapshot of many files appears at once or not at all.
//! The interface is blocking; sqlx and object_store run on a small runtime inside.

mod accounts;
mod blocking;
mod cases;
mod catalogue;
mod config;
mod credentials;
mod database;
mod deliveries;
mod dump;
mod environment;
mod file_keys;
mod history;
mod keys;
mod lease;
mod meta;
mod papers;
mod partitions;
mod restored;
mod same_persons;
mod services;
mod signing;
mod snapshots;
mod staged_files;
#[cfg(test)]
mod stores;
mod turns;
mod upgrade;
mod workspaces;

pub use accounts::{InvitationRecord, SessionRecord, TokenRecord};
pub use cases::{CaseRecord, PersonRecord};
pub use catalogue::Added;
pub use config::{Config, ConfigError, OidcRules, SignInRules};
pub use credentials::AccountRecord;
pub use deliveries::{Account, DeliveryRecord, FileAccount, Standing, staged};
pub use dump::MetaDump;
pub use environment::{Environment, EnvironmentError, Lock, connect_ahead, connect_ahead_to};
pub use file_keys::{FileKeyring, FileKeys, FileState, FileStates};
pub use history::{RunRecord, State, StepRecord};
pub use keys::{
    Agreed, Asked, Asking, KeyEntry, KeyError, KeyId, KeyIndex, KeyRing, KeyRole, KeyState, KeyUse, KeyWatch,
    Module, OfficerError, Officers, Passphrase, Present, ProjectPseudonyms, Protection, Provision, Sealing,
    SecretKey, decrypt, encrypt, from_hex, hex,
};
pub use lease::{Holder, Writer};
pub use meta::{Meta, MetaError};
pub use papers::Papers;
pub use partitions::{Erasure, Partition};
pub use same_persons::{Edition, PersonPairs, SamePersons};
pub use services::ServiceRecord;
pub use signing::{is_signed, sign};
pub use snapshots::{KnownManifests, SnapshotError, Snapshots};
pub use staged_files::StagedFiles;
pub use turns::TurnRules;
pub use upgrade::{Upgraded, files_under, rewrap, upgrade};
pub use workspaces::{KeptList, KeptTable, NewFile, Space, WorkspaceLimits, Workspaces};
