//! Random words that only their holder knows, and how they are compared.

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

use crate::gateway::{NoRandomness, Sources};

/// A new word of 64 hexadecimal digits.
pub(crate) fn word(sources: &Sources) -> Result<String, NoRandomness> {
    let mut bytes = [0; 32];
    (sources.random)(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
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

/// Reads 64 hexadecimal digits.
pub(crate) fn parse(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = high << 4 | low;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{fingerprint, parse, same};

    #[test]
    fn a_digest_is_that_of_the_standard() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(parse(abc), Some(fingerprint("abc")));
        for wrong in [
            "",
            "ba",
            abc.trim_start_matches('b'),
            &abc.replace('b', "g"),
            &format!("{abc}00"),
            &abc.replace("ba78", "ｂａ78"),
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn words_are_compared_whole() {
        assert!(same("abc", "abc"));
        assert!(!same("abc", "abcd") && !same("", "a"));
    }
}
