//! Keyed surrogates of facility codes and of the fields that name a receipt or a stay.

use zeroize::Zeroize as _;

/// Makes surrogates under the surrogate key.
pub struct Surrogates {
    key: [u8; 32],
}

impl Surrogates {
    /// Uses `key`.
    pub const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// A 16-byte surrogate of several fields, each written with its length.
    pub fn record(&self, parts: &mut dyn Iterator<Item = &[u8]>) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(b"misu/v1/record");
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let mut surrogate = [0; 16];
        hasher.finalize_xof().fill(&mut surrogate);
        surrogate
    }

    /// An 8-byte surrogate of a facility code. Two of a million facilities share one with a chance of 3 in 10⁸.
    pub fn facility(&self, code: &[u8]) -> u64 {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(b"misu/v1/facility").update(code);
        let mut surrogate = [0; 8];
        hasher.finalize_xof().fill(&mut surrogate);
        u64::from_le_bytes(surrogate)
    }
}

impl std::fmt::Debug for Surrogates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Surrogates(..)")
    }
}

impl Drop for Surrogates {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}
