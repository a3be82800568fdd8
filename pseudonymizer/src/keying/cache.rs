//! Key sets of raw identities that were seen before, for all parts of one delivery.
//!
//! A person's receipts of a delivery name the person in the same bytes, and normal forms and keyed hashes of them cost
//! more than all the rest of a receipt. Kept is a keyed digest of the raw bytes, never the bytes themselves, under a
//! random key that dies with the run.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use zeroize::Zeroize as _;

use super::keyer::{KeySet, MarkedKeys};

/// Threads rarely want the same shard at the same time.
const SHARDS: usize = 64;
/// Key sets in a shard at most, about 80 MB in all; then the shard begins anew.
const MOST: usize = 4_096;

/// A keyed digest of a raw identity. Under a random key nobody can look for two with one digest, and by chance two of a
/// thousand million share one with a probability of 2 in 10²¹.
pub(super) type RawDigest = [u8; 16];

/// A map whose keys are the outcome of a keyed hash already, so that some bytes of them serve as theirs.
pub(super) type ByDigest<Key, Value> = HashMap<Key, Value, BuildHasherDefault<Leading>>;

/// Key sets by the digest of the raw identity; none where no scheme can be built from it.
pub struct KeyCache {
    key: [u8; 32],
    shards: Vec<Mutex<ByDigest<RawDigest, MarkedKeys>>>,
    /// Nanoseconds that keying took in all threads.
    spent: AtomicU64,
}

impl KeyCache {
    /// An empty cache under a random key.
    pub fn new(key: [u8; 32]) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { key, shards, spent: AtomicU64::new(0) }
    }

    /// About how long keying took in all threads that share this cache.
    pub fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Ordering::Relaxed))
    }

    /// Takes the time of one identity as that of so many.
    pub(super) fn spend(&self, one: Duration, identities: u32) {
        let nanos = u64::try_from((one * identities).as_nanos()).unwrap_or(u64::MAX);
        self.spent.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The key for digests of raw identities.
    pub(super) const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The key set of a digest, made where it is not known.
    pub(super) fn key_set(&self, digest: &RawDigest, make: impl FnOnce() -> KeySet) -> MarkedKeys {
        // The last byte, since the first ones serve the map.
        let shard = digest.last().map_or(0, |byte| usize::from(*byte) % SHARDS);
        let Some(shard) = self.shards.get(shard) else { return MarkedKeys::new(make()) };
        // What another thread left is whole: a map is changed in one call.
        let lock = || shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(digest) {
            return known.clone();
        }
        let made = MarkedKeys::new(make());
        let mut shard = lock();
        if shard.len() >= MOST {
            shard.clear();
        }
        shard.insert(*digest, made.clone());
        made
    }
}

impl std::fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyCache(..)")
    }
}

impl Drop for KeyCache {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// Folds the first eight bytes of whatever is hashed.
#[derive(Debug, Default)]
pub(super) struct Leading(u64);

impl Hasher for Leading {
    fn write(&mut self, bytes: &[u8]) {
        let word = bytes.first_chunk::<8>().map_or(0, |eight| u64::from_le_bytes(*eight));
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    // Lengths and discriminants tell nothing apart that a keyed hash does not.
    fn write_usize(&mut self, _: usize) {}

    fn write_isize(&mut self, _: isize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
