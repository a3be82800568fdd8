//! Words that only their holder knows: what follows from them, and how they are compared.

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

use crate::gateway::{NoRandomness, Sources};

/// A new word of 64 hexadecimal digits.
pub(crate) fn word(sources: &Sources) -> Result<String, NoRandomness> {
    let mut bytes = [0; 32];
    (sources.random)(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The word that the forms of a session carry. It follows from the session's word, so that nothing is kept for it,
/// and does not lead back to it.
pub(crate) fn form_word(session: &str) -> String {
    fingerprint(&format!("form {session}")).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of a word.
pub(crate) fn fingerprint(word: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    // SHA-256 has 32 bytes, so that the two always have one length.
    bytes.iter_mut().zip(digest(&SHA256, word.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
    bytes
}

/// Says whether two words are the same, in a time that does not tell how far they agree.
pub(crate) fn same(one: &str, two: &str) -> bool {
    fingerprint(one).ct_eq(&fingerprint(two)).into()
}

#[cfg(test)]
mod tests {
    use super::{fingerprint, form_word, same};

    #[test]
    fn a_digest_is_that_of_the_standard() {
        assert_eq!(fingerprint("abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
    }

    #[test]
    fn a_form_word_is_of_its_session() {
        assert_eq!(form_word("a"), form_word("a"));
        assert!(form_word("a") != form_word("b") && form_word("a").len() == 64);
    }

    #[test]
    fn words_are_compared_whole() {
        assert!(same("abc", "abc"));
        assert!(!same("abc", "abcd") && !same("", "a"));
    }
}
