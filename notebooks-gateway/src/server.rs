//! HTTP/1 on a listener: so many connections, so much time for a request's head, and an orderly end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// The longest head of a request.
const HEAD: usize = 32 * 1024;
/// How long to wait when the system gives no connection, for example for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// How much a server takes on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time; further ones wait in the system's queue.
    pub connections: usize,
    /// How long the head of a request may take, also the next one on a connection that is kept.
    pub head: Duration,
    /// How long open requests may take once the server ends.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 512, head: Duration::from_secs(15), farewell: Duration::from_secs(20) }
    }
}

/// Serves until `stop` is ready, then lets open requests end. What fails on one connection ends that one alone.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let turns = Arc::new(Semaphore::new(limits.connections));
    let (farewell, ending) = watch::channel(false);
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let turn = Arc::clone(&turns).acquire_owned().await;
            (turn, listener.accept().await)
        };
        let (turn, stream) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        match stream {
            Ok((stream, _)) => {
                let connection = connection(stream, router.clone(), limits.head);
                let ending = ending.clone();
                tokio::spawn(async move {
                    converse(connection, ending).await;
                    drop(turn);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    farewell.send_replace(true);
    // Every turn that comes back is a connection that ended.
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    if tokio::time::timeout(limits.farewell, turns.acquire_many(all)).await.is_err() {
        tracing::warn!("open requests were cut off at the end");
    }
}

/// Serves a connection; once the server ends, its open request is the last one.
async fn converse(connection: Connection, mut ending: watch::Receiver<bool>) {
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        () = async { drop(ending.wait_for(|is_ending| *is_ending).await) } => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

/// A WebSocket leaves its connection here and goes on by itself; kernels count their own.
type Connection = http1::UpgradeableConnection<TokioIo<TcpStream>, TowerToHyperService<Router>>;

fn connection(stream: TcpStream, router: Router, head: Duration) -> Connection {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades()
}
