//! `misu-gateway`: the portal in front of one guard.

use std::future::Future;
use std::io::{Write as _, stderr, stdout};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use confinement::Unconfined;
use engine_protocol::LAPTOP;
use notebooks_gateway::{
    FlightTls, Gateway, Limits, NoRandomness, ProviderSettings, Settings, Sources, Tls, lock_in, monitor,
    router, serve, serve_flight, serve_tls,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Serves the portal. Every question goes to the guard; this program holds no key and no data.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The guard's socket.
    #[arg(long)]
    guard: PathBuf,
    /// Where to listen; beyond this machine only with TLS.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where to listen for Arrow Flight SQL; beyond this machine only with --tls-cert, which it speaks as well.
    #[arg(long)]
    flight: Option<SocketAddr>,
    /// Where a monitor asks for counts (/metrics, /live, /ready); on this machine only.
    #[arg(long)]
    monitor: Option<SocketAddr>,
    /// The certificate of the portal and its chain, as PEM; then it speaks TLS.
    #[arg(long, requires = "tls_key", conflicts_with = "behind_tls")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, as PEM, readable by its owner alone.
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Authorities of client certificates, as PEM; the guard has them pinned too, and judges.
    #[arg(long, requires = "tls_cert")]
    client_ca: Option<PathBuf>,
    /// The address of the portal as browsers know it; where it listens, by default.
    #[arg(long)]
    public_url: Option<String>,
    /// Lets people sign in at the provider that the guard names.
    #[arg(long)]
    oidc: bool,
    /// The file with the secret that we have at the provider.
    #[arg(long, requires = "oidc")]
    oidc_secret: Option<PathBuf>,
    /// Certificates of authorities that are believed about the provider's name, as PEM, instead of the usual ones.
    #[arg(long, requires = "oidc")]
    oidc_ca: Option<PathBuf>,
    /// A proxy in front of this program speaks TLS and hands the Host header on.
    #[arg(long)]
    behind_tls: bool,
    /// Ends when the program that started it does.
    #[arg(long)]
    end_with_parent: bool,
    /// Does without locking itself in; the words must say that nothing is at stake.
    #[arg(long)]
    unconfined: Option<String>,
}

/// Why the portal does not run.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(
        "{0} is reachable from other machines, and secrets would travel in clear; give --tls-cert and --tls-key, or put a TLS proxy in front and say --behind-tls"
    )]
    InClear(SocketAddr),
    #[error(
        "{0} is reachable from other machines, and Flight SQL would travel in clear; give --tls-cert and --tls-key"
    )]
    FlightInClear(SocketAddr),
    #[error("{0} is reachable from other machines; counts are for a monitor on this one")]
    MonitorAbroad(SocketAddr),
    #[error("cannot read {path}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{0} can be read by others than its owner; the key of the portal must not")]
    Exposed(PathBuf),
    #[error("the certificate and its key cannot be used")]
    Tls(#[from] rustls::Error),
    #[error("{0} holds no certificates or key as PEM")]
    Pem(PathBuf),
    #[error("this program cannot be locked in")]
    Unconfined(#[from] Unconfined),
    #[error("cannot listen on {listen}")]
    Listen { listen: SocketAddr, source: std::io::Error },
    #[error("cannot serve")]
    Serve(#[source] std::io::Error),
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(stderr).with_ansi(false).init();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
            let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
            // Where standard error is gone there is nobody to tell.
            let _ = writeln!(stderr(), "misu-gateway: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let listen = arguments.listen;
    let is_tls = arguments.behind_tls || arguments.tls_cert.is_some();
    if !listen.ip().is_loopback() && !is_tls {
        return Err(Failure::InClear(listen));
    }
    if let Some(flight) = arguments.flight
        && !flight.ip().is_loopback()
        && arguments.tls_cert.is_none()
    {
        return Err(Failure::FlightInClear(flight));
    }
    if let Some(monitor) = arguments.monitor.filter(|monitor| !monitor.ip().is_loopback()) {
        return Err(Failure::MonitorAbroad(monitor));
    }
    if arguments.end_with_parent {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
            .map_err(|error| Failure::Serve(error.into()))?;
    }
    let files = Files::read(arguments)?;
    // What a stranger sends is read by a program that reaches no file of an environment.
    if arguments.unconfined.as_deref() != Some(LAPTOP) {
        lock_in()?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::Serve)?;
    runtime.block_on(serve_all(arguments, files))?;
    // A thread that still waits for the guard is not waited for: its question is recorded by the guard.
    runtime.shutdown_background();
    Ok(())
}

/// Serves the portal and what stands beside it until somebody asks it to end.
async fn serve_all(arguments: &Arguments, files: Files) -> Result<(), Failure> {
    let stop = stopped().map_err(Failure::Serve)?;
    let listen = arguments.listen;
    let listener = TcpListener::bind(listen).await.map_err(|source| Failure::Listen { listen, source })?;
    let bound = listener.local_addr().map_err(Failure::Serve)?;
    let scheme = if files.tls.is_some() { "https" } else { "http" };
    let url = arguments.public_url.clone().unwrap_or_else(|| format!("{scheme}://{bound}"));
    let provider = files.provider.map(|(secret, roots)| ProviderSettings {
        public_url: url.trim_end_matches('/').to_owned(),
        secret,
        roots: Arc::new(roots),
    });
    let settings = Settings {
        is_behind_tls: arguments.behind_tls || files.tls.is_some(),
        is_behind_proxy: arguments.behind_tls,
        provider,
        ..Settings::new(&arguments.guard)
    };
    let gateway = Gateway::new(settings, sources());
    let flight = flight(arguments.flight, files.flight, gateway.clone()).await?;
    watched(arguments, gateway.clone()).await?;
    // One line, the addresses, for whoever started the program; where nobody reads, nobody waits.
    let _ = writeln!(stdout(), "{scheme}://{bound}{flight}");
    tracing::info!(%bound, "listening");
    match files.tls {
        Some(tls) => serve_tls(listener, gateway, Limits::default(), tls, stop).await,
        None => serve(listener, router(gateway), Limits::default(), stop).await,
    }
    Ok(())
}

/// What the program reads before it locks itself in: everything that it ever reads.
struct Files {
    tls: Option<Tls>,
    /// The certificate for Flight SQL, which is the portal's.
    flight: Option<FlightTls>,
    /// The secret at the provider, and who is believed about its name.
    provider: Option<(Option<String>, RootCertStore)>,
}

impl Files {
    fn read(arguments: &Arguments) -> Result<Self, Failure> {
        let flight = match (&arguments.tls_cert, &arguments.tls_key) {
            (Some(certificate), Some(key)) => {
                Some(FlightTls { certificates: bytes(certificate)?, key: bytes(key)? })
            }
            _ => None,
        };
        Ok(Self { tls: tls(arguments)?, flight, provider: provider(arguments)? })
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|source| Failure::File { path: path.to_owned(), source })
}

/// The TLS that the portal speaks: 1.3 and 1.2, by ring, with its own certificate.
fn tls(arguments: &Arguments) -> Result<Option<Tls>, Failure> {
    let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) else { return Ok(None) };
    let mode = std::fs::metadata(key).map_err(|source| Failure::File { path: key.clone(), source })?;
    let mode = mode.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Failure::Exposed(key.clone()));
    }
    let pem = bytes(certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| Failure::Pem(certificate.clone()))?;
    let pem = bytes(key)?;
    let private = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| Failure::Pem(key.clone()))?;
    let clients = match &arguments.client_ca {
        Some(path) => Some(authorities(path)?),
        None => None,
    };
    Ok(Some(Tls::new(chain, private, clients)?))
}

/// The certificates of a file, as authorities that are believed.
fn authorities(path: &Path) -> Result<RootCertStore, Failure> {
    let pem = bytes(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| Failure::Pem(path.to_owned()))?;
        roots.add(certificate).map_err(|_| Failure::Pem(path.to_owned()))?;
    }
    if roots.is_empty() { Err(Failure::Pem(path.to_owned())) } else { Ok(roots) }
}

/// Listens for Flight SQL beside the portal, with the portal's certificate, and gives the address with a space before
/// it. It ends with the program.
async fn flight(
    listen: Option<SocketAddr>,
    tls: Option<FlightTls>,
    gateway: Gateway,
) -> Result<String, Failure> {
    let Some(listen) = listen else { return Ok(String::new()) };
    let listener = TcpListener::bind(listen).await.map_err(|source| Failure::Listen { listen, source })?;
    let bound = listener.local_addr().map_err(Failure::Serve)?;
    let scheme = if tls.is_some() { "grpc+tls" } else { "grpc" };
    let stop = stopped().map_err(Failure::Serve)?;
    tokio::spawn(async move {
        if let Err(error) = serve_flight(listener, gateway, tls, stop).await {
            tracing::error!(%error, "Flight SQL ended");
        }
    });
    Ok(format!(" {scheme}://{bound}"))
}

/// Answers a monitor beside the portal, if it is asked for. It ends with the program.
async fn watched(arguments: &Arguments, gateway: Gateway) -> Result<(), Failure> {
    let Some(listen) = arguments.monitor else { return Ok(()) };
    let listener = TcpListener::bind(listen).await.map_err(|source| Failure::Listen { listen, source })?;
    let stop = stopped().map_err(Failure::Serve)?;
    tokio::spawn(async move { serve(listener, monitor(gateway), Limits::default(), stop).await });
    Ok(())
}

/// The secret at the provider and the authorities for its name, where people may sign in there.
fn provider(arguments: &Arguments) -> Result<Option<(Option<String>, RootCertStore)>, Failure> {
    if !arguments.oidc {
        return Ok(None);
    }
    let text = |path: &PathBuf| {
        let read = std::fs::read_to_string(path);
        read.map_err(|source| Failure::File { path: path.clone(), source })
    };
    let secret = arguments.oidc_secret.as_ref().map(text).transpose()?.map(|text| text.trim().to_owned());
    let roots = match &arguments.oidc_ca {
        Some(path) => authorities(path)?,
        None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
    };
    Ok(Some((secret, roots)))
}

fn sources() -> Sources {
    let (began, random) = (Instant::now(), SystemRandom::new());
    Sources {
        clock: Arc::new(move || began.elapsed()),
        random: Arc::new(move |bytes| random.fill(bytes).map_err(|_| NoRandomness)),
    }
}

/// Ready when the program is asked to end.
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("ending");
    })
}
