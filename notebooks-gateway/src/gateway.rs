//! What every page works with: the guard's socket, the users, the sessions, time and randomness.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine_protocol::{ClientReply, ClientRequest};

use crate::catalogue::Catalogue;
use crate::desk::Desks;
use crate::guard::{AskError, Guard};
use crate::sessions::{Sessions, Visitor};
use crate::users::Users;

/// A gateway to one guard. Clones are the same gateway.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Parts>);

/// How a gateway behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The guard's socket.
    pub guard: PathBuf,
    /// Whether a proxy in front of the gateway speaks TLS: then cookies travel over TLS only.
    pub is_behind_tls: bool,
    /// How long the guard may take for a verdict or the catalogue.
    pub quick: Duration,
    /// How long the guard may take for a query; its own limit should be reached first.
    pub long: Duration,
    /// How long a request waits for its answer before the page says that it is still running.
    pub patience: Duration,
}

/// Where a gateway takes time and randomness from.
#[derive(Clone)]
pub struct Sources {
    /// The time since a fixed moment; it never goes back.
    pub clock: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// Fills a secret with random bytes.
    pub random: Arc<Random>,
}

/// Fills a secret with random bytes.
pub type Random = dyn Fn(&mut [u8; 32]) -> Result<(), NoRandomness> + Send + Sync;

/// The system gave no random bytes; nobody can sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) guard: Guard,
    pub(crate) catalogue: Catalogue,
    pub(crate) users: Users,
    pub(crate) sessions: Sessions,
    pub(crate) desks: Desks,
    pub(crate) settings: Settings,
    pub(crate) sources: Sources,
}

impl Gateway {
    /// A gateway in which these users can sign in.
    pub fn new(settings: Settings, users: Users, sources: Sources) -> Self {
        Self(Arc::new(Parts {
            guard: Guard::new(settings.guard.clone()),
            catalogue: Catalogue::default(),
            users,
            sessions: Sessions::default(),
            desks: Desks::default(),
            settings,
            sources,
        }))
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0
    }

    /// Asks the guard for a visitor.
    pub(crate) async fn ask(&self, _: &Visitor, request: ClientRequest) -> Result<ClientReply, AskError> {
        self.ask_public(request).await
    }

    /// Asks the guard what anybody may ask.
    pub(crate) async fn ask_public(&self, request: ClientRequest) -> Result<ClientReply, AskError> {
        let settings = &self.0.settings;
        let within = match request {
            ClientRequest::Query(_) | ClientRequest::Template(_) => settings.long,
            _ => settings.quick,
        };
        self.0.guard.ask(request, within).await
    }

    /// The time now.
    pub(crate) fn now(&self) -> Duration {
        (self.0.sources.clock)()
    }
}

impl Settings {
    /// The usual settings for the guard at this socket.
    pub fn new(guard: impl Into<PathBuf>) -> Self {
        Self {
            guard: guard.into(),
            is_behind_tls: false,
            quick: Duration::from_secs(10),
            long: Duration::from_secs(150),
            patience: Duration::from_secs(8),
        }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources(..)")
    }
}
