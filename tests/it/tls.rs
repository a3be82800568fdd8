//! TLS: a portal with a certificate of its own, and programs that come with one of theirs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::calls::House;
use crate::demo::program;

const URI: &str = "spiffe://misu.example/batch";

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn certificate(authority: &Authority, name: SanType, usage: ExtendedKeyUsagePurpose) -> (String, KeyPair) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.subject_alt_names = vec![name];
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key)
}

fn client(authority: &Authority, uri: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    use rustls::pki_types::pem::PemObject as _;
    let name = SanType::URI(uri.try_into().unwrap());
    let (pem, key) = certificate(authority, name, ExtendedKeyUsagePurpose::ClientAuth);
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    (certificate, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
}

/// A portal over TLS in front of a house's guard.
struct Portal {
    house: House,
    child: Child,
    authority: Authority,
    port: u16,
}

impl Portal {
    fn new() -> Self {
        let (house, authority) = (House::new(), authority());
        let address = SanType::IpAddress("127.0.0.1".parse().unwrap());
        let (certificate, key) = certificate(&authority, address, ExtendedKeyUsagePurpose::ServerAuth);
        let write = |name: &str, text: &str| {
            let path = house.env.join("keys").join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        let paths = [
            write("portal.pem", &certificate),
            write("portal.key", &key.serialize_pem()),
            write("clients.pem", &authority.pem()),
        ];
        let mut command = Command::new(program("misu-gateway"));
        command.args(["--end-with-parent", "--listen", "127.0.0.1:0", "--guard"]).arg(&house.socket);
        for (flag, path) in ["--tls-cert", "--tls-key", "--client-ca"].iter().zip(&paths) {
            command.arg(flag).arg(path);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("https://127.0.0.1:"), "{line}");
        let port = line.trim_end().rsplit(':').next().unwrap().parse().unwrap();
        Self { house, child, authority, port }
    }

    /// Asks whether the portal is well, with a certificate or without.
    fn health(&self, shown: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>) -> Option<String> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match shown {
            Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", self.port)).unwrap());
        stream.write_all(b"GET /health HTTP/1.0\r\nhost: misu.example\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// The last entry of a kind: who, about what, and why.
    fn last(&self, kind: &str) -> Option<(String, String, String)> {
        let log = std::fs::read_to_string(self.house.env.join("audit/log.jsonl")).unwrap();
        let entries = log.lines().rev().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let mut of_kind = entries.filter(|entry| entry["kind"] == kind);
        of_kind
            .next()
            .map(|entry| (text(&entry["who"]), text(&entry["subject"]), text(&entry["body"]["why"])))
    }

    fn why(&self) -> String {
        self.last("sign-in-failed").unwrap().2
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_program_is_known_by_the_handshake_that_it_signed() {
    let portal = Portal::new();
    assert!(portal.health(None).unwrap().starts_with("HTTP/1.0 200"));
    assert_eq!(portal.last("session-begun"), None, "nobody showed anything");
    let show = || portal.health(Some(client(&portal.authority, URI))).unwrap();
    show();
    assert_eq!(portal.why(), "no-authorities", "the guard believes whom an operator pinned");
    let pem = portal.house.env.join("keys/clients.pem").display().to_string();
    portal.house.said(&["account", "pin-authorities", "--as", "demo-operator", &pem]);
    show();
    assert_eq!(portal.why(), "service");
    let service =
        ["account", "service", "--as", "demo-operator", URI, "--user", "demo-researcher", "--project"];
    assert!(!portal.house.misu(&[&service[..], &["other"]].concat()).status.success());
    portal.house.said(&[&service[..], &["demo"]].concat());
    assert!(show().starts_with("HTTP/1.0 200"));
    let begun = portal.last("session-begun").unwrap();
    assert_eq!((begun.0.as_str(), begun.1.as_str()), ("demo-researcher", URI));
    // A certificate of another authority ends the handshake, one of another address opens nothing.
    assert_eq!(portal.health(Some(client(&authority(), URI))), None);
    portal.health(Some(client(&portal.authority, "spiffe://misu.example/other")));
    assert_eq!(portal.why(), "service");
    portal.house.said(&["account", "remove-service", "--as", "demo-operator", URI]);
    show();
    assert_eq!(portal.why(), "service");
}
