//! Workers: a few stand ready, locked in before they know a query; each runs one and is gone.

use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::cgroups::Groups;
use engine_protocol::{
    FrameError, Limits, Socket, WorkerHello, WorkerReply, WorkerRequest, read_packed, write_packed,
};

/// The worker's program, and the processes of it that stand ready.
#[derive(Clone, Debug)]
pub struct WorkerProgram {
    path: PathBuf,
    // The words with which the configuration does without confinement, if it does.
    unconfined: Option<String>,
    groups: Vec<PathBuf>,
    ready: Arc<Ready>,
}

/// The processes that stand ready.
#[derive(Debug, Default)]
struct Ready {
    workers: Mutex<Vec<Worker>>,
    /// Held by whoever starts some, so that nobody starts too many.
    wanted: Mutex<Wanted>,
    /// How many were ended and are not gone yet.
    ending: Mutex<usize>,
    /// Told whenever one is gone.
    gone: Condvar,
}

/// How many are to stand ready.
#[derive(Debug, Default)]
struct Wanted {
    count: usize,
    /// What each may take: as much as any query, since nobody knows which one comes.
    limits: Option<Limits>,
}

/// Why a worker gave no reply. It goes into the record, not to the asker.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The program is not beside this one.
    #[error("there is no worker program {0}")]
    Missing(PathBuf),
    /// The program cannot be started.
    #[error("the worker cannot be started")]
    Start(#[source] std::io::Error),
    /// The configured control groups cannot be used.
    #[error("the worker cannot be put into its control group")]
    Group(#[source] std::io::Error),
    /// The kernel cannot lock the worker in.
    #[error("{0}")]
    Unconfined(String),
    /// A data file of the snapshot cannot be opened.
    #[error("a data file cannot be opened")]
    Data(#[source] std::io::Error),
    /// The reply is late.
    #[error("the worker did not answer within {0} seconds")]
    Late(u32),
    /// Somebody stopped it.
    #[error("the worker was stopped")]
    Stopped,
    /// The reply cannot be read.
    #[error("the worker's reply cannot be read")]
    Reply(#[from] FrameError),
}

impl WorkerError {
    /// The word for the record.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Missing(_) | Self::Start(_) => "worker-not-started",
            Self::Group(_) | Self::Unconfined(_) => "worker-unconfined",
            Self::Data(_) => "worker-data",
            Self::Late(_) => "worker-late",
            Self::Stopped => "worker-stopped",
            Self::Reply(FrameError::TooLong { .. } | FrameError::TooLarge { .. }) => "worker-too-large",
            Self::Reply(_) => "worker-gone",
        }
    }
}

/// What a process takes beside the engine's operators: the program and what the allocator holds.
const BESIDE: u64 = 2 << 30;
/// What each of its threads takes of its address space: a stack, and an arena of the allocator.
const THREAD: u64 = 192 << 20;

fn address_space(limits: Limits) -> u64 {
    limits.memory + BESIDE + u64::from(limits.threads) * THREAD
}

/// How often somebody looks whether a worker is to be stopped.
const LOOK: Duration = Duration::from_millis(25);

/// The longest greeting.
const HELLO: u32 = 4 << 10;

/// Workers that were ended and whose memory may be on its way back to the kernel while others begin.
const MOST_ENDING: usize = 8;

/// How long a process may take to lock itself in.
const GREETING: Duration = Duration::from_secs(20);

impl WorkerProgram {
    /// The program beside `guard`, the guard's own program file.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn beside(guard: &Path) -> Result<Self, WorkerError> {
        let path = guard.with_file_name("misu-worker");
        if !path.is_file() {
            return Err(WorkerError::Missing(path));
        }
        Ok(Self { path, unconfined: None, groups: Vec::new(), ready: Arc::default() })
    }

    /// Does without confinement; the worker accepts one sentence only, which says that nothing is at stake.
    #[must_use]
    pub fn unconfined(mut self, words: Option<String>) -> Self {
        self.unconfined = words;
        self
    }

    /// Puts every worker into a control group of its own below each of these folders.
    #[must_use]
    pub fn grouped(mut self, folders: Vec<PathBuf>) -> Self {
        self.groups = folders;
        self
    }

    /// The same program with nobody ready.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self { ready: Arc::default(), ..self.clone() }
    }

    /// Has `count` workers stand ready, each for any query within `limits`.
    ///
    /// # Errors
    ///
    /// One cannot be started or locked in; then none is of use.
    pub fn prepare(&self, count: usize, limits: Limits) -> Result<(), WorkerError> {
        let mut wanted = self.wanted();
        wanted.count = count.max(wanted.count);
        wanted.limits = Some(limits);
        self.refill(&wanted)
    }

    fn refill(&self, wanted: &Wanted) -> Result<(), WorkerError> {
        let Some(limits) = wanted.limits else { return Ok(()) };
        while self.waiting() < wanted.count {
            let worker = self.start(limits)?;
            self.workers().push(worker);
        }
        Ok(())
    }

    // Neither list is left half changed by a panic: every change is one call.
    fn workers(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.ready.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.ready.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that stands ready and still lives; one that something ended is taken away.
    fn ready(&self) -> Option<Worker> {
        let mut workers = self.workers();
        while let Some(mut worker) = workers.pop() {
            if worker.is_alive() {
                return Some(worker);
            }
        }
        None
    }

    /// How many stand ready.
    pub fn waiting(&self) -> usize {
        self.workers().len()
    }

    /// Has one worker run one query over `files`.
    ///
    /// # Errors
    ///
    /// It cannot be started, is late, or dies before it answers; it is ended in every case.
    pub fn run(&self, request: WorkerRequest, files: Vec<PathBuf>) -> Result<WorkerReply, WorkerError> {
        self.run_unless(request, files, &|| false)
    }

    /// As [`WorkerProgram::run`], until `is_stopped`: it is asked again and again while the worker works, and where it
    /// says so the worker is killed. Where too many are ending, it waits for one to be gone, and that takes of the
    /// request's seconds.
    ///
    /// # Errors
    ///
    /// As [`WorkerProgram::run`], or it was stopped.
    pub fn run_unless(
        &self,
        mut request: WorkerRequest,
        files: Vec<PathBuf>,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<WorkerReply, WorkerError> {
        let waited = self.ready.wait(request.limits.seconds, is_stopped)?;
        request.limits.seconds = left(request.limits.seconds, waited);
        let ready = self.ready();
        let mut worker = ready.map_or_else(|| self.start(request.limits), Ok)?;
        let reply = worker.run(request, files, is_stopped);
        let ending = Ending::of(&self.ready);
        worker.end();
        // Taking a process's memory away takes as long as it was large: nobody waits for a few of them. Starting one
        // takes as long as planning a query: the next one is made behind this one and not beside it. If it cannot be,
        // the next query says why.
        let pool = self.clone();
        std::thread::spawn(move || {
            drop(worker);
            drop(ending);
            pool.refill(&pool.wanted())
        });
        reply
    }

    fn start(&self, limits: Limits) -> Result<Worker, WorkerError> {
        let (ours, theirs) = Socket::pair().map_err(WorkerError::Start)?;
        let seconds = u64::from(limits.seconds) * u64::from(limits.threads.max(1));
        let numbers = [address_space(limits), seconds, DESCRIPTORS];
        let words = self.unconfined.iter().flat_map(|words| ["--unconfined".to_owned(), words.clone()]);
        let child = Command::new(&self.path)
            .args(words)
            .args(numbers.map(|number| number.to_string()))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(WorkerError::Start)?;
        let mut worker = Worker { child, socket: ours, groups: None };
        let groups = Groups::around(&self.groups, worker.child.id(), limits.memory + BESIDE);
        worker.groups = Some(groups.map_err(WorkerError::Group)?);
        let mut socket = Socket::new(worker.socket.as_fd());
        socket.wait_at_most(Some(GREETING)).map_err(WorkerError::Start)?;
        let hello = read_packed(&mut socket, HELLO)?;
        socket.wait_at_most(None).map_err(WorkerError::Start)?;
        match hello {
            WorkerHello::Ready => Ok(worker),
            WorkerHello::Unconfined(reason) => Err(WorkerError::Unconfined(reason)),
        }
    }
}

impl Ready {
    fn ending(&self) -> MutexGuard<'_, usize> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until few enough are ending, at most for so many seconds; how long it was.
    fn wait(&self, seconds: u32, is_stopped: &dyn Fn() -> bool) -> Result<Duration, WorkerError> {
        let (begun, within) = (Instant::now(), Duration::from_secs(u64::from(seconds)));
        let mut ending = self.ending();
        while *ending >= MOST_ENDING {
            if is_stopped() {
                return Err(WorkerError::Stopped);
            }
            if begun.elapsed() >= within {
                return Err(WorkerError::Late(seconds));
            }
            (ending, _) = self.gone.wait_timeout(ending, LOOK).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(begun.elapsed())
    }
}

/// A worker that was ended and is not gone yet, for as long as this value is there.
#[derive(Debug)]
struct Ending(Arc<Ready>);

impl Ending {
    fn of(ready: &Arc<Ready>) -> Self {
        *ready.ending() += 1;
        Self(Arc::clone(ready))
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        *self.0.ending() -= 1;
        self.0.gone.notify_all();
    }
}

/// What is left of so many seconds, in whole ones and at least one.
pub(crate) fn left(seconds: u32, spent: Duration) -> u32 {
    let left = Duration::from_secs(u64::from(seconds)).saturating_sub(spent);
    let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    u32::try_from(whole).unwrap_or(seconds).max(1)
}

/// Descriptors that a worker may hold: a snapshot of many buckets, tables and years.
const DESCRIPTORS: u64 = 65_536;

/// A process that stands ready; it ends when this value does.
#[derive(Debug)]
struct Worker {
    child: Child,
    socket: OwnedFd,
    // Taken away after the process, which `drop` below ends first.
    groups: Option<Groups>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Whatever happened: the process ends now, and nobody is left behind.
        self.end();
        let _ = self.child.wait();
    }
}

impl Worker {
    /// Whether nothing ended it while it stood ready.
    fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends the process: it runs no further step.
    fn end(&mut self) {
        let _ = self.child.kill();
    }

    fn run(
        &self,
        request: WorkerRequest,
        files: Vec<PathBuf>,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<WorkerReply, WorkerError> {
        let seconds = request.limits.seconds;
        let socket = self.socket.try_clone().map_err(WorkerError::Start)?;
        let (sender, receiver) = mpsc::channel();
        // The thread ends with the socket: by itself, or when the worker is killed below.
        std::thread::spawn(move || {
            // The receiver may have given up waiting.
            let _ = sender.send(exchange(Socket::new(socket.as_fd()), &request, &files));
        });
        let begun = Instant::now();
        let within = Duration::from_secs(u64::from(seconds));
        loop {
            match receiver.recv_timeout(LOOK.min(within.saturating_sub(begun.elapsed()))) {
                Ok(reply) => return reply,
                Err(_) if is_stopped() => return Err(WorkerError::Stopped),
                Err(mpsc::RecvTimeoutError::Timeout) if begun.elapsed() < within => {}
                Err(_) => return Err(WorkerError::Late(seconds)),
            }
        }
    }
}

fn exchange(
    mut socket: Socket<'_>,
    request: &WorkerRequest,
    files: &[PathBuf],
) -> Result<WorkerReply, WorkerError> {
    write_packed(&mut socket, request)?;
    // Opened a few at a time: a snapshot may have more files than this process may have open.
    for batch in files.chunks(OPEN_AT_ONCE) {
        let open: Vec<File> =
            batch.iter().map(File::open).collect::<std::io::Result<_>>().map_err(WorkerError::Data)?;
        let open: Vec<BorrowedFd<'_>> = open.iter().map(|file| file.as_fd()).collect();
        socket.send_files(&open).map_err(FrameError::Io)?;
    }
    Ok(read_packed(&mut socket, request.limits.bytes)?)
}

const OPEN_AT_ONCE: usize = 200;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Ending, MOST_ENDING, Ready, WorkerError, left};

    #[test]
    fn nobody_begins_while_too_many_are_ending() {
        let ready = Arc::new(Ready::default());
        let mut ending: Vec<Ending> = (0..MOST_ENDING).map(|_| Ending::of(&ready)).collect();
        assert!(matches!(ready.wait(0, &|| false), Err(WorkerError::Late(0))));
        assert!(matches!(ready.wait(60, &|| true), Err(WorkerError::Stopped)));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| ready.wait(60, &|| false).is_ok());
            ending.pop();
            assert!(waits.join().unwrap());
        });
        assert!(ready.wait(0, &|| false).is_ok());
        drop(ending);
        assert_eq!(*ready.ending(), 0);
    }

    #[test]
    fn what_was_spent_is_taken_from_the_seconds() {
        let of_ten = |spent| left(10, Duration::from_millis(spent));
        assert_eq!([0, 1, 3_500, 9_999, 11_000].map(of_ten), [10, 10, 7, 1, 1]);
    }
}
