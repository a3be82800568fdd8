//! TLS of the portal: its own certificate, and what a program shows that comes with one of its own.
//!
//! A client's certificate proves nothing to the gateway's own use: what the client signed in the handshake goes to
//! the guard, which judges it. Only TLS 1.3 is taken for that, without resumption, so that each connection has a
//! signature of its own.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine_protocol::CertificateProof;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme};

/// How the portal speaks TLS.
#[derive(Clone)]
pub struct Tls {
    provider: Arc<CryptoProvider>,
    certificate: Arc<dyn ResolvesServerCert>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl Tls {
    /// With this certificate chain and private key; programs may show certificates of these authorities.
    ///
    /// # Errors
    ///
    /// The key does not fit the certificate, or the authorities cannot be used.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        clients: Option<RootCertStore>,
    ) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificate = CertifiedKey::from_der(chain, key, &provider)?;
        let verifier = |roots: RootCertStore| {
            let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            builder.allow_unauthenticated().build().map_err(|error| Error::General(error.to_string()))
        };
        let clients = clients.map(verifier).transpose()?;
        let certificate = Arc::new(SingleCertAndKey::from(certificate));
        Ok(Self { provider, certificate, clients })
    }

    /// The configuration of one connection, and what its client will have shown.
    pub(crate) fn connection(&self) -> Result<(ServerConfig, Shown), Error> {
        let shown = Shown::default();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(inner) => {
                let witness = Witness { inner: Arc::clone(inner), shown: shown.clone() };
                builder.with_client_cert_verifier(Arc::new(witness))
            }
        };
        let mut config = builder.with_cert_resolver(Arc::clone(&self.certificate));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if self.clients.is_some() {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok((config, shown))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

/// What the client of one connection showed and signed.
#[derive(Clone, Default)]
pub(crate) struct Shown(Arc<Mutex<Option<CertificateProof>>>);

impl Shown {
    /// The proof, where a certificate was shown; once.
    pub(crate) fn take(&self) -> Option<CertificateProof> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Judges client certificates as rustls does, and keeps what was signed.
struct Witness {
    inner: Arc<dyn ClientCertVerifier>,
    shown: Shown,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness(..)")
    }
}

impl ClientCertVerifier for Witness {
    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain = chain.map(|certificate| STANDARD.encode(certificate)).collect();
        let proof = CertificateProof { chain, message: String::new(), scheme: 0, signature: String::new() };
        *self.shown.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(proof);
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // The guard reads signatures of TLS 1.3 alone: the certificate counts for nothing.
        self.shown.take();
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = self.inner.verify_tls13_signature(message, certificate, signed)?;
        if let Some(proof) = &mut *self.shown.0.lock().unwrap_or_else(PoisonError::into_inner) {
            proof.message = STANDARD.encode(message);
            proof.scheme = signed.scheme.into();
            proof.signature = STANDARD.encode(signed.signature());
        }
        Ok(valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
