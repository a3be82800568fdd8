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
use notebooks_gateway::{
    FlightTls, Gateway, Limits, NoRandomness, Settings, Sources, router, serve, serve_flight,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Serves the portal. Every question goes to the guard; this program holds no key and no data.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The guard's socket.
    #[arg(long)]
    guard: PathBuf,
    /// Where to listen; beyond this machine only with --behind-tls.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// A proxy in front of this program speaks TLS and hands the Host header on.
    #[arg(long)]
    behind_tls: bool,
    /// Where to listen for Arrow Flight SQL; beyond this machine only with a certificate of its own.
    #[arg(long)]
    flight: Option<SocketAddr>,
    /// The certificate chain for Flight SQL, PEM.
    #[arg(long, requires_all = ["flight", "flight_key"])]
    flight_certificate: Option<PathBuf>,
    /// The private key for Flight SQL, PEM, readable by its owner alone.
    #[arg(long, requires = "flight_certificate")]
    flight_key: Option<PathBuf>,
    /// Ends when the program that started it does.
    #[arg(long)]
    end_with_parent: bool,
}

/// Why the portal does not run.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(
        "{0} is reachable from other machines, and secrets would travel in clear; put a TLS proxy in front and say --behind-tls"
    )]
    InClear(SocketAddr),
    #[error("cannot listen on {listen}")]
    Listen { listen: SocketAddr, source: std::io::Error },
    #[error("cannot serve")]
    Serve(#[source] std::io::Error),
    #[error(
        "{0} is reachable from other machines, and Flight SQL would travel in clear; give --flight-certificate and --flight-key"
    )]
    FlightInClear(SocketAddr),
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{0} can be read by others; make it readable by its owner alone (chmod 600)")]
    Exposed(PathBuf),
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
    if !listen.ip().is_loopback() && !arguments.behind_tls {
        return Err(Failure::InClear(listen));
    }
    let tls = flight_tls(arguments)?;
    if arguments.end_with_parent {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
            .map_err(|error| Failure::Serve(error.into()))?;
    }
    let settings = Settings { is_behind_tls: arguments.behind_tls, ..Settings::new(&arguments.guard) };
    let gateway = Gateway::new(settings, sources());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::Serve)?;
    runtime.block_on(async {
        let stop = stopped().map_err(Failure::Serve)?;
        let listener =
            TcpListener::bind(listen).await.map_err(|source| Failure::Listen { listen, source })?;
        let bound = listener.local_addr().map_err(Failure::Serve)?;
        let flight = flight(arguments, tls, gateway.clone()).await?;
        // One line, the addresses, for whoever started the program; where nobody reads, nobody waits.
        let _ = writeln!(stdout(), "http://{bound}{}", flight.map(|at| format!(" {at}")).unwrap_or_default());
        tracing::info!(%bound, "listening");
        serve(listener, router(gateway), Limits::default(), stop).await;
        Ok(())
    })?;
    // A thread that still waits for the guard is not waited for: its question is recorded by the guard.
    runtime.shutdown_background();
    Ok(())
}

/// The certificate and key for Flight SQL; without them it listens on this machine only.
fn flight_tls(arguments: &Arguments) -> Result<Option<FlightTls>, Failure> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|source| Failure::Read { path: path.to_owned(), source });
    match (&arguments.flight, &arguments.flight_certificate, &arguments.flight_key) {
        (Some(listen), None, _) if !listen.ip().is_loopback() => Err(Failure::FlightInClear(*listen)),
        (Some(_), Some(certificate), Some(key)) => {
            let mode = std::fs::metadata(key).map(|metadata| metadata.permissions().mode());
            if mode.is_ok_and(|mode| mode & 0o077 != 0) {
                return Err(Failure::Exposed(key.clone()));
            }
            Ok(Some(FlightTls { certificates: read(certificate)?, key: read(key)? }))
        }
        _ => Ok(None),
    }
}

/// Listens for Flight SQL beside the portal and gives the address. It ends with the program.
async fn flight(
    arguments: &Arguments,
    tls: Option<FlightTls>,
    gateway: Gateway,
) -> Result<Option<String>, Failure> {
    let Some(listen) = arguments.flight else { return Ok(None) };
    let listener = TcpListener::bind(listen).await.map_err(|source| Failure::Listen { listen, source })?;
    let bound = listener.local_addr().map_err(Failure::Serve)?;
    let scheme = if tls.is_some() { "grpc+tls" } else { "grpc" };
    let stop = stopped().map_err(Failure::Serve)?;
    tokio::spawn(async move {
        if let Err(error) = serve_flight(listener, gateway, tls, stop).await {
            tracing::error!(%error, "Flight SQL ended");
        }
    });
    Ok(Some(format!("{scheme}://{bound}")))
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
