//! What every page works with: the guard's socket, the workbenches, and time.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine_protocol::{
    Call, Caller, ClientReply, ClientRequest, RunName, RunStage, RunningAct, RunningAsk, RunningReply,
};

use crate::attempts::Attempts;
use crate::catalogue::Catalogue;
use crate::desk::Desks;
use crate::guard::{AskError, Guard};
use crate::jupyter::Kernels;
use crate::kept::Kept;
use crate::metrics::Metrics;
use crate::provider::{ProviderSettings, UnderWay};
use crate::rate::{Rate, Rates};
use crate::visitor::Visitor;

/// A gateway to one guard. Clones are the same gateway.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Parts>);

/// How a gateway behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The guard's socket.
    pub guard: PathBuf,
    /// Whether visitors come over TLS, spoken here or by a proxy: then cookies travel over TLS only.
    pub is_behind_tls: bool,
    /// Whether a proxy stands in front, which says in `X-Forwarded-For` where a request comes from.
    pub is_behind_proxy: bool,
    /// How the provider at which people may sign in is reached, where there is one.
    pub provider: Option<ProviderSettings>,
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
    /// Fills a word of the gateway's own (a ticket, a handle) with random bytes.
    pub random: Arc<Random>,
}

/// Fills a word with random bytes.
pub type Random = dyn Fn(&mut [u8; 32]) -> Result<(), NoRandomness> + Send + Sync;

/// The system gave no random bytes; no question is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) guard: Guard,
    pub(crate) catalogue: Catalogue,
    pub(crate) desks: Desks,
    pub(crate) kept: Kept,
    pub(crate) kernels: Kernels,
    pub(crate) rates: Rates,
    pub(crate) attempts: Attempts,
    pub(crate) metrics: Metrics,
    pub(crate) under_way: UnderWay,
    pub(crate) settings: Settings,
    pub(crate) sources: Sources,
}

impl Gateway {
    /// A gateway to the guard that the settings name.
    pub fn new(settings: Settings, sources: Sources) -> Self {
        Self(Arc::new(Parts {
            guard: Guard::new(settings.guard.clone()),
            catalogue: Catalogue::default(),
            desks: Desks::default(),
            kept: Kept::default(),
            kernels: Kernels::default(),
            rates: Rates::new(settings.calls),
            attempts: Attempts::default(),
            metrics: Metrics::default(),
            under_way: UnderWay::default(),
            settings,
            sources,
        }))
    }

    /// Asks the guard for a visitor. The guard finds the user by what the visitor came with; whoever the request
    /// names does not count.
    ///
    /// # Errors
    ///
    /// The guard gives no answer, or the visitor's session has ended, or the project is not theirs.
    pub async fn ask(&self, visitor: &Visitor, request: ClientRequest) -> Result<ClientReply, AskError> {
        self.ask_named(visitor, request, None).await
    }

    /// Asks the guard for a visitor, under a word by which the question is found while it runs.
    pub(crate) async fn ask_named(
        &self,
        visitor: &Visitor,
        request: ClientRequest,
        name: Option<RunName>,
    ) -> Result<ClientReply, AskError> {
        match self.send(Call { by: visitor.caller.clone(), request, name }).await? {
            ClientReply::NotKnown => Err(AskError::NotKnown),
            reply => Ok(reply),
        }
    }

    /// Tells the guard to stop a visitor's question. Where it has ended already, or the guard does not answer, nothing
    /// is to be done: the guard's own limit ends what nobody stops.
    pub(crate) async fn stop(&self, visitor: &Visitor, name: RunName) {
        let (user, project) = (visitor.user().to_owned(), visitor.project().to_owned());
        let ask = RunningAsk { user, project, name, act: RunningAct::Cancel };
        if let Err(error) = self.ask(visitor, ClientRequest::Running(ask)).await {
            tracing::warn!(%error, "a question could not be stopped");
        }
    }

    /// How far a visitor's question is; nothing where it does not run, or the guard does not say.
    pub(crate) async fn stage(&self, visitor: &Visitor, name: RunName) -> Option<RunStage> {
        let (user, project) = (visitor.user().to_owned(), visitor.project().to_owned());
        let ask = RunningAsk { user, project, name, act: RunningAct::Stage };
        match self.ask(visitor, ClientRequest::Running(ask)).await {
            Ok(ClientReply::Running(RunningReply::At { stage })) => Some(stage),
            _ => None,
        }
    }

    /// Asks the guard what anybody may ask.
    ///
    /// # Errors
    ///
    /// The guard gives no answer.
    pub async fn ask_publicly(&self, request: ClientRequest) -> Result<ClientReply, AskError> {
        self.call(Caller::Nobody, request).await
    }

    pub(crate) async fn call(&self, by: Caller, request: ClientRequest) -> Result<ClientReply, AskError> {
        self.send(Call::new(by, request)).await
    }

    async fn send(&self, call: Call) -> Result<ClientReply, AskError> {
        let settings = &self.0.settings;
        self.0.guard.ask(call, settings.quick, settings.long).await
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
            is_behind_proxy: false,
            provider: None,
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
