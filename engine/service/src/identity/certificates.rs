//! Programs that come with a client certificate.
//!
//! TLS ends at the gateway, which is not believed. But a client that shows a certificate signs the handshake
//! (TLS 1.3, CertificateVerify), and the gateway hands that signature on: the guard checks it, the chain up to an
//! authority that an operator pinned, and the address in the certificate. Whoever takes the gateway over can use the
//! handshakes that pass through it, each once, and makes none.

use audit::{Event, Kind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use catalog_store::{ServiceRecord, hex};
use engine_protocol::{CertificateProof, IdentityReply};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::{Standing, sessions};
use crate::guard::{Guard, GuardError};

/// How a session is called that began so.
pub(super) const METHOD: &str = "certificate";
/// The pinned authorities, below `keys/`.
pub(super) const PINNED: &str = "client-authorities.pem";
/// What a client signs (RFC 8446, 4.4.3): 64 spaces, this, a zero, and the hash of the handshake.
const CONTEXT: &[u8] = b"TLS 1.3, client CertificateVerify\0";
/// How long a handshake is remembered, in seconds: longer than any certificate for it should last.
const REMEMBERED: i64 = 800 * 24 * 60 * 60;

/// Begins a session with what a client showed in a handshake.
pub(super) fn begin(guard: &Guard, proof: &CertificateProof) -> Result<IdentityReply, GuardError> {
    let pinned = std::fs::read(guard.environment.room("keys").join(PINNED)).unwrap_or_default();
    let why = match judged(proof, &pinned, guard.seconds()) {
        Ok(uris) => match registered(guard, &uris, proof)? {
            Ok(service) => return sessions::begin_for_service(guard, &service),
            Err(why) => why,
        },
        Err(why) => why,
    };
    guard.log.record(Event::new(Kind::SignInFailed, "unknown").with("method", METHOD).with("why", why))?;
    Ok(IdentityReply::Refused)
}

/// The registered program behind one of the certificate's addresses; the handshake serves once.
fn registered(
    guard: &Guard,
    uris: &[String],
    proof: &CertificateProof,
) -> Result<Result<ServiceRecord, &'static str>, GuardError> {
    let service = find(guard, |service| uris.contains(&service.uri))?;
    let Some(service) = service else { return Ok(Err("service")) };
    if Standing::of(&guard.meta, &service.user, guard.now())?.is_none() {
        return Ok(Err("person"));
    }
    let digest = hex(&blake3::derive_key("misu 2026-11 handshake", proof.message.as_bytes()));
    let ends = guard.seconds().saturating_add(REMEMBERED);
    let is_new = guard.meta.note_once(&digest, METHOD, ends)?;
    Ok(if is_new { Ok(service) } else { Err("used") })
}

/// A registered program that still may.
pub(super) fn find(
    guard: &Guard,
    is_it: impl Fn(&ServiceRecord) -> bool,
) -> Result<Option<ServiceRecord>, GuardError> {
    let now = guard.seconds();
    Ok(guard.meta.services()?.into_iter().find(|service| is_it(service) && now < service.ends))
}

/// The addresses in a certificate whose holder signed this handshake; otherwise what is wrong.
fn judged(proof: &CertificateProof, pinned: &[u8], now: i64) -> Result<Vec<String>, &'static str> {
    let decode = |text: &String| STANDARD.decode(text).map_err(|_| "form");
    let chain = proof.chain.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    let chain: Vec<CertificateDer<'_>> = chain.into_iter().map(CertificateDer::from).collect();
    let (first, intermediates) = chain.split_first().ok_or("form")?;
    let (message, signature) = (decode(&proof.message)?, decode(&proof.signature)?);
    let handshake = message.strip_prefix(&[b' '; 64]).and_then(|rest| rest.strip_prefix(CONTEXT));
    if !handshake.is_some_and(|hash| matches!(hash.len(), 32 | 48)) {
        return Err("handshake");
    }
    let pinned = authorities(pinned).ok_or("no-authorities")?;
    let anchors: Vec<TrustAnchor<'_>> =
        pinned.iter().filter_map(|authority| anchor_from_trusted_cert(authority).ok()).collect();
    let certificate = EndEntityCert::try_from(first).map_err(|_| "certificate")?;
    let seconds = u64::try_from(now).map_err(|_| "time")?;
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    certificate
        .verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &anchors,
            intermediates,
            at,
            KeyUsage::client_auth(),
            None,
            None,
        )
        .map_err(|_| "chain")?;
    let algorithm = algorithm(proof.scheme).ok_or("scheme")?;
    certificate.verify_signature(algorithm, &message, &signature).map_err(|_| "signature")?;
    Ok(certificate.valid_uri_names().map(str::to_owned).collect())
}

/// The certificates of a PEM text; nothing where there is none.
pub(super) fn authorities(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found.ok().filter(|found| !found.is_empty())
}

/// The signature schemes of TLS 1.3 (RFC 8446, 4.2.3) that are taken.
fn algorithm(scheme: u16) -> Option<&'static dyn SignatureVerificationAlgorithm> {
    match scheme {
        0x0403 => Some(webpki::ring::ECDSA_P256_SHA256),
        0x0503 => Some(webpki::ring::ECDSA_P384_SHA384),
        0x0807 => Some(webpki::ring::ED25519),
        0x0804 => Some(webpki::ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY),
        0x0805 => Some(webpki::ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY),
        0x0806 => Some(webpki::ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use engine_protocol::CertificateProof;
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
    };
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

    use super::{CONTEXT, judged};

    const URI: &str = "spiffe://misu.example/batch";
    /// Within the years for which rcgen makes certificates.
    const NOW: i64 = 1_800_000_000;

    fn authority() -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    /// What a client of this authority shows, signing this.
    fn proof(authority: &CertifiedIssuer<'static, KeyPair>, signed: &[u8]) -> CertificateProof {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.subject_alt_names = vec![SanType::URI(URI.try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, authority).unwrap();
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.serialize_der(), &random);
        let signature = pair.unwrap().sign(&random, signed).unwrap();
        CertificateProof {
            chain: vec![STANDARD.encode(certificate.der())],
            message: STANDARD.encode(signed),
            scheme: 0x0403,
            signature: STANDARD.encode(signature.as_ref()),
        }
    }

    fn handshake(hash: u8) -> Vec<u8> {
        [&[b' '; 64][..], CONTEXT, &[hash; 32]].concat()
    }

    #[test]
    fn who_signed_a_handshake_under_a_pinned_authority_is_known() {
        let (ours, other) = (authority(), authority());
        let pinned = ours.pem();
        let good = proof(&ours, &handshake(7));
        let judge = |proof: &CertificateProof, pinned: &str| judged(proof, pinned.as_bytes(), NOW);
        assert_eq!(judge(&good, &pinned), Ok(vec![URI.to_owned()]));
        assert_eq!(judge(&good, &other.pem()), Err("chain"));
        assert_eq!(judge(&good, ""), Err("no-authorities"));
        assert_eq!(judge(&proof(&other, &handshake(7)), &pinned), Err("chain"));
        assert_eq!(judged(&good, pinned.as_bytes(), 0), Err("chain"), "before its time");
        // Another handshake under the same signature, and a signature over something that is no handshake.
        let moved = CertificateProof { message: STANDARD.encode(handshake(8)), ..good.clone() };
        assert_eq!(judge(&moved, &pinned), Err("signature"));
        assert_eq!(judge(&proof(&ours, b"pay 100 yen"), &pinned), Err("handshake"));
        let scheme = CertificateProof { scheme: 0x0201, ..good.clone() };
        assert_eq!(judge(&scheme, &pinned), Err("scheme"));
        let empty = CertificateProof { chain: Vec::new(), ..good };
        assert_eq!(judge(&empty, &pinned), Err("form"));
    }
}
