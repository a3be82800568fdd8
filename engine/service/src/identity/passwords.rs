//! Passwords: hashed by argon2id with parameters that stand beside the hash, so that they can grow.

use argon2::{Algorithm, Argon2, Params, Version};
use catalog_store::{SecretKey, SignInRules, from_hex, hex};
use subtle::ConstantTimeEq as _;

use crate::guard::GuardError;

/// The shortest and the longest password, in characters.
const LENGTH: std::ops::RangeInclusive<usize> = 12..=256;
/// The longest text that is hashed, so that nobody makes the guard work by sending much.
const LONGEST: usize = 1024;
const SALT: usize = 16;

/// The hash of a password with its salt and parameters: `argon2id memory passes salt hash`.
pub(super) fn hash(password: &str, rules: &SignInRules) -> Result<String, GuardError> {
    let random = SecretKey::random()?;
    let salt = random.as_bytes().get(..SALT).unwrap_or_default();
    let (memory, passes) = (rules.password_memory_kib, rules.password_passes);
    let digest = derive(password, salt, memory, passes)
        .ok_or(GuardError::Bug("the parameters of the password hash in misu.toml are out of range"))?;
    Ok(format!("argon2id {memory} {passes} {} {}", hex(salt), hex(&digest)))
}

/// Says whether a password is the one that was hashed. The same work is done where there is nothing to compare with.
pub(super) fn verify(password: &str, kept: Option<&str>, rules: &SignInRules) -> bool {
    let parsed = kept.and_then(parse);
    let nothing = Kept {
        memory: rules.password_memory_kib,
        passes: rules.password_passes,
        salt: vec![0; SALT],
        digest: vec![0; 32],
    };
    let is_there = parsed.is_some();
    let kept = parsed.unwrap_or(nothing);
    let digest = derive(password, &kept.salt, kept.memory, kept.passes);
    let is_same: bool = digest.is_some_and(|digest| digest.as_slice().ct_eq(&kept.digest).into());
    is_same && is_there
}

/// Says whether a password can be taken by this user: long enough, and neither their name nor one character again and
/// again.
pub(super) fn is_acceptable(password: &str, user: &str) -> bool {
    let mut characters = password.chars();
    let first = characters.next();
    let is_one = characters.all(|character| Some(character) == first);
    LENGTH.contains(&password.chars().count())
        && password.len() <= LONGEST
        && !is_one
        && !password.to_lowercase().contains(&user.to_lowercase())
}

struct Kept {
    memory: u32,
    passes: u32,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

fn parse(text: &str) -> Option<Kept> {
    let mut words = text.split(' ');
    (words.next()? == "argon2id").then_some(())?;
    let (memory, passes) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let (salt, digest) = (from_hex(words.next()?)?, from_hex(words.next()?)?);
    words.next().is_none().then_some(Kept { memory, passes, salt, digest })
}

fn derive(password: &str, salt: &[u8], memory: u32, passes: u32) -> Option<[u8; 32]> {
    let params = Params::new(memory, passes, 1, Some(32)).ok()?;
    let mut digest = [0; 32];
    let bytes = password.as_bytes();
    let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(bytes, salt, &mut digest)
        .ok()?;
    Some(digest)
}

#[cfg(test)]
mod tests {
    use catalog_store::SignInRules;

    use super::{hash, is_acceptable, verify};

    fn rules() -> SignInRules {
        SignInRules { password_memory_kib: 64, password_passes: 1, ..SignInRules::default() }
    }

    #[test]
    fn a_password_is_known_again_and_no_other_is() {
        let kept = hash("correct horse battery", &rules()).unwrap();
        assert_ne!(kept, hash("correct horse battery", &rules()).unwrap(), "each has its own salt");
        assert!(verify("correct horse battery", Some(&kept), &rules()));
        for wrong in ["", "correct horse batterz", "correct horse battery "] {
            assert!(!verify(wrong, Some(&kept), &rules()), "{wrong}");
        }
        assert!(!verify("correct horse battery", None, &rules()));
        for damaged in
            ["", "argon2id 64 1 00", "md5 64 1 00 00", &format!("{kept} 1"), &kept.replace("64", "x")]
        {
            assert!(!verify("correct horse battery", Some(damaged), &rules()), "{damaged}");
        }
        // Hashes that were made with other parameters are still read.
        let more = SignInRules { password_passes: 2, ..rules() };
        assert!(verify("correct horse battery", Some(&kept), &more));
    }

    #[test]
    fn a_password_is_long_and_not_ones_name() {
        for good in ["correct horse battery", "ながいながいあいことば一二三"] {
            assert!(is_acceptable(good, "sato"), "{good}");
        }
        for bad in ["short", "xxxxxxxxxxxxxxxx", "Sato-is-my-password", &"ab".repeat(200)] {
            assert!(!is_acceptable(bad, "sato"), "{bad}");
        }
    }
}
