//! Identities → keys. Behind this module there is no name and no number, only keyed hashes.
//!
//! An identity scheme is a list of roles; each role's value is brought to one form, the values are written one after
//! the other with their lengths, and HMAC-SHA-256 under the intake key makes 32 bytes of them.

mod cache;
mod identity;
mod keyer;
mod norm;
mod surrogate;

pub use cache::KeyCache;
pub use identity::Identity;
pub use keyer::{IdentityNo, KeySet, KeyedIdentity, Keyer, bridge_key, linkage_key, months_seen};
pub use surrogate::Surrogates;
