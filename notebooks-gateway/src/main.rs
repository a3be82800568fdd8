//! `misu-gateway`: the portal in front of one guard.

use std::future::Future;
use std::io::{Write as _, stderr, stdout};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use notebooks_gateway::{Gateway, Limits, Settings, Sources, router, serve};
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
        // One line, the address, for whoever started the program; where nobody reads, nobody waits.
        let _ = writeln!(stdout(), "http://{bound}");
        tracing::info!(%bound, "listening");
        serve(listener, router(gateway), Limits::default(), stop).await;
        Ok(())
    })?;
    // A thread that still waits for the guard is not waited for: its question is recorded by the guard.
    runtime.shutdown_background();
    Ok(())
}

fn sources() -> Sources {
    let began = Instant::now();
    Sources { clock: Arc::new(move || began.elapsed()) }
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
