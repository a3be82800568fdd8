//! Encryption to a public key: HPKE (RFC 9180) with X25519, HKDF-SHA-256 and AES-256-GCM, in base mode.
//!
//! Who sealed something is said by a signature, not by HPKE's authenticated mode: a signature can be shown to others.

use catalog_store::{SecretKey, from_hex, hex};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::SeedableRng as _;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _, setup_receiver};
use rand_chacha::ChaCha20Rng;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

/// Why something cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// A public key is not one.
    #[error("the public key is not one of X25519")]
    PublicKey,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// It cannot be sealed.
    #[error("it cannot be sealed")]
    Seal,
    /// It was sealed to another key, or changed on the way.
    #[error("it was sealed to another key, or changed on the way")]
    Open,
}

type Receiver = <X25519HkdfSha256 as Kem>::PublicKey;
type Encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey;

/// The public half of a key, in hexadecimal digits.
pub(super) fn public_half(key: &SecretKey) -> String {
    let (_, public) = X25519HkdfSha256::derive_keypair(key.as_bytes());
    hex(&public.to_bytes())
}

/// Seals `clear` to a public key; the encapsulated key and the ciphertext, in hexadecimal digits.
///
/// # Errors
///
/// The public key is not one, or there are no random bytes.
pub(super) fn seal_to(
    public: &str,
    purpose: &str,
    bound_to: &[u8],
    clear: &[u8],
) -> Result<String, EnvelopeError> {
    let public = from_hex(public).ok_or(EnvelopeError::PublicKey)?;
    let public = Receiver::from_bytes(&public).map_err(|_| EnvelopeError::PublicKey)?;
    let mut seed = Zeroizing::new([0; 32]);
    SystemRandom::new().fill(seed.as_mut()).map_err(|_| EnvelopeError::Random)?;
    let mut random = ChaCha20Rng::from_seed(*seed);
    let (encapsulated, mut context) = hpke::setup_sender_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &public,
        purpose.as_bytes(),
        &mut random,
    )
    .map_err(|_| EnvelopeError::Seal)?;
    let sealed = context.seal(clear, bound_to).map_err(|_| EnvelopeError::Seal)?;
    Ok(format!("{}:{}", hex(&encapsulated.to_bytes()), hex(&sealed)))
}

/// Opens what [`seal_to`] made for the public half of `key`.
///
/// # Errors
///
/// It was sealed to another key, for another purpose, bound to something else, or changed.
pub(super) fn open_to(
    key: &SecretKey,
    purpose: &str,
    bound_to: &[u8],
    sealed: &str,
) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let (encapsulated, sealed) = sealed.split_once(':').ok_or(EnvelopeError::Open)?;
    let encapsulated = from_hex(encapsulated).ok_or(EnvelopeError::Open)?;
    let encapsulated = Encapsulated::from_bytes(&encapsulated).map_err(|_| EnvelopeError::Open)?;
    let sealed = from_hex(sealed).ok_or(EnvelopeError::Open)?;
    let (private, _) = X25519HkdfSha256::derive_keypair(key.as_bytes());
    let mut context = setup_receiver::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &private,
        &encapsulated,
        purpose.as_bytes(),
    )
    .map_err(|_| EnvelopeError::Open)?;
    context.open(&sealed, bound_to).map(Zeroizing::new).map_err(|_| EnvelopeError::Open)
}

#[cfg(test)]
mod tests {
    use catalog_store::SecretKey;

    use super::{EnvelopeError, open_to, public_half, seal_to};

    #[test]
    fn only_the_receiver_opens_it_and_only_as_it_was_meant() {
        let (key, other) = (SecretKey::new([7; 32]), SecretKey::new([8; 32]));
        let sealed = seal_to(&public_half(&key), "test", b"here", b"secret").unwrap();
        assert_ne!(sealed, seal_to(&public_half(&key), "test", b"here", b"secret").unwrap());
        assert_eq!(open_to(&key, "test", b"here", &sealed).unwrap().as_slice(), b"secret");
        let mut changed = sealed.clone();
        let last = changed.pop().unwrap();
        changed.push(if last == '0' { '1' } else { '0' });
        for (key, purpose, place, sealed) in [
            (&other, "test", "here", &sealed),
            (&key, "other", "here", &sealed),
            (&key, "test", "there", &sealed),
            (&key, "test", "here", &changed),
        ] {
            let opened = open_to(key, purpose, place.as_bytes(), sealed);
            assert_eq!(opened.unwrap_err(), EnvelopeError::Open);
        }
        assert_eq!(seal_to("07", "test", b"", b"").unwrap_err(), EnvelopeError::PublicKey);
    }
}
