//! Asks the guard: one started for this question, as the environment's owner, or the one that serves, with a token.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use engine_protocol::{Call, Caller, ClientReply, ClientRequest, SecretWord, read_json, write_json};

use crate::failure::{Failure, io};
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

/// The variable of the environment that holds an API token, for whoever does not own the environment.
const TOKEN: &str = "MISU_TOKEN";

/// A connection to a guard.
pub(crate) enum Guard {
    /// One that serves the environment, and the token that says who asks.
    Serving(UnixStream, SecretWord),
    /// One of our own, that ends with us; the requests name the user.
    Own(Box<Child>),
}

impl Guard {
    /// Connects to the guard that serves the environment where there is a token, or starts one.
    pub(crate) fn of(env: &Path) -> Result<Self, Failure> {
        if let Ok(word) = std::env::var(TOKEN) {
            let path = socket(env);
            let stream = UnixStream::connect(&path).map_err(io("reach the guard at", path))?;
            return Ok(Self::Serving(stream, SecretWord::new(word)));
        }
        Self::of_own(env)
    }

    /// Starts one, as the environment's owner.
    pub(crate) fn of_own(env: &Path) -> Result<Self, Failure> {
        let program = Program::Guard;
        let child = program
            .command()?
            .args(["ask", "--env"])
            .arg(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // An interrupt from the terminal ends us alone; the guard sees that nobody listens any more, stops the
            // question and records that it did.
            .process_group(0)
            .spawn()
            .map_err(|source| Failure::Start { program: program.name(), source })?;
        Ok(Self::Own(Box::new(child)))
    }

    /// Asks one question.
    pub(crate) fn ask(&mut self, request: &ClientRequest) -> Result<ClientReply, Failure> {
        let request = request.clone();
        match self {
            Self::Serving(stream, word) => {
                write_json(stream, &Call::new(Caller::Token { word: word.clone() }, request))?;
                Ok(read_json(stream, MOST)?)
            }
            Self::Own(child) => {
                let closed = || Failure::Guard(engine_protocol::FrameError::Closed);
                let call = Call::new(Caller::Owner, request);
                write_json(child.stdin.as_mut().ok_or_else(closed)?, &call)?;
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
