//! The provider at which people sign in (OpenID Connect): authorization code with PKCE, and the HTTP that it takes.
//!
//! What comes back is an ID token, which the guard judges; here it is passed on as it came. HTTP without TLS is
//! spoken to this machine alone, for trying things out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, IssuerUrl, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse as _,
};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long the provider may take for one answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The longest answer.
const LONGEST: usize = 1 << 20;
/// How long somebody may take at the provider.
const AWAY: Duration = Duration::from_secs(10 * 60);
/// Sign-ins that are under way at the same time.
const MOST: usize = 10_000;

/// How the portal reaches the provider.
#[derive(Clone)]
pub struct ProviderSettings {
    /// The address of the portal as browsers know it, without a slash at its end.
    pub public_url: String,
    /// The secret that we have at the provider, where we have one.
    pub secret: Option<String>,
    /// Whom to believe about names in TLS.
    pub roots: Arc<rustls::RootCertStore>,
}

/// Why a sign-in at the provider does not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    /// The provider cannot be reached, or what it says is not of the protocol.
    #[error("the provider gives no answer that can be used: {0}")]
    Provider(String),
    /// The browser comes back from a sign-in that nobody began here.
    #[error("nobody began this sign-in here")]
    Unknown,
    /// As many sign-ins as may be are under way.
    #[error("too many sign-ins at once")]
    Busy,
}

/// Sign-ins that are under way, by their state.
#[derive(Debug, Default)]
pub(crate) struct UnderWay(Mutex<HashMap<String, Begun>>);

/// A sign-in that is under way.
#[derive(Debug)]
struct Begun {
    at: Duration,
    issuer: String,
    client_id: String,
    verifier: PkceCodeVerifier,
}

/// Where the browser is sent, and the word that it must come back with.
pub(crate) struct Departure {
    pub(crate) to: String,
    pub(crate) state: String,
}

/// What the guard said of the provider.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) acr: Vec<String>,
    pub(crate) nonce: String,
}

impl UnderWay {
    /// Begins a sign-in at the provider.
    pub(crate) async fn begin(
        &self,
        settings: &ProviderSettings,
        provider: Provider,
        now: Duration,
    ) -> Result<Departure, ProviderError> {
        let metadata = discovered(settings, &provider.issuer).await?;
        let client = CoreClient::from_provider_metadata(
            metadata,
            ClientId::new(provider.client_id.clone()),
            settings.secret.clone().map(ClientSecret::new),
        )
        .set_redirect_uri(redirect(settings)?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = Nonce::new(provider.nonce);
        let request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, move || nonce)
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(challenge);
        let request = if provider.acr.is_empty() {
            request
        } else {
            request.add_extra_param("acr_values", provider.acr.join(" "))
        };
        let (to, state, _) = request.url();
        let begun = Begun { at: now, issuer: provider.issuer, client_id: provider.client_id, verifier };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, begun| now.saturating_sub(begun.at) < AWAY);
        if all.len() >= MOST {
            return Err(ProviderError::Busy);
        }
        all.insert(state.secret().clone(), begun);
        Ok(Departure { to: to.to_string(), state: state.secret().clone() })
    }

    /// Fetches the ID token of a sign-in that comes back; each serves once.
    pub(crate) async fn finish(
        &self,
        settings: &ProviderSettings,
        state: &str,
        code: String,
        now: Duration,
    ) -> Result<String, ProviderError> {
        let begun = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(state);
        let begun = begun.filter(|begun| now.saturating_sub(begun.at) < AWAY);
        let begun = begun.ok_or(ProviderError::Unknown)?;
        let metadata = discovered(settings, &begun.issuer).await?;
        let secret = settings.secret.clone().map(ClientSecret::new);
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(begun.client_id), secret)
            .set_redirect_uri(redirect(settings)?);
        let http = |request| call(settings.clone(), request);
        let token = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(told)?
            .set_pkce_verifier(begun.verifier)
            .request_async(&http)
            .await
            .map_err(told)?;
        // The access token opens doors at the provider that are not ours: it is dropped.
        let _ = token.access_token();
        let token = token.id_token().ok_or_else(|| ProviderError::Provider("no ID token".to_owned()))?;
        Ok(token.to_string())
    }
}

fn redirect(settings: &ProviderSettings) -> Result<RedirectUrl, ProviderError> {
    RedirectUrl::new(format!("{}/sign-in/oidc/return", settings.public_url)).map_err(told)
}

async fn discovered(
    settings: &ProviderSettings,
    issuer: &str,
) -> Result<CoreProviderMetadata, ProviderError> {
    let http = |request| call(settings.clone(), request);
    let issuer = IssuerUrl::new(issuer.to_owned()).map_err(told)?;
    CoreProviderMetadata::discover_async(issuer, &http).await.map_err(told)
}

/// Causes without what was sent: a request has secrets in it.
fn told(error: impl std::error::Error) -> ProviderError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    ProviderError::Provider(text)
}

/// Why one HTTP request fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("the address {0} is neither https nor http of this machine")]
    Address(String),
    #[error("cannot be reached")]
    Io(#[from] std::io::Error),
    #[error("the answer breaks off")]
    Hyper(#[from] hyper::Error),
    #[error("the answer is too long or breaks off: {0}")]
    Body(String),
    #[error("no answer in time")]
    Late,
}

/// Sends one request and reads its answer; redirects are not followed.
async fn call(settings: ProviderSettings, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, HttpError> {
    tokio::time::timeout(ANSWER, exchange(settings, request)).await.map_err(|_| HttpError::Late)?
}

async fn exchange(
    settings: ProviderSettings,
    request: Request<Vec<u8>>,
) -> Result<Response<Vec<u8>>, HttpError> {
    let uri = request.uri().clone();
    let refused = || HttpError::Address(uri.to_string());
    let host = uri.host().ok_or_else(refused)?.trim_matches(['[', ']']).to_owned();
    match uri.scheme_str() {
        Some("https") => {
            let stream = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(443))).await?;
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(std::io::Error::other)?
                .with_root_certificates(Arc::clone(&settings.roots))
                .with_no_client_auth();
            let name = ServerName::try_from(host).map_err(|_| refused())?;
            send(TlsConnector::from(Arc::new(config)).connect(name, stream).await?, &uri, request).await
        }
        Some("http") if is_this_machine(&host) => {
            let stream = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(80))).await?;
            send(stream, &uri, request).await
        }
        _ => Err(refused()),
    }
}

fn is_this_machine(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    uri: &Uri,
    request: Request<Vec<u8>>,
) -> Result<Response<Vec<u8>>, HttpError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (mut parts, body) = request.into_parts();
    let refused = || HttpError::Address(uri.to_string());
    let authority = uri.authority().ok_or_else(refused)?.as_str();
    parts.headers.insert(header::HOST, authority.parse().map_err(|_| refused())?);
    parts.uri = uri.path_and_query().ok_or_else(refused)?.as_str().parse().map_err(|_| refused())?;
    let answer = sender.send_request(Request::from_parts(parts, Full::new(Bytes::from(body)))).await?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, LONGEST).collect().await;
    let body = body.map_err(|error| HttpError::Body(error.to_string()))?.to_bytes();
    Ok(Response::from_parts(parts, body.to_vec()))
}

impl std::fmt::Debug for ProviderSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProviderSettings({})", self.public_url)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::http::Request;

    use super::{HttpError, ProviderSettings, call, is_this_machine};

    #[test]
    fn this_machine_is_named_by_address() {
        assert!(is_this_machine("127.0.0.1") && is_this_machine("::1"));
        for other in ["localhost", "10.0.0.1", "127.0.0.1.evil.example", ""] {
            assert!(!is_this_machine(other), "{other}");
        }
    }

    #[tokio::test]
    async fn http_goes_to_this_machine_only() {
        let settings = ProviderSettings {
            public_url: "http://127.0.0.1:1".to_owned(),
            secret: None,
            roots: Arc::new(rustls::RootCertStore::empty()),
        };
        for address in ["http://id.example/", "ftp://127.0.0.1/", "http://localhost/"] {
            let request = Request::get(address).body(Vec::new()).unwrap();
            let refused = call(settings.clone(), request).await;
            assert!(matches!(refused, Err(HttpError::Address(_))), "{address}");
        }
    }
}
