//! Starts a worker for one query, and ends it when its time is up.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use engine_protocol::{FrameError, WorkerReply, WorkerRequest, read_packed, write_packed};

/// The worker's program file.
#[derive(Clone, Debug)]
pub struct WorkerProgram(PathBuf);

/// Why a worker gave no reply. It goes into the record, not to the asker.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The program is not beside this one.
    #[error("there is no worker program {0}")]
    Missing(PathBuf),
    /// The program cannot be started.
    #[error("the worker cannot be started")]
    Start(#[source] std::io::Error),
    /// The reply is late.
    #[error("the worker did not answer within {0} seconds")]
    Late(u32),
    /// The reply cannot be read.
    #[error("the worker's reply cannot be read")]
    Reply(#[from] FrameError),
}

impl WorkerError {
    /// The word for the record.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Missing(_) | Self::Start(_) => "worker-not-started",
            Self::Late(_) => "worker-late",
            Self::Reply(_) => "worker-gone",
        }
    }
}

impl WorkerProgram {
    /// The program beside `guard`, the guard's own program file.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn beside(guard: &Path) -> Result<Self, WorkerError> {
        let path = guard.with_file_name("misu-worker");
        if path.is_file() { Ok(Self(path)) } else { Err(WorkerError::Missing(path)) }
    }

    /// Has one worker run one query.
    ///
    /// # Errors
    ///
    /// It cannot be started, is late, or dies before it answers; it is gone in every case.
    pub fn run(&self, request: &WorkerRequest) -> Result<WorkerReply, WorkerError> {
        let mut child = Command::new(&self.0)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(WorkerError::Start)?;
        let reply = exchange(&mut child, request);
        // Whatever happened: the process ends now, and nobody is left behind.
        let _ = child.kill();
        let _ = child.wait();
        reply
    }
}

fn exchange(child: &mut Child, request: &WorkerRequest) -> Result<WorkerReply, WorkerError> {
    let closed = || WorkerError::Reply(FrameError::Closed);
    let mut to = child.stdin.take().ok_or_else(closed)?;
    let mut from = child.stdout.take().ok_or_else(closed)?;
    let (limit, seconds) = (request.limits.bytes, request.limits.seconds);
    let (sender, receiver) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        // The receiver may have given up waiting.
        let _ = sender.send(read_packed::<WorkerReply>(&mut from, limit));
    });
    write_packed(&mut to, request)?;
    to.flush().map_err(FrameError::Io)?;
    drop(to);
    let reply = receiver.recv_timeout(Duration::from_secs(u64::from(seconds)));
    // The reader ends with the pipe: by itself, or when the caller kills the worker.
    drop(reader);
    match reply {
        Ok(reply) => Ok(reply?),
        Err(_) => Err(WorkerError::Late(seconds)),
    }
}
