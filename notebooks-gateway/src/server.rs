//! HTTP/1 on a listener, over TLS or not: so many connections, so much time for a request's head, and an orderly end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::attempts::Peer;

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
    listen(listener, router, limits, None, stop).await;
}

/// As [`serve`], over TLS.
pub async fn serve_tls(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    tls: Arc<ServerConfig>,
    stop: impl Future<Output = ()>,
) {
    listen(listener, router, limits, Some(TlsAcceptor::from(tls)), stop).await;
}

async fn listen(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    tls: Option<TlsAcceptor>,
    stop: impl Future<Output = ()>,
) {
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
            Ok((stream, from)) => {
                let pages = Pages { router: router.clone(), peer: Peer(from.ip()) };
                let (ending, tls) = (ending.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => attend(stream, pages, limits.head, ending).await,
                        // The handshake has as long as the head of a request.
                        Some(tls) => match tokio::time::timeout(limits.head, tls.accept(stream)).await {
                            Ok(Ok(stream)) => attend(stream, pages, limits.head, ending).await,
                            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                            Err(_) => tracing::debug!("a TLS handshake took too long"),
                        },
                    }
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

/// Serves a connection; once the server ends, its open request is the last one. A WebSocket leaves its connection
/// here and goes on by itself; kernels count their own.
async fn attend(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    pages: Pages,
    head: Duration,
    mut ending: watch::Receiver<bool>,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), pages)
        .with_upgrades();
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

/// The pages for one connection; each request knows the address that it came from.
#[derive(Clone)]
struct Pages {
    router: Router,
    peer: Peer,
}

impl Service<Request<Incoming>> for Pages {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        TowerToHyperService::new(self.router.clone()).call(request)
    }
}
