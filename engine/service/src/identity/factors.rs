//! Second factors: time-based codes (RFC 6238), each step once, and recovery codes for a lost device.
//!
//! The secret of a factor must be had in clear to check a code. It lies sealed under a key that follows from the
//! environment's project master, bound to its user, so that a copy of the database alone makes no codes.

use catalog_store::{KeyRole, SecretKey, decrypt, encrypt, from_hex, hex};
use totp_rs::{Algorithm, Builder, Totp};

use super::words;
use crate::guard::{Guard, GuardError};

/// The issuer that authenticator programs show.
const ISSUER: &str = "misu";
/// Bytes of a factor's secret.
const SECRET: usize = 20;
/// How many recovery codes somebody gets.
const RECOVERY_CODES: usize = 10;
/// Characters of a recovery code: 80 bits, so that a plain digest of it does not help whoever reads the database.
const RECOVERY_LENGTH: usize = 16;
// Without letters and digits that look alike.
const RECOVERY_LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A factor's secret.
pub(super) struct Factor(Vec<u8>);

impl Factor {
    /// A new one.
    pub(super) fn random() -> Result<Self, GuardError> {
        Ok(Self(SecretKey::random()?.as_bytes().get(..SECRET).unwrap_or_default().to_vec()))
    }

    /// One that nobody has, to do the same work for somebody who has no account.
    pub(super) fn nobodys() -> Self {
        Self(vec![0; SECRET])
    }

    /// Seals it for a user.
    pub(super) fn seal(&self, guard: &Guard, user: &str) -> Result<String, GuardError> {
        let key = guard.environment.key(KeyRole::Project)?;
        let sealed = encrypt(&sealing_key(&key), user.as_bytes(), &self.0)?;
        Ok(format!("{}:{}", key.id().as_str(), hex(&sealed)))
    }

    /// Opens what was sealed for a user; nothing where it was not.
    pub(super) fn open(guard: &Guard, user: &str, sealed: &str) -> Result<Option<Self>, GuardError> {
        let Some((id, bytes)) = sealed.split_once(':') else { return Ok(None) };
        let Some(bytes) = from_hex(bytes) else { return Ok(None) };
        let key = guard.environment.keys().with_id(KeyRole::Project, id)?;
        Ok(decrypt(&sealing_key(&key), user.as_bytes(), &bytes).map(|clear| Self(clear.to_vec())))
    }

    /// The step of this code, one before or after the present one at most; nothing where the code is wrong.
    pub(super) fn step(&self, code: &str, now: i64) -> Option<i64> {
        let digits: String = code.chars().filter(|character| !character.is_whitespace()).collect();
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let step = self.totp("user")?.check(&digits, u64::try_from(now).ok()?)?;
        i64::try_from(step).ok()
    }

    /// The secret as people type it, and the address that authenticator programs take.
    pub(super) fn shown(&self, user: &str) -> Option<(String, String)> {
        let secret = totp_rs::Secret::from(self.0.clone()).to_base32();
        // The account's name has no colon in such an address.
        let totp = self.totp(&user.replace(':', "."))?;
        Some((secret, totp.to_url().ok()?))
    }

    fn totp(&self, user: &str) -> Option<Totp> {
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_skew(1)
            .with_step_duration(30)
            .with_secret(self.0.clone())
            .with_account_name(user)
            .with_issuer(Some(ISSUER))
            .build()
            .ok()
    }
}

impl Drop for Factor {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

fn sealing_key(master: &SecretKey) -> SecretKey {
    SecretKey::new(blake3::derive_key("misu 2026-11 second factors of accounts", master.as_bytes()))
}

/// New recovery codes as they are shown, once, with the digests that are kept.
pub(super) fn recovery_codes() -> Result<(Vec<String>, Vec<String>), GuardError> {
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    let mut digests = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        let random = SecretKey::random()?;
        let letters = random.as_bytes().iter().take(RECOVERY_LENGTH);
        // 32 letters divide 256, so that each is as likely as the others.
        let letter =
            |byte: &u8| RECOVERY_LETTERS.get(usize::from(byte % 32)).map(|letter| char::from(*letter));
        let code: String = letters.filter_map(letter).collect();
        digests.push(recovery_digest(&code).ok_or(GuardError::Bug("a code of ours has a digest"))?);
        let groups: Vec<String> =
            code.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
        codes.push(groups.join("-"));
    }
    Ok((codes, digests))
}

/// The digest under which a recovery code is kept, however it is typed; nothing where it cannot be one.
pub(super) fn recovery_digest(code: &str) -> Option<String> {
    let typed = code.chars().filter(|character| !character.is_whitespace() && *character != '-');
    let plain: String =
        typed.map(|character| character.to_ascii_uppercase()).take(RECOVERY_LENGTH + 1).collect();
    let is_one = plain.len() == RECOVERY_LENGTH && plain.bytes().all(|byte| RECOVERY_LETTERS.contains(&byte));
    is_one.then(|| words::digest(&engine_protocol::SecretWord::new(format!("recovery {plain}")))).flatten()
}

#[cfg(test)]
mod tests {
    use super::{Factor, RECOVERY_CODES, recovery_codes, recovery_digest};

    #[test]
    fn a_code_is_that_of_the_standard_within_one_step() {
        // RFC 6238, appendix B, SHA-1, the last six digits.
        let factor = Factor(b"12345678901234567890".to_vec());
        for (at, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924")] {
            assert_eq!(factor.step(code, at), Some(at / 30));
            assert_eq!(factor.step(code, at + 30), Some(at / 30), "the one before");
            assert_eq!(factor.step(code, at + 60), None);
            assert_eq!(factor.step(code, at - 60), None);
        }
        assert_eq!(factor.step("081 804", 1_111_111_109), Some(37_037_036));
        for wrong in ["", "81804", "0818040", "08180x", "０８１８０４"] {
            assert_eq!(factor.step(wrong, 1_111_111_109), None, "{wrong}");
        }
    }

    #[test]
    fn an_authenticator_program_is_told_the_secret() {
        let factor = Factor(b"12345678901234567890".to_vec());
        let (secret, address) = factor.shown("sato:x").unwrap();
        assert_eq!(secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(address.starts_with("otpauth://totp/misu:sato.x?secret=GEZDGN"), "{address}");
    }

    #[test]
    fn recovery_codes_are_known_however_they_are_typed() {
        let (codes, digests) = recovery_codes().unwrap();
        assert_eq!((codes.len(), digests.len()), (RECOVERY_CODES, RECOVERY_CODES));
        let typed = format!(" {} ", codes[0].to_lowercase().replace('-', " "));
        assert_eq!(recovery_digest(&typed).as_ref(), Some(&digests[0]));
        for wrong in
            ["", "ABCD", &format!("{}A", codes[0]), &codes[0].replace(|c: char| c.is_ascii_digit(), "0")]
        {
            assert!(recovery_digest(wrong).is_none_or(|digest| digest == digests[0]), "{wrong}");
        }
        assert_eq!(recovery_digest("0000-0000-0000-0000"), None);
    }
}
