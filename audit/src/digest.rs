//! 32 bytes of SHA-256 (or of another digest that a body names), written as hexadecimal.

use std::fmt;

/// A digest: 64 lower-case hexadecimal digits in the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// What the first entry has as the hash of the entry before it.
    pub const ZERO: Self = Self([0; 32]);

    /// Takes the 32 bytes of a digest.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The SHA-256 of the parts, one after the other.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for part in parts {
            context.update(part);
        }
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }

    /// Reads 64 lower-case hexadecimal digits; anything else is no digest.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
        // All digits at once, without a branch for each: a log is mostly digests.
        let nibbles = digits.map(nibble);
        let is_wrong = nibbles.iter().fold(0, |all, nibble| all | nibble) > 15;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(nibbles.chunks_exact(2)) {
            let &[high, low] = pair else { return None };
            *byte = high << 4 | (low & 15);
        }
        (!is_wrong).then_some(Self(bytes))
    }

    /// The 64 digits, behind what `out` holds.
    pub(crate) fn write(&self, out: &mut String) {
        for byte in self.0 {
            out.push(digit(byte >> 4));
            out.push(digit(byte & 15));
        }
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The number of a digit; above 15 where it is none.
const fn nibble(digit: u8) -> u8 {
    let (number, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
    if number < 10 {
        number
    } else if letter < 6 {
        letter + 10
    } else {
        16
    }
}

/// The digit of a number below 16.
const fn digit(nibble: u8) -> char {
    (if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble }) as char
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = String::with_capacity(64);
        self.write(&mut digits);
        f.write_str(&digits)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn sha_256_is_the_published_one() {
        // FIPS 180-4's example: the three letters abc.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(&[b"a", b"bc"]).to_string(), abc);
        assert_eq!(Digest::parse(abc), Some(Digest::of(&[b"abc"])));
    }

    #[test]
    fn only_one_spelling_is_read() {
        let abc = Digest::of(&[b"abc"]).to_string();
        for wrong in [abc.to_uppercase(), format!("{abc}0"), abc.replace('b', "g"), abc.replace('b', "é")] {
            assert_eq!(Digest::parse(&wrong), None, "{wrong}");
        }
    }
}
