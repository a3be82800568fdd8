//! What a person is called in rows that are kept for one project outside the bucketed store.
//!
//! Whose key it is, and for which epoch, is decided where keys are: `catalog_store::ProjectPseudonyms`.

/// The pseudonym of the person with this number, under the key of one provision.
pub fn project_pseudonym(key: &[u8; 32], person: u32) -> [u8; 16] {
    let mut pseudonym = [0; 16];
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&person.to_le_bytes());
    hasher.finalize_xof().fill(&mut pseudonym);
    pseudonym
}
