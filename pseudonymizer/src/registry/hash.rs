//! Hashes under a key that lives as long as the run: what is compared is never the text.

use ring::rand::{SecureRandom as _, SystemRandom};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroize as _;

/// The key of one run; it cannot be copied out, and is erased when the run ends.
pub(super) struct RunKey([u8; 32]);

impl RunKey {
    /// A random key.
    pub(super) fn random() -> Option<Self> {
        let mut key = [0; 32];
        SystemRandom::new().fill(&mut key).ok()?;
        Some(Self(key))
    }

    /// The hash of a value in a domain; never 0, which stands for nothing.
    pub(super) fn hash(&self, domain: &[u8], parts: &[&str]) -> u64 {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&(domain.len() as u64).to_le_bytes()).update(domain);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        let mut hash = [0; 8];
        hasher.finalize_xof().fill(&mut hash);
        u64::from_le_bytes(hash).max(1)
    }
}

impl Drop for RunKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The form in which a value is hashed: compatibility characters folded, lower case, letters and digits only.
pub(super) fn normal(value: &str) -> zeroize::Zeroizing<String> {
    let folded: String = value.nfkc().flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric()).collect();
    zeroize::Zeroizing::new(folded)
}
