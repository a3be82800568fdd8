//! Questions to the guard: one connection each, within a time, a few at once.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine_protocol::{Call, ClientReply, ClientRequest, FrameError, read_json, write_json};
use tokio::sync::Semaphore;

/// The longest answer that is read.
const MOST: u32 = 64 << 20;
/// Verdicts and catalogues asked at the same time.
const QUICK: usize = 8;
/// Queries asked at the same time. They wait for a worker in the guard's queue, where short ones overtake long ones;
/// what is beyond this waits here, and then is told to come back.
const LONG: usize = 32;
/// How long a question waits for its turn.
const TURN: Duration = Duration::from_secs(5);

/// Why the guard gave no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AskError {
    /// The socket is not there or nobody listens on it.
    #[error("the guard cannot be reached")]
    Unreachable(#[source] Arc<io::Error>),
    /// The connection broke, or what came was no answer.
    #[error("the guard gave no whole answer")]
    Broken(#[source] Arc<FrameError>),
    /// The guard took longer than it may.
    #[error("the guard took too long")]
    Late,
    /// As many questions as allowed are being answered.
    #[error("too many questions at once")]
    Busy,
    /// The session or token has ended, or serves another project.
    #[error("the guard does not know who asks, or the project is not theirs")]
    NotKnown,
    /// The guard cannot answer for a fault of its own.
    #[error("the guard has a fault: {0}")]
    Fault(String),
    /// The gateway lost the question.
    #[error("broken invariant: the task that asks the guard ended without an answer")]
    Lost,
}

/// The guard's socket with the turns of those who ask.
#[derive(Debug)]
pub(crate) struct Guard {
    socket: PathBuf,
    quick: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

impl Guard {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket, quick: Arc::new(Semaphore::new(QUICK)), long: Arc::new(Semaphore::new(LONG)) }
    }

    /// Asks the guard and waits for its answer: `long` for what runs a query, `quick` for everything else.
    pub(crate) async fn ask(
        &self,
        call: Call,
        quick: Duration,
        long: Duration,
    ) -> Result<ClientReply, AskError> {
        let (turns, within) = match call.request {
            ClientRequest::Query(_) | ClientRequest::Template(_) => (Arc::clone(&self.long), long),
            _ => (Arc::clone(&self.quick), quick),
        };
        let Ok(Ok(turn)) = tokio::time::timeout(TURN, turns.acquire_owned()).await else {
            return Err(AskError::Busy);
        };
        let socket = self.socket.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let reply = converse(&socket, &call, within);
            // The turn ends when the thread does, also where nobody waits for the answer any more.
            drop(turn);
            reply
        });
        match tokio::time::timeout(within, asked).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(AskError::Lost),
            Err(_) => Err(AskError::Late),
        }
    }
}

fn converse(socket: &Path, call: &Call, within: Duration) -> Result<ClientReply, AskError> {
    let unreachable = |error| AskError::Unreachable(Arc::new(error));
    let mut stream = UnixStream::connect(socket).map_err(unreachable)?;
    stream.set_read_timeout(Some(within)).map_err(unreachable)?;
    stream.set_write_timeout(Some(within)).map_err(unreachable)?;
    write_json(&mut stream, call).map_err(failure)?;
    read_json(&mut stream, MOST).map_err(failure)
}

fn failure(error: FrameError) -> AskError {
    match &error {
        FrameError::Io(io) if matches!(io.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            AskError::Late
        }
        _ => AskError::Broken(Arc::new(error)),
    }
}
