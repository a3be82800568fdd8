//! Secret words: random, handed out once, kept as digests.

use catalog_store::{SecretKey, hex};
use engine_protocol::SecretWord;

use crate::guard::GuardError;

/// The longest word that is looked at.
const LONGEST: usize = 256;

/// A new word of 64 hexadecimal digits.
pub(crate) fn word() -> Result<SecretWord, GuardError> {
    Ok(SecretWord::new(hex(SecretKey::random()?.as_bytes())))
}

/// The digest under which a word is kept; nothing where it is too long to be one. A word has 256 random bits, so
/// that a plain hash does not help whoever reads the database.
pub(crate) fn digest(word: &SecretWord) -> Option<String> {
    let text = word.as_str();
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    Some(hex(&blake3::derive_key("misu 2026-11 secret word", text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use engine_protocol::SecretWord;

    use super::{digest, word};

    #[test]
    fn words_differ_and_their_digests_tell_nothing() {
        let (one, two) = (word().unwrap(), word().unwrap());
        assert!(one != two && one.as_str().len() == 64);
        assert_ne!(digest(&one).unwrap(), one.as_str());
        assert_eq!(digest(&one), digest(&SecretWord::new(one.as_str())));
        assert_eq!(digest(&SecretWord::new("")), None);
        assert_eq!(digest(&SecretWord::new("x".repeat(257))), None);
    }
}
