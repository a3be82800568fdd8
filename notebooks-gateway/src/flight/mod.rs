//! Arrow Flight SQL, for ADBC drivers and what builds on them (pandas, Polars): a listener of its own beside the portal.
//!
//! A client is known by a token (`authorization: Bearer …`, or Basic with the token as password). `GetFlightInfo` asks
//! the guard and keeps the released table; the ticket that it gives is a random word, good for its owner, once, for
//! some minutes. Nothing of a question stands in a ticket, and no ticket runs anything.
//!
//! What is not here: updates, ingestion, transactions, Substrait; they are refused as not implemented.

mod binding;
mod caller;
mod metadata;
mod service;
mod statements;
mod status;
mod tickets;

use std::future::Future;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use crate::gateway::Gateway;
use service::Door;

/// The longest message of a client: a question of 64 KiB or a row of parameters, with room to spare.
const MOST: usize = 1 << 20;
/// Requests of one connection at the same time.
const AT_ONCE: usize = 16;
/// How long a request may take; a question's own limit is reached first.
const DEADLINE: Duration = Duration::from_secs(180);
/// How often a silent connection is asked whether it still lives, and how long it may take to say so.
const ALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(20));

/// A certificate chain and its key, as PEM.
#[derive(Clone)]
pub struct FlightTls {
    /// The chain, the server's certificate first.
    pub certificates: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for FlightTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FlightTls(..)")
    }
}

/// Serves Flight SQL until `stop` is ready; over TLS where a certificate is given.
///
/// # Errors
///
/// The certificate or key cannot be used, or the listener breaks.
pub async fn serve_flight(
    listener: TcpListener,
    gateway: Gateway,
    tls: Option<FlightTls>,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let service = FlightServiceServer::new(Door::new(gateway)).max_decoding_message_size(MOST);
    let mut server = Server::builder()
        .timeout(DEADLINE)
        .concurrency_limit_per_connection(AT_ONCE)
        .max_concurrent_streams(u32::try_from(AT_ONCE).ok())
        .http2_keepalive_interval(Some(ALIVE.0))
        .http2_keepalive_timeout(Some(ALIVE.1));
    if let Some(FlightTls { certificates, key }) = tls {
        server = server.tls_config(ServerTlsConfig::new().identity(Identity::from_pem(certificates, key)))?;
    }
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    server.add_service(service).serve_with_incoming_shutdown(incoming, stop).await
}
