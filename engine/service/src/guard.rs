//! The guard of one environment.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use audit::{AuditError, Clock, Log};
use catalog_model::{Catalogue, SnapshotManifest};
use catalog_store::{
    Environment, EnvironmentError, FileKeyring, KeyError, KnownManifests, Meta, MetaError, Passphrase,
    SignInRules, SnapshotError, Workspaces,
};
use engine_protocol::{ClientReply, ClientRequest, GovernRequest, Governed, Limits, PublicAsk, PublicReply};
use time::OffsetDateTime;

use crate::analyses::Analyses;
use crate::anonymity::SmallClasses;
use crate::cases::{self, GovernError, Halts, Office};
use crate::identity::Turns;
use crate::latency::{Latency, latency};
use crate::ledger_file::{LedgerError, LedgerFile};
use crate::permits::{Permits, PermitsError};
use crate::public_record::PublicRecordFile;
use crate::queue::Queue;
use crate::recent::Recent;
use crate::running::{Asking, Run, Running};
use crate::texts::TextFiles;
use crate::worker::{WorkerError, WorkerProgram};
use crate::{
    analyses, codes, describe, figures, notebooks, open_tables, operating, query, reporting, templates, turn,
};

/// The guard of one environment: it alone opens the record of queries and sees protected tables.
pub struct Guard {
    pub(crate) environment: Environment,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) meta: Meta,
    pub(crate) permits: Permits,
    pub(crate) log: Log,
    pub(crate) worker: WorkerProgram,
    pub(crate) file_keys: FileKeyring,
    pub(crate) manifests: KnownManifests,
    pub(crate) workspaces: Workspaces,
    pub(crate) small_classes: SmallClasses,
    pub(crate) limits: Limits,
    pub(crate) ledger: Mutex<LedgerFile>,
    /// Held by whoever changes a notebook.
    pub(crate) notebooks: Mutex<()>,
    pub(crate) analyses: Analyses,
    pub(crate) record: PublicRecordFile,
    pub(crate) texts: TextFiles,
    pub(crate) halts: Halts,
    pub(crate) turns: Turns,
    pub(crate) running: Running,
    pub(crate) queue: Queue,
    recent: Mutex<Recent>,
    clock: Arc<dyn Clock>,
}

/// Why the guard cannot work.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The snapshots cannot be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// A key or random bytes cannot be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No worker can be had.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The permits cannot be read.
    #[error(transparent)]
    Permits(#[from] PermitsError),
    /// The record cannot be written; then nothing runs.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Who opted out cannot be read; then nothing runs.
    #[error("the list of who opted out cannot be read; run `misu optout` or publish again")]
    Exclusion(#[source] std::io::Error),
    /// The release ledger cannot be used; then nothing is released.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The analyses cannot be used.
    #[error("cannot use the analyses")]
    Analysis(#[source] std::io::Error),
    /// A report cannot be made.
    #[error(transparent)]
    Report(Box<reporting::ReportError>),
    /// The open tables cannot be used.
    #[error("cannot use the open tables")]
    Open(#[source] std::io::Error),
    /// The record cannot be read.
    #[error("cannot read the record")]
    Record(#[source] std::io::Error),
    /// Who must be left out of anonymized data cannot be worked out; then nothing of them is answered.
    #[error("who shares birth month and sex with too few cannot be worked out")]
    SmallClasses,
    /// A question cannot be judged; that says nothing of the question.
    #[error("there is no memory to judge a question with")]
    NoStack,
    /// A name of the project's own was taken in the meantime.
    #[error("ws.{0} is there already")]
    Taken(String),
    /// The record's tree cannot be grown or signed.
    #[error(transparent)]
    Tree(audit::TreeError),
    /// Governance cannot be asked.
    #[error(transparent)]
    Govern(#[from] GovernError),
    /// A value that another part of ours made is not of the form that it guarantees.
    #[error("broken invariant: {0}")]
    Bug(&'static str),
}

/// Workers that stand ready at most; each holds the program and nothing else.
const MOST_READY: usize = 8;

impl Guard {
    /// Opens the guard of the environment in `root`.
    ///
    /// # Errors
    ///
    /// The environment, its catalogue or its record cannot be opened.
    pub fn open(
        root: &Path,
        worker: WorkerProgram,
        clock: impl Clock + Clone + 'static,
    ) -> Result<Self, GuardError> {
        let environment = Environment::open(root)?;
        let (catalogue, _) = environment.catalogue()?;
        let meta = environment.meta()?;
        let permits = Permits::new(environment.room("policies"));
        let halts = Halts::new(&environment.room("policies"));
        let log = Log::open(&environment.room("audit"), clock.clone())?;
        let clock = Arc::new(clock);
        let ledger = Mutex::new(LedgerFile::new(&environment));
        let file_keys = FileKeyring::new(&environment);
        let manifests = KnownManifests::default();
        let workspaces = Workspaces::new(&environment);
        let worker = worker.unconfined(environment.config().confinement.clone());
        let worker = worker.grouped(environment.config().control_groups.clone());
        let turns = environment.config().turns;
        let texts = TextFiles::new(&environment);
        Ok(Self {
            environment,
            catalogue,
            meta,
            permits,
            log,
            worker,
            limits: turn::most(&turns),
            queue: Queue::new(turn::places(&turns)),
            running: Running::default(),
            ledger,
            notebooks: Mutex::default(),
            analyses: Analyses::default(),
            texts,
            record: PublicRecordFile::default(),
            halts,
            turns: Turns::default(),
            recent: Mutex::default(),
            file_keys,
            manifests,
            workspaces,
            small_classes: SmallClasses::default(),
            clock,
        })
    }

    /// Opens the environment's keys with this passphrase.
    #[must_use]
    pub fn unlocked_by(mut self, passphrase: Option<Passphrase>) -> Self {
        self.environment = self.environment.unlocked_by(passphrase);
        self.file_keys = FileKeyring::new(&self.environment);
        self.workspaces = Workspaces::new(&self.environment);
        self.texts = TextFiles::new(&self.environment);
        self
    }

    /// Has workers stand ready, one for each statement that may run at once, up to a fixed number.
    ///
    /// # Errors
    ///
    /// None can be started, or the kernel cannot lock one in; then the guard does not serve.
    pub fn prepare(&self) -> Result<(), GuardError> {
        Ok(self.worker.prepare((self.queue.places() + 1).min(MOST_READY), self.limits)?)
    }

    /// How long it takes from a request to the first plan, for `count` requests with a worker that stands ready, with one and the whole catalogue, and with one that is started.
    ///
    /// # Errors
    ///
    /// No worker can be started, or one does not plan.
    pub fn latency(&self, count: usize) -> Result<Vec<Latency>, GuardError> {
        latency(self, &self.worker, count)
    }

    /// Answers one request of whoever it names; who that is was found before. A fault of ours is told as such, without a value from the data.
    pub fn answer(&self, request: &ClientRequest) -> ClientReply {
        self.answer_to(request, &Asking::STAYS)
    }

    /// As [`Guard::answer`], for an asker who may go away and who may have a word for the question.
    pub(crate) fn answer_to<'a>(&'a self, request: &ClientRequest, asking: &Asking<'a>) -> ClientReply {
        let run = |user, project, answer: &dyn Fn(&Run<'_>) -> Result<ClientReply, GuardError>| {
            let run = self.running.begin((user, project), asking);
            let answered = answer(&run);
            run.to_next_step();
            answered
        };
        let answered = match request {
            ClientRequest::Vet(question) => query::verdict(self, question).map(ClientReply::Verdict),
            ClientRequest::Query(question) => {
                run(&question.user, &question.project, &|run| query::answer(self, question, run))
            }
            ClientRequest::Template(asked) => {
                run(&asked.user, &asked.project, &|run| templates::answer(self, asked, run))
            }
            ClientRequest::Running(ask) => Ok(ClientReply::Running(self.running.answer(ask))),
            ClientRequest::Templates(asked) => templates::list(self, asked),
            ClientRequest::Estimate(question) => query::estimate(self, question),
            ClientRequest::Workspace(ask) => {
                run(&ask.user, &ask.project, &|run| codes::answer(self, ask, run))
            }
            ClientRequest::Analysis(asked) => analyses::answer(self, asked).map(ClientReply::Analysis),
            ClientRequest::Catalogue => describe::catalogue(self).map(ClientReply::Catalogue),
            ClientRequest::Notebook(asked) => notebooks::answer(self, asked).map(ClientReply::Notebook),
            ClientRequest::Public(asked) => public(self, asked).map(ClientReply::Public),
            ClientRequest::Report(asked) => reporting::answer(self, asked).map(ClientReply::Report),
            ClientRequest::Operating(asked) => operating::answer(self, asked).map(ClientReply::Operating),
            ClientRequest::Open(wish) => {
                open_tables::open(self, wish).map(|reply| ClientReply::Opening { reply })
            }
            ClientRequest::Figure(wish) => {
                figures::show(self, wish).map(|reply| ClientReply::Figure { reply })
            }
            // Sessions are their holder's: the owner of an environment has commands instead.
            ClientRequest::Identity(_) => Ok(ClientReply::NotKnown),
            ClientRequest::Govern(asked) => self.govern(asked).map(ClientReply::Governed),
        };
        answered.unwrap_or_else(|error| Self::fault(&error))
    }

    /// A fault of ours as it is told.
    pub(crate) fn fault(error: &GuardError) -> ClientReply {
        ClientReply::Fault { message: chain(error) }
    }

    /// Looks at the record's last day as it is now.
    pub(crate) fn recent<T>(&self, look: impl FnOnce(&Recent) -> T) -> Result<T, GuardError> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.catch_up(self.log.path(), self.now()).map_err(LedgerError::Record)?;
        Ok(look(&recent))
    }

    fn govern(&self, asked: &GovernRequest) -> Result<Governed, GuardError> {
        Ok(cases::answered(&self.office()?, asked)?)
    }

    /// The office of the environment as it is now.
    pub(crate) fn office(&self) -> Result<Office<'_>, GuardError> {
        Ok(Office::new(&self.environment, &self.log, &self.permits, self.now())?)
    }

    /// The latest snapshot, if any.
    pub(crate) fn head(&self) -> Result<Option<SnapshotManifest>, GuardError> {
        Ok(self.environment.snapshots()?.head()?.map(|(_, manifest)| manifest))
    }

    /// The rules of signing in.
    pub(crate) fn sign_in(&self) -> &SignInRules {
        &self.environment.config().sign_in
    }

    /// The time now, as seconds since 1970.
    pub(crate) fn seconds(&self) -> i64 {
        self.now().unix_timestamp()
    }

    /// The time now.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }
}

/// Answers what anybody may ask.
fn public(guard: &Guard, asked: &PublicAsk) -> Result<PublicReply, GuardError> {
    Ok(match asked {
        PublicAsk::OpenTables => PublicReply::OpenTables { tables: open_tables::list(guard)? },
        PublicAsk::Figures { table } => PublicReply::Figures { figures: figures::list(guard, table)? },
        PublicAsk::Record => PublicReply::Record(guard.record.read(&guard.environment)?),
    })
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Guard({})", self.environment.root().display())
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
