//! Identities → persons, by written rules over keys: what shares a key may be one person, and time decides.
//!
//! Mentions become [`Profile`]s, profiles that hang together by any key become a component, and in each component the
//! [`rules`] join groups until nothing is left to join. What the rules hold to be two persons stays apart and is
//! reported. The result does not depend on the order of the mentions, and a slow linker written for clarity agrees
//! with it on random populations.

mod clusters;
mod component;
pub mod exact;
mod guard;
mod judge;
mod linker;
mod misread;
mod numbered;
mod profile;
#[cfg(test)]
mod reference;
mod rules;
mod timeline;
mod union_find;

pub use clusters::{Clusters, Evidence, Mention, Mentions};
pub use component::{Component, Group, Proposal, SharedKey};
pub use judge::{Agreement, Carried, Cause, Causes, Fixed, Method, True, causes, compare, judged, methods};
pub use linker::{Linkage, link};
pub use profile::{Kind, NO_KEY, Nature, Profile, SchemeKind};
pub use rules::{Conflict, ConflictKind, Rule, Verdict};
pub use union_find::UnionFind;

/// The name of the present rules, which goes into the snapshot manifest.
pub const RULES: &str = "link/v2";
