//! What every page works with: the guard's socket, the users, the sessions, time and randomness.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::catalogue::Catalogue;
use crate::guard::Guard;
use crate::jupyter::Kernels;
use crate::kept::Kept;
use crate::rate::{Rate, Rates};
use crate::sessions::Sessions;
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
    /// How often one caller may call the HTTP API.
    pub calls: Rate,
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
    pub(crate) kept: Kept,
    pub(crate) kernels: Kernels,
    pub(crate) rates: Rates,
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
            kept: Kept::default(),
            kernels: Kernels::default(),
            rates: Rates::new(settings.calls),
            settings,
            sources,
        }))
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0
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
            calls: Rate { burst: 240, per_second: 40 },
        }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources(..)")
    }
}
