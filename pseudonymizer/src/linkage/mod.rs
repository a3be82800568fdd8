//! Identities → persons: linkage keys grouped by a union-find.
//!
//! For now one rule: whoever shares a linkage key of any scheme is one person. The guards against over-merging (twins,
//! namesakes, re-used numbers) come with the finer rules; until then the linkage report says what this one costs.

mod clusters;
mod union_find;

pub use clusters::{Clusters, Evidence, Mention, cluster};
pub use union_find::UnionFind;

/// The name of the present rules, which goes into the snapshot manifest.
pub const RULES: &str = "link/v0";
