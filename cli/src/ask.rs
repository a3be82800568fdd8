//! Asks the guard: the one that runs, or one started for this question.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use engine_protocol::{ClientReply, ClientRequest, read_json, write_json};

use crate::failure::Failure;
use crate::programs::Program;

/// The longest answer: a released table.
const MOST: u32 = 256 << 20;
/// What a Unix socket's name may hold, with room for its end.
const LONGEST_NAME: usize = 100;

/// Where the guard of an environment listens.
pub(crate) fn socket(env: &Path) -> PathBuf {
    let inside = env.join("scratch").join("guard.sock");
    if inside.as_os_str().len() <= LONGEST_NAME {
        return inside;
    }
    let mut hasher = DefaultHasher::new();
    std::path::absolute(env).unwrap_or_else(|_| env.to_owned()).hash(&mut hasher);
    std::env::temp_dir().join(format!("misu-{:016x}.sock", hasher.finish()))
}

/// A connection to a guard.
pub(crate) enum Guard {
    /// One that serves the environment.
    Serving(UnixStream),
    /// One of our own, that ends with us.
    Own(Box<Child>),
}

impl Guard {
    /// Connects to the guard of an environment, or starts one.
    pub(crate) fn of(env: &Path) -> Result<Self, Failure> {
        if let Ok(stream) = UnixStream::connect(socket(env)) {
            return Ok(Self::Serving(stream));
        }
        let program = Program::Guard;
        let child = program
            .command()?
            .args(["ask", "--env"])
            .arg(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| Failure::Start { program: program.name(), source })?;
        Ok(Self::Own(Box::new(child)))
    }

    /// Asks one question.
    pub(crate) fn ask(&mut self, request: &ClientRequest) -> Result<ClientReply, Failure> {
        match self {
            Self::Serving(stream) => {
                write_json(stream, request)?;
                Ok(read_json(stream, MOST)?)
            }
            Self::Own(child) => {
                let closed = || Failure::Guard(engine_protocol::FrameError::Closed);
                write_json(child.stdin.as_mut().ok_or_else(closed)?, request)?;
                Ok(read_json(child.stdout.as_mut().ok_or_else(closed)?, MOST)?)
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Self::Own(child) = self {
            // The guard ends when its input does.
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}
